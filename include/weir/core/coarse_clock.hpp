// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#if defined(__linux__)
#include <time.h>
#endif

namespace weir {

/// Steady time as of the kernel's last tick: up to 4 ms old (1/CONFIG_HZ), at a fifth of the price of `steady_clock`.
///
/// Good where milliseconds do not matter: a limit of some per second, an open breaker. A limiter asked with it sees
/// time pass in steps, refuses for up to a step longer, and in a window as a clock on the wall measures it admits up to
/// a step's worth of the rate more. Elsewhere than on Linux it is steady_clock. Threads: any.   Cost: about 5 ns.
/// Seen in: examples/20_clocks.cpp
struct coarse_clock {
    [[nodiscard]] static time_point now() noexcept;

    /// Afterwards `now() >= t`, up to a step later than steady_clock's.
    static void sleep_until(time_point t);
};

inline time_point coarse_clock::now() noexcept
{
#if defined(CLOCK_MONOTONIC_COARSE)
    timespec t{};
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) == 0) [[likely]]
        return time_point(std::chrono::seconds(t.tv_sec) + duration(t.tv_nsec));
#endif
    return steady_clock::now();
}

inline void coarse_clock::sleep_until(time_point t)
{
    for (auto wake = t; now() < t; wake = steady_clock::now() + std::chrono::milliseconds(1))
        steady_clock::sleep_until(wake);
}

}  // namespace weir
