// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/coarse_clock.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using weir::coarse_clock;
using weir::steady_clock;

TEST_CASE("coarse_clock: tells steady time of a moment ago, and never goes back")
{
    auto last = coarse_clock::now();
    for (auto const end = steady_clock::now() + 30ms; last < end;) {
        auto const before = steady_clock::now();
        auto const told = coarse_clock::now();
        CHECK(told >= before - 11ms);  // a step is 10 ms at most, where CONFIG_HZ is 100
        CHECK(told <= steady_clock::now());
        CHECK(told >= last);
        last = told;
    }
}

TEST_CASE("coarse_clock: after sleep_until an instant it is past")
{
    auto const t = coarse_clock::now() + 1ms;
    coarse_clock::sleep_until(t);
    CHECK(coarse_clock::now() >= t);
}

static_assert(weir::clock<coarse_clock>);
