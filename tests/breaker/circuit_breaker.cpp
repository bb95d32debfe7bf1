// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/core/gate.hpp>
#include <weir/testing/manual_clock.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_breaker;
using weir::circuit_state;
using weir::circuit_tally;
using weir::duration;
using weir::outcome;
using weir::time_point;
using weir::test::thorough;

static_assert(weir::gate<circuit_breaker>);
static_assert(weir::token<circuit_breaker::permit>);

namespace {

constexpr time_point t0{1h};

circuit_breaker::permit admitted(circuit_breaker& b, time_point now)
{
    auto a = b.admit(now);
    REQUIRE(a);
    return std::move(*a);
}

void call(circuit_breaker& b, outcome const& o, time_point now) { admitted(b, now).record(o, now); }

void fail(circuit_breaker& b, time_point now, int times = 1)
{
    for (; times > 0; --times) call(b, outcome::failure(), now);
}

void succeed(circuit_breaker& b, time_point now, int times = 1)
{
    for (; times > 0; --times) call(b, outcome::success(), now);
}

weir::rejection refused(circuit_breaker& b, time_point now)
{
    auto const a = b.admit(now);
    REQUIRE_FALSE(a);
    return a.refused();
}

/// Writes down what a breaker tells its listeners: "closed>open open>half_open ".
struct diary {
    std::string text;
    explicit diary(circuit_breaker& b)
    {
        b.on_transition([this](weir::circuit_transition const& t) {
            text += std::string(to_string(t.from)) + (t.dry_run ? "?" : ">") + std::string(to_string(t.to)) + " ";
        });
    }
};

/// One that opens after four calls of which half failed, and probes twice.
weir::circuit_breaker_options small() { return {.minimum_calls = 4, .half_open_probes = 2}; }

void open(circuit_breaker& b, time_point now)
{
    fail(b, now, 4);
    REQUIRE(b.state(now) == circuit_state::open);
}

}  // namespace

TEST_CASE("circuit_breaker: opens when the failure rate reaches the threshold, not before the minimum of calls")
{
    circuit_breaker b;
    fail(b, t0, 19);
    CHECK(b.state(t0) == circuit_state::closed);
    CHECK_FALSE(b.failure_rate(t0));
    fail(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: the threshold itself trips, one call below does not")
{
    for (auto const& window :
         {weir::outcome_window(weir::time_window{}), weir::outcome_window(weir::count_window{100})}) {
        circuit_breaker b({.failure_rate = 0.55, .minimum_calls = 100, .window = window});
        succeed(b, t0, 45);
        fail(b, t0, 54);
        CHECK(b.state(t0) == circuit_state::closed);
        fail(b, t0);  // 55 of 100: the product 0.55 x 100 is 55.000000000000007
        CHECK(b.state(t0) == circuit_state::open);

        circuit_breaker c({.failure_rate = 0.55, .minimum_calls = 100, .window = window});
        succeed(c, t0, 46);
        fail(c, t0, 54);
        CHECK(c.state(t0) == circuit_state::closed);
        CHECK(c.failure_rate(t0) == 0.54);
    }
}

TEST_CASE("circuit_breaker: a success that completes the minimum can open it")
{
    for (auto const& window :
         {weir::outcome_window(weir::time_window{}), weir::outcome_window(weir::count_window{100})}) {
        circuit_breaker b({.minimum_calls = 20, .window = window});
        fail(b, t0, 19);
        succeed(b, t0);
        CHECK(b.state(t0) == circuit_state::open);
    }
}

TEST_CASE("circuit_breaker: old successes that leave a time window can open it")
{
    circuit_breaker b({.minimum_calls = 20});
    succeed(b, t0, 100);
    fail(b, t0 + 5s, 30);
    CHECK(b.state(t0 + 5s) == circuit_state::closed);
    succeed(b, t0 + 10s);
    CHECK(b.state(t0 + 10s) == circuit_state::open);
}

TEST_CASE("circuit_breaker: a count window really slides: 10000 successes, then 60 failures of 100, trip")
{
    circuit_breaker b({.failure_rate = 0.6, .window = weir::count_window{100}});
    succeed(b, t0, 10'000);
    for (int i = 0; i < 40; ++i) succeed(b, t0);
    fail(b, t0, 59);
    CHECK(b.state(t0) == circuit_state::closed);
    fail(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: a count window shorter than the minimum judges when it is full")
{
    circuit_breaker b({.minimum_calls = 20, .window = weir::count_window{5}});
    fail(b, t0, 4);
    CHECK(b.state(t0) == circuit_state::closed);
    fail(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: slow is longer than, not as long as; slow failures count in both rates")
{
    circuit_breaker b({.failure_rate = 1, .slow_call_rate = 0.5, .slow_call_duration = 1s, .minimum_calls = 4});
    for (int i = 0; i < 10; ++i) call(b, outcome::success(1s), t0);
    CHECK(b.tally(t0) == circuit_tally{10, 0, 0});
    for (int i = 0; i < 9; ++i) call(b, outcome::success(1s + 1ns), t0);
    CHECK(b.state(t0) == circuit_state::closed);
    CHECK(b.slow_call_rate(t0) == 9.0 / 19);
    call(b, outcome::failure(2s), t0);
    CHECK(b.state(t0) == circuit_state::open);
    CHECK(b.tally(t0) == circuit_tally{20, 1, 10});

    circuit_breaker off({.minimum_calls = 4});
    for (int i = 0; i < 100; ++i) call(off, outcome::success(24h), t0);
    CHECK(off.state(t0) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: a run of failures opens it whatever the rate, and a success ends the run")
{
    for (auto const& window :
         {weir::outcome_window(weir::time_window{}), weir::outcome_window(weir::count_window{100})}) {
        circuit_breaker b({.consecutive_failures = 5, .window = window});
        succeed(b, t0, 1000);
        fail(b, t0, 4);
        succeed(b, t0);
        fail(b, t0, 4);
        CHECK(b.state(t0) == circuit_state::closed);
        fail(b, t0);
        CHECK(b.state(t0) == circuit_state::open);
    }
}

TEST_CASE("circuit_breaker: opens at exactly the n-th failure in the window, below the minimum of calls and any rate")
{
    circuit_breaker b({.failures = 3, .window = weir::time_window{10s, 10}});
    succeed(b, t0, 2);
    fail(b, t0);
    fail(b, t0 + 4s);
    succeed(b, t0 + 8s, 1000);
    CHECK(b.state(t0 + 8s) == circuit_state::closed);
    fail(b, t0 + 9999ms);
    CHECK(b.state(t0 + 9999ms) == circuit_state::open);

    circuit_breaker wider({.failures = 3, .window = weir::time_window{10s, 10}});
    for (int i = 0; i < 1000; ++i) fail(wider, t0 + i * 5s);  // two in every ten seconds
    CHECK(wider.state(t0 + 5000s) == circuit_state::closed);
    fail(wider, t0 + 4999s);
    CHECK(wider.state(t0 + 4999s) == circuit_state::open);

    circuit_breaker counted({.failure_rate = 1, .failures = 3, .window = weir::count_window{100}});
    for (int i = 0; i < 300; ++i) i % 50 == 0 ? fail(counted, t0) : succeed(counted, t0);
    CHECK(counted.state(t0) == circuit_state::closed);
    fail(counted, t0);  // of the last hundred the 50th, too, and the first has just left
    CHECK(counted.state(t0) == circuit_state::closed);
    fail(counted, t0);
    CHECK(counted.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: with a number of failures it opens when a plain list of the window says so")
{
    std::mt19937 random(11);
    auto const up_to = [&](unsigned most) { return static_cast<unsigned>(random() % most); };
    constexpr duration width = 100ms;
    int opened = 0;
    for (int round = 0; round < thorough(400); ++round) {
        CAPTURE(round);
        bool const timed = round % 2 == 0;
        unsigned const buckets = 1 + up_to(5), n = 1 + up_to(6), length = n + up_to(20);
        circuit_breaker b({.failure_rate = 1,
                           .minimum_calls = 1'000'000,
                           .failures = n,
                           .window = timed ? weir::outcome_window(weir::time_window{width * buckets, buckets})
                                           : weir::outcome_window(weir::count_window{length})});
        struct entry {
            long bucket;
            bool failed;
        };
        std::vector<entry> list;
        succeed(b, t0);  // the first bucket begins
        list.push_back({0, false});
        auto now = t0;
        for (int i = 0; i < 400; ++i) {
            CAPTURE(i);
            // No silence as long as the window: it would begin anew there.
            now += 1ms * up_to(1 + (buckets - 1) * 30);
            bool const failed = random() % 4 == 0;
            call(b, failed ? outcome::failure() : outcome::success(), now);
            list.push_back({(now - t0) / width, failed});
            if (timed)
                std::erase_if(list, [&](entry const& e) { return e.bucket <= list.back().bucket - long{buckets}; });
            else if (list.size() > length)
                list.erase(list.begin());
            auto const failures = std::count_if(list.begin(), list.end(), [](entry const& e) { return e.failed; });
            bool const open = failures >= long{n};
            REQUIRE(b.state(now) == (open ? circuit_state::open : circuit_state::closed));
            if (!open) continue;
            ++opened;
            break;
        }
    }
    CHECK(opened > thorough(400) / 4);
    CHECK(opened < thorough(400));
}

TEST_CASE("circuit_breaker: open refuses and says when to come back; then it lets probes through")
{
    circuit_breaker b(small());
    open(b, t0);
    auto const no = refused(b, t0 + 1s);
    CHECK(no.code == weir::errc::circuit_open);
    CHECK(no.retry_at == t0 + 5s);
    CHECK(no.gate == "circuit_breaker");
    CHECK(b.state(t0 + 5s - 1ns) == circuit_state::open);
    CHECK(b.state(t0 + 5s) == circuit_state::half_open);
    succeed(b, t0 + 5s, 2);
    CHECK(b.state(t0 + 5s) == circuit_state::closed);
    CHECK(b.tally(t0 + 5s) == circuit_tally{});
}

TEST_CASE("circuit_breaker: refusals are not in the window")
{
    circuit_breaker b(small());
    open(b, t0);
    auto const before = b.tally(t0);
    for (int i = 0; i < 100; ++i) refused(b, t0);
    CHECK(b.tally(t0) == before);
}

TEST_CASE("circuit_breaker: half open admits exactly N and says when the first lease ends")
{
    circuit_breaker b({.minimum_calls = 4, .half_open_probes = 3, .probe_timeout = 2s});
    open(b, t0);
    auto first = admitted(b, t0 + 5s);
    auto second = admitted(b, t0 + 6s);
    auto third = admitted(b, t0 + 6s);
    CHECK(refused(b, t0 + 6s).retry_at == t0 + 7s);
}

TEST_CASE("circuit_breaker: decides early, both ways")
{
    auto const half_open = [](auto&& then) {
        circuit_breaker b({.minimum_calls = 4});  // ten probes, half of them
        open(b, t0);
        then(b, t0 + 5s);
    };
    half_open([](circuit_breaker& b, time_point now) {
        succeed(b, now, 5);
        CHECK(b.state(now) == circuit_state::half_open);
        succeed(b, now);  // at most four can still fail
        CHECK(b.state(now) == circuit_state::closed);
    });
    half_open([](circuit_breaker& b, time_point now) {
        fail(b, now, 4);
        CHECK(b.state(now) == circuit_state::half_open);
        fail(b, now);
        CHECK(b.state(now) == circuit_state::open);
    });
}

TEST_CASE("circuit_breaker: a probe that is dropped, moved away, ignored or thrown through leaves its place to another")
{
    circuit_breaker b({.minimum_calls = 4, .half_open_probes = 1});
    open(b, t0);
    auto const now = t0 + 5s;
    {
        auto const dropped = admitted(b, now);
        (void)refused(b, now);
    }
    try {
        auto const thrown_through = admitted(b, now);
        throw std::runtime_error("the operation");
    } catch (std::runtime_error const&) {
    }
    call(b, outcome::ignored(), now);
    {
        auto first = admitted(b, now);
        std::optional<circuit_breaker::permit> second(std::move(first));
        first.record(outcome::failure(), now);  // moved from: nothing
        (void)refused(b, now);
        second.reset();
    }
    {
        auto a = admitted(b, now);
        a.record(outcome::ignored(), now);
        a.record(outcome::failure(), now);  // settled: nothing
        auto again = admitted(b, now);
        a = std::move(again);
        (void)refused(b, now);
    }
    CHECK(b.state(now) == circuit_state::half_open);
    succeed(b, now);
    CHECK(b.state(now) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: assigning to a permit gives back the place it had")
{
    circuit_breaker b(small());
    open(b, t0);
    auto const now = t0 + 5s;
    auto a = admitted(b, now);
    auto other = admitted(b, now);
    (void)refused(b, now);
    a = std::move(other);
    auto const free_again = admitted(b, now);
    (void)refused(b, now);
}

TEST_CASE("circuit_breaker: probes that hang cannot keep it half open")
{
    circuit_breaker b(small());
    diary d(b);
    open(b, t0);
    auto hung_1 = admitted(b, t0 + 5s);
    auto hung_2 = admitted(b, t0 + 5s);
    CHECK(refused(b, t0 + 9s).retry_at == t0 + 10s);
    auto const no = refused(b, t0 + 10s);  // both leases are over: two failures, open for 1.5 x 5 s
    CHECK(no.retry_at == t0 + 17500ms);
    hung_1.record(outcome::success(), t0 + 18s);  // years later, so to speak
    succeed(b, t0 + 18s, 2);
    hung_2.record(outcome::failure(), t0 + 18s);
    CHECK(b.state(t0 + 18s) == circuit_state::closed);
    CHECK(d.text == "closed>open open>half_open half_open>open open>half_open half_open>closed ");
}

TEST_CASE("circuit_breaker: a probe that reports after its lease has failed, whether or not anybody looked meanwhile")
{
    circuit_breaker b({.minimum_calls = 4, .half_open_probes = 1, .probe_timeout = 1s});
    open(b, t0);
    admitted(b, t0 + 5s).record(outcome::success(), t0 + 6s);
    CHECK(b.state(t0 + 6s) == circuit_state::open);

    circuit_breaker c({.minimum_calls = 4, .half_open_probes = 1, .probe_timeout = 1s});
    open(c, t0);
    admitted(c, t0 + 5s).record(outcome::success(), t0 + 6s - 1ns);
    CHECK(c.state(t0 + 6s) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: a result of generation 1 counts nowhere in generation 3, 4 or later")
{
    circuit_breaker b(small());
    auto late_1 = admitted(b, t0), late_2 = admitted(b, t0), late_3 = admitted(b, t0), late_4 = admitted(b, t0);
    open(b, t0);
    late_1.record(outcome::success(), t0 + 1s);
    CHECK(b.state(t0 + 1s) == circuit_state::open);

    auto probe_1 = admitted(b, t0 + 5s), probe_2 = admitted(b, t0 + 5s);
    late_2.record(outcome::failure(), t0 + 5s);
    late_3.record(outcome::success(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::half_open);
    CHECK_FALSE(b.admit(t0 + 5s));

    probe_1.record(outcome::success(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::half_open);
    probe_2.record(outcome::success(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::closed);
    late_4.record(outcome::failure(), t0 + 5s);
    CHECK(b.tally(t0 + 5s) == circuit_tally{});
}

TEST_CASE("circuit_breaker: a probe of an earlier half-open period neither counts in nor frees a place of a later one")
{
    circuit_breaker b({.minimum_calls = 4, .half_open_probes = 3});
    open(b, t0);
    auto old_1 = admitted(b, t0 + 5s);
    auto old_2 = std::make_optional(admitted(b, t0 + 5s));
    admitted(b, t0 + 5s).record(outcome::failure(), t0 + 5s);
    (void)refused(b, t0 + 10s);  // the leases of the other two are over
    auto const now = t0 + 30s;
    auto const one = admitted(b, now), two = admitted(b, now), three = admitted(b, now);
    old_1.record(outcome::success(), now);
    old_2.reset();
    CHECK_FALSE(b.admit(now));
    CHECK(b.state(now) == circuit_state::half_open);
}

TEST_CASE("circuit_breaker: every failed recovery keeps it open longer, up to the cap; closing starts afresh")
{
    circuit_breaker b(
        {.minimum_calls = 4, .open_for = 5s, .open_multiplier = 3, .max_open_for = 60s, .half_open_probes = 1});
    auto now = t0;
    fail(b, now, 4);
    for (duration const expected : {5s, 15s, 45s, 60s, 60s, 60s}) {
        CHECK(refused(b, now).retry_at == now + expected);
        now += expected;
        fail(b, now);
    }
    now = refused(b, now).retry_at;
    succeed(b, now);
    fail(b, now, 4);
    CHECK(refused(b, now).retry_at == now + 5s);
}

TEST_CASE("circuit_breaker: a growing open interval does not overflow")
{
    circuit_breaker b({.minimum_calls = 1,
                       .open_for = 24h * 365,
                       .open_multiplier = 1000,
                       .max_open_for = duration::max(),
                       .half_open_probes = 1});
    fail(b, t0);
    auto now = t0 + 24h * 365;
    fail(b, now);
    CHECK(refused(b, now).retry_at == weir::never);
    CHECK(b.state(weir::never - 1ns) == circuit_state::open);
}

TEST_CASE("circuit_breaker: no open time at all, a million failing calls: no recursion, no trouble")
{
    circuit_breaker b({.minimum_calls = 1, .open_for = 0s, .half_open_probes = 1, .probe_timeout = 1s});
    int heard = 0;
    b.on_transition([&](auto const&) { ++heard; });
    constexpr int calls = thorough(1'000'000);
    fail(b, t0, calls);
    CHECK(heard > calls);
}

TEST_CASE("circuit_breaker: reset closes with an empty window, and nothing of the opening is left")
{
    circuit_breaker b(small());
    diary d(b);
    open(b, t0);
    b.reset(t0 + 1s);
    CHECK(b.state(t0 + 1s) == circuit_state::closed);
    CHECK(b.tally(t0 + 1s) == circuit_tally{});
    for (auto const later : {5s, 6s, 60s, 3600s}) {
        b.advance(t0 + later);  // what a timer that was set while it was open does
        CHECK(b.state(t0 + later) == circuit_state::closed);
        succeed(b, t0 + later);
    }
    CHECK(d.text == "closed>open open>closed ");
    auto late = admitted(b, t0 + 4000s);
    b.reset(t0 + 4000s);  // closed already: no news, but a new generation
    late.record(outcome::failure(), t0 + 4000s);
    CHECK(b.tally(t0 + 4000s) == circuit_tally{});
    CHECK(d.text == "closed>open open>closed ");
}

TEST_CASE("circuit_breaker: forced open refuses until told otherwise; disabled admits and counts nothing")
{
    circuit_breaker b(small());
    diary d(b);
    auto in_flight = admitted(b, t0);
    b.force_open(t0);
    b.force_open(t0);
    CHECK(refused(b, t0 + 24h).retry_at == weir::never);
    CHECK_FALSE(refused(b, t0 + 24h).possible_later());
    in_flight.record(outcome::success(), t0);
    CHECK(b.state(t0 + 24h) == circuit_state::forced_open);

    b.disable(t0);
    fail(b, t0, 1000);
    CHECK(b.state(t0) == circuit_state::disabled);
    CHECK(b.tally(t0) == circuit_tally{});
    auto of_disabled = admitted(b, t0);

    b.reset(t0);
    of_disabled.record(outcome::failure(), t0);
    CHECK(b.tally(t0) == circuit_tally{});
    open(b, t0);
    CHECK(d.text == "closed>forced_open forced_open>disabled disabled>closed closed>open ");
}

TEST_CASE("circuit_breaker: a dry run says when it would have opened, once per time, and refuses nobody")
{
    auto o = small();
    o.dry_run = true;
    circuit_breaker b(o);
    diary d(b);
    fail(b, t0, 100);
    CHECK(b.state(t0) == circuit_state::closed);
    CHECK(d.text == "closed?open ");
    CHECK(b.failure_rate(t0) == 1.0);
    succeed(b, t0, 101);  // below the threshold again
    fail(b, t0);
    CHECK(d.text == "closed?open closed?open ");  // 101 of 202

    b.force_open(t0);  // an order is an order
    CHECK_FALSE(b.admit(t0));
}

TEST_CASE("circuit_breaker: a clock an hour back delays, a clock ten years ahead recovers, and neither confuses it")
{
    circuit_breaker b(small());
    succeed(b, t0, 3);
    fail(b, t0 - 1h);
    CHECK(b.tally(t0 - 1h) == circuit_tally{4, 1, 0});
    fail(b, t0 - 1h, 2);
    CHECK(b.state(t0 - 1h) == circuit_state::open);
    CHECK(refused(b, t0 - 2h).retry_at == t0 - 1h + 5s);
    CHECK(b.state(t0 + 24h * 3650) == circuit_state::half_open);
    succeed(b, t0 + 24h * 3650, 2);
    CHECK(b.state(t0 + 24h * 3650) == circuit_state::closed);

    succeed(b, t0, 10);  // and back again: counted in the current bucket, wherever that is
    fail(b, t0, 9);
    CHECK(b.state(t0) == circuit_state::closed);
    CHECK(b.tally(t0) == circuit_tally{19, 9, 0});
}

TEST_CASE("circuit_breaker: a clock that went back forgets nothing, however many calls there are")
{
    circuit_breaker b({.failure_rate = 1, .minimum_calls = 1000});
    succeed(b, t0, 50);
    fail(b, t0 - 1h, 50);
    CHECK(b.tally(t0 - 1h) == circuit_tally{100, 50, 0});
    CHECK(b.tally(t0) == circuit_tally{100, 50, 0});
}

TEST_CASE("circuit_breaker: a clock that stands still never lets a window forget, nor an open circuit close")
{
    circuit_breaker b(small());
    for (int i = 0; i < 1000; ++i) succeed(b, t0);
    fail(b, t0, 999);
    CHECK(b.state(t0) == circuit_state::closed);
    fail(b, t0);
    for (int i = 0; i < 1000; ++i) refused(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: every window kind obeys the clock it is given, and no other")
{
    for (bool const by_time : {true, false}) {
        weir::testing::manual_clock clock;
        auto const window = by_time ? weir::outcome_window(weir::time_window{}) : weir::count_window{4};
        weir::basic_circuit_breaker b({.minimum_calls = 4, .window = window}, clock);
        for (int i = 0; i < 4; ++i) {
            if (i == 3) clock.advance(11s);  // more than the window is long
            auto a = b.admit();
            REQUIRE(a);
            a->record(outcome::failure());
        }
        CHECK(b.state() == (by_time ? circuit_state::closed : circuit_state::open));
    }
    weir::testing::manual_clock clock;
    weir::basic_circuit_breaker b({.minimum_calls = 4, .half_open_probes = 1}, clock);
    for (int i = 0; i < 4; ++i) {
        auto a = b.admit();
        REQUIRE(a);
        a->record(outcome::failure());
    }
    CHECK(b.state() == circuit_state::open);
    clock.advance(5s);
    CHECK(b.state() == circuit_state::half_open);
    {
        auto a = b.admit();
        REQUIRE(a);
        a->record(outcome::success());
    }
    CHECK(b.state() == circuit_state::closed);
    b.force_open();
    CHECK(b.state() == circuit_state::forced_open);
    b.disable();
    CHECK(b.state() == circuit_state::disabled);
    b.reset();
    CHECK(b.state() == circuit_state::closed);
}

TEST_CASE("circuit_breaker: a listener may use the breaker, whatever it asks")
{
    circuit_breaker b(small());
    diary d(b);
    b.on_transition([&](weir::circuit_transition const& t) {
        if (t.to == circuit_state::open) {
            CHECK(b.state(t.at) == circuit_state::open);
            CHECK_FALSE(b.admit(t.at));
            CHECK(b.failure_rate(t.at) == 1.0);
            CHECK(t.breaker == "circuit_breaker");
            b.reconfigure(small(), t.at);
            b.reset(t.at);
            CHECK(b.state(t.at) == circuit_state::closed);  // happened; its news comes after this
            succeed(b, t.at);
        }
    });
    diary behind(b);
    fail(b, t0, 4);
    CHECK(b.state(t0) == circuit_state::closed);
    CHECK(d.text == "closed>open open>closed ");
    CHECK(behind.text == d.text);
}

TEST_CASE("circuit_breaker: a listener that throws on every transition harms nothing")
{
    circuit_breaker b(small());
    b.on_transition([](auto const&) { throw 42; });
    diary d(b);
    open(b, t0);
    succeed(b, t0 + 5s, 2);
    b.force_open(t0 + 6s);
    b.disable(t0 + 6s);
    b.reset(t0 + 6s);
    open(b, t0 + 6s);
    CHECK(d.text ==
          "closed>open open>half_open half_open>closed closed>forced_open forced_open>disabled "
          "disabled>closed closed>open ");
}

TEST_CASE("circuit_breaker: two in a row: an inner refusal returns the outer one's probe and counts nothing there")
{
    circuit_breaker outer({.minimum_calls = 4, .half_open_probes = 1}), inner(small());
    open(outer, t0);
    inner.force_open(t0);
    auto const now = t0 + 5s;
    for (int i = 0; i < 100; ++i) {
        auto const probe = outer.admit(now);
        REQUIRE(probe);  // its only place was free again
        CHECK_FALSE(inner.admit(now));
    }
    CHECK(outer.state(now) == circuit_state::half_open);
    inner.reset(now);
    auto probe = outer.admit(now);
    auto leave = inner.admit(now);
    REQUIRE(leave);
    leave->record(outcome::success(), now);
    probe->record(outcome::success(), now);
    CHECK(outer.state(now) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: reconfigure keeps window, generation and in-flight calls, and the new limits count at once")
{
    circuit_breaker b({.minimum_calls = 100, .name = "orders"});
    auto in_flight = admitted(b, t0);
    fail(b, t0, 10);
    succeed(b, t0, 9);
    b.reconfigure({.minimum_calls = 20, .name = "other"}, t0);
    CHECK(b.name() == "orders");
    CHECK(b.tally(t0) == circuit_tally{19, 10, 0});
    in_flight.record(outcome::success(), t0);  // the twentieth: a success, judged by the new minimum
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: after reconfigure a plain success is judged by the new rate")
{
    circuit_breaker b(small());
    succeed(b, t0, 6);
    fail(b, t0, 4);
    succeed(b, t0, 2);
    CHECK(b.state(t0) == circuit_state::closed);
    auto o = small();
    o.failure_rate = 0.3;
    b.reconfigure(o, t0);
    succeed(b, t0);  // 4 of 13
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: reconfigure keeps the open deadline and the probes in flight")
{
    circuit_breaker b({.minimum_calls = 4, .open_for = 5s, .half_open_probes = 2});
    open(b, t0);
    b.reconfigure({.minimum_calls = 4, .open_for = 50s, .half_open_probes = 3}, t0 + 1s);
    CHECK(refused(b, t0 + 1s).retry_at == t0 + 5s);
    auto one = admitted(b, t0 + 5s), two = admitted(b, t0 + 5s);
    b.reconfigure({.minimum_calls = 4, .half_open_probes = 2}, t0 + 5s);
    CHECK_FALSE(b.admit(t0 + 5s));
    one.record(outcome::success(), t0 + 5s);
    two.record(outcome::success(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: reconfigure to another window starts from what the old one held, both ways")
{
    circuit_breaker b;
    succeed(b, t0, 50);
    fail(b, t0, 10);
    b.reconfigure({.window = weir::count_window{100}}, t0);
    CHECK(b.tally(t0) == circuit_tally{60, 10, 0});
    succeed(b, t0 + 1h, 30);
    CHECK(b.tally(t0 + 1h) == circuit_tally{90, 10, 0});
    b.reconfigure({.window = weir::time_window{20s, 4}}, t0 + 1h);
    CHECK(b.tally(t0 + 1h) == circuit_tally{90, 10, 0});
    succeed(b, t0 + 1h, 10);
    CHECK(b.tally(t0 + 1h) == circuit_tally{100, 10, 0});
    CHECK(b.tally(t0 + 1h + 20s) == circuit_tally{});
}

TEST_CASE("circuit_breaker: a refused reconfigure changes nothing")
{
    circuit_breaker b(small());
    fail(b, t0, 3);
    CHECK_THROWS_AS(b.reconfigure({.failure_rate = 2}, t0), std::invalid_argument);
    CHECK_THROWS_AS(b.reconfigure({.minimum_calls = 1, .window = weir::count_window{0}}, t0), std::invalid_argument);
    CHECK(b.tally(t0) == circuit_tally{3, 3, 0});
    CHECK(b.state(t0) == circuit_state::closed);
    fail(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: switching to a dry run lets everyone through again")
{
    circuit_breaker b(small());
    open(b, t0);
    auto o = small();
    o.dry_run = true;
    b.reconfigure(o, t0);
    fail(b, t0, 10);
    CHECK(b.state(t0) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: turning on the run of failures does not count failures from before")
{
    circuit_breaker b({.minimum_calls = 1000});
    fail(b, t0, 10);
    b.reconfigure({.minimum_calls = 1000, .consecutive_failures = 3}, t0);
    fail(b, t0, 2);
    CHECK(b.state(t0) == circuit_state::closed);
    fail(b, t0);
    CHECK(b.state(t0) == circuit_state::open);
}

TEST_CASE("circuit_breaker: can be moved before its first use, listeners and all")
{
    circuit_breaker a({.minimum_calls = 4, .name = "orders"});
    std::string heard;
    a.on_transition(
        [&](weir::circuit_transition const& t) { heard = std::string(t.breaker) + to_string(t.to).data(); });
    circuit_breaker b(std::move(a));
    fail(b, t0, 4);
    CHECK(heard == "ordersopen");
    CHECK(refused(b, t0).gate == "orders");
}

TEST_CASE("circuit_breaker: whatever happens, open lasts its time, refusals name a later time, and it always recovers")
{
    std::mt19937 random(11);
    for (int run = 0; run < 50; ++run) {
        auto const probes = 1 + random() % 5;
        circuit_breaker b({.minimum_calls = 4,
                           .window = random() % 2 ? weir::outcome_window(weir::time_window{1s, 5})
                                                  : weir::outcome_window(weir::count_window{10}),
                           .open_for = 100ms,
                           .half_open_probes = static_cast<unsigned>(probes)});
        std::vector<circuit_breaker::permit> out;
        time_point opened_until = {};  // no admission before
        b.on_transition([&](weir::circuit_transition const& t) {
            if (t.to == circuit_state::open) opened_until = t.at + 100ms;
        });
        auto now = t0;
        for (int i = 0; i < 2000; ++i) {
            now += 1ms * static_cast<int>(random() % 20);
            if (random() % 2 == 0) {
                auto a = b.admit(now);
                if (a) {
                    REQUIRE(now >= opened_until);
                    out.push_back(std::move(*a));
                } else {
                    REQUIRE(a.refused().retry_at > now);
                    REQUIRE(a.refused().retry_at < now + 61s);
                }
            } else if (!out.empty()) {
                std::swap(out[random() % out.size()], out.back());
                auto p = std::move(out.back());
                out.pop_back();
                switch (random() % 4) {
                    case 0: p.record(outcome::success(), now); break;
                    case 1: p.record(outcome::failure(), now); break;
                    case 2: p.record(outcome::ignored(), now); break;
                    default: break;  // dropped
                }
            }
        }
        // The peer is well, and everything still out hangs: it must be closed within two longest intervals.
        auto const give_up = now + 121s;
        while (b.state(now) != circuit_state::closed) {
            REQUIRE(now < give_up);
            if (auto a = b.admit(now))
                a->record(outcome::success(), now);
            else
                now = a.refused().retry_at;
        }
    }
}
