// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a decision of a sliding_window_log costs: to admit, and to refuse. A window of a nanosecond
// has no more than a few permits in it, and never runs full.

#include "../support/limiters.hpp"

#include <weir/limit/sliding_window_log.hpp>

#include <chrono>

int main(int argc, char** argv)
{
    using namespace std::chrono_literals;
    bench::report r("sliding_window_log", argc, argv);
    bench::allow_and_deny<weir::basic_sliding_window_log>(r, "sliding_window_log", {.limit = 1'000'000, .window = 1ns},
                                                          {.limit = 1, .window = 24h});
    return r.finish();
}
