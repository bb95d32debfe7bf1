// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/time_window.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_tally;
using weir::duration;
using weir::time_point;
using weir::time_window;
using weir::detail::one_call;
using weir::detail::time_ring;

namespace {

constexpr time_point t0{1h};

void add(time_ring& ring, time_point now, circuit_tally const& call)
{
    ring.advance(now);
    ring.add(call);
}

}  // namespace

TEST_CASE("time_window: forgets bucket by bucket")
{
    time_ring ring(time_window{10s, 10});
    add(ring, t0, one_call(true, false));
    add(ring, t0 + 1s, one_call(false, false));
    add(ring, t0 + 9s, one_call(false, true));
    CHECK(ring.total() == circuit_tally{3, 1, 1});
    CHECK(ring.total(t0 + 10s - 1ns, 0) == circuit_tally{3, 1, 1});
    CHECK(ring.total(t0 + 10s, 0) == circuit_tally{2, 0, 1});
    CHECK(ring.total(t0 + 11s, 0) == circuit_tally{1, 0, 1});
    CHECK(ring.total(t0 + 19s, 0) == circuit_tally{});
    CHECK(ring.total() == circuit_tally{3, 1, 1});  // looking ahead changed nothing
    ring.advance(t0 + 10s);
    CHECK(ring.total() == circuit_tally{2, 0, 1});
}

TEST_CASE("time_window: a bucket ends where advance says, and successes counted elsewhere belong to it until then")
{
    time_ring ring(time_window{10s, 10});
    CHECK(ring.advance(t0) == t0 + 1s);
    CHECK(ring.advance(t0 + 999ms) == t0 + 1s);
    CHECK(ring.total(t0 + 999ms, 7) == circuit_tally{7, 0, 0});
    CHECK(ring.total(t0 + 9s, 7) == circuit_tally{7, 0, 0});
    CHECK(ring.total(t0 + 10s, 7) == circuit_tally{});
    ring.add_successes(7);
    CHECK(ring.advance(t0 + 1s) == t0 + 2s);
    CHECK(ring.total() == circuit_tally{7, 0, 0});
}

TEST_CASE("time_window: an hour back in time loses nothing and evicts nothing")
{
    time_ring ring(time_window{10s, 10});
    for (int i = 0; i < 10; ++i) add(ring, t0 + i * 1s, one_call(true, false));
    for (int i = 0; i < 100; ++i) add(ring, t0 - 1h + i * 1ms, one_call(false, false));
    CHECK(ring.total() == circuit_tally{110, 10, 0});
    CHECK(ring.total(t0 - 1h, 0) == circuit_tally{110, 10, 0});
    ring.advance(t0 + 10s);  // and the clock is right again: one bucket has passed
    CHECK(ring.total() == circuit_tally{109, 9, 0});
}

TEST_CASE("time_window: ten years ahead, or to the end of time, leaves an empty window that works")
{
    for (auto const far : {t0 + 24h * 3650, weir::never - 1ns, weir::never}) {
        time_ring ring(time_window{10s, 10});
        add(ring, t0, one_call(true, true));
        add(ring, far, one_call(false, false));
        CHECK(ring.total() == circuit_tally{1, 0, 0});
    }
    time_ring ring(time_window{10s, 10});
    add(ring, time_point::min(), one_call(true, true));
    add(ring, t0, one_call(false, false));
    add(ring, t0, one_call(false, false));
    CHECK(ring.total() == circuit_tally{2, 0, 0});
}

TEST_CASE("time_window: no advance at all never evicts")
{
    time_ring ring(time_window{10s, 10});
    for (int i = 0; i < 1000; ++i) add(ring, t0, one_call(i % 2 == 0, false));
    CHECK(ring.total() == circuit_tally{1000, 500, 0});
}

TEST_CASE("time_window: equals a list of (bucket, call) under random steps, small and large, back and forth")
{
    std::mt19937 random(2);
    for (unsigned const buckets : {1u, 3u, 10u}) {
        constexpr duration width = 100ms;
        time_ring ring(time_window{width * buckets, buckets});
        std::vector<std::pair<long, circuit_tally>> list;  // the number of the bucket, since t0
        long current = 0;
        auto now = t0;
        ring.advance(t0);
        for (int i = 0; i < 60'000; ++i) {
            auto const dice = random() % 100;
            if (dice < 2)
                now += width * static_cast<long>(random() % 5);
            else if (dice < 4)
                now -= width * static_cast<long>(random() % 3);
            else
                now += duration(static_cast<long>(random() % 5'000'000));
            if (now < t0) now = t0;

            auto const number = std::max(current, static_cast<long>((now - t0) / width));
            // After a silence longer than the window the ring begins anew at `now`; so does the model.
            if (number - current >= static_cast<long>(buckets)) now = t0 + number * width;
            current = number;
            std::erase_if(list, [&](auto const& e) { return e.first <= current - static_cast<long>(buckets); });

            auto const call = one_call(random() % 3 == 0, random() % 7 == 0);
            add(ring, now, call);
            list.emplace_back(current, call);
            circuit_tally sum;
            for (auto const& e : list) sum += e.second;
            REQUIRE(ring.total() == sum);

            auto const ahead = static_cast<long>(random() % (buckets + 2));
            circuit_tally later;
            for (auto const& e : list)
                if (e.first > current + ahead - static_cast<long>(buckets)) later += e.second;
            REQUIRE(ring.total(t0 + (current + ahead) * width, 0) == later);
            if (list.size() > 300) {
                ring.clear();
                list.clear();
                ring.advance(t0 + current * width);
            }
        }
    }
}

TEST_CASE("time_window: takes over the totals of another window as if they had just happened")
{
    time_ring ring(time_window{10s, 10});
    ring.take_over(circuit_tally{40, 10, 5});
    ring.advance(t0);
    CHECK(ring.total() == circuit_tally{40, 10, 5});
    ring.advance(t0 + 10s);
    CHECK(ring.total() == circuit_tally{});
}

TEST_CASE("time_window: bad options throw and are named")
{
    CHECK_THROWS_WITH_AS(time_ring(time_window{10s, 0}), "weir: time_window.buckets must be in [1, 1000], and is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(time_ring(time_window{10s, 1001}), std::invalid_argument);
    CHECK_THROWS_WITH_AS(time_ring(time_window{0s, 10}),
                         "weir: time_window.length must be at least 0.001 ms for each bucket, and is 0 ms",
                         std::invalid_argument);
    CHECK_THROWS_AS(time_ring(time_window{-10s, 10}), std::invalid_argument);
    CHECK_THROWS_AS(time_ring(time_window{duration(9'999), 10}), std::invalid_argument);
}
