// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a decision of a warm_up costs: to admit, and to refuse. It is the one that takes a lock.

#include "../support/limiters.hpp"

#include <weir/limit/warm_up.hpp>

#include <chrono>

int main(int argc, char** argv)
{
    using namespace std::chrono_literals;
    bench::report r("warm_up", argc, argv);
    bench::allow_and_deny<weir::basic_warm_up>(
        r, "warm_up", {.rate = weir::per_second(1'000'000'000), .warm_up = 1ms, .burst = 1'000'000'000},
        {.rate = weir::per_day(1)});
    return r.finish();
}
