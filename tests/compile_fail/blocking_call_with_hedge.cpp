// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: a blocking call cannot have two copies of an operation in flight; hedge with async_call
#include <weir/call/pipeline.hpp>

using namespace std::chrono_literals;

weir::retry_budget budget;
#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::retry({}, budget));
#else
auto p = weir::pipeline(weir::hedge({.delay = 50ms}, budget));
#endif
auto r = p.call([](weir::attempt const&) { return 1; });
