// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: attempt_timeout bounds one attempt, so it stands right of retry
#include <weir/call/pipeline.hpp>

using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::retry(), weir::attempt_timeout(1s));
#else
auto p = weir::pipeline(weir::attempt_timeout(1s), weir::retry());
#endif
