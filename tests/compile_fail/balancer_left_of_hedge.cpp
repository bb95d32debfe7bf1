// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: a balancer left of hedge would send every copy to the same endpoint
#include <weir/balance/round_robin.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>

using namespace std::chrono_literals;

weir::retry_budget budget;
weir::token_bucket bucket({.rate = weir::per_second(10), .burst = 1});
weir::endpoint_set endpoints;
weir::round_robin balancer(endpoints);

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::hedge({}, budget), balancer);
#else
auto p = weir::pipeline(balancer, weir::hedge({}, budget));
#endif
