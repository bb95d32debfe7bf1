// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: weir::hedge: a hedge needs a retry_budget, the one that retry draws on
#include <weir/call/pipeline.hpp>

using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
weir::retry_budget budget;
auto p = weir::pipeline(weir::hedge({.delay = 50ms}, budget));
#else
auto p = weir::pipeline(weir::hedge({.delay = 50ms}));
#endif
