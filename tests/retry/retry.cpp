// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/retry/retry.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;

TEST_CASE("retry: what is not said has its default")
{
    weir::retry const r;
    CHECK(r.get_options().max_attempts == 3);
    CHECK(r.get_options().backoff == weir::exponential(100ms, 10s));
    CHECK(r.get_options().max_retry_after == 60s);
    CHECK(r.get_options().name == "retry");
    CHECK(r.budget() == nullptr);
}

TEST_CASE("retry: shares the budget it is given, copies included")
{
    weir::retry_budget budget;
    weir::retry const r({.max_attempts = 5, .backoff = weir::exponential(50ms, 2s)}, budget);
    auto const copy = r;
    CHECK(r.budget() == &budget);
    CHECK(copy.budget() == &budget);
    CHECK(copy.get_options().max_attempts == 5);
}

TEST_CASE("retry: bad options throw and name the field")
{
    CHECK_THROWS_WITH_AS(weir::retry({.max_attempts = 0}),
                         "weir: retry_options.max_attempts must be at least 1 (1 means no retry), and is 0",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(weir::retry({.max_retry_after = -1s}),
                         "weir: retry_options.max_retry_after must be at least 0 ms, and is -1000 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(weir::retry({.max_elapsed = 0s}),
                         "weir: retry_options.max_elapsed must be above 0 ms, and is 0 ms", std::invalid_argument);
    CHECK_NOTHROW(weir::retry({.max_attempts = 1, .max_retry_after = 0s}));
}
