// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: deadline bounds the whole call, so it stands left of retry
#include <weir/call/pipeline.hpp>

using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::deadline(1s), weir::retry());
#else
auto p = weir::pipeline(weir::retry(), weir::deadline(1s));
#endif
