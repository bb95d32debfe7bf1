// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/retry/hedge.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

weir::time_point const t0{1h};

}  // namespace

TEST_CASE("hedge: a fixed delay is known from the start, and learns nothing")
{
    weir::retry_budget budget;
    weir::hedge h({.delay = 50ms}, budget);
    CHECK(h.delay(t0) == 50ms);
    for (int i = 0; i < 1000; ++i) h.record(1ms, t0);
    CHECK(h.delay(t0) == 50ms);
    CHECK(&h.budget() == &budget);
}

TEST_CASE("hedge: a quantile is unknown until it is warm, and stays between its bounds")
{
    weir::retry_budget budget;
    weir::hedge h({.min_delay = 5ms, .max_delay = 20ms}, budget);
    for (int i = 0; i < 99; ++i) h.record(10ms, t0);
    CHECK_FALSE(h.delay(t0));
    h.record(10ms, t0);
    REQUIRE(h.delay(t0));
    CHECK(*h.delay(t0) >= 10ms);
    CHECK(*h.delay(t0) < 11ms);
    for (int i = 0; i < 1000; ++i) h.record(1s, t0);
    CHECK(h.delay(t0) == 20ms);
    for (int i = 0; i < 100000; ++i) h.record(1us, t0);
    CHECK(h.delay(t0) == 5ms);
}

TEST_CASE("hedge: keeps what it has learnt when it moves into a pipeline")
{
    weir::retry_budget budget;
    weir::hedge h({.delay = weir::latency_quantile_options{.min_samples = 1}}, budget);
    h.record(10ms, t0);
    auto moved = std::move(h);
    CHECK(moved.delay(t0));
}

TEST_CASE("hedge: bad options throw and name the field")
{
    weir::retry_budget budget;
    auto const refused = [&](weir::hedge_options o, char const* field) {
        try {
            weir::hedge h(o, budget);
            FAIL("accepted");
        } catch (std::invalid_argument const& e) {
            CHECK(std::string(e.what()).find(field) != std::string::npos);
        }
    };
    refused({.max_extra = 0}, "hedge_options.max_extra");
    refused({.max_extra = 4}, "hedge_options.max_extra");
    refused({.delay = -1ms}, "hedge_options.delay");
    refused({.min_delay = -1ms}, "hedge_options.min_delay");
    refused({.min_delay = 2s, .max_delay = 1s}, "hedge_options.max_delay");
    refused({.delay = weir::latency_quantile_options{.quantile = 2}}, "latency_quantile_options.quantile");
}
