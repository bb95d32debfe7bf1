// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/circuit_breaker_options.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

TEST_CASE("circuit_breaker_options: bad values throw and name the field, the range and the value")
{
    auto const message = [](weir::circuit_breaker_options const& o) -> std::string {
        try {
            weir::detail::check(o);
        } catch (std::invalid_argument const& e) {
            return e.what();
        }
        return "no exception";
    };
    auto const names = [&](weir::circuit_breaker_options const& o, std::string const& field) {
        CAPTURE(field);
        CHECK(message(o).find("circuit_breaker_options." + field + " must be ") != std::string::npos);
    };
    CHECK(message({.failure_rate = 1.5}) == "weir: circuit_breaker_options.failure_rate must be in (0, 1], and is 1.5");
    for (double const bad : {0.0, -0.1, 1.01, std::numeric_limits<double>::quiet_NaN()}) {
        names({.failure_rate = bad}, "failure_rate");
        names({.slow_call_rate = bad}, "slow_call_rate");
    }
    names({.slow_call_duration = -1ns}, "slow_call_duration");
    names({.minimum_calls = 0}, "minimum_calls");
    names({.open_for = -1s}, "open_for");
    for (double const bad : {0.99, 1001.0, std::numeric_limits<double>::quiet_NaN()})
        names({.open_multiplier = bad}, "open_multiplier");
    names({.open_for = 61s}, "max_open_for");
    names({.half_open_probes = 0}, "half_open_probes");
    names({.half_open_probes = 1001}, "half_open_probes");
    names({.probe_timeout = -1s}, "probe_timeout");
    names({.half_open_for = -1s}, "half_open_for");
    names({.ramp_for = -1s}, "ramp_for");
    names({.stripes = 65}, "stripes");
    for (double const bad : {-0.01, 1.01, std::numeric_limits<double>::quiet_NaN()}) {
        names({.open_jitter = bad}, "open_jitter");
        names({.half_open_success_rate = bad}, "half_open_success_rate");
    }
    for (double const bad : {0.0, 1.0, std::numeric_limits<double>::quiet_NaN()})
        names({.ramp_from = bad}, "ramp_from");
    names({.open_for = 0s}, "probe_timeout");
    names({.failures = 101, .window = weir::count_window{100}}, "failures");
    CHECK(message({.failures = 101}) == "no exception");
    CHECK(message({}) == "no exception");
}

TEST_CASE("circuit_breaker_options: a breaker checks them, its window included")
{
    CHECK_THROWS_AS(weir::circuit_breaker({.failure_rate = 0}), std::invalid_argument);
    CHECK_THROWS_AS(weir::circuit_breaker({.window = weir::count_window{0}}), std::invalid_argument);
    CHECK_THROWS_AS(weir::circuit_breaker({.window = weir::time_window{10s, 0}}), std::invalid_argument);
}

TEST_CASE("circuit_breaker_options: what is not said has its default")
{
    weir::circuit_breaker_options const o;
    CHECK(o.failure_rate == 0.5);
    CHECK(o.minimum_calls == 20);
    CHECK(o.window == weir::outcome_window(weir::time_window{10s, 10}));
    CHECK(o.open_for == 5s);
    CHECK(o.max_open_for == 60s);
    CHECK(o.half_open_probes == 10);
    CHECK_FALSE(o.dry_run);
}
