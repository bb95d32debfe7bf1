// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// How a circuit_breaker finds its way back: ratios, leases, ramps, jitter, timers.
#include <weir/breaker/circuit_breaker.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_breaker;
using weir::circuit_breaker_options;
using weir::circuit_state;
using weir::circuit_tally;
using weir::outcome;
using weir::time_point;

namespace {

constexpr time_point t0{1h};

void call(circuit_breaker& b, outcome const& o, time_point now)
{
    auto a = b.admit(now);
    REQUIRE(a);
    a->record(o, now);
}

/// Opens at t0 with one failure, closes at t0 + 5s with one success.
circuit_breaker_options small() { return {.minimum_calls = 1, .half_open_probes = 1}; }

void open_and_close(circuit_breaker& b)
{
    call(b, outcome::failure(), t0);
    REQUIRE(b.state(t0) == circuit_state::open);
    call(b, outcome::success(), t0 + 5s);
    REQUIRE(b.state(t0 + 5s) == circuit_state::closed);
}

}  // namespace

TEST_CASE("circuit_breaker: with 3 of 4 to succeed, the third success closes and the second failure opens")
{
    auto o = small();
    o.half_open_probes = 4;
    o.half_open_success_rate = 0.75;
    {
        circuit_breaker b(o);
        call(b, outcome::failure(), t0);
        call(b, outcome::failure(), t0 + 5s);
        call(b, outcome::success(), t0 + 5s);
        call(b, outcome::success(), t0 + 5s);
        CHECK(b.state(t0 + 5s) == circuit_state::half_open);
        call(b, outcome::success(), t0 + 5s);
        CHECK(b.state(t0 + 5s) == circuit_state::closed);
    }
    {
        circuit_breaker b(o);
        call(b, outcome::failure(), t0);
        call(b, outcome::failure(), t0 + 5s);
        CHECK(b.state(t0 + 5s) == circuit_state::half_open);
        call(b, outcome::failure(), t0 + 5s);
        CHECK(b.state(t0 + 5s) == circuit_state::open);
    }
}

TEST_CASE("circuit_breaker: half-open without a decision for half_open_for opens again, for longer")
{
    auto o = small();
    o.half_open_probes = 10;
    o.probe_timeout = 1h;
    o.half_open_for = 20s;
    circuit_breaker b(o);
    call(b, outcome::failure(), t0);
    call(b, outcome::success(), t0 + 5s);  // one of ten, and then nobody calls
    CHECK(b.next_transition() == t0 + 25s);
    call(b, outcome::success(), t0 + 24s);
    CHECK_FALSE(b.admit(t0 + 25s));
    CHECK(b.state(t0 + 25s) == circuit_state::open);
    CHECK(b.next_transition() == t0 + 25s + 7500ms);
}

TEST_CASE("circuit_breaker: a failure that says when to come back keeps it open until then, at most max_open_for")
{
    circuit_breaker b(small());
    auto o = outcome::failure();
    o.retry_after = 30s;
    call(b, o, t0);
    CHECK(b.admit(t0).refused().retry_at == t0 + 30s);
    o.retry_after = 24h;
    call(b, o, t0 + 30s);
    CHECK(b.admit(t0 + 30s).refused().retry_at == t0 + 90s);
}

namespace {

outcome that_opens(std::optional<weir::duration> retry_after = {})
{
    auto o = outcome::permanent_failure();
    o.opens = true;
    o.retry_after = retry_after;
    return o;
}

}  // namespace

TEST_CASE("circuit_breaker: one failure that says so opens it, for as long as it asks if that is longer")
{
    circuit_breaker b;  // 20 calls at least
    for (int i = 0; i < 1000; ++i) call(b, outcome::success(), t0);
    call(b, that_opens(), t0);
    CHECK(b.state(t0) == circuit_state::open);
    CHECK(b.admit(t0).refused().retry_at == t0 + 5s);

    b.reset(t0);
    call(b, that_opens(600s), t0);
    CHECK(b.admit(t0).refused().retry_at == t0 + 60s);  // max_open_for
    b.reset(t0);
    call(b, that_opens(2s), t0);
    CHECK(b.admit(t0).refused().retry_at == t0 + 5s);

    // As a probe: the first of ten is enough, and the recovery has failed.
    call(b, outcome::success(), t0 + 5s);
    call(b, that_opens(), t0 + 5s);
    CHECK(b.admit(t0 + 5s).refused().retry_at == t0 + 5s + 7500ms);

    // On the ramp, too.
    auto o = small();
    o.ramp_for = 10s;
    o.ramp_from = 0.999;
    o.seed = 1;
    circuit_breaker ramping(o);
    open_and_close(ramping);
    call(ramping, that_opens(), t0 + 6s);
    CHECK(ramping.admit(t0 + 6s).refused().retry_at == t0 + 6s + 7500ms);

    // Only a failure can say it.
    circuit_breaker well;
    auto fine = outcome::success(), unknown = outcome::ignored();
    fine.opens = unknown.opens = true;
    call(well, fine, t0);
    call(well, unknown, t0);
    CHECK(well.state(t0) == circuit_state::closed);
}

TEST_CASE("circuit_breaker: a failure that says so opens nothing when it is late, forced, disabled or a dry run")
{
    circuit_breaker b(small());
    auto late = b.admit(t0), later = b.admit(t0);
    open_and_close(b);
    late->record(that_opens(), t0 + 5s);  // of the generation before
    CHECK(b.state(t0 + 5s) == circuit_state::closed);

    b.force_open(t0 + 5s);
    later->record(that_opens(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::forced_open);

    b.disable(t0 + 5s);
    call(b, that_opens(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::disabled);

    // A probe whose lease has ended has failed; what it says after that counts nowhere.
    auto o = small();
    o.half_open_probes = 2;
    o.half_open_success_rate = 0.5;
    o.probe_timeout = 1s;
    circuit_breaker probing(o);
    call(probing, outcome::failure(), t0);
    auto overdue = probing.admit(t0 + 5s);
    REQUIRE(overdue);
    overdue->record(that_opens(), t0 + 6s);
    CHECK(probing.state(t0 + 6s) == circuit_state::half_open);

    o = small();
    o.minimum_calls = 100;
    o.dry_run = true;
    circuit_breaker dry(o);
    int told = 0;
    dry.on_transition([&](weir::circuit_transition const& t) { told += t.dry_run && t.to == circuit_state::open; });
    call(dry, that_opens(), t0);
    call(dry, that_opens(), t0);
    CHECK(told == 1);
    call(dry, outcome::success(), t0);  // it would be closed again
    call(dry, that_opens(), t0);
    CHECK(told == 2);
    CHECK(dry.state(t0) == circuit_state::closed);
}

TEST_CASE(
    "circuit_breaker: after closing the share let through grows from ramp_from to all, and refusals come back spread")
{
    auto o = small();
    o.ramp_for = 10s;
    o.ramp_from = 0.1;
    o.seed = 1;
    circuit_breaker b(o);
    open_and_close(b);
    auto const start = t0 + 5s;
    for (int second = 0; second < 10; ++second) {
        auto const now = start + 1s * second;
        double const expected = 0.1 + 0.09 * second;
        CHECK(b.share(now) == doctest::Approx(expected));
        int admitted = 0;
        time_point first = weir::never, last = t0;
        for (int i = 0; i < 10'000; ++i) {
            auto const a = b.admit(now);
            admitted += a ? 1 : 0;
            if (a) continue;
            CHECK(a.refused().code == weir::errc::circuit_open);
            REQUIRE(a.refused().retry_at > now);
            REQUIRE(a.refused().retry_at <= start + 10s);
            first = std::min(first, a.refused().retry_at);
            last = std::max(last, a.refused().retry_at);
        }
        CHECK(admitted / 10'000.0 == doctest::Approx(expected).epsilon(0.15));
        CHECK(first - now < 100ms);
        CHECK(start + 10s - last < 100ms);
    }
    CHECK(b.state(start) == circuit_state::closed);
    for (int i = 0; i < 1000; ++i) REQUIRE(b.admit(start + 10s));
    CHECK(b.share(start + 10s) == 1.0);
    CHECK(b.next_transition() == weir::never);
    CHECK(b.refusals() > 40'000);
}

TEST_CASE("circuit_breaker: results count during the ramp, and those of its calls after it, too")
{
    auto o = small();
    o.minimum_calls = 1000;
    o.consecutive_failures = 1;
    o.ramp_for = 10s;
    circuit_breaker b(o);
    open_and_close(b);
    std::optional<circuit_breaker::permit> late;
    while (!late)
        if (auto a = b.admit(t0 + 14999ms)) late = *std::move(a);
    call(b, outcome::success(), t0 + 16s);
    late->record(outcome::success(), t0 + 16s);
    CHECK(b.tally(t0 + 16s) == circuit_tally{2, 0, 0});
}

TEST_CASE(
    "circuit_breaker: to open on the ramp is a recovery that failed: open for longer; after it, as the first time")
{
    auto o = small();
    o.ramp_for = 10s;
    o.ramp_from = 0.999999;
    for (bool const on_ramp : {true, false}) {
        circuit_breaker b(o);
        open_and_close(b);
        auto const now = t0 + 5s + (on_ramp ? 9s : 10s);
        call(b, outcome::failure(), now);
        CHECK(b.admit(now).refused().retry_at == now + (on_ramp ? 7500ms : 5000ms));
    }
}

TEST_CASE("circuit_breaker: a reset has no ramp, and reconfigure keeps the one that has begun")
{
    auto o = small();
    o.ramp_for = 10s;
    circuit_breaker b(o);
    open_and_close(b);
    b.reconfigure(small(), t0 + 5s);
    CHECK(b.share(t0 + 10s) == doctest::Approx(0.55));
    b.reset(t0 + 10s);
    CHECK(b.share(t0 + 10s) == 1.0);
}

TEST_CASE("circuit_breaker: a thousand clients whose peer came back: never all at once, and all in the end")
{
    // Each asks ten times a second. Without anything they all probe at one instant, and all come at the next.
    struct peaks {
        int probes, after;
    };
    auto const come_back = [](circuit_breaker_options const& o) {
        std::vector<std::unique_ptr<circuit_breaker>> fleet;
        for (std::uint64_t i = 0; i < 1000; ++i) {
            fleet.push_back(std::make_unique<circuit_breaker>(o));
            call(*fleet.back(), outcome::failure(), t0);
        }
        peaks most{0, 0};
        int last = 0;
        for (auto now = t0; now < t0 + 20s; now += 100ms) {
            int sent = 0;
            for (auto& b : fleet)
                if (auto a = b->admit(now)) {
                    ++sent;
                    a->record(outcome::success(), now);
                }
            if (now == t0 + 5s) most.probes = sent;
            if (now > t0 + 5s && now < t0 + 6s) most.after = std::max(most.after, sent);
            last = sent;
        }
        CHECK(last == 1000);
        return most;
    };
    auto const naive = come_back(small());
    CHECK(naive.probes == 1000);
    CHECK(naive.after == 1000);
    auto o = small();
    o.ramp_for = 5s;
    CHECK(come_back(o).after < 350);
    o.open_jitter = 1;
    auto const spread = come_back(o);
    CHECK(spread.probes < 60);
    CHECK(spread.after < 250);
}

TEST_CASE("circuit_breaker: jitter makes every open time its own, and a seed the same again")
{
    auto o = small();
    o.open_jitter = 0.5;
    std::set<time_point> ends;
    for (int i = 0; i < 100; ++i) {
        circuit_breaker b(o);
        call(b, outcome::failure(), t0);
        auto const until = b.admit(t0).refused().retry_at;
        CHECK(until >= t0 + 5s);
        CHECK(until <= t0 + 7500ms);
        ends.insert(until);
    }
    CHECK(ends.size() > 90);
    o.seed = 42;
    circuit_breaker a(o), b(o);
    call(a, outcome::failure(), t0);
    call(b, outcome::failure(), t0);
    CHECK(a.next_transition() == b.next_transition());
}

TEST_CASE("circuit_breaker: a timer takes it from open to half-open without a call, and ends leases and ramps")
{
    auto o = small();
    o.probe_timeout = 2s;
    o.ramp_for = 10s;
    circuit_breaker b(o);
    std::string heard;
    b.on_transition([&](weir::circuit_transition const& t) { heard += std::string(to_string(t.to)) + " "; });
    CHECK(b.next_transition() == weir::never);
    call(b, outcome::failure(), t0);
    CHECK(b.next_transition() == t0 + 5s);
    b.advance(t0 + 5s - 1ns);
    CHECK(heard == "open ");
    b.advance(t0 + 5s);
    CHECK(heard == "open half_open ");
    CHECK(b.next_transition() == weir::never);  // no probe is out
    auto hung = b.admit(t0 + 6s);
    CHECK(b.next_transition() == t0 + 8s);
    b.advance(t0 + 8s);
    CHECK(heard == "open half_open open ");
    CHECK(b.next_transition() == t0 + 15500ms);
    call(b, outcome::success(), t0 + 16s);
    CHECK(b.next_transition() == t0 + 26s);
    b.advance(t0 + 26s);
    CHECK(b.next_transition() == weir::never);
    CHECK(heard == "open half_open open half_open closed ");
    b.advance(t0 + 24h);
    b.force_open(t0 + 24h);
    CHECK(b.next_transition() == weir::never);
}

TEST_CASE("circuit_breaker: opened by hand it recovers as usual, half open by hand it probes")
{
    circuit_breaker b(small());
    b.open(t0);
    CHECK(b.admit(t0).refused().retry_at == t0 + 5s);
    call(b, outcome::success(), t0 + 5s);
    CHECK(b.state(t0 + 5s) == circuit_state::closed);
    b.half_open(t0 + 6s);
    auto const probe = b.admit(t0 + 6s);
    CHECK(probe);
    CHECK_FALSE(b.admit(t0 + 6s));
}

TEST_CASE("circuit_breaker: refusals are counted, whatever the reason, and calls are not")
{
    circuit_breaker b(small());
    call(b, outcome::success(), t0);
    CHECK(b.refusals() == 0);
    b.reset(t0);
    call(b, outcome::failure(), t0);
    CHECK_FALSE(b.admit(t0));
    auto const probe = b.admit(t0 + 5s);
    CHECK_FALSE(b.admit(t0 + 5s));
    b.force_open(t0 + 5s);
    CHECK_FALSE(b.admit(t0 + 5s));
    CHECK(b.refusals() == 3);
}

TEST_CASE("circuit_breaker: idle when it equals a new one")
{
    auto o = small();
    o.minimum_calls = 100;
    circuit_breaker b(o);
    CHECK(b.idle(t0));
    call(b, outcome::success(), t0);
    CHECK_FALSE(b.idle(t0));
    CHECK(b.idle(t0 + 10s));
    b.open(t0 + 20s);
    CHECK_FALSE(b.idle(t0 + 20s));
    CHECK_FALSE(b.idle(t0 + 25s));
    b.reset(t0 + 25s);
    CHECK(b.idle(t0 + 25s));
    b.disable(t0 + 25s);
    CHECK_FALSE(b.idle(t0 + 25s));

    b.reset(t0 + 25s);
    o.consecutive_failures = 3;
    b.reconfigure(o, t0 + 25s);
    call(b, outcome::failure(), t0 + 25s);
    CHECK_FALSE(b.idle(t0 + 60s));  // the run goes on
}
