// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/load_shedder.hpp>

#include <weir/core/gate.hpp>
#include <weir/core/random.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::criticality;
using weir::duration;
using weir::errc;
using weir::load_shedder;
using weir::request_priority;
using weir::time_point;
using weir::test::thorough;

static_assert(weir::gate<load_shedder>);
static_assert(weir::gate<load_shedder::handle>);

namespace {

constexpr time_point start{1h};

/// One window of a thousand requests of all cohorts, who wait so long; how many were admitted.
int window(load_shedder& s, time_point& now, duration wait = 0s, criticality level = criticality::critical)
{
    int admitted = 0;
    for (int i = 0; i < 1024; ++i)
        if (s.admit({level, static_cast<std::uint8_t>(i % 128)}, now)) s.waited(wait), ++admitted;
    now += 1s;
    return admitted;
}

/// A service that does a thousand calls a second, one after the other.
class thousand_a_second {
public:
    explicit thousand_a_second(load_shedder& s) : shedder_(s) {}

    bool ask(request_priority p, time_point now)
    {
        for (; !line_.empty() && line_.front().first <= now; line_.pop_front()) shedder_.waited(line_.front().second);
        if (!shedder_.admit(p, now)) return false;
        auto const begin = std::max(idle_at_, now);
        line_.emplace_back(begin, begin - now);
        idle_at_ = begin + 1ms;
        return true;
    }

private:
    load_shedder& shedder_;
    time_point idle_at_ = start;
    std::deque<std::pair<time_point, duration>> line_;  // when work on it begins, and how long it waited
};

/// Twice as many calls as it can do; tasks need k of them each. The share of the tasks that succeed.
double tasks_done(int k, bool consistent, std::uint64_t seed)
{
    load_shedder s{{.max_requests = 1'000'000}};
    thousand_a_second service{s};
    weir::random_engine random{seed};
    int tasks = 0, done = 0;
    auto const cohort = [&] { return static_cast<std::uint8_t>(weir::uniform_below(random, 128)); };
    for (auto now = start; now < start + 180s; now += 500us * k) {
        auto const of_task = cohort();
        bool all = true;
        for (int call = 0; call < k && all; ++call)
            all = service.ask({criticality::critical, consistent ? of_task : cohort()}, now);
        if (now >= start + 60s) ++tasks, done += all;
    }
    return static_cast<double>(done) / tasks;
}

}  // namespace

TEST_CASE("load_shedder: all are admitted while there is no overload")
{
    load_shedder s;
    auto now = start;
    for (int i = 0; i < 5; ++i) {
        s.cpu_in_use(0.89);
        CHECK(window(s, now, 19ms) == 1024);
    }
    CHECK(s.threshold() == request_priority::ranks);
}

TEST_CASE("load_shedder: up to a fiftieth less for each window of long waits, the least important first")
{
    load_shedder s;
    auto now = start;
    (void)window(s, now, 1s);
    CHECK(window(s, now, 21ms) == 1024 - 3 * 8);  // 20 of 1024, in whole cohorts of eight
    CHECK(window(s, now) == 1000 - 2 * 8);        // one in a hundred
    auto const refused = s.admit({criticality::critical, 127}, now - 1ms);
    REQUIRE(!refused);
    CHECK(refused.refused().code == errc::too_many_calls);
    CHECK(refused.refused().retry_at == now);
    CHECK(s.admit({criticality::critical_plus, 127}, now - 1ms));
}

TEST_CASE("load_shedder: a hot CPU is an overload, too")
{
    load_shedder s;
    auto now = start;
    (void)window(s, now);
    s.cpu_in_use(0.95);
    CHECK(window(s, now) < 1024);
    load_shedder deaf{{.queue_delay = 0s, .cpu = 0}};
    deaf.cpu_in_use(1);
    (void)window(deaf, now, 10s);
    CHECK(window(deaf, now) == 1024);
}

TEST_CASE("load_shedder: comes back step by step when the overload is over")
{
    load_shedder s;
    auto now = start;
    for (int i = 0; i < 60; ++i) (void)window(s, now, 1s);
    auto last = window(s, now);
    CHECK(last < 450);
    for (int i = 0; i < 200; ++i) {
        auto const next = window(s, now);
        CHECK(next >= last);
        CHECK(next <= last + 16);
        last = next;
    }
    CHECK(last == 1024);
    CHECK(s.threshold() == request_priority::ranks);
}

TEST_CASE("load_shedder: never refuses the most important rank, and requests without a priority are critical")
{
    load_shedder s;
    auto now = start;
    for (int i = 0; i < 2000; ++i) (void)window(s, now, 1s, criticality::critical_plus);
    CHECK(s.threshold() >= 1);
    CHECK(s.admit({criticality::critical_plus, 0}, now));
    CHECK(!s.admit(now));
    CHECK(s.at({criticality::critical_plus, 0}).admit(now));
}

TEST_CASE("load_shedder: a task of one to four calls, at twice the capacity, succeeds as often as there is room")
{
    for (int k = 1; k <= 4; ++k) {
        constexpr int seeds = thorough(5);
        std::array<double, seeds> done{};
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) done[seed - 1] = tasks_done(k, true, seed);
        std::sort(done.begin(), done.end());
        CAPTURE(k);
        MESSAGE("calls: ", k, ", tasks done, min / median / max: ", done.front(), " / ", done[seeds / 2], " / ",
                done.back());
        CHECK(done[seeds / 2] >= 0.475);
        CHECK(done[0] >= 0.47);
    }
}

TEST_CASE("the naive arm of that: lots drawn at every call") { CHECK(tasks_done(4, false, 1) < 0.30); }

TEST_CASE("load_shedder: a spike of prefetches costs the critical ones nothing")
{
    load_shedder s;
    thousand_a_second service{s};
    weir::random_engine random{5};
    int critical = 0, served = 0;
    for (auto now = start; now < start + 60s; now += 100us) {  // ten times the capacity; critical calls need 70 % of it
        bool const important = weir::uniform_unit(random) < 0.07;
        if (!important && now < start + 10s) continue;
        auto const cohort = static_cast<std::uint8_t>(weir::uniform_below(random, 128));
        critical += important;
        served += service.ask({important ? criticality::critical : criticality::sheddable, cohort}, now) && important;
    }
    CHECK(served >= critical * 0.999);
}

TEST_CASE("load_shedder: bad options are refused by name; reconfigure keeps the threshold")
{
    auto const refused = [](load_shedder::options o) { CHECK_THROWS_AS(load_shedder{o}, std::invalid_argument); };
    refused({.queue_delay = -1ns});
    refused({.cpu = 1.5});
    refused({.cpu = 0.0 / 0.0});
    refused({.window = 0ns});
    refused({.max_requests = 0});
    refused({.decrease = 1});
    refused({.increase = 0});
    CHECK_THROWS_WITH(load_shedder{{.cpu = 2}}, "weir: load_shedder_options.cpu must be in [0, 1], and is 2");
    load_shedder s;
    auto now = start;
    (void)window(s, now, 1s);
    (void)window(s, now);
    auto const before = s.threshold();
    CHECK(before < request_priority::ranks);
    s.reconfigure({.decrease = 0.5});
    CHECK(s.threshold() == before);
}

TEST_CASE("load_shedder: many threads at once")
{
    load_shedder s{{.max_requests = 100}};
    std::atomic<int> admitted{0};
    {
        std::vector<std::jthread> crowd;
        for (int t = 0; t < 4; ++t)
            crowd.emplace_back([&] {
                for (int i = 0; i < thorough(5000); ++i) {
                    if (s.admit({criticality::critical, static_cast<std::uint8_t>(i % 128)}, start + i * 1ms))
                        ++admitted;
                    s.waited(i < 2500 ? 50ms : 0ms);
                }
            });
    }
    CHECK(admitted > 0);
    CHECK(s.threshold() >= 1);
    CHECK(s.threshold() <= request_priority::ranks);
}
