// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/aimd.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;
using weir::aimd;
using weir::time_point;

static_assert(weir::limit_algorithm<aimd>);

namespace {

constexpr time_point start{1h};

}  // namespace

TEST_CASE("aimd: up by one for a call while the limit is in use, unmoved while it is not")
{
    aimd limit{{.initial_limit = 20}};
    limit.update({.latency = 1ms, .in_flight = 9, .now = start});
    CHECK(limit.limit() == 20);
    limit.update({.latency = 1ms, .in_flight = 10, .now = start});
    CHECK(limit.limit() == 21);
    limit.update({.latency = 1ms, .in_flight = 20, .now = start, .calls = 3});
    CHECK(limit.limit() == 24);
}

TEST_CASE("aimd: a drop and a call slower than the timeout lower it to 0.9 of itself")
{
    aimd limit{{.initial_limit = 100, .timeout = 50ms}};
    limit.update({.latency = 10ms, .in_flight = 100, .dropped = true, .now = start});
    CHECK(limit.limit() == 90);
    limit.update({.latency = 50ms, .in_flight = 1, .now = start + 1s});
    CHECK(limit.limit() == 90);
    limit.update({.latency = 51ms, .in_flight = 1, .now = start + 1s});
    CHECK(limit.limit() == 81);
}

TEST_CASE("aimd: the drops of one overload lower it once")
{
    aimd limit{{.initial_limit = 100}};
    for (int i = 0; i < 100; ++i) limit.update({.latency = 10ms, .dropped = true, .now = start + i * 100us});
    CHECK(limit.limit() == 90);
    limit.update({.latency = 10ms, .dropped = true, .now = start + 20ms});  // admitted after the decrease
    CHECK(limit.limit() == 81);
}

TEST_CASE("aimd: between min_limit and max_limit, also after reconfigure, which keeps the rest")
{
    aimd limit{{.initial_limit = 5, .min_limit = 4, .max_limit = 6}};
    for (int i = 0; i < 10; ++i) limit.update({.latency = 1ms, .in_flight = 6, .now = start});
    CHECK(limit.limit() == 6);
    for (int i = 0; i < 10; ++i) limit.update({.latency = 1ms, .dropped = true, .now = start + i * 1s});
    CHECK(limit.limit() == 4);
    limit.reconfigure({.initial_limit = 30, .min_limit = 1, .max_limit = 30});
    CHECK(limit.limit() == 4);
    limit.reconfigure({.initial_limit = 2, .min_limit = 1, .max_limit = 3});
    CHECK(limit.limit() == 3);
}

TEST_CASE("aimd: bad options are refused by name")
{
    auto const refused = [](aimd::options o) { CHECK_THROWS_AS(aimd{o}, std::invalid_argument); };
    refused({.initial_limit = 0, .min_limit = 0});
    refused({.initial_limit = 3, .min_limit = 4});
    refused({.initial_limit = 20, .max_limit = 10});
    refused({.decrease = 1});
    refused({.decrease = 0.0 / 0.0});
    refused({.timeout = -1ns});
    CHECK_THROWS_WITH(aimd{{.decrease = 2}}, "weir: aimd_options.decrease must be in [0.1, 1), and is 2");
}
