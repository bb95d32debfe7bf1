// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/open_interval.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::circuit_breaker_options;
using weir::time_point;
using weir::detail::open_interval;

namespace {

constexpr time_point t0{1h};

}  // namespace

TEST_CASE("open_interval: grows by the multiplier up to the cap, and begins afresh")
{
    circuit_breaker_options const o{.open_for = 5s, .open_multiplier = 2, .max_open_for = 15s};
    open_interval i;
    i.begin(o);
    CHECK(i.end(o, t0, {}, 0) == t0 + 5s);
    i.grow(o);
    CHECK(i.end(o, t0, {}, 0) == t0 + 10s);
    i.grow(o);
    i.grow(o);
    CHECK(i.end(o, t0, {}, 0) == t0 + 15s);
    i.begin(o);
    CHECK(i.end(o, t0, {}, 0) == t0 + 5s);
}

TEST_CASE("open_interval: jitter makes it longer, never shorter, also at the cap")
{
    circuit_breaker_options const o{.open_for = 10s, .max_open_for = 10s, .open_jitter = 0.5};
    open_interval i;
    i.begin(o);
    CHECK(i.end(o, t0, {}, 0) == t0 + 10s);
    CHECK(i.end(o, t0, {}, 0.5) == t0 + 12500ms);
    i.grow(o);
    CHECK(i.end(o, t0, {}, 0.9) == t0 + 14500ms);
}

TEST_CASE("open_interval: the peer's wish makes it longer, up to the cap")
{
    circuit_breaker_options const o{.open_for = 5s, .max_open_for = 60s};
    open_interval i;
    i.begin(o);
    CHECK(i.end(o, t0, 1s, 0) == t0 + 5s);
    CHECK(i.end(o, t0, 30s, 0) == t0 + 30s);
    CHECK(i.end(o, t0, 24h, 0) == t0 + 60s);
}

TEST_CASE("open_interval: neither growth nor jitter overflows")
{
    auto const longest = weir::duration::max();
    circuit_breaker_options const o{
        .open_for = longest, .open_multiplier = 1000, .max_open_for = longest, .open_jitter = 1};
    open_interval i;
    i.begin(o);
    for (int n = 0; n < 10; ++n) {
        CHECK(i.end(o, t0, longest, 0.999) == weir::never);
        i.grow(o);
    }
}
