// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/tally.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

using weir::circuit_tally;
using weir::detail::one_call;
using weir::detail::reaches;

TEST_CASE("tally: a call may be both slow and failed, and counts in both")
{
    circuit_tally t;
    t += one_call(false, false);
    t += one_call(true, false);
    t += one_call(false, true);
    t += one_call(true, true);
    CHECK(t == circuit_tally{4, 2, 2});
    t -= one_call(true, true);
    CHECK(t == circuit_tally{3, 1, 1});
}

TEST_CASE("tally: a share reaches the threshold that is written like it, for every whole percentage")
{
    for (std::uint64_t percent = 1; percent <= 100; ++percent) {
        auto const threshold = static_cast<double>(percent) / 100;
        for (std::uint64_t const scale : {1u, 3u, 10'000u}) {
            CAPTURE(percent);
            CHECK(reaches(percent * scale, 100 * scale, threshold));
            CHECK_FALSE(reaches(percent * scale - 1, 100 * scale, threshold));
        }
    }
}
