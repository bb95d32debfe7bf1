// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: a balancer left of retry would send every attempt to the same endpoint
#include <weir/call/pipeline.hpp>
#include <weir/balance/round_robin.hpp>

weir::endpoint_set endpoints;
weir::round_robin picks(endpoints);
using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::retry(), picks);
#else
auto p = weir::pipeline(picks, weir::retry());
#endif
