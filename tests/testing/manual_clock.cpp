// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::never;
using weir::time_point;
using weir::testing::manual_clock;

static_assert(weir::clock<manual_clock>);

TEST_CASE("manual_clock: stands still until it is told to move")
{
    manual_clock clock;
    auto const start = clock.now();
    CHECK(clock.now() == start);
    clock.advance(5s);
    CHECK(clock.now() == start + 5s);
    clock.advance(-2s);
    CHECK(clock.now() == start + 3s);
    CHECK(manual_clock(time_point(7s)).now() == time_point(7s));
}

TEST_CASE("manual_clock: begins late enough that a while ago is an instant too, and stops at the end of time")
{
    manual_clock clock;
    CHECK(clock.now() - 59min > time_point{});
    clock.advance(duration::max());
    CHECK(clock.now() == never);
    clock.advance(1s);
    CHECK(clock.now() == never);
}

TEST_CASE("manual_clock: copies share the time, another clock does not")
{
    manual_clock clock;
    auto const copy = clock;
    manual_clock other;
    auto const start = clock.now();
    clock.advance(1s);
    CHECK(copy.now() == start + 1s);
    CHECK(other.now() == start);
    copy.sleep_until(start + 3s);
    CHECK(clock.now() == start + 3s);
}

TEST_CASE("manual_clock: can be set back, but sleeping never takes it back")
{
    manual_clock clock;
    auto const start = clock.now();
    clock.sleep_until(start - 1s);
    CHECK(clock.now() == start);
    clock.sleep_until(start + 1h);
    CHECK(clock.now() == start + 1h);
    clock.set(start - 1s);
    CHECK(clock.now() == start - 1s);
}

TEST_CASE("manual_clock: what several threads advance adds up")
{
    manual_clock clock;
    auto const start = clock.now();
    std::barrier together(4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&together, clock]() mutable {
            together.arrive_and_wait();
            for (int k = 0; k < 200'000; ++k) clock.advance(1ns);
        });
    for (auto& t : threads) t.join();
    CHECK(clock.now() == start + 800'000ns);
}

TEST_CASE("manual_clock: who has slept until an instant is not before it, although other threads sleep too")
{
    manual_clock clock;
    std::atomic<bool> back{false};
    std::barrier together(4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&together, &back, clock, i] {
            together.arrive_and_wait();
            for (int k = 0; k < 500'000; ++k) {
                auto const t = clock.now() + std::chrono::nanoseconds(1 + (i + k) % 4 * 100);
                clock.sleep_until(t);
                if (clock.now() < t) back = true;
            }
        });
    for (auto& t : threads) t.join();
    CHECK(!back);
}
