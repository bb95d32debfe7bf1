// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/leaky_bucket.hpp>

#include <weir/core/gate.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::leaky_bucket;
using weir::outcome;
using weir::time_point;

static_assert(weir::gate<leaky_bucket>);

namespace {

constexpr time_point start{1'000'000s};

/// Admits and sends: the time of the send, or `never`.
time_point send(leaky_bucket& b, time_point now)
{
    auto a = b.admit(now);
    if (!a) return weir::never;
    auto const at = a->start_at();
    a->record(outcome::success(), at);
    return at;
}

}  // namespace

TEST_CASE("leaky_bucket: lets sends out one by one at the rate")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 1s}};
    for (int i = 0; i < 5; ++i) CHECK(send(b, start) == start + i * 100ms);
    CHECK(b.wait(start) == 500ms);
    CHECK(send(b, start + 10s) == start + 10s);  // no credit for the pause
    CHECK(send(b, start + 10s) == start + 10s + 100ms);
}

TEST_CASE("leaky_bucket: a wait beyond max_wait is refused, and retry_at is when it no longer is")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 250ms, .name = "pace"}};
    for (int i = 0; i < 3; ++i) CHECK(send(b, start) == start + i * 100ms);
    auto const a = b.admit(start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "pace");
    CHECK(a.refused().retry_at == start + 50ms);
    CHECK_FALSE(b.admit(start + 50ms - 1ns));
    CHECK(send(b, start + 50ms) == start + 300ms);
}

TEST_CASE("leaky_bucket: retry_at is when n may be sent at once, whatever max_wait says")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 250ms, .burst = 3}};
    CHECK(b.retry_at(3, start) == start);
    CHECK(b.retry_at(4, start) == weir::never);
    for (int i = 0; i < 4; ++i) REQUIRE(send(b, start) != weir::never);  // one of them in 100 ms
    CHECK(b.retry_at(0, start) == start);
    CHECK(b.retry_at(1, start) == start + 200ms);
    CHECK(b.retry_at(2, start) == start + 300ms);
    CHECK_FALSE(b.try_acquire(2, start + 300ms - 1ns));
    CHECK(b.try_acquire(2, start + 300ms));
}

TEST_CASE("leaky_bucket: with max_wait zero it is a meter")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 0s, .burst = 2}};
    CHECK(b.try_acquire(2, start));
    CHECK_FALSE(b.try_acquire(1, start));
    CHECK_FALSE(b.admit(start));
    CHECK(send(b, start + 100ms) == start + 100ms);
    CHECK(b.reserve(3, 1s, start).refused().code == errc::exceeds_burst);
}

TEST_CASE("leaky_bucket: three per second keeps its place for a hundred thousand sends")
{
    leaky_bucket b{{.rate = weir::per_second(3), .max_wait = duration::max()}};
    for (std::int64_t i = 0; i < 100'000; ++i) REQUIRE(send(b, start) == start + duration{(i * 1'000'000'000 + 2) / 3});
}

TEST_CASE("leaky_bucket: one a day may hand out a start years ahead")
{
    leaky_bucket b{{.rate = weir::per_day(1), .max_wait = 24h * 300}};
    for (int i = 0; i <= 300; ++i) REQUIRE(send(b, start) == start + i * 24h);
    CHECK_FALSE(b.admit(start));
}

TEST_CASE("leaky_bucket: a place given back goes to the next, if it was the last")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 1s}};
    auto first = b.admit(start);
    {
        auto second = b.admit(start);
        CHECK(second->start_at() == start + 100ms);
    }
    CHECK(b.admit(start)->start_at() == start + 100ms);
    auto second = b.admit(start);
    auto third = b.admit(start);
    CHECK_FALSE(second->cancel());
    CHECK(third->cancel());
    CHECK(first->start_at() == start);
    CHECK(send(b, start) == start + 200ms);
}

TEST_CASE("leaky_bucket: reconfigure keeps the queue, counted in sends")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 1s}};
    for (int i = 0; i < 5; ++i) send(b, start);
    b.reconfigure({.rate = weir::per_second(100), .max_wait = 40ms}, start);
    CHECK_FALSE(b.admit(start));
    CHECK(b.wait(start) == 50ms);
    CHECK(send(b, start + 10ms) == start + 50ms);
}

TEST_CASE("leaky_bucket: with a slack, unused turns are caught up, so many and no more")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 1s, .burst = 1 + 3}};
    CHECK(b.available(start) == 4);
    for (int i = 0; i < 4; ++i) CHECK(send(b, start) == start);
    CHECK(send(b, start) == start + 100ms);
    auto t = start + 1h;
    for (int i = 0; i < 4; ++i) CHECK(send(b, t) == t);  // an hour of unused turns, three are kept
    for (int i = 1; i < 4; ++i) CHECK(send(b, t) == t + i * 100ms);
    t += 550ms;  // 300 ms after the last one: two turns went unused, and half of the third
    CHECK(b.available(t) == 2);
    CHECK(send(b, t) == t);
    CHECK(send(b, t) == t);
    CHECK(send(b, t) == t + 50ms);
}

TEST_CASE("leaky_bucket: drained it has no slack, and keeps its queue")
{
    leaky_bucket b{{.rate = weir::per_second(10), .max_wait = 1s, .burst = 4}};
    b.drain(start);
    CHECK(b.available(start) == 0);
    CHECK_FALSE(b.try_acquire(1, start));
    CHECK(send(b, start) == start + 100ms);
    CHECK(send(b, start) == start + 200ms);
    b.drain(start);
    CHECK(send(b, start) == start + 300ms);
}

TEST_CASE("leaky_bucket: reconfigure by the clock changes all of it")
{
    leaky_bucket b{{.rate = weir::per_hour(1), .max_wait = 0s}};
    auto const first = b.admit();
    CHECK(first);
    CHECK_FALSE(b.admit());
    b.reconfigure({.rate = weir::per_hour(1), .max_wait = 24h});
    auto a = b.admit();
    REQUIRE(a);
    CHECK(a->start_at() > weir::steady_clock::now());
}

TEST_CASE("leaky_bucket: a clock that goes back queues behind what was promised; years of pause are one slack")
{
    for (auto r : {weir::per_second(10), weir::per_second(999'999'937), weir::rate{1, 24h * 100}}) {
        leaky_bucket b{{.rate = r, .max_wait = 0s, .burst = 3}};
        auto t = start;
        for (int i = 0; i < 50; ++i) {
            for (int k = 0; k < 3; ++k) REQUIRE(send(b, t) == t);
            REQUIRE(send(b, t) == weir::never);
            REQUIRE(send(b, t - 1ns) == weir::never);
            REQUIRE(send(b, t - 24h * 365) == weir::never);
            REQUIRE_FALSE(b.reserve(UINT64_MAX, 1s, t));
            t += 24h * 365 * 3;
        }
    }
}

TEST_CASE("leaky_bucket: while the clock stands still the queue only grows, and drains none of its turns twice")
{
    weir::testing::manual_clock clock(start);
    weir::basic_leaky_bucket b({.rate = weir::per_second(10), .max_wait = 450ms, .burst = 2}, clock);
    int sent = 0, at_once = 0;
    for (int i = 0; i < 1000; ++i) {
        auto a = b.admit();
        if (!a) continue;
        ++sent, at_once += a->start_at() == start ? 1 : 0;
        a->record(outcome::success(), start);
    }
    CHECK(at_once == 2);
    CHECK(sent == 2 + 4);
    CHECK_FALSE(b.try_acquire());
    CHECK(b.available() == 0);
    b.reconfigure({.rate = weir::per_second(10), .max_wait = 450ms, .burst = 2});
    CHECK_FALSE(b.admit());
    clock.advance(50ms);
    CHECK(b.admit()->start_at() == start + 500ms);
}

TEST_CASE("leaky_bucket: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((leaky_bucket{{.max_wait = -1ns}}),
                         "weir: leaky_bucket_options.max_wait must be at least 0 ms, and is -1e-06 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((leaky_bucket{{.burst = 0}}), "weir: leaky_bucket_options.burst must be at least 1, and is 0",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((leaky_bucket{{.rate = {5, 0s}}}),
                         "weir: leaky_bucket_options.rate.per must be more than 0 and at most 365 days, and is 0 ms",
                         std::invalid_argument);
    leaky_bucket b;
    CHECK(b.admit());
    CHECK(b.try_acquire());
}

TEST_CASE("leaky_bucket: starts handed to many threads are all different and a full interval apart")
{
    leaky_bucket b{{.rate = weir::per_second(1'000'000), .max_wait = 10s}};
    constexpr int threads = 8;
    std::vector<std::vector<time_point>> starts(threads);
    {
        std::barrier gate{threads};
        std::vector<std::jthread> all;
        for (std::size_t i = 0; i < threads; ++i)
            all.emplace_back([&, i] {
                gate.arrive_and_wait();
                for (int k = 0; k < 5000; ++k) starts[i].push_back(send(b, weir::steady_clock::now()));
            });
    }
    std::vector<time_point> sorted;
    for (auto const& s : starts) {
        CHECK(std::is_sorted(s.begin(), s.end()));
        sorted.insert(sorted.end(), s.begin(), s.end());
    }
    std::sort(sorted.begin(), sorted.end());
    CHECK(std::adjacent_find(sorted.begin(), sorted.end(), [](auto a, auto b2) { return b2 - a < 1us; }) ==
          sorted.end());
}
