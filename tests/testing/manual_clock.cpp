// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
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
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([clock]() mutable {
            for (int k = 0; k < 20'000; ++k) clock.advance(1ns);
        });
    for (auto& t : threads) t.join();
    CHECK(clock.now() == start + 80'000ns);
}

TEST_CASE("manual_clock: while several threads sleep, time goes one way")
{
    manual_clock clock;
    auto const start = clock.now();
    std::atomic<bool> back{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([clock, start, i, &back] {
            auto before = clock.now();
            for (int k = 0; k < 20'000; ++k) {
                clock.sleep_until(start + std::chrono::nanoseconds(k * (i + 1)));
                auto const now = clock.now();
                if (now < before) back = true;
                before = now;
            }
        });
    for (auto& t : threads) t.join();
    CHECK(!back);
    CHECK(clock.now() == start + 59'997ns);
}
