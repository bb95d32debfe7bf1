// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/gradient2.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;
using weir::duration;
using weir::gradient2;
using weir::time_point;

static_assert(weir::limit_algorithm<gradient2>);

namespace {

/// Windows of 20 calls each; the first has one more.
struct windows {
    explicit windows(gradient2::options o = {}) : limit(o) { limit.update({.latency = 10ms, .now = now}); }

    gradient2 limit;
    time_point now{1h};

    void run(int n, duration latency, std::uint32_t in_flight)
    {
        for (int i = 0; i < 20 * n; ++i) limit.update({.latency = latency, .in_flight = in_flight, .now = now += 51ms});
    }
};

}  // namespace

TEST_CASE("gradient2: grows by a fifth of the queue a window while latency is fine")
{
    windows w;
    w.run(12, 10ms, 40);
    CHECK(w.limit.limit() == 29);  // 20 + 12 * 0.2 * 4
    CHECK(w.limit.baseline() == 10ms);
}

TEST_CASE("gradient2: latency over the tolerance lowers it in proportion")
{
    windows w{{.initial_limit = 100}};
    w.run(11, 10ms, 10);  // not in use: only the baseline
    REQUIRE(w.limit.limit() == 100);
    w.run(1, 30ms, 100);
    // gradient 1.5 * 10 / 30 = 0.5 (0.503 with the baseline that moves along): 100 * 0.8 + 54 * 0.2
    CHECK(w.limit.limit() == 90);
    CHECK(w.limit.baseline() > 10ms);
}

TEST_CASE("gradient2: a window with few calls goes on, and an empty limit is left alone")
{
    gradient2 limit;
    time_point now{1h};
    for (int i = 0; i < 9; ++i) limit.update({.latency = 1ms, .in_flight = 20, .now = now += 10s});
    CHECK(limit.baseline() == 0ns);
    limit.update({.latency = 1ms, .in_flight = 20, .now = now += 10s});
    CHECK(limit.baseline() == 1ms);
    auto const before = limit.limit();
    for (int i = 0; i < 100; ++i) limit.update({.latency = 1ms, .in_flight = 5, .now = now += 1s});
    CHECK(limit.limit() == before);
}

TEST_CASE("gradient2: bad options are refused by name")
{
    auto const refused = [](gradient2::options o) { CHECK_THROWS_AS(gradient2{o}, std::invalid_argument); };
    refused({.min_limit = 21});
    refused({.window = 1us});
    refused({.min_samples = 0});
    refused({.long_window = 0});
    refused({.tolerance = 0.9});
    refused({.tolerance = 0.0 / 0.0});
    refused({.smoothing = 0});
    refused({.queue = 0});
    CHECK_THROWS_WITH(gradient2{{.smoothing = 1.5}}, "weir: gradient2_options.smoothing must be in (0, 1], and is 1.5");
}
