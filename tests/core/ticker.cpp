// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/ticker.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::steady_clock;
using weir::ticker;
using weir::time_point;

TEST_CASE("ticker: stands still until it is told, and copies share the time")
{
    ticker time(time_point(1h));
    auto const copy = time;
    CHECK(copy.now() == time_point(1h));
    CHECK(time.tick(time_point(2h)) == time_point(2h));
    CHECK(copy.now() == time_point(2h));
}

TEST_CASE("ticker: never goes back, whoever ticks")
{
    ticker time(time_point(2h));
    CHECK(time.tick(time_point(1h)) == time_point(2h));
    CHECK(time.now() == time_point(2h));

    std::atomic<int> back{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            auto last = time.now();
            for (int k = 0; k < 20'000; ++k) {
                auto const told = time.tick(time_point(2h + k * 1us + i * 1ms));
                auto const after = time.now();
                if (told < last || after < told) ++back;
                last = after;
            }
        });
    }
    for (auto& t : threads) t.join();
    CHECK(back == 0);
    CHECK(time.now() == time_point(2h + 19'999us + 3ms));
}

TEST_CASE("ticker: without an argument it tells steady time")
{
    ticker const time;
    auto const before = steady_clock::now();
    auto const told = time.tick();
    CHECK(told >= before);
    CHECK(told <= steady_clock::now());
    CHECK(time.now() == told);
}

TEST_CASE("ticker: who sleeps moves the time")
{
    ticker const time;
    auto const t = time.now() + 1ms;
    time.sleep_until(t);
    CHECK(time.now() >= t);
    time.sleep_until(time_point(1h));
}

static_assert(weir::clock<ticker>);
