// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/rate.hpp>

#include <weir/limit/detail/gcra_rate.hpp>

#include <doctest/doctest.h>

#include <cstdint>

using namespace std::chrono_literals;
using weir::detail::gcra_rate;

TEST_CASE("rate: is the fraction that was written, per any span")
{
    static_assert(weir::per_second(3) == weir::rate{3, 1s});
    static_assert(weir::per_minute(3) == weir::rate{3, 60s});
    static_assert(weir::per_hour(3) == weir::rate{3, 60min});
    static_assert(weir::per_day(3) == weir::rate{3, 24h});
    CHECK(weir::per_second(60) != weir::per_minute(3600));  // the same speed, another fraction
}

TEST_CASE("rate: common rates are counted exactly, nanoseconds and permits in whole ticks")
{
    struct {
        weir::rate rate;
        std::int64_t ticks_per_ns, ticks_per_permit;
    } const exact[] = {
        {weir::per_second(1), 1, 1'000'000'000},
        {weir::per_second(3), 3, 1'000'000'000},
        {weir::per_second(500), 1, 2'000'000},
        {weir::per_second(1'000'000'000), 1, 1},
        {weir::per_minute(7), 7, 60'000'000'000},
        {{1, 72h}, 1, 259'200'000'000'000},
        {weir::per_second(999'983), 999'983, 1'000'000'000},
    };
    for (auto const& [rate, mul, interval] : exact) {
        gcra_rate const r{rate, 10, "test"};
        CHECK(r.mul == mul);
        CHECK(r.shift == 0);
        CHECK(r.interval == interval);
    }
}

TEST_CASE("rate: rounded ticks are never too fast, and never slower by a third of a millionth")
{
    for (auto rate :
         {weir::per_second(999'999'937), weir::per_second(16'777'259), weir::per_day(1), weir::rate{7, 24h * 365},
          weir::rate{1, 24h * 365}, weir::per_second(1'000'000'000), weir::per_second(3)})
        for (std::uint64_t burst : {1ull, 1000ull, 1'000'000ull, 1'000'000'000ull}) {
            gcra_rate const r{rate, burst, "test"};
            // Nanoseconds per permit, over what was asked.
            auto const ns = static_cast<long double>(r.interval) *
                            static_cast<long double>(std::int64_t{1} << r.shift) / static_cast<long double>(r.mul);
            auto const ratio = ns * static_cast<long double>(rate.permits) / static_cast<long double>(rate.per.count());
            CHECK(ratio >= 1 - 1e-15L);
            CHECK(ratio < 1 + 3e-7L);
            CHECK(r.burst * r.interval <= gcra_rate::span / 2);
        }
}
