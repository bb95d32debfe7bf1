// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a decision of a fixed_window costs: to admit, and to refuse.

#include "../support/limiters.hpp"

#include <weir/limit/fixed_window.hpp>

#include <chrono>

int main(int argc, char** argv)
{
    using namespace std::chrono_literals;
    bench::report r("fixed_window", argc, argv);
    bench::allow_and_deny<weir::basic_fixed_window>(r, "fixed_window", {.limit = 1'000'000'000, .window = 24h},
                                                    {.limit = 1, .window = 24h});
    return r.finish();
}
