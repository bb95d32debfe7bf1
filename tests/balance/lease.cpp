// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/lease.hpp>

#include <weir/balance/peak_ewma.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/core/admission.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using weir::endpoint;
using weir::endpoint_set;
using weir::outcome;
using weir::peak_ewma;
using weir::round_robin;
using weir::time_point;

static_assert(weir::token<weir::lease>);

namespace {

constexpr time_point start{1'000'000s};

endpoint at(std::string id) { return {.id = std::move(id), .host = "10.0.0.1", .port = 80}; }

}  // namespace

TEST_CASE("lease: counts one call in flight until it is settled or destroyed, once")
{
    endpoint_set set{{at("a")}};
    round_robin rr{set};
    weir::random_engine g{1};
    auto const& state = *set.snapshot()->members()[0].state;
    {
        auto first = rr.pick(start, g);
        auto second = rr.pick(start, g);
        CHECK(state.in_flight() == 2);
        weir::lease moved{std::move(*first)};
        CHECK(state.in_flight() == 2);
        moved.record(outcome::success(1ms), start);
        moved.record(outcome::success(1ms), start);
        CHECK(state.in_flight() == 1);
        *second = std::move(moved);
        CHECK(state.in_flight() == 0);
        auto third = rr.pick(start, g);
    }
    CHECK(state.in_flight() == 0);
}

TEST_CASE("lease: its endpoint stays valid after the set has dropped it")
{
    endpoint_set set{{at("a-rather-long-identifier-that-lives-on-the-heap")}};
    round_robin rr{set};
    weir::random_engine g{1};
    auto held = rr.pick(start, g);
    set.update({at("b")});
    CHECK(held->endpoint().id == "a-rather-long-identifier-that-lives-on-the-heap");
    held->record(outcome::success(), start);
    for (int i = 0; i < 100; ++i) CHECK((*rr.pick(start, g)).endpoint().id == "b");
}

TEST_CASE("lease: ignored outcomes leave the latency alone, and the call is no longer in flight")
{
    endpoint_set set{{at("a")}};
    peak_ewma p{set};
    weir::random_engine g{1};
    auto const& state = *set.snapshot()->members()[0].state;
    p.pick(start, g)->record(outcome::ignored(5s), start);
    CHECK(state.latency(start, 10s) == 0);
    {
        auto dropped = p.pick(start, g);
        CHECK(state.in_flight() == 1);
    }
    CHECK(state.latency(start, 10s) == 0);
    CHECK(state.in_flight() == 0);
    p.pick(start, g)->record(outcome::permanent_failure(1ms), start);
    CHECK(state.latency(start, 10s) == doctest::Approx(1e9));
}
