// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/ramp.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::time_point;

namespace {

constexpr time_point t0{1h};

}  // namespace

TEST_CASE("ramp: the share grows in a straight line, and is held at both ends")
{
    weir::detail::ramp r;
    r.begin(t0, 0.2, 10s);
    CHECK(r.share(t0 - 1h) == 0.2);
    CHECK(r.share(t0) == 0.2);
    CHECK(r.share(t0 + 5s) == doctest::Approx(0.6));
    CHECK(r.share(t0 + 10s) == 1.0);
    CHECK(r.share(weir::never) == 1.0);
    for (double from = 0.001; from < 1; from += 0.001) {
        r.begin(t0, from, 10s);
        REQUIRE(r.share(t0 + 10s) == 1.0);
    }
    r.begin(t0, 0.2, 10s);
    CHECK(r.end() == t0 + 10s);
}

TEST_CASE("ramp: who was refused comes back when the share reaches what he drew, never at once and never after the end")
{
    weir::detail::ramp r;
    r.begin(t0, 0.2, 10s);
    CHECK(r.reaches(0.6, t0) - (t0 + 5s) < 1us);
    CHECK((t0 + 5s) - r.reaches(0.6, t0) < 1us);
    CHECK(r.reaches(0.1, t0) == t0 + 1ns);
    CHECK(r.reaches(0.6, t0 + 7s) == t0 + 7s + 1ns);
    CHECK(r.reaches(0.9999999, t0) <= t0 + 10s);
}

TEST_CASE("ramp: as long as time itself, it does not overflow")
{
    weir::detail::ramp r;
    r.begin(t0, 0.5, weir::duration::max());
    CHECK(r.end() == weir::never);
    CHECK(r.share(t0 + 24h) < 0.51);
    CHECK(r.reaches(0.99999999999999989, t0) > t0);
}
