// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/vegas.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace std::chrono_literals;
using weir::time_point;
using weir::vegas;

static_assert(weir::limit_algorithm<vegas>);

namespace {

constexpr time_point start{1h};

/// With a shortest latency of 10 ms.
vegas with_baseline()
{
    vegas limit{{.initial_limit = 20, .probe_every = 1'000'000}};
    limit.update({.latency = 10ms, .in_flight = 20, .now = start});
    return limit;
}

}  // namespace

TEST_CASE("vegas: the shortest latency is the baseline")
{
    auto limit = with_baseline();
    CHECK(limit.baseline() == 10ms);
    limit.update({.latency = 8ms, .in_flight = 20, .now = start});
    CHECK(limit.baseline() == 8ms);
    CHECK(limit.limit() == 20);
}

TEST_CASE("vegas: steps by the length of the queue that it estimates")
{
    // queue = ceil(20 (1 - 10 / latency)), log10(20) rounds down to 1
    auto const after = [](weir::duration latency) {
        auto limit = with_baseline();
        limit.update({.latency = latency, .in_flight = 20, .now = start});
        return limit.limit();
    };
    CHECK(after(10ms) == 26);     // 0: six more
    CHECK(after(11ms) == 21);     // 2: one more
    CHECK(after(12500us) == 20);  // 4: as it should be
    CHECK(after(20ms) == 19);     // 10: one less
}

TEST_CASE("vegas: a limit that is not in use does not grow; a drop lowers it")
{
    auto limit = with_baseline();
    limit.update({.latency = 10ms, .in_flight = 9, .now = start});
    CHECK(limit.limit() == 20);
    limit.update({.latency = 10ms, .in_flight = 9, .dropped = true, .now = start});
    CHECK(limit.limit() == 19);
}

TEST_CASE("vegas: a baseline that is never seen again is forgotten")
{
    vegas limit{{.initial_limit = 10, .max_limit = 10, .probe_every = 3}};
    limit.update({.latency = 1ms, .in_flight = 10, .now = start});
    int calls = 0;
    for (; limit.baseline() == 1ms && calls < 100; ++calls)
        limit.update({.latency = 5ms, .in_flight = 10, .now = start});
    CHECK(limit.baseline() == 5ms);
    CHECK(calls >= 3);  // 15 to 30 calls from the first, with limits down to 3
    CHECK(calls <= 30);
}

TEST_CASE("vegas: bad options are refused by name")
{
    auto const refused = [](vegas::options o) { CHECK_THROWS_AS(vegas{o}, std::invalid_argument); };
    refused({.initial_limit = 0, .min_limit = 0});
    refused({.alpha = 6, .beta = 6});
    refused({.alpha = 0.0 / 0.0});
    refused({.beta = 1001});
    refused({.probe_every = 0});
    CHECK_THROWS_WITH(vegas{{.max_limit = 3}},
                      "weir: vegas_options.initial_limit must be from min_limit to max_limit, and is 20");
}
