// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/core/time.hpp>

#include <algorithm>

namespace weir::detail {

/// How long a circuit stays open: `open_for` the first time, longer after every recovery that failed.
/// Not thread-safe: the breaker holds its lock.
class open_interval {
public:
    void begin(circuit_breaker_options const& o) noexcept { present_ = o.open_for; }

    void grow(circuit_breaker_options const& o) noexcept
    {
        auto const next = static_cast<double>(present_.count()) * o.open_multiplier;
        // Above the largest double that fits a duration comes the cap: nothing overflows.
        present_ = next < static_cast<double>(o.max_open_for.count())
                       ? std::max(o.open_for, duration(static_cast<duration::rep>(next)))
                       : o.max_open_for;
    }

    /// The instant until which it stays open: never sooner than the interval, later by a share of it that u in [0, 1)
    /// chooses, so that a fleet does not come back as one; nor sooner than the peer has asked for, up to max_open_for.
    [[nodiscard]] time_point end(circuit_breaker_options const& o, time_point now, duration asked,
                                 double u) const noexcept
    {
        auto const least = std::max(present_, std::min(asked, o.max_open_for));
        auto const more = static_cast<double>(least.count()) * o.open_jitter * u;
        auto const most = static_cast<double>(duration::max().count());
        return later(later(now, least), more < most ? duration(static_cast<duration::rep>(more)) : duration::max());
    }

private:
    duration present_{};
};

}  // namespace weir::detail
