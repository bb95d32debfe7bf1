// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/any_pipeline.hpp>
#include <weir/call/chaos.hpp>
#include <weir/call/dry_run.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

weir::chaos_options const all{.enabled = true,
                              .fault_rate = 0.1,
                              .latency_rate = 0.2,
                              .latency = 30ms,
                              .outcome_rate = 0.3,
                              .behaviour_rate = 0.4};

/// What is drawn, as text.
std::string story(weir::chaos& c, int attempts)
{
    std::string s;
    for (int i = 0; i < attempts; ++i) {
        auto const v = c.draw();
        s += static_cast<char>('a' + (v.fault ? 1 : 0) + (v.latency > 0s ? 2 : 0) + (v.outcome ? 4 : 0) +
                               (v.behaviour ? 8 : 0));
    }
    return s;
}

}  // namespace

TEST_CASE("chaos: a seed tells the same story every time, and another seed another one")
{
    weir::chaos a(42, all), b(42, all), c(43, all);
    auto const told = story(a, 1000);
    CHECK(told == story(b, 1000));
    CHECK(told != story(c, 1000));
    CHECK(a.seed() == 42);
}

TEST_CASE("chaos: each kind comes at its own rate")
{
    weir::chaos c(1, all);
    int fault = 0, latency = 0, outcome = 0, behaviour = 0;
    for (int i = 0; i < 100'000; ++i) {
        auto const v = c.draw();
        fault += v.fault == std::errc::connection_reset;
        latency += v.latency == 30ms;
        outcome += v.outcome;
        behaviour += v.behaviour;
    }
    CHECK(fault == doctest::Approx(10'000).epsilon(0.05));
    CHECK(latency == doctest::Approx(20'000).epsilon(0.05));
    CHECK(outcome == doctest::Approx(30'000).epsilon(0.05));
    CHECK(behaviour == doctest::Approx(40'000).epsilon(0.05));
}

TEST_CASE("chaos: changing one rate leaves the places of the others")
{
    weir::chaos a(7, {.enabled = true, .fault_rate = 0.3}), b(7, {.enabled = true, .fault_rate = 0.3});
    b.reconfigure({.enabled = true, .fault_rate = 0.3, .latency_rate = 1.0, .outcome_rate = 1.0});
    for (int i = 0; i < 1000; ++i) CHECK(a.draw().fault == b.draw().fault);
}

TEST_CASE("chaos: switched off, nothing is drawn, and switched on it goes on where it was")
{
    weir::chaos a(7, all), b(7, all);
    auto told = story(a, 10);
    a.enable(false);
    CHECK(story(a, 100) == std::string(100, 'a'));
    CHECK(a.drawn() == 10);
    a.enable(true);
    told += story(a, 10);
    CHECK(told == story(b, 20));
    CHECK_FALSE(weir::chaos(1).enabled());
}

TEST_CASE("chaos: rate 0 never, rate 1 always")
{
    weir::chaos never(1, {.enabled = true});
    CHECK(story(never, 1000) == std::string(1000, 'a'));
    weir::chaos always(1,
                       {.enabled = true, .fault_rate = 1, .latency_rate = 1, .outcome_rate = 1, .behaviour_rate = 1});
    CHECK(story(always, 1000) == std::string(1000, 'p'));
}

TEST_CASE("chaos: around an operation, it is late, fails, lies, or has something happen before it")
{
    weir::testing::manual_clock clock;
    auto const begin = clock.now();
    weir::chaos c(1);
    int ran = 0, before = 0;
    auto troubled = c.around([&](weir::attempt const&) { return ++ran; }, [] { return -1; }, [&] { ++before; }, clock);
    auto const call = [&] { return troubled(weir::attempt{}); };

    CHECK(*call() == 1);
    c.reconfigure({.enabled = true, .latency_rate = 1, .latency = 30ms});
    CHECK(*call() == 2);
    CHECK(clock.now() - begin == 30ms);
    c.reconfigure({.enabled = true, .behaviour_rate = 1});
    CHECK(*call() == 3);
    CHECK(before == 1);
    c.reconfigure({.enabled = true, .outcome_rate = 1});
    CHECK(*call() == -1);
    c.reconfigure(
        {.enabled = true, .fault_rate = 1, .fault = std::make_error_code(std::errc::timed_out), .outcome_rate = 1});
    CHECK(call().error().code == std::errc::timed_out);
    CHECK(ran == 3);

    auto plain = c.around([&](weir::attempt const&) { ++ran; }, clock);
    CHECK_FALSE(plain(weir::attempt{}));
    c.enable(false);
    CHECK(plain(weir::attempt{}));
    CHECK(ran == 4);
}

TEST_CASE("chaos: in a pipeline, faults are retried, and as a gate it delays the send")
{
    weir::testing::manual_clock clock;
    auto const begin = clock.now();
    weir::chaos c(5, {.enabled = true, .fault_rate = 0.5});
    auto guarded =
        weir::pipeline(weir::retry({.max_attempts = 20, .backoff = weir::constant(1ms).with(weir::jitter::none)}));
    for (int i = 0; i < 100; ++i) CHECK(guarded.call(c.around([](weir::attempt const&) { return 1; }, clock), clock));
    CHECK(c.drawn() > 150);

    weir::chaos slow(5, {.enabled = true, .latency_rate = 1, .latency = 1h});
    auto delayed = weir::pipeline(slow);
    CHECK(delayed.call([](weir::attempt const&) { return 1; }, clock));
    CHECK(clock.now() - begin >= 1h);
}

TEST_CASE("chaos: as a gate, an attempt at fault is not made, and has failed for all the others")
{
    weir::testing::manual_clock clock;
    weir::chaos c(5, {.enabled = true, .fault_rate = 0.5, .fault = make_error_code(std::errc::host_unreachable)});
    weir::chaos same(5, {.enabled = true, .fault_rate = 0.5});
    int made = 0;
    auto const op = [&](weir::attempt const&) { return ++made; };
    auto const one_by_one = [&](auto& guarded) {
        c.enable(true);
        int attempts = 0, faults = 0;
        made = 0;
        for (int call = 0; call < 100; ++call) {
            auto const r = guarded.call(op, clock);
            CHECK(r.has_value());
            for (bool fault = true; fault; ++attempts) faults += fault = bool(same.draw().fault);
        }
        CHECK(made == 100);
        CHECK(attempts == made + faults);
        CHECK(faults > 50);
        CHECK(c.drawn() == same.drawn());
        c.enable(false);
        CHECK(guarded.call(op, clock));
    };
    weir::retry const again({.max_attempts = 30, .backoff = weir::constant(1ms).with(weir::jitter::none)});
    auto guarded = weir::pipeline(weir::retry(again), c);
    one_by_one(guarded);
    weir::any_pipeline erased(weir::pipeline(weir::retry(again), c));
    one_by_one(erased);
    auto watched = weir::pipeline(weir::retry(again), weir::dry_run{c, {.enforce = 1}});
    one_by_one(watched);

    static_assert(weir::machine<decltype(guarded)>::may_fault());
    auto without = weir::pipeline(weir::retry(again));
    static_assert(!weir::machine<decltype(without)>::may_fault());

    c.reconfigure({.enabled = true, .fault_rate = 1, .fault = make_error_code(std::errc::host_unreachable)});
    weir::circuit_breaker breaker({.consecutive_failures = 3});
    auto broken = weir::pipeline(breaker, c);
    for (int i = 0; i < 3; ++i) CHECK(broken.call(op, clock).error().code == std::errc::host_unreachable);
    CHECK(broken.call(op, clock).error().code == weir::errc::circuit_open);

    auto whole = weir::pipeline(c, weir::retry(again));  // one verdict for the whole call
    auto const before = c.drawn();
    CHECK(whole.call(op, clock).error().code == std::errc::host_unreachable);
    CHECK(c.drawn() == before + 1);
}

TEST_CASE("chaos: as a gate it calls a behaviour at its rate, under no lock, and what that throws ends the call")
{
    weir::testing::manual_clock clock;
    int called = 0;
    bool throws = false;
    weir::chaos* self = nullptr;
    weir::chaos c(5, {.enabled = true, .behaviour_rate = 0.25}, [&] {
        ++called;
        CHECK(self->drawn() > 0);  // would lock again
        if (throws) throw std::runtime_error("trouble");
    });
    self = &c;
    weir::chaos same(5, {.enabled = true, .behaviour_rate = 0.25});
    weir::concurrency_limit limit{{.limit = 1}};
    int made = 0, drawn = 0;
    auto const op = [&](weir::attempt const&) { return ++made; };
    auto guarded = weir::pipeline(limit, c);
    for (int i = 0; i < 200; ++i) {
        CHECK(guarded.call(op, clock));
        drawn += same.draw().behaviour;
    }
    CHECK(made == 200);
    CHECK(called == drawn);
    CHECK(called > 25);
    CHECK(called < 75);
    throws = true;
    c.reconfigure({.enabled = true, .behaviour_rate = 1});
    CHECK_THROWS_AS((void)guarded.call(op, clock), std::runtime_error);
    CHECK(made == 200);
    CHECK(limit.in_flight() == 0);
    c.enable(false);
    CHECK(guarded.call(op, clock));
    weir::chaos without(5, {.enabled = true, .behaviour_rate = 1});
    CHECK(weir::pipeline(without).call(op, clock));
}

TEST_CASE("chaos: bad options are refused by name, and the old ones stay")
{
    for (double const bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS(weir::chaos(1, {.fault_rate = bad}), std::invalid_argument);
        CHECK_THROWS_AS(weir::chaos(1, {.latency_rate = bad}), std::invalid_argument);
        CHECK_THROWS_AS(weir::chaos(1, {.outcome_rate = bad}), std::invalid_argument);
        CHECK_THROWS_AS(weir::chaos(1, {.behaviour_rate = bad}), std::invalid_argument);
    }
    CHECK_THROWS_AS(weir::chaos(1, {.latency = -1ns}), std::invalid_argument);
    weir::chaos c(1, all);
    CHECK_THROWS_WITH_AS(c.reconfigure({.fault = {}}), "weir: chaos_options.fault must be an error, and is 0",
                         std::invalid_argument);
    CHECK(c.enabled());
}

TEST_CASE("chaos: several threads get between them what one would get")
{
    weir::chaos one(3, all), many(3, all);
    auto const faults = [](weir::chaos& c, int attempts) {
        int n = 0;
        for (int i = 0; i < attempts; ++i) n += bool(c.draw().fault);
        return n;
    };
    std::vector<int> found(4);
    {
        std::vector<std::jthread> threads;
        for (auto& n : found) threads.emplace_back([&] { n = faults(many, 5000); });
        for (int i = 0; i < 100; ++i) many.reconfigure(all);
    }
    CHECK(found[0] + found[1] + found[2] + found[3] == faults(one, 20'000));
}
