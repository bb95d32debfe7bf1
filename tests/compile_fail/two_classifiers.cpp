// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: one classify decides what an ending means
#include <weir/call/pipeline.hpp>

inline weir::outcome f(int) { return weir::outcome::success(); }
using namespace std::chrono_literals;

#ifdef WEIR_CORRECT
auto p = weir::pipeline(weir::classify(f));
#else
auto p = weir::pipeline(weir::classify(f), weir::classify(f));
#endif
