// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <thread>

#ifndef __SIZEOF_INT128__
#error "weir reckons rates in 128-bit integers: it needs GCC or Clang and a 64-bit target"
#endif

namespace weir {

/// Every span of time in weir: nanoseconds, signed, 64 bits.
using duration = std::chrono::nanoseconds;

/// Every instant in weir: steady time. Wall time is parsed from and written to the wire, and never decides.
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// The instant that does not come: "no deadline", "it can never be admitted".
inline constexpr time_point never = time_point::max();

/// `t + d`, held at the ends of the scale, so that "now plus a very long time" is `never` and not the past.
[[nodiscard]] constexpr time_point later(time_point t, duration d) noexcept
{
    if (d > duration::zero()) return t.time_since_epoch() > duration::max() - d ? never : t + d;
    return t.time_since_epoch() < duration::min() - d ? time_point::min() : t + d;
}

/// `later - earlier`, held at the ends of the scale.
[[nodiscard]] constexpr duration between(time_point earlier, time_point later) noexcept
{
    auto const a = earlier.time_since_epoch().count();
    auto const b = later.time_since_epoch().count();
    if (a < 0 && b > duration::max().count() + a) return duration::max();
    if (a > 0 && b < duration::min().count() + a) return duration::min();
    return duration{b - a};
}

/// Something that tells the time. A policy holds a copy, so a clock is small, or a handle to shared state.
/// `sleep_until` is needed only where a blocking `call` waits.
/// Policies call `now` also under a short lock of theirs and between the attempts of a compare-exchange, as some bounds
/// rest on the order of readings: any thread may call it, and it does not wait, throw or ask the policy.
template <class C>
concept clock = std::copy_constructible<C> && requires(C const& c) {
    {
        c.now()
    } -> std::same_as<time_point>;
};

/// A clock that tells time from a counter, and lets the counter be read alone, for who only waits for an instant:
/// `ticks_before(t)` is a reading that is reached before the clock says t, or 0 where that is not known.
template <class C>
concept counting_clock = clock<C> && requires(C const& c, time_point t) {
    {
        c.ticks()
    } noexcept -> std::same_as<std::uint64_t>;
    {
        c.ticks_before(t)
    } noexcept -> std::same_as<std::uint64_t>;
};

/// The clock of production: `std::chrono::steady_clock`. About 25 ns a reading, the dearest part of most decisions.
struct steady_clock {
    [[nodiscard]] static time_point now() noexcept { return std::chrono::steady_clock::now(); }
    static void sleep_until(time_point t) { std::this_thread::sleep_until(t); }
};

}  // namespace weir
