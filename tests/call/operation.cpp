// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/keyed_breakers.hpp>
#include <weir/call/call.hpp>
#include <weir/call/operation.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/load_shedder.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Sends its body with its first run.
struct upload {
    std::unique_ptr<std::string> body = std::make_unique<std::string>("body");
    std::string operator()(weir::attempt const&) && { return *std::exchange(body, nullptr); }
};

struct download {
    int operator()(weir::attempt const& a) { return static_cast<int>(a.number()); }
};

}  // namespace

TEST_CASE("operation: what can run once only is not replayable, whatever else is said of it")
{
    static_assert(weir::replayable<download>);
    static_assert(!weir::replayable<upload>);
    static_assert(!weir::replayable<decltype(weir::until(weir::never, upload{}))>);
    static_assert(weir::replayable<decltype(weir::until(weir::never, download{}))>);
}

TEST_CASE("operation: what can run once only runs through a pipeline that never repeats it")
{
    auto p = weir::pipeline(weir::deadline(1s));
    CHECK(p.call(upload{}).value() == "body");
    upload named;
    CHECK(p.call(std::move(named)).value() == "body");
    CHECK(named.body == nullptr);
    CHECK(p.call(weir::until(weir::never, upload{})).value() == "body");
}

TEST_CASE("operation: a deadline of its own, and the pipeline's; the nearer holds")
{
    weir::testing::manual_clock clock;
    auto p = weir::pipeline(weir::deadline(1s), weir::retry());
    auto const left = [&](weir::attempt const& a) { return a.time_left(clock.now()); };
    CHECK(p.call(left, clock).value() == 1s);
    CHECK(p.call(weir::until(clock.now() + 300ms, left), clock).value() == 300ms);
    CHECK(p.call(weir::until(clock.now() + 3s, left), clock).value() == 1s);
    auto const past = p.call(weir::until(clock.now(), left), clock);
    REQUIRE_FALSE(past);
    CHECK(past.error().code == weir::errc::no_time_left);
    auto none = weir::pipeline<>();
    CHECK(none.call(weir::until(clock.now() + 3s, left), clock).value() == 3s);
}

TEST_CASE("operation: marks add up in any order, and the nearer of two deadlines holds")
{
    using weir::detail::hedging;
    using weir::detail::hedging_of;
    weir::time_point const t{5s};
    auto a = weir::hedgeable(weir::until(t, download{}));
    auto b = weir::until(t, weir::hedgeable(download{}));
    auto c = weir::not_hedgeable(weir::hedgeable(download{}));
    static_assert(hedging_of<decltype(a)> == hedging::allowed);
    static_assert(hedging_of<decltype(b)> == hedging::allowed);
    static_assert(hedging_of<decltype(c)> == hedging::forbidden);
    CHECK(a.said.deadline == t);
    CHECK(b.said.deadline == t);
    CHECK(weir::until(t + 1s, std::move(a)).said.deadline == t);
    CHECK(weir::until(t - 1s, std::move(b)).said.deadline == t - 1s);
}

namespace {

struct permit {
    permit() = default;
    permit(permit&&) = default;
    permit& operator=(permit&&) = default;
    void record(weir::outcome const&, weir::time_point) noexcept {}
};

/// Writes down what it may know.
struct clerk {
    std::vector<weir::call_facts> seen;
    std::vector<std::string> keys;
    weir::admission<permit> admit(weir::call_facts const& of, weir::time_point)
    {
        seen.push_back(of);
        keys.emplace_back(of.key);
        return permit{};
    }
    weir::admission<permit> admit(weir::time_point) { return weir::rejection{}; }
};

}  // namespace

TEST_CASE("call_options: the nearer deadline holds; key, priority and the deadline reach the gates and the attempt")
{
    weir::testing::manual_clock clock;
    clerk outer, inner;
    auto p = weir::pipeline(weir::deadline(1s), outer, weir::retry(), inner);
    weir::request_priority const batch{weir::criticality::sheddable, 7};
    auto const left = [&](weir::attempt const& a) {
        CHECK(a.key() == "tenant");
        CHECK(a.priority() == batch);
        return a.time_left(clock.now());
    };
    auto const r = p.call(left, {.deadline = clock.now() + 300ms, .key = "tenant", .priority = batch}, clock);
    CHECK(r.value() == 300ms);
    CHECK(p.call(left, {.deadline = clock.now() + 3s, .key = "tenant", .priority = batch}, clock).value() == 1s);
    for (auto const* c : {&outer, &inner}) {
        REQUIRE(c->seen.size() == 2);
        CHECK(c->keys[0] == "tenant");
        CHECK(c->seen[0].priority == batch);
        CHECK(c->seen[0].deadline == clock.now() + 300ms);
        CHECK(c->seen[1].deadline == clock.now() + 1s);
    }
    // Nothing said.
    CHECK(p.call([](weir::attempt const& a) { return a.priority().has_value(); }, clock).value() == false);
    CHECK(outer.keys[2].empty());
    CHECK(outer.seen[2].priority == weir::request_priority{});
    CHECK(outer.seen[2].deadline == clock.now() + 1s);
}

TEST_CASE("call_options: a keyed limiter stands in a pipeline as it is, and looks at the call's key")
{
    weir::testing::manual_clock clock;
    weir::keyed_limiter<std::string> per_tenant{{.quotas = {{weir::per_second(1), 2}}, .capacity = 100}};
    weir::keyed_breakers<std::string> per_peer;
    auto p = weir::pipeline(per_tenant, per_peer);
    auto const op = [](weir::attempt const&) { return 1; };
    CHECK(p.call(op, {.key = "a"}, clock));
    CHECK(p.call(op, {.key = "a"}, clock));
    auto const third = p.call(op, {.key = "a"}, clock);
    REQUIRE_FALSE(third);
    CHECK(third.error().code == weir::errc::rate_limited);
    CHECK(p.call(op, {.key = "b"}, clock));
    CHECK(per_peer.size() == 2);
    CHECK(p.call(op, clock));
    CHECK(per_peer.size() == 3);
}

TEST_CASE("call_options: a shedder sheds by the call's priority")
{
    weir::load_shedder shedder{{.queue_delay = 20ms, .cpu = 0, .window = 100ms}};
    weir::testing::manual_clock clock;
    auto p = weir::pipeline(shedder);
    auto const ask = [&](weir::criticality level) {
        return p.call([](weir::attempt const&) { return 1; }, {.priority = weir::request_priority{level, 0}}, clock)
            .has_value();
    };
    for (int window = 0; window < 200; ++window) {
        for (int n = 0; n < 20; ++n) {
            if (ask(weir::criticality::sheddable)) shedder.waited(100ms);
            if (ask(weir::criticality::critical)) shedder.waited(100ms);
        }
        clock.advance(100ms);
    }
    CHECK(shedder.threshold() < weir::request_priority::ranks);
    CHECK_FALSE(ask(weir::criticality::sheddable));
}

TEST_CASE("call_options: what is not idempotent is not sent twice, and may wait for a gate all the same")
{
    weir::testing::manual_clock clock;
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = weir::constant(10ms)}));
    int runs = 0;
    auto const failing = [&](weir::attempt const&) -> weir::result<int> {
        ++runs;
        return weir::error(std::make_error_code(std::errc::connection_reset));
    };
    CHECK_FALSE(p.call(failing, {.idempotent = false}, clock));
    CHECK(runs == 1);
    CHECK_FALSE(p.call(failing, {.idempotent = true}, clock));
    CHECK(runs == 4);
    CHECK_FALSE(p.call(failing, {.key = "says nothing of it"}, clock));
    CHECK(runs == 7);

    weir::token_bucket bucket{{.rate = weir::per_second(1000), .burst = 1}};
    auto const t = clock.now();
    REQUIRE(bucket.try_acquire(1, t));
    auto q = weir::pipeline(weir::retry({.max_attempts = 9, .backoff = weir::constant(10ms)}), bucket);
    CHECK(q.call([](weir::attempt const& a) { return a.number(); }, {.idempotent = false}, clock).value() == 1);
    CHECK(clock.now() > t);
}

TEST_CASE("call_options: said twice, the last word holds, but of two deadlines the nearer")
{
    weir::time_point const t{5s};
    auto a = weir::with({.deadline = t, .key = "one"}, weir::with({.deadline = t + 1s, .key = "two"}, download{}));
    CHECK(a.said.deadline == t);
    CHECK(a.said.key == "one");
    auto b = weir::with({.key = "three"}, a);  // an lvalue: a copy
    CHECK(a.said.key == "one");
    CHECK(b.said.key == "three");
    CHECK(b.said.deadline == t);
    static_assert(std::is_same_v<decltype(b.op), download>);
    static_assert(weir::detail::hedging_of<decltype(b)> == weir::detail::hedging::by_options);
    CHECK(weir::hedgeable(b).said.idempotent == true);
    CHECK(weir::with({.idempotent = false}, weir::hedgeable(b)).said.idempotent == false);
}

TEST_CASE("call_options: the operation of a blocking call stays its caller's")
{
    struct counter {
        int runs = 0;
        int operator()(weir::attempt const&) { return ++runs; }
    } op;
    auto p = weir::pipeline();
    CHECK(p.call(op, {.key = "k"}).value() == 1);
    CHECK(p.call(op, {.key = "k"}).value() == 2);
    CHECK(op.runs == 2);
    CHECK(p.call(upload{}, {.key = "k"}).value() == "body");
}
