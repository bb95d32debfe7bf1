// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/endpoint_state.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <barrier>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::endpoint_state;
using weir::time_point;
using weir::test::thorough;

namespace {

constexpr time_point start{1'000'000s};

double ms(endpoint_state const& s, time_point now) { return static_cast<double>(s.latency(now, 10s)) / 1e6; }

}  // namespace

TEST_CASE("endpoint_state: knows nothing before the first call has ended")
{
    endpoint_state s;
    CHECK(s.latency(start, 10s) == 0);
    CHECK(s.in_flight() == 0);
}

TEST_CASE("endpoint_state: threads that come upon the one that has counted alone lose no call in flight")
{
    for (int round = 0; round < thorough(300); ++round) {
        weir::endpoint_state s;
        std::barrier together{3};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                if (t == 0) s.enter(), s.leave();  // the owner of the count
                together.arrive_and_wait();
                for (int i = 0; i < 300; ++i) s.enter(), s.leave();
                s.enter();
            });
        for (auto& t : threads) t.join();
        REQUIRE(s.in_flight() == 3);
    }
}

TEST_CASE("endpoint_state: a peak counts at once, what is faster comes in slowly")
{
    endpoint_state s;
    s.observe(10ms, start, 10s);
    CHECK(ms(s, start) == doctest::Approx(10));
    s.observe(200ms, start + 1ms, 10s);
    CHECK(ms(s, start + 1ms) == doctest::Approx(200));
    s.observe(10ms, start + 1s, 10s);  // a tenth of the decay later
    CHECK(ms(s, start + 1s) == doctest::Approx(10 + 190 * 0.9048).epsilon(0.001));
}

TEST_CASE("endpoint_state: latency fades while nobody calls, down to a microsecond")
{
    endpoint_state s;
    s.observe(1s, start, 10s);
    CHECK(ms(s, start + 10s) == doctest::Approx(1000 / 2.71828).epsilon(0.001));
    CHECK(s.latency(start + 1h, 10s) == 1000);
}

TEST_CASE("endpoint_state: an older clock reading counts as now, and the stamp may wrap")
{
    endpoint_state s;
    s.observe(10ms, start, 10s);
    CHECK(ms(s, start - 5s) == doctest::Approx(10));
    s.observe(5ms, start - 5s, 10s);
    CHECK(ms(s, start) <= 10.001);
    constexpr time_point edge{std::chrono::milliseconds{(1ll << 32) * 7 - 1}};
    s.observe(1s, edge, 10s);
    CHECK(ms(s, edge + 10s) == doctest::Approx(1000 / 2.71828).epsilon(0.001));
}

TEST_CASE("endpoint_state: a peak is forgotten however long nobody calls")
{
    for (int days = 1; days <= 400; ++days) {
        CAPTURE(days);
        auto const later = start + days * 24h;
        endpoint_state s;
        s.observe(1s, start, 10s);
        CHECK(s.latency(later, 10s) == 1000);
        s.observe(10ms, later, 10s);
        CHECK(ms(s, later) == doctest::Approx(10));
    }
}

TEST_CASE("endpoint_state: it is failing from a failure to the next success, and is as slow as ever")
{
    endpoint_state s;
    CHECK_FALSE(s.failing());
    s.observe(1s, start, 10s, true);
    CHECK(s.failing());
    CHECK(ms(s, start) == doctest::Approx(1000));
    s.observe(10ms, start + 1s, 10s, true);
    CHECK(s.failing());
    CHECK(ms(s, start + 1s) == doctest::Approx(10 + 990 * 0.9048).epsilon(0.001));
    s.observe(10ms, start + 1s, 10s);
    CHECK_FALSE(s.failing());
    CHECK(ms(s, start + 1s) == doctest::Approx(10 + 990 * 0.9048).epsilon(0.001));
}

TEST_CASE("endpoint_state: latency of zero is fast, not unknown")
{
    endpoint_state s;
    s.observe(0ns, start, 10s);
    CHECK(s.latency(start, 10s) == 1000);
}

TEST_CASE("endpoint_state: observed from many threads it ends at the peak")
{
    endpoint_state s;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (int i = 1; i <= 1000; ++i) s.observe(std::chrono::microseconds{i * (t + 1)}, start, 10s);
            });
    }
    CHECK(ms(s, start) == doctest::Approx(8));
}
