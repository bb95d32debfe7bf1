// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/warm_up.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::time_point;
using weir::warm_up;
using weir::test::admitted;
using weir::test::exact_bucket;
using weir::test::thorough;
using weir::test::together;
using weir::test::up_to;
using weir::test::within_bound;

static_assert(weir::gate<warm_up>);

namespace {

constexpr time_point start{1'000'000s};

/// Guava's SmoothWarmingUp, in floating point, as its comment explains it: times in intervals of the full rate.
class smooth_warming_up {
public:
    smooth_warming_up(weir::rate r, duration warming, unsigned cold)
        : interval_(static_cast<long double>(r.per.count()) / static_cast<long double>(r.permits)),
          period_(static_cast<long double>(warming.count()) / interval_),
          cold_(cold),
          threshold_(0.5L * period_),
          most_(threshold_ + 2 * period_ / (1 + cold_)),
          stored_(most_)
    {
    }

    [[nodiscard]] long double interval() const { return interval_; }
    /// In nanoseconds from `start`.
    [[nodiscard]] long double next_free() const { return next_; }
    [[nodiscard]] long double stored() const { return stored_; }

    void take(std::uint64_t n, duration at)
    {
        auto const now = static_cast<long double>(at.count());
        if (now > next_) {
            stored_ = std::min(most_, stored_ + (now - next_) / interval_ * most_ / period_);
            next_ = now;
        }
        auto permits = static_cast<long double>(n);
        long double cost = permits;
        if (auto const above = stored_ - threshold_; above > 0) {
            auto const slope = (cold_ - 1) / (most_ - threshold_);
            auto const k = std::min(permits, above);
            cost += k * slope * (above + above - k) / 2;  // the trapezoid over the rectangle
        }
        stored_ = std::max(stored_ - permits, 0.0L);
        next_ += cost * interval_;
    }

private:
    long double interval_, period_, cold_, threshold_, most_, stored_;
    long double next_ = -1e18L;
};

/// Permits that full load gets in [from, to).
std::uint64_t full_load(warm_up& w, time_point from, time_point to)
{
    std::uint64_t n = 0;
    for (auto t = w.retry_at(1, from); t < to; t = w.retry_at(1, t)) {
        CHECK(w.try_acquire(1, t));
        ++n;
    }
    return n;
}

}  // namespace

TEST_CASE("warm_up: cold it admits at a third of the rate, and climbs to the full rate in the time of the warm-up")
{
    warm_up w{{.rate = weir::per_second(100), .warm_up = 10s}};
    CHECK(w.try_acquire(1, start));
    CHECK(w.retry_at(1, start) >= start + 29'900us);
    CHECK(w.retry_at(1, start) <= start + 30ms);
    // The trapezoid: 2 * warm_up / (interval + cold interval) permits.
    auto const climbing = full_load(w, start, start + 10s);
    CHECK(climbing >= 498);
    CHECK(climbing <= 500);
    CHECK(full_load(w, start + 10s, start + 20s) == 1000);
    CHECK(full_load(w, start + 20s, start + 120s) == 10'000);
}

TEST_CASE("warm_up: the rate climbs in every second of full load")
{
    warm_up w{{.rate = weir::per_second(1000), .warm_up = 5s, .cold_factor = 4}};
    std::uint64_t before = 0;
    for (int second = 0; second < 5; ++second) {
        auto const n = full_load(w, start + second * 1s, start + (second + 1) * 1s);
        CHECK(n > before);
        before = n;
    }
    CHECK(full_load(w, start + 5s, start + 6s) >= 999);
}

TEST_CASE("warm_up: idle it gets cold again, in the time of the warm-up; half the load keeps it warm")
{
    warm_up w{{.rate = weir::per_second(100), .warm_up = 10s}};
    full_load(w, start, start + 60s);
    auto t = start + 60s + 10ms;
    for (int i = 0; i < 3000; ++i, t += 20ms) REQUIRE(w.try_acquire(1, t));
    t += 1s;
    CHECK(w.try_acquire(1, t));
    CHECK(w.retry_at(1, t) == t + 10ms);
    auto const early = t + 5s;
    warm_up half{{.rate = weir::per_second(100), .warm_up = 10s}};
    full_load(half, start, early);
    CHECK(half.try_acquire(1, early + 7500ms));  // half way up the slope
    auto const wait = half.retry_at(1, early + 7500ms) - (early + 7500ms);
    CHECK(wait > 19ms);
    CHECK(wait < 21ms);
    CHECK(half.try_acquire(1, early + 1h));
    CHECK(half.retry_at(1, early + 1h) - (early + 1h) > 29'900us);
}

TEST_CASE("warm_up: follows Guava's curve in a million decisions")
{
    std::mt19937_64 g{1};
    int compared = 0;
    for (int round = 0; round < thorough(2'000); ++round) {
        weir::rate const r = g() % 2 ? weir::per_second(1 + g() % 1'000'000) : weir::rate{1 + g() % 20, 1min};
        auto const warming = duration{static_cast<std::int64_t>(1'000'000 + g() % 30'000'000'000)};
        auto const cold = static_cast<unsigned>(1 + g() % 10);
        warm_up w{{.rate = r, .warm_up = warming, .cold_factor = cold}};
        smooth_warming_up guava{r, warming, cold};
        auto const interval = guava.interval();
        auto t = 0ns;
        auto const step = static_cast<std::uint64_t>(interval * static_cast<long double>(1 + g() % 3)) + 1;
        for (int i = 0; i < 500; ++i) {
            t += g() % 100 == 0 ? up_to(g, 2 * static_cast<std::uint64_t>(warming.count())) : up_to(g, step);
            auto const next = guava.next_free();
            auto const now = static_cast<long double>(t.count());
            // One part in ten thousand of an interval is between them: 500 roundings to a millionth.
            auto const slack = 0.0005L * interval * cold + 2;
            auto const at = w.retry_at(1, start + t);
            INFO(r.permits, " per ", r.per.count(), " ns, ", warming.count(), " ns, cold ", cold, ", decision ", i);
            if (next > now + slack) {
                REQUIRE(std::abs(static_cast<long double>((at - start).count()) - next) <= slack);
                REQUIRE_FALSE(w.try_acquire(1, start + t));
            } else if (next < now - slack) {
                REQUIRE(at == start + t);
                REQUIRE(w.try_acquire(1, start + t));
                guava.take(1, t);
            } else if (w.try_acquire(1, start + t)) {
                guava.take(1, t);
            }
            ++compared;
        }
    }
    CHECK(compared == thorough(2'000) * 500);
}

TEST_CASE("warm_up: n permits cost what they cost one by one")
{
    warm_up one{{.rate = weir::per_second(1000), .warm_up = 2s, .burst = 1000}};
    warm_up many{{.rate = weir::per_second(1000), .warm_up = 2s, .burst = 1000}};
    for (int i = 0; i < 250; ++i) {
        // The burst is counted in warm permits, so 1000 pass as one, and far fewer one after another.
        auto t = start + i * 1h;
        CHECK(many.try_acquire(300, t));
        int n = 0;
        while (n < 300 && one.try_acquire(1, t)) ++n;
        REQUIRE(n == 300);
        auto const a = one.retry_at(1000, t), b = many.retry_at(1000, t);
        REQUIRE(std::chrono::abs(a - b) < 1us);
    }
}

TEST_CASE(
    "warm_up: without a warm-up, or without a cold factor, it equals the exact bucket in half a million decisions")
{
    std::mt19937_64 g{2};
    for (int round = 0; round < thorough(500); ++round) {
        weir::rate const r = [&]() -> weir::rate {
            switch (g() % 4) {
                case 0: return weir::per_second(1 + g() % 1'000'000'000);
                case 1: return weir::per_second(1'000'000'000 / (1 + g() % 60));
                case 2: return {1 + g() % 1000, duration{static_cast<std::int64_t>(1000 + g() % 1'000'000'000'000)}};
                default: return {1, duration{static_cast<std::int64_t>(1 + g() % 30'000'000'000'000'000)}};
            }
        }();
        std::uint64_t const burst = 1 + g() % (g() % 3 == 0 ? 1'000'000'000 : 10);
        warm_up w{{.rate = r, .warm_up = round % 2 ? 0s : 10s, .cold_factor = round % 2 ? 3u : 1u, .burst = burst}};
        exact_bucket e{r, burst};
        auto t = start;
        auto const interval = static_cast<std::uint64_t>(r.per.count()) / r.permits;
        for (int i = 0; i < 1000; ++i) {
            if (g() % 300 == 0) t += up_to(g, std::min<std::uint64_t>(200 * interval + 5'000'000'000, 1ull << 50));
            if (t < time_point::max() - 1000 * 24h) t += up_to(g, 2 * interval + 2);
            auto const n = g() % 4 == 0 ? g() % (burst + 2) : g() % (std::min<std::uint64_t>(burst, 3) + 1);
            INFO(r.permits, " per ", r.per.count(), " ns, burst ", burst, ", n = ", n, ", decision ", i);
            REQUIRE(w.available(t) == e.available(t));
            REQUIRE(w.try_acquire(n, t) == (n == 0 || e.take(n, t)));
        }
    }
}

TEST_CASE("warm_up: random traffic is never over rate * t + burst, cold or warm, with reservations and cancels")
{
    std::mt19937_64 g{3};
    for (int round = 0; round < thorough(200); ++round) {
        weir::rate const r = g() % 3 == 0   ? weir::per_second(999'999'937)
                             : g() % 2 == 0 ? weir::per_second(1 + g() % 1'000'000)
                                            : weir::rate{1 + g() % 20, 24h};
        std::uint64_t const burst = 1 + g() % 10;
        auto const cold = static_cast<std::uint32_t>(1 + g() % 100);
        auto const interval = 1 + static_cast<std::uint64_t>(r.per.count()) / r.permits;
        auto const warming = up_to(g, std::min<std::uint64_t>(1000 * interval, 86'400'000'000'000));
        warm_up w{{.rate = r, .warm_up = warming, .cold_factor = cold, .burst = burst}};
        std::vector<admitted> all;
        auto t = start;
        for (int i = 0; i < 1000; ++i) {
            t += g() % 30 == 0   ? up_to(g, 2000 * interval)
                 : g() % 30 == 0 ? -up_to(g, 5 * interval)
                                 : up_to(g, 2 * interval);
            auto const n = 1 + g() % burst;
            auto a = w.reserve(n, up_to(g, g() % 2 * 9 * interval), t);
            if (!a) {
                REQUIRE(a.refused().retry_at > t);
                continue;
            }
            if (g() % 3 == 0 && a->cancel()) continue;
            all.push_back({a->start_at(), n});
            a->record(weir::outcome::success(), t);
        }
        REQUIRE(all.size() > 10);
        REQUIRE(within_bound(all, r, burst, 1ns));
    }
}

TEST_CASE("warm_up: a refusal says when to come back and who refused")
{
    warm_up w{{.rate = weir::per_second(10), .warm_up = 0s, .name = "cache"}};
    CHECK(w.try_acquire(1, start));
    auto const a = w.admit(start + 30ms);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "cache");
    CHECK(a.refused().retry_at == start + 100ms);
    CHECK_FALSE(w.reserve(1, 60ms, start + 30ms));
    CHECK(w.reserve(1, 60ms, start + 30ms).refused().retry_at == start + 40ms);
    CHECK(w.reserve(1, 60ms, start + 40ms)->start_at() == start + 100ms);  // and at once given back
    CHECK_FALSE(w.try_acquire(1, start + 100ms - 1ns));
    CHECK(w.try_acquire(1, start + 100ms));
}

TEST_CASE("warm_up: more than the burst never passes, nothing always does")
{
    warm_up w{{.burst = 5}};
    auto const a = w.reserve(6, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK_FALSE(w.try_acquire(UINT64_MAX, start));
    CHECK(w.available(start) == 5);
    CHECK(w.try_acquire(5, start));
    CHECK(w.try_acquire(0, start));
    CHECK(w.reserve(0, 0s, start));
    warm_up none{{.burst = 0}};
    CHECK(none.try_acquire(0, start));
    CHECK_FALSE(none.try_acquire(1, start));
    CHECK(none.available(start) == 0);
}

TEST_CASE("warm_up: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((warm_up{{.rate = {0, 1s}}}),
                         "weir: warm_up_options.rate.permits must be at least 1, and at most 1e9 per second, and is 0",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((warm_up{{.rate = {1, 0s}}}),
                         "weir: warm_up_options.rate.per must be more than 0 and at most 365 days, and is 0 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((warm_up{{.warm_up = -1s}}),
                         "weir: warm_up_options.warm_up must be from 0 ms to 24 hours, and is -1000 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((warm_up{{.cold_factor = 0}}),
                         "weir: warm_up_options.cold_factor must be from 1 to 100, and is 0", std::invalid_argument);
    CHECK_THROWS_AS((warm_up{{.burst = 1'000'000'001}}), std::invalid_argument);
    warm_up w;
    CHECK_THROWS_AS(w.reconfigure({.warm_up = 25h}, start), std::invalid_argument);
    CHECK(w.try_acquire());
    CHECK(w.available() <= 1);
    w.drain();
    w.reconfigure({});
}

TEST_CASE("warm_up: a cancelled admission goes back while it is the last, and mints nothing later")
{
    warm_up w{{.rate = weir::per_second(10), .warm_up = 10s, .burst = 2}};
    auto const cold = w.admit(start)->start_at();  // given back
    CHECK(cold == start);
    auto a = w.admit(start);
    auto b = w.reserve(1, 1h, start);
    CHECK_FALSE(a->cancel());
    CHECK(b->cancel());
    CHECK_FALSE(b->cancel());
    auto c = w.reserve(1, 1h, start);
    w.drain(start);
    CHECK_FALSE(c->cancel());
    CHECK(w.available(start + 1h) == 2);
    auto d = w.admit(start + 1h);
    CHECK(w.try_acquire(1, start + 2h));
    CHECK_FALSE(d->cancel());
    auto e = w.admit(start + 3h);
    w.reconfigure({.rate = weir::per_second(10), .warm_up = 10s, .burst = 2}, start + 3h);
    CHECK_FALSE(e->cancel());
}

TEST_CASE("warm_up: drained, it has to earn the next permit")
{
    warm_up w{{.rate = weir::per_second(10), .warm_up = 0s, .burst = 3}};
    w.drain(start);
    CHECK(w.available(start) == 0);
    CHECK(w.retry_at(1, start) == start + 100ms);
    CHECK(w.available(start + 300ms) == 3);
}

TEST_CASE("warm_up: another rate keeps what is owed, in permits, and how cold it is")
{
    warm_up w{{.rate = weir::per_second(10), .warm_up = 0s, .burst = 4}};
    CHECK(w.try_acquire(4, start));
    w.reconfigure({.rate = weir::per_second(100), .warm_up = 0s, .burst = 4}, start);
    CHECK(w.available(start) == 0);
    CHECK(w.retry_at(1, start) == start + 10ms);
    CHECK(w.available(start + 40ms) == 4);

    warm_up warm{{.rate = weir::per_second(100), .warm_up = 10s}};
    full_load(warm, start, start + 60s);
    warm.reconfigure({.rate = weir::per_second(200), .warm_up = 20s}, start + 60s);
    CHECK(warm.try_acquire(1, start + 61s));
    CHECK(warm.retry_at(1, start + 61s) == start + 61s + 5ms);
    warm_up cold{{.rate = weir::per_second(100), .warm_up = 10s}};
    cold.reconfigure({.rate = weir::per_second(200), .warm_up = 20s, .cold_factor = 5}, start);
    CHECK(cold.try_acquire(1, start));
    CHECK(cold.retry_at(1, start) > start + 24'900us);
    CHECK(cold.retry_at(1, start) <= start + 25ms);
}

TEST_CASE("warm_up: any instant of the clock can be the first, and any idle time is just cold")
{
    for (auto r : {weir::per_second(1), weir::per_second(999'999'937), weir::rate{1, 24h * 365}})
        for (auto t : {time_point::min(), time_point::min() + 1ns, time_point{-1h}, time_point{}, start,
                       time_point::max() - 1h}) {
            warm_up w{{.rate = r, .warm_up = 24h, .cold_factor = 100, .burst = 7}};
            CHECK(w.available(t) == 7);
            CHECK(w.try_acquire(7, t));
            CHECK_FALSE(w.try_acquire(1, t));
            CHECK_FALSE(w.reserve(7, 1ns, t));
        }
}

TEST_CASE(
    "warm_up: a clock that steps back refuses meanwhile, mints nothing, recovers; one that stands still admits once")
{
    warm_up w{{.rate = weir::per_second(10), .warm_up = 0s, .burst = 3}};
    CHECK(w.try_acquire(3, start));
    for (auto back : {duration{1ns}, duration{5s}, duration{24h * 365 * 3}}) {
        CHECK_FALSE(w.try_acquire(1, start - back));
        CHECK(w.available(start - back) == 0);
        CHECK(w.retry_at(1, start - back) > start - back);
    }
    for (int i = 0; i < 100; ++i) REQUIRE_FALSE(w.try_acquire(1, start));
    CHECK(w.try_acquire(1, start + 100ms));
    CHECK_FALSE(w.try_acquire(1, start + 100ms));
}

TEST_CASE("warm_up: many threads together are never over rate * t + burst, while it is reconfigured")
{
    constexpr int threads = 8;
    auto const r = weir::per_second(2'000'000);
    warm_up w{{.rate = r, .warm_up = 1ms, .burst = 20}};
    std::vector<std::vector<admitted>> all(threads);
    together(threads, [&](int me) {
        std::mt19937_64 g{static_cast<std::uint64_t>(me)};
        auto& mine = all[static_cast<std::size_t>(me)];
        for (int i = 0; i < thorough(20'000); ++i) {
            auto const n = 1 + g() % 3;
            auto const now = weir::steady_clock::now();
            if (g() % 8 != 0) {
                if (w.try_acquire(n, now)) mine.push_back({now, n});
            } else if (auto a = w.reserve(n, 5us, now)) {
                if (g() % 2 == 0 && a->cancel()) continue;
                mine.push_back({a->start_at(), n});
                a->record(weir::outcome::success(), now);
            }
            if (g() % 512 == 0) w.reconfigure({.rate = r, .warm_up = 1ms, .burst = 20}, now);
        }
    });
    std::vector<admitted> flat;
    for (auto const& a : all) flat.insert(flat.end(), a.begin(), a.end());
    CHECK(flat.size() > 20);
    CHECK(within_bound(flat, r, 20, 1ns));
}
