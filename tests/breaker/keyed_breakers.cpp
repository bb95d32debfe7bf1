// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/keyed_breakers.hpp>
#include <weir/core/gate.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_state;
using weir::keyed_breakers;
using weir::keyed_breakers_options;
using weir::outcome;
using weir::time_point;
using weir::test::thorough;

static_assert(weir::gate<keyed_breakers<int>::gate>);
static_assert(weir::token<keyed_breakers<int>::permit>);

namespace {

constexpr time_point t0{1h};

keyed_breakers_options of(std::size_t capacity)
{
    return {.each = {.minimum_calls = 2, .half_open_probes = 1}, .capacity = capacity};
}

template <class Keyed>
bool call(Keyed& b, typename Keyed::key_view key, outcome const& o, time_point now)
{
    auto a = b.admit(key, now);
    if (a) a->record(o, now);
    return static_cast<bool>(a);
}

template <class Keyed>
void open(Keyed& b, typename Keyed::key_view key, time_point now)
{
    call(b, key, outcome::failure(), now);
    call(b, key, outcome::failure(), now);
    REQUIRE_FALSE(b.admit(key, now));
}

}  // namespace

TEST_CASE("keyed_breakers: one key that opens does not touch another, and comes back by itself")
{
    keyed_breakers<std::string> b(of(10));
    open(b, "sick", t0);
    CHECK(call(b, "well", outcome::success(), t0));
    auto const no = b.admit(std::string("sick"), t0);
    CHECK(no.refused().code == weir::errc::circuit_open);
    CHECK(no.refused().retry_at == t0 + 5s);
    CHECK(no.refused().gate == "circuit_breaker");
    CHECK(call(b, "sick", outcome::success(), t0 + 5s));
    CHECK(call(b, "sick", outcome::success(), t0 + 5s));
    CHECK(b.size() == 2);
}

TEST_CASE("keyed_breakers: never more than its capacity, and open, half-open, forced or ramping keys stay")
{
    auto o = of(4);
    o.each.ramp_for = 1h;
    o.each.ramp_from = 0.5;
    o.idle_for = 0s;  // whoever is closed and still may go
    keyed_breakers<int> b(o);
    open(b, 1, t0);
    open(b, 2, t0 + 1s);
    open(b, 3, t0);
    auto const now = t0 + 5s;
    CHECK(call(b, 3, outcome::success(), now));  // on the ramp
    auto const probe = b.admit(2, t0 + 6s);      // half open
    REQUIRE(probe);
    for (int key = 100; key < 1100; ++key) {
        CHECK(call(b, key, outcome::success(), now));
        REQUIRE(b.size() <= 4);
    }
    CHECK(b.evictions() == 999);
    CHECK(b.unguarded() == 0);
    std::map<int, circuit_state> left;
    b.for_each([&](int key, auto& breaker) { left[key] = breaker.state(t0); });
    CHECK(left.size() == 4);
    CHECK(left[1] == circuit_state::open);
    CHECK(left[2] == circuit_state::half_open);
    CHECK(left.count(3) == 1);
    CHECK(left.count(1099) == 1);
}

TEST_CASE("keyed_breakers: full of open ones, a new key is let through without a breaker, and counted")
{
    keyed_breakers<int> b(of(3));
    for (int key = 0; key < 3; ++key) open(b, key, t0);
    for (int i = 0; i < 10; ++i) CHECK(call(b, 7, outcome::failure(), t0));
    CHECK(b.unguarded() == 10);
    CHECK(b.evictions() == 0);
    CHECK(b.size() == 3);
    auto gate = b.of(8, t0);
    CHECK(gate.guard() == nullptr);
    CHECK(gate.admit(t0));
    CHECK(b.unguarded() == 11);
    for (int key = 0; key < 3; ++key) CHECK_FALSE(b.admit(key, t0));

    CHECK(call(b, 1, outcome::success(), t0 + 5s));  // well again, and its window is empty
    open(b, 7, t0 + 20s);
    CHECK(b.evictions() == 1);
    CHECK_FALSE(b.admit(0, t0 + 4s));
}

TEST_CASE("keyed_breakers: one that counts failures stays until it equals a new one or was not asked for idle_for")
{
    auto o = of(1);
    o.idle_for = 1min;
    keyed_breakers<int> b(o);
    call(b, 1, outcome::failure(), t0);
    CHECK(call(b, 2, outcome::success(), t0 + 9s));
    CHECK(b.unguarded() == 1);
    CHECK(call(b, 2, outcome::success(), t0 + 10s));  // the window of 1 is empty
    CHECK(b.evictions() == 1);

    o.each.window = weir::count_window{10};  // never empty
    keyed_breakers<int> c(o);
    call(c, 1, outcome::failure(), t0);
    call(c, 2, outcome::success(), t0 + 1min - 1ns);
    CHECK(c.evictions() == 0);
    call(c, 2, outcome::success(), t0 + 1min);
    CHECK(c.evictions() == 1);
}

TEST_CASE("keyed_breakers: a call in flight or a gate that is held keeps its key")
{
    auto o = of(1);
    o.idle_for = 0s;
    keyed_breakers<int> b(o);
    {
        auto in_flight = b.admit(1, t0);
        call(b, 2, outcome::success(), t0 + 1h);
        CHECK(b.unguarded() == 1);
        CHECK_FALSE(b.forget(1));
        in_flight->record(outcome::success(), t0 + 1h);
    }
    {
        auto const held = b.of(1, t0 + 1h);
        call(b, 2, outcome::success(), t0 + 3h);
        CHECK(b.unguarded() == 2);
    }
    call(b, 2, outcome::success(), t0 + 3h);
    CHECK(b.unguarded() == 2);
    CHECK(b.evictions() == 1);
}

TEST_CASE("keyed_breakers: a permit moved onto another gives back its own probe first")
{
    keyed_breakers<int> b(of(2));
    open(b, 1, t0);
    open(b, 2, t0);
    auto const now = t0 + 5s;
    auto one = b.admit(1, now), two = b.admit(2, now);
    REQUIRE((one && two));
    *one = std::move(*two);
    CHECK(b.admit(1, now));  // its probe's place is free again
    CHECK_FALSE(b.admit(2, now));
}

TEST_CASE("keyed_breakers: a gate counts for its key, and its key's breaker is the same one")
{
    keyed_breakers<std::string> b(of(10));
    auto gate = b.of("a", t0);
    for (int i = 0; i < 2; ++i) gate.admit(t0)->record(outcome::failure(), t0);
    CHECK_FALSE(b.admit("a", t0));
    REQUIRE(gate.guard() != nullptr);
    CHECK(gate.guard()->state(t0) == circuit_state::open);
    gate.guard()->reset(t0);
    CHECK(b.admit("a", t0));
}

TEST_CASE("keyed_breakers: a key can be forgotten, and is new when it comes again")
{
    keyed_breakers<std::string> b(of(10));
    open(b, "gone", t0);
    CHECK(b.forget("gone"));
    CHECK_FALSE(b.forget("gone"));
    CHECK(b.size() == 0);
    CHECK(b.admit("gone", t0));
}

TEST_CASE("keyed_breakers: listeners hear the key; one that throws or asks the breakers harms nothing")
{
    keyed_breakers<std::string> b(of(10));
    std::string heard;
    b.on_transition([](std::string const&, auto const&) { throw 1; });
    b.on_transition([&](std::string const& key, weir::circuit_transition const& t) {
        heard += key + " " + std::string(to_string(t.to)) + " ";
        CHECK_FALSE(b.admit(key, t.at));
        CHECK(b.admit("another", t.at));
        b.for_each([](auto const&, auto&) {});
    });
    open(b, "orders", t0);
    CHECK(heard == "orders open ");
}

TEST_CASE("keyed_breakers: reconfigure reaches old and new keys, and an open one keeps its deadline")
{
    keyed_breakers<int> b(of(10));
    open(b, 1, t0);
    call(b, 2, outcome::failure(), t0);
    auto o = of(10);
    o.each.minimum_calls = 3;
    o.each.open_for = 50s;
    b.reconfigure(o, t0);
    CHECK(b.admit(1, t0).refused().retry_at == t0 + 5s);
    call(b, 2, outcome::failure(), t0);
    CHECK(b.admit(2, t0));
    call(b, 2, outcome::failure(), t0);
    CHECK(b.admit(2, t0).refused().retry_at == t0 + 50s);
    call(b, 3, outcome::failure(), t0);
    call(b, 3, outcome::failure(), t0);
    CHECK(b.admit(3, t0));
}

TEST_CASE("keyed_breakers: ever new keys leave the room they found, and the sick one is still known")
{
    auto o = of(2000);  // several parts
    o.each.open_for = 1h;
    o.each.max_open_for = 1h;
    keyed_breakers<std::uint64_t> b(o);
    open(b, 0, t0);
    std::mt19937_64 random(5);
    constexpr int calls = thorough(50'000);
    for (int i = 0; i < calls; ++i) {
        REQUIRE(call(b, random() | 1, outcome::success(), t0 + 10ms * i / 10));
        if (i % 1000 == 0) REQUIRE(b.size() <= 2000);
    }
    CHECK(b.evictions() + b.unguarded() + b.size() == std::size_t{calls} + 1);
    CHECK(b.size() == 2000);
    CHECK_FALSE(b.admit(0, t0 + 59min));
}
