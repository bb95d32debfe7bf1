// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a decision of a sliding_window_limiter costs: to admit, and to refuse.

#include "../support/limiters.hpp"

#include <weir/limit/sliding_window_limiter.hpp>

#include <chrono>

int main(int argc, char** argv)
{
    using namespace std::chrono_literals;
    bench::report r("sliding_window_limiter", argc, argv);
    bench::allow_and_deny<weir::basic_sliding_window_limiter>(
        r, "sliding_window_limiter", {.limit = 16'000'000, .window = 24h}, {.limit = 1, .window = 24h});
    return r.finish();
}
