// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/littles_law.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

using namespace std::chrono_literals;
using weir::duration;
using weir::littles_law;
using weir::time_point;

static_assert(weir::limit_algorithm<littles_law>);

namespace {

/// A service that finishes one call every 10 ms and takes 100 ms for it when there is nothing to wait for, so ten are
/// in progress when it is just busy; always as full as the limit lets it be.
struct saturated {
    littles_law limit;
    time_point now{1h};
    std::uint32_t highest = 0;

    void run(duration span, duration every = 10ms, duration service = 100ms)
    {
        for (auto const until = now + span; now < until;) {
            auto const n = limit.limit();
            highest = std::max(highest, n);
            // Little: latency = in flight / throughput, and never below the service time.
            auto const step = std::max(every, service / n);
            limit.update({.latency = std::max(service, step * n), .in_flight = n, .now = now += step});
        }
    }
};

}  // namespace

TEST_CASE("littles_law: limit = headroom * throughput * service time + queue")
{
    for (std::uint32_t initial : {2u, 34u, 1000u}) {
        CAPTURE(initial);
        saturated s{littles_law{{.initial_limit = initial, .headroom = 3, .queue = 4}}};
        s.run(4min);
        while (s.limit.probing()) s.run(100ms);
        CHECK(std::chrono::round<std::chrono::milliseconds>(s.limit.service_time()) == 100ms);
        CHECK(s.limit.limit() >= 33);
        CHECK(s.limit.limit() <= 35);
    }
}

TEST_CASE("littles_law: a limit far too high is halved by every probe, though no probe sees the real service time")
{
    saturated s{littles_law{{.initial_limit = 800}}};  // a probe at 200 sees 20 service times
    s.run(2s);
    while (s.limit.probing()) s.run(100ms);
    CHECK(s.limit.limit() <= 604);  // 3 / 4 of it, + queue
    s.run(5min);
    CHECK(s.limit.limit() <= 35);
    CHECK(s.highest == 800);
}

TEST_CASE("littles_law: it is not moved by what is in progress while the limit holds nothing back")
{
    littles_law limit{{.initial_limit = 50}};
    time_point now{1h};
    for (int i = 0; i < 100'000; ++i) {
        limit.update({.latency = i % 2 ? 10ms : 500ms, .in_flight = i % 2 ? 5u : 30u, .now = now += 5ms});
        REQUIRE(limit.limit() == 50);
    }
    CHECK(limit.service_time() == 10ms);  // and yet learns from those who did not wait
}

TEST_CASE("littles_law: full, and nobody waits: it doubles without probes")
{
    saturated s{littles_law{{.initial_limit = 20}}};
    s.run(30s);         // ten workers
    s.run(10s, 100us);  // now a thousand
    CHECK(s.limit.limit() >= 1000);
    CHECK(s.limit.service_time() == 100ms);
}

TEST_CASE("littles_law: probes take at most about a fiftieth of the time")
{
    saturated s{littles_law{}};
    s.run(1min);
    duration probing{};
    for (int i = 0; i < 36'000; ++i) {
        bool const probe = s.limit.probing();
        auto const before = s.now;
        s.run(1ms);
        if (probe) probing += s.now - before;
    }
    CHECK(probing > 0s);
    CHECK(probing < 36'000 * 10ms / 45);
}

TEST_CASE("littles_law: an overload's drops lower it by a tenth, once")
{
    littles_law limit{{.initial_limit = 100}};
    for (int i = 0; i < 50; ++i)
        limit.update({.latency = 10ms, .in_flight = 100, .dropped = true, .now = time_point{1h} + i * 100us});
    CHECK(limit.limit() == 90);
}

TEST_CASE("littles_law: a probe in which hardly anybody comes ends, and teaches nothing")
{
    saturated s{littles_law{{.initial_limit = 100}}};
    while (!s.limit.probing()) s.run(10ms);
    REQUIRE(s.limit.limit() == 25);
    s.limit.update({.latency = 1h, .in_flight = 25, .now = s.now += 10h});
    CHECK(!s.limit.probing());
    CHECK(s.limit.limit() == 100);
    CHECK(s.limit.service_time() == 0s);
}

TEST_CASE("littles_law: reconfigure keeps what was learnt")
{
    saturated s{littles_law{}};
    s.run(1min);
    s.limit.reconfigure({.initial_limit = 5, .max_limit = 10});
    CHECK(s.limit.limit() <= 10);
    CHECK(s.limit.service_time() == 100ms);
}

TEST_CASE("littles_law: bad options are refused by name")
{
    auto const refused = [](littles_law::options o) { CHECK_THROWS_AS(littles_law{o}, std::invalid_argument); };
    refused({.initial_limit = 0, .min_limit = 0});
    refused({.headroom = 1});
    refused({.headroom = 4});
    refused({.headroom = 0.0 / 0.0});
    refused({.queue = 1'000'001});
    refused({.window = 0ns});
    refused({.window = 11s});
    refused({.samples = 9});
    CHECK_THROWS_WITH(littles_law{{.headroom = 4}},
                      "weir: littles_law_options.headroom must be in [1.1, 3.5], and is 4");
}
