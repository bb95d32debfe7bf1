// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/deadline.hpp>

#include <weir/call/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>

using namespace std::chrono_literals;
using weir::attempt;
using weir::duration;
using weir::errc;
using weir::never;

namespace {

auto pauses_of(duration d) { return weir::constant(d).with(weir::jitter::none); }

std::error_code fails(attempt const&) { return std::make_error_code(std::errc::connection_reset); }

}  // namespace

TEST_CASE("deadline: a span that is not above zero is refused, by name")
{
    for (auto const span : {0ns, -1ns, duration::min()}) {
        CAPTURE(span.count());
        CHECK_THROWS_WITH_AS(weir::deadline{span}, doctest::Contains("deadline must be above 0 ms"),
                             std::invalid_argument);
    }
    CHECK(weir::deadline(1ns).span() == 1ns);
    CHECK(weir::deadline(duration::max()).span() == duration::max());
}

TEST_CASE("deadline: every attempt of a call carries the same instant")
{
    weir::testing::manual_clock clock;
    auto const end = clock.now() + 1s;
    auto guarded = weir::pipeline(weir::deadline(1s), weir::retry({.max_attempts = 3, .backoff = pauses_of(100ms)}));
    unsigned attempts = 0;
    auto const r = guarded.call(
        [&](attempt const& a) {
            ++attempts;
            CHECK(a.deadline() == end);
            return fails(a);
        },
        clock);
    CHECK(attempts == 3);
    CHECK(r.error().code == std::errc::connection_reset);
}

TEST_CASE("deadline: counts the pauses, and none begins that ends at it or after it")
{
    weir::testing::manual_clock clock;
    auto const start = clock.now();
    unsigned attempts = 0;
    auto const run = [&](duration pause) {
        attempts = 0;
        auto guarded =
            weir::pipeline(weir::deadline(1s), weir::retry({.max_attempts = 9, .backoff = pauses_of(pause)}));
        return guarded.call(
            [&](attempt const& a) {
                ++attempts;
                return fails(a);
            },
            clock);
    };
    CHECK(run(500ms).error().code == std::errc::connection_reset);
    CHECK(attempts == 2);
    CHECK(clock.now() == start + 500ms);
    CHECK(run(500ms - 1ns).error().code == std::errc::connection_reset);
    CHECK(attempts == 3);
}

TEST_CASE("deadline: of the largest span is none")
{
    weir::testing::manual_clock clock;
    auto guarded = weir::pipeline(weir::deadline(duration::max()));
    auto const r = guarded.call([](attempt const& a) { return a.deadline(); }, clock);
    CHECK(*r == never);
}

TEST_CASE("deadline: each call has its own, from its own start")
{
    weir::testing::manual_clock clock;
    auto guarded = weir::pipeline(weir::deadline(1s));
    for (int i = 0; i < 3; ++i) {
        auto const r = guarded.call([&](attempt const& a) { return a.time_left(clock.now()); }, clock);
        CHECK(*r == 1s);
        clock.advance(5s);
    }
}
