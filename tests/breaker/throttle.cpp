// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/throttle.hpp>

#include <weir/core/gate.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::outcome;
using weir::throttle;
using weir::time_point;

static_assert(weir::gate<throttle>);

namespace {

constexpr time_point start{1'000'000s};

/// A client that asks a hundred times a second, and a peer that accepts or not.
struct traffic {
    explicit traffic(throttle::options const& o, std::uint64_t seed) : gate(o), random(seed) {}

    /// The share that was sent.
    double run(duration span, bool healthy)
    {
        int asked = 0, sent = 0;
        for (auto const until = now + span; now < until; now += 10ms, ++asked) {
            auto answer = gate.admit(now, random);
            if (!answer) continue;
            ++sent;
            answer->record(healthy ? outcome::success() : outcome::failure(), now);
        }
        return static_cast<double>(sent) / asked;
    }

    /// How long the peer is well until 95 of 100 requests are sent.
    duration recovery()
    {
        duration took{};
        for (; took < 10min; took += 200ms)
            if (run(200ms, true) >= 0.95 && gate.rejection_probability(now) < 0.05) break;
        return took;
    }

    throttle gate;
    weir::random_engine random;
    time_point now = start;
};

}  // namespace

TEST_CASE("throttle: refuses with probability (requests - k * accepts) / (requests + 1)")
{
    throttle gate{{.k = 2, .min_requests = 0}};
    weir::random_engine random{1};
    CHECK(gate.rejection_probability(start) == 0);
    for (int i = 0; i < 50; ++i) {
        auto a = gate.admit(start, random);
        if (a) a->record(i < 10 ? outcome::success() : outcome::failure(), start);
    }
    auto const t = gate.total(start);
    CHECK(t.requests == 50);
    CHECK(t.accepts == 10);
    CHECK(gate.rejection_probability(start) == doctest::Approx(30.0 / 51));
}

TEST_CASE("throttle: silent while the peer accepts half of what is asked, and below min_requests")
{
    throttle gate{{.min_requests = 20, .name = "orders"}};
    weir::random_engine random{1};
    for (int i = 0; i < 20; ++i) {
        auto a = gate.admit(start, random);
        REQUIRE(a);
        a->record(outcome::failure(), start);
    }
    CHECK(gate.rejection_probability(start) == 0.9);  // 20 / 21 is more than is ever refused
    int refused = 0;
    for (int i = 0; i < 100; ++i) {
        auto const a = gate.admit(start, random);
        if (a) continue;
        ++refused;
        CHECK(a.refused().code == errc::circuit_open);
        CHECK(a.refused().gate == "orders");
        CHECK(a.refused().retry_at == start + 1s);
    }
    CHECK(refused > 75);
    throttle half{{.min_requests = 0}};
    for (int i = 0; i < 1000; ++i) {
        auto a = half.admit(start, random);
        REQUIRE(a);
        a->record(i % 2 ? outcome::failure() : outcome::success(), start);
        REQUIRE(half.rejection_probability(start) <= 0.5 / (i + 1) + 1.0 / (i + 2));
    }
}

TEST_CASE("throttle: a failure that another try would repeat is an acceptance; ignored and unsent were never asked")
{
    throttle gate{{.min_requests = 0}};
    gate.admit(start)->record(outcome::permanent_failure(), start);
    CHECK(gate.total(start).accepts == 1);
    gate.admit(start)->record(outcome::ignored(), start);
    CHECK(gate.total(start).requests == 1);
    (void)gate.admit(start);
    CHECK(gate.total(start).requests == 1);
    auto a = *gate.admit(start);
    a = *gate.admit(start);  // the first is taken back
    CHECK(gate.total(start).requests == 2);
    a.record(outcome::success(), start);
    a.record(outcome::success(), start);
    CHECK(gate.total(start).accepts == 2);
}

TEST_CASE("throttle: what is older than the window is forgotten")
{
    throttle gate{{.window = 10s}};
    for (int i = 0; i < 100; ++i) gate.admit(start + i * 100ms)->record(outcome::success(), start + i * 100ms);
    CHECK(gate.total(start + 9999ms).requests == 100);
    CHECK(gate.total(start + 10s).requests == 90);
    CHECK(gate.total(start + 18s).requests == 10);
    CHECK(gate.total(start + 20s).requests == 0);
}

TEST_CASE("throttle: a clock that jumps ahead or back forgets, and does not break")
{
    throttle gate{{.min_requests = 0}};
    auto const fail = [&](time_point now, int n) {
        for (int i = 0; i < n; ++i)
            if (auto a = gate.admit(now)) a->record(outcome::failure(), now);
    };
    fail(start, 100);
    CHECK(gate.rejection_probability(start) == 0.9);
    CHECK(gate.rejection_probability(start + 24h * 3650) == 0);
    CHECK(gate.rejection_probability(start - 1h) == 0);
    fail(start - 1h, 100);
    CHECK(gate.total(start - 1h).requests == 100);
    CHECK(gate.rejection_probability(start - 1h) == 0.9);
    fail(time_point::min(), 100);
    CHECK(gate.total(time_point::min()).requests == 100);
    fail(weir::never, 100);
    CHECK(gate.total(weir::never).requests == 100);
}

TEST_CASE("throttle: a reading of the clock that is a bucket old does not clear what was counted since")
{
    throttle gate{{.min_requests = 0}};
    for (int i = 0; i < 10; ++i) gate.admit(start)->record(outcome::success(), start);
    auto late = gate.admit(start - 1s);
    CHECK(gate.total(start).requests == 11);
    for (int i = 0; i < 10; ++i) gate.admit(start + 9s)->record(outcome::success(), start + 9s);
    late->record(outcome::success(), start - 1s);  // its bucket is another's now
    CHECK(gate.total(start + 9s).requests == 20);
    CHECK(gate.total(start + 9s).accepts == 20);
}

TEST_CASE("throttle: when the peer is down a tenth is still sent")
{
    traffic t{{}, 1};
    t.run(1min, false);
    auto const share = t.run(10min, false);
    CHECK(share > 0.09);
    CHECK(share < 0.11);
}

TEST_CASE("throttle: when the peer is well again the share grows as the theory says, not in one step")
{
    // K (1 - exp(-x)) / x = 1: x = 1.59 for K = 2; from a tenth in ln(10) / 1.59 = 1.4 windows.
    std::array<double, 5> windows{};
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        traffic t{{.k = 2, .window = 10s}, seed};
        t.run(1min, false);
        auto const first = t.run(1s, true);
        CAPTURE(seed);
        CHECK(first < 0.35);  // not all at once
        windows[seed - 1] = std::chrono::duration<double>(1s + t.recovery()).count() / 10;
        CHECK(windows[seed - 1] < 2);
    }
    std::sort(windows.begin(), windows.end());
    MESSAGE("windows until 95 % are sent, min / median / max: ", windows[0], " / ", windows[2], " / ", windows[4]);
    CHECK(windows[2] > 1);
}

TEST_CASE("throttle: the naive arm, k = 1.1, is stuck for more than ten windows")
{
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        traffic t{{.k = 1.1, .window = 10s}, seed};
        t.run(1min, false);
        CHECK(t.recovery() > 80s);
    }
}

TEST_CASE("throttle: a peer that can take half of the load gets it, and little more")
{
    throttle gate{{}};
    weir::random_engine random{7};
    auto now = start;
    int accepted = 0, sent = 0;
    for (int second = 0; second < 600; ++second) {
        int left = 50;
        for (int i = 0; i < 100; ++i, now += 10ms) {
            auto a = gate.admit(now, random);
            if (!a) continue;
            bool const taken = left-- > 0;
            if (second >= 60) ++sent, accepted += taken;
            a->record(taken ? outcome::success() : outcome::failure(), now);
        }
    }
    CHECK(accepted >= 540 * 50 * 0.98);
    CHECK(sent <= 2 * accepted + 540);
}

TEST_CASE("throttle: reconfigure keeps what is remembered")
{
    throttle gate{{.k = 2, .min_requests = 0}};
    for (int i = 0; i < 100; ++i) {
        auto a = gate.admit(start);
        if (a) a->record(i % 4 == 0 ? outcome::success() : outcome::failure(), start);
    }
    auto const before = gate.total(start);
    gate.reconfigure({.k = 100, .min_requests = 0});
    CHECK(gate.total(start).requests == before.requests);
    CHECK(gate.rejection_probability(start) == 0);
}

TEST_CASE("throttle: bad options are refused by name")
{
    auto const refused = [](throttle::options const& o) { CHECK_THROWS_AS(throttle{o}, std::invalid_argument); };
    refused({.k = 1});
    refused({.k = 0.0 / 0.0});
    refused({.window = 9ms});
    refused({.window = 25h});
    refused({.min_requests = 1'000'001});
    refused({.max_rejection = 1});
    refused({.max_rejection = -0.1});
    CHECK_THROWS_WITH(throttle{{.max_rejection = 1}},
                      "weir: throttle_options.max_rejection must be in [0, 0.99], and is 1");
}

TEST_CASE("throttle: asks its own clock where no time is given")
{
    weir::testing::manual_clock clock{start};
    weir::basic_throttle gate{weir::throttle_options{}, clock};
    auto a = gate.try_acquire();
    CHECK(gate.total(start).requests == 1);
}

TEST_CASE("throttle: with many threads every request and every acceptance is counted")
{
    throttle gate{{.min_requests = 1'000'000}};
    constexpr int threads = 4, rounds = 20'000;
    {
        std::vector<std::jthread> crowd;
        for (int t = 0; t < threads; ++t)
            crowd.emplace_back([&, t] {
                for (int i = 0; i < rounds; ++i) {
                    auto const now = start + (i % 8) * 1s;
                    auto a = gate.admit(now);
                    if (t % 2) a->record(outcome::success(), now);
                    if (t == 0) a->record(outcome::failure(), now);
                }
            });
    }
    CHECK(gate.total(start + 7s).requests == 3 * rounds);  // those of thread 2 were taken back
    CHECK(gate.total(start + 7s).accepts == 2 * rounds);
}
