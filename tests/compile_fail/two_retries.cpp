// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: two retries in one pipeline multiply the attempts
#include <weir/call/pipeline.hpp>

using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::retry());
#else
auto p = weir::pipeline(weir::retry(), weir::retry());
#endif
