// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra_rate.hpp>

#include <atomic>
#include <cstdint>
#include <limits>

namespace weir::detail {

/// In what terms a word of `gcra` counts: its rate, and the instant of tick 0.
struct gcra_frame {
    gcra_rate rate;
    std::int64_t origin;

    // Arithmetic wraps: a frame read while it is being replaced may be a mixture; what comes of it is discarded.

    /// So many nanoseconds in ticks; `span` when there are more.
    [[nodiscard]] std::int64_t ticks(std::uint64_t ns) const noexcept
    {
        // One test after the other: each is a branch on a flag, and nothing waits for them.
        std::uint64_t all = 0;
        if (__builtin_mul_overflow(ns, static_cast<std::uint64_t>(rate.mul), &all)) [[unlikely]]
            return gcra_rate::span;
        if (static_cast<std::int64_t>(ns) < 0) [[unlikely]]
            return gcra_rate::span;
        auto const t = static_cast<std::int64_t>(all >> rate.shift);
        return static_cast<std::uint64_t>(t) < std::uint64_t{gcra_rate::span} ? t : gcra_rate::span;
    }
    /// `now`; `span` when it is beyond the reach of the origin or before it.
    [[nodiscard]] std::int64_t at(time_point now) const noexcept
    {
        return ticks(static_cast<std::uint64_t>(now.time_since_epoch().count()) - static_cast<std::uint64_t>(origin));
    }
    [[nodiscard]] std::int64_t cost(std::uint64_t n) const noexcept
    {
        return static_cast<std::int64_t>(n * static_cast<std::uint64_t>(rate.interval));
    }
    [[nodiscard]] std::int64_t cost(std::int64_t n) const noexcept { return cost(static_cast<std::uint64_t>(n)); }
    [[nodiscard]] std::int64_t full() const noexcept { return cost(rate.burst); }

    /// The first instant at which so many ticks have passed since the origin.
    [[nodiscard]] time_point instant(std::int64_t ticks) const noexcept
    {
        if (ticks > std::numeric_limits<std::int64_t>::max() >> rate.shift) return never;
        auto const ns = rate.shift > 0 ? ticks << rate.shift : (ticks + rate.mul - 1) / rate.mul;
        return later(time_point{duration{origin}}, duration{ns});
    }
};

/// Two frames in shared memory, of 20 bytes each, so that a bucket is one cache line; bit 0 of an index chooses.
/// Release and acquire on every number: who meets one of a later frame, and then looks at the word, also meets its
/// later generation.
class gcra_frames {
public:
    static constexpr std::int64_t unit = std::int64_t{1} << 30;  ///< of an origin: about a second

    explicit gcra_frames(gcra_frame const& f) noexcept
    {
        for (auto i : {0u, 1u}) store(i, f);
    }
    gcra_frames(gcra_frames const& other) noexcept
    {
        for (auto i : {0u, 1u}) store(i, other.load(i));
    }

    /// The origin is rounded down to its unit, counted from the beginning of time.
    void store(std::uint64_t index, gcra_frame const& f) noexcept;
    [[nodiscard]] gcra_frame load(std::uint64_t index) const noexcept;

private:
    atomic<std::uint64_t> pace_[2];    // interval (55) | lease (9)
    atomic<std::uint32_t> origin_[2];  // low 32 bits
    atomic<std::uint32_t> scale_[2];   // mul - 1 (24) | high bits of the origin (2) | shift (6)
    atomic<std::uint32_t> burst_[2];
};

inline void gcra_frames::store(std::uint64_t index, gcra_frame const& f) noexcept
{
    auto const i = index & 1;
    auto const first = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
    auto const units = (static_cast<std::uint64_t>(f.origin) - first) / unit;
    auto const pace = static_cast<std::uint64_t>(f.rate.interval) << 9 | static_cast<std::uint64_t>(f.rate.lease);
    auto const scale =
        static_cast<std::uint64_t>(f.rate.mul - 1) << 8 | units >> 32 << 6 | static_cast<std::uint64_t>(f.rate.shift);
    pace_[i].store(pace, std::memory_order_release);
    scale_[i].store(static_cast<std::uint32_t>(scale), std::memory_order_release);
    origin_[i].store(static_cast<std::uint32_t>(units), std::memory_order_release);
    burst_[i].store(static_cast<std::uint32_t>(f.rate.burst), std::memory_order_release);
}

inline gcra_frame gcra_frames::load(std::uint64_t index) const noexcept
{
    auto const i = index & 1;
    auto const pace = pace_[i].load(std::memory_order_acquire);
    auto const scale = scale_[i].load(std::memory_order_acquire);
    auto const units = std::uint64_t{scale >> 6 & 3} << 32 | origin_[i].load(std::memory_order_acquire);
    auto const first = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
    gcra_frame f;
    f.rate.interval = static_cast<std::int64_t>(pace >> 9);
    f.rate.lease = static_cast<std::int64_t>(pace & 0x1ff);
    f.rate.mul = (scale >> 8) + 1;
    f.rate.shift = scale & 63;
    f.rate.burst = burst_[i].load(std::memory_order_acquire);
    f.origin = static_cast<std::int64_t>(first + units * unit);
    return f;
}

}  // namespace weir::detail
