// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/time.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <random>

using namespace std::chrono_literals;
using weir::between;
using weir::duration;
using weir::later;
using weir::never;
using weir::time_point;

namespace {

__extension__ using int128 = __int128;
using limits = std::numeric_limits<std::int64_t>;

constexpr time_point at(std::int64_t ns) { return time_point(duration(ns)); }

std::int64_t held(int128 exact)
{
    return static_cast<std::int64_t>(std::clamp<int128>(exact, limits::min(), limits::max()));
}

/// Numbers of every magnitude and both signs, and often the ends of the scale and what is next to them.
std::int64_t any_number(std::mt19937_64& random)
{
    constexpr std::array<std::int64_t, 9> edges{limits::min(),     limits::min() + 1, limits::min() / 2, -1, 0, 1,
                                                limits::max() / 2, limits::max() - 1, limits::max()};
    auto const draw = random();
    if (draw % 4 == 0) return edges[(draw >> 8) % edges.size()];
    return static_cast<std::int64_t>(random()) >> (draw >> 8) % 64;
}

struct clock_of_system_time {
    [[nodiscard]] std::chrono::system_clock::time_point now() const;
};
struct clock_that_cannot_be_copied {
    clock_that_cannot_be_copied() = default;
    clock_that_cannot_be_copied(clock_that_cannot_be_copied const&) = delete;
    [[nodiscard]] time_point now() const;
};
struct clock_that_changes_when_read {
    [[nodiscard]] time_point now();
};

}  // namespace

static_assert(weir::clock<weir::steady_clock>);
static_assert(!weir::clock<int>);
static_assert(!weir::clock<clock_of_system_time>, "wall time never decides");
static_assert(!weir::clock<clock_that_cannot_be_copied>);
static_assert(!weir::clock<clock_that_changes_when_read>);

// Not only right but constant: an overflow would not compile here.
static_assert(later(at(1), 2ns) == at(3));
static_assert(later(never, 1ns) == never);
static_assert(later(never, duration::max()) == never);
static_assert(later(never, -1ns) == at(limits::max() - 1));
static_assert(later(time_point::min(), -1ns) == time_point::min());
static_assert(later(time_point::min(), duration::min()) == time_point::min());
static_assert(later(at(0), duration::min()) == time_point::min());
static_assert(between(at(1), at(3)) == 2ns);
static_assert(between(at(3), at(1)) == -2ns);
static_assert(between(time_point::min(), never) == duration::max());
static_assert(between(never, time_point::min()) == duration::min());
static_assert(between(at(0), never) == duration::max());

TEST_CASE("time: now plus a very long time is never, and not the past")
{
    auto const now = weir::steady_clock::now();
    CHECK(later(now, duration::max()) == never);
    CHECK(later(now, never.time_since_epoch()) == never);
    CHECK(later(now, duration::min()) < now);
}

TEST_CASE("time: sums and differences are exact, or held at the end of the scale that they passed")
{
    std::mt19937_64 random(1);
    for (int i = 0; i < 200'000; ++i) {
        auto const a = any_number(random);
        auto const b = any_number(random);
        auto const sum = later(at(a), duration(b)).time_since_epoch().count();
        auto const difference = between(at(a), at(b)).count();
        if (sum != held(int128{a} + b) || difference != held(int128{b} - a)) {
            CAPTURE(a);
            CAPTURE(b);
            CHECK(sum == held(int128{a} + b));
            CHECK(difference == held(int128{b} - a));
            break;
        }
    }
}

TEST_CASE("steady_clock: is the system's steady clock, and returns at once from an instant that has passed")
{
    auto const before = std::chrono::steady_clock::now();
    auto const now = weir::steady_clock::now();
    weir::steady_clock::sleep_until(now);
    weir::steady_clock::sleep_until(time_point::min());
    auto const after = std::chrono::steady_clock::now();
    CHECK(before <= now);
    CHECK(now <= after);
    CHECK(after - before < 10s);
}
