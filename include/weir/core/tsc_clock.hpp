// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/detail/calibrated_clock.hpp>
#include <weir/core/time.hpp>

#include <cstdint>
#include <thread>

#if defined(__x86_64__) && defined(__linux__)
#define WEIR_DETAIL_HAS_TSC 1
#include <cpuid.h>

#include <cstdio>
#include <cstring>
#endif

namespace weir {

/// `steady_clock` at less than half the price: steady time, told from the processor's time stamp counter (TSC).
///
/// The TSC is read where the processor calls it invariant and the kernel keeps its own time by it: Linux on x86-64.
/// Elsewhere, in the first twenty milliseconds of use, and for good once the two disagree by more than 500 ppm (a
/// virtual machine moved, a laptop slept), it is steady_clock. A comparison about once a second, made by one thread
/// while others go on, sees to that.
///
/// Its instants are steady_clock's, a microsecond or two apart, and may be mixed with them. For one thread it never
/// goes back. What another thread read just before may be later by as much as two readings of the clock take, and by
/// under a microsecond at the moment of a comparison; policies take that as an older `now`, and admit no more for it.
/// Threads: any.   Cost: one rdtsc, about 10 ns; 25 ns where it is steady_clock. The first reading of a process opens a
/// file of /sys, some ten microseconds; who may not wait for that reads the clock once before.
/// Seen in: examples/20_clocks.cpp
struct tsc_clock {
    [[nodiscard]] static time_point now() noexcept;

    /// Afterwards `now() >= t`.
    static void sleep_until(time_point t);

    /// Whether the counter tells the time just now; otherwise steady_clock does.
    [[nodiscard]] static bool trusted() noexcept;

#ifdef WEIR_DETAIL_HAS_TSC
    /// The counter alone, see `counting_clock`. A reading is told for a second ahead at most.
    [[nodiscard]] static std::uint64_t ticks() noexcept;
    [[nodiscard]] static std::uint64_t ticks_before(time_point t) noexcept;
#endif
};

#ifdef WEIR_DETAIL_HAS_TSC

namespace detail {

struct tsc_source {
    [[nodiscard]] static bool trusted() noexcept { return invariant() && kernel_trusts(); }
    [[nodiscard]] static std::uint64_t ticks() noexcept { return __builtin_ia32_rdtsc(); }
    [[nodiscard]] static time_point reference() noexcept { return steady_clock::now(); }

    /// Ticks at one rate, whatever the core's frequency or sleep. Intel SDM vol. 3, 18.17.1; AMD APM vol. 3,
    /// 8000_0007h.
    [[nodiscard]] static bool invariant() noexcept
    {
        unsigned a = 0, b = 0, c = 0, d = 0;
        return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
    }

    /// The kernel watches it at run time, also for being the same on every core, and drops it when it is not.
    [[nodiscard]] static bool kernel_trusts() noexcept
    {
        auto* const file = std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
        if (file == nullptr) return false;
        char name[16]{};
        auto const length = std::fread(name, 1, sizeof name - 1, file);
        std::fclose(file);
        return length >= 3 && std::strcmp(name, "tsc\n") == 0;
    }
};

inline calibrated_clock<tsc_source> process_tsc;
inline constinit thread_local duration tsc_seen = duration::min();

}  // namespace detail

inline std::uint64_t tsc_clock::ticks() noexcept { return detail::tsc_source::ticks(); }

inline std::uint64_t tsc_clock::ticks_before(time_point t) noexcept { return detail::process_tsc.ticks_before(t); }

inline time_point tsc_clock::now() noexcept { return detail::process_tsc.now(detail::tsc_seen); }

inline bool tsc_clock::trusted() noexcept { return detail::process_tsc.live(); }

#else

inline time_point tsc_clock::now() noexcept { return steady_clock::now(); }

inline bool tsc_clock::trusted() noexcept { return false; }

#endif

inline void tsc_clock::sleep_until(time_point t)
{
    // Twice at most, and then no longer than the two clocks are apart.
    while (now() < t) std::this_thread::sleep_until(t);
}

}  // namespace weir

#undef WEIR_DETAIL_HAS_TSC
