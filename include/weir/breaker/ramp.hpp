// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>

namespace weir::detail {

/// The way back to full traffic after closing: a share of the calls that grows in a straight line from `from` to 1. A
/// call draws a number u in [0, 1) and passes while the share is above it. Who is refused comes back when the share
/// reaches his u, so that those who come back are spread over the whole ramp.
/// Threads: `begin` by one, before the ramp is published; the rest by any.
class ramp {
public:
    /// Precondition: length > 0, 0 < from < 1.
    void begin(time_point now, double from, duration length) noexcept
    {
        start_.store(now, std::memory_order_relaxed);
        from_.store(from, std::memory_order_relaxed);
        length_.store(length, std::memory_order_relaxed);
    }

    [[nodiscard]] time_point end() const noexcept
    {
        return later(start_.load(std::memory_order_relaxed), length_.load(std::memory_order_relaxed));
    }

    [[nodiscard]] double share(time_point now) const noexcept
    {
        auto const gone = static_cast<double>(between(start_.load(std::memory_order_relaxed), now).count());
        auto const length = static_cast<double>(length_.load(std::memory_order_relaxed).count());
        auto const from = from_.load(std::memory_order_relaxed);
        // Exactly 1 at the end, which from + (1 - from) need not be.
        return gone >= length ? 1 : from + (1 - from) * std::max(gone / length, 0.0);
    }

    /// When the share reaches u; after `now`, for somebody who was refused then.
    [[nodiscard]] time_point reaches(double u, time_point now) const noexcept
    {
        auto const from = from_.load(std::memory_order_relaxed);
        auto const part = std::clamp((u - from) / (1 - from), 0.0, 1.0);
        auto const length = length_.load(std::memory_order_relaxed);
        auto const wait = static_cast<double>(length.count()) * part;
        auto const held =
            wait < static_cast<double>(length.count()) ? duration(static_cast<duration::rep>(wait)) : length;
        return std::max(later(start_.load(std::memory_order_relaxed), held), later(now, duration(1)));
    }

private:
    atomic<time_point> start_{};
    atomic<duration> length_{duration(1)};
    atomic<double> from_{0.5};
};

}  // namespace weir::detail
