// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/attempt.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using weir::attempt;
using weir::duration;
using weir::never;
using weir::time_point;

TEST_CASE("attempt: the time left is never negative, at the deadline nothing is left")
{
    attempt const a(2, time_point(10s));
    CHECK(a.number() == 2);
    CHECK(a.deadline() == time_point(10s));
    CHECK(a.time_left(time_point(7s)) == 3s);
    CHECK(a.time_left(time_point(10s) - 1ns) == 1ns);
    CHECK(a.time_left(time_point(10s)) == 0s);
    CHECK(a.time_left(time_point(11s)) == 0s);
    CHECK(a.time_left(never) == 0s);
    CHECK(a.time_left(time_point::min()) == duration::max());
}

TEST_CASE("attempt: without a deadline there is all the time there is, whatever the clock says")
{
    attempt const a;
    CHECK(a.number() == 1);
    CHECK(a.deadline() == never);
    for (auto const now : {time_point::min(), time_point{}, time_point(10s), never}) {
        CAPTURE(now.time_since_epoch().count());
        CHECK(a.time_left(now) == duration::max());
    }
}

TEST_CASE("attempt: names the very endpoint that the balancer picked")
{
    weir::endpoint const target{.id = "a", .host = "10.0.0.1", .port = 80};
    CHECK(!attempt(1, never).has_endpoint());
    attempt const a(1, never, &target);
    REQUIRE(a.has_endpoint());
    CHECK(&a.endpoint() == &target);
}
