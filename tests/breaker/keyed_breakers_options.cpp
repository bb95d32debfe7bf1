// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/keyed_breakers.hpp>
#include <weir/breaker/keyed_breakers_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;

TEST_CASE("keyed_breakers_options: bad values throw, those of each breaker too")
{
    CHECK_THROWS_WITH_AS(weir::detail::check({.capacity = 0}),
                         "weir: keyed_breakers_options.capacity must be in [1, 10000000], and is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(weir::detail::check({.capacity = 10'000'001}), std::invalid_argument);
    CHECK_THROWS_AS(weir::detail::check({.idle_for = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(weir::detail::check({.each = {.failure_rate = 2}}), std::invalid_argument);
    CHECK_THROWS_AS(weir::keyed_breakers<>({.capacity = 0}), std::invalid_argument);
    CHECK_THROWS_AS(weir::keyed_breakers<>().reconfigure({.idle_for = -1s}), std::invalid_argument);
    CHECK_NOTHROW(weir::detail::check(weir::keyed_breakers_options{}));
}
