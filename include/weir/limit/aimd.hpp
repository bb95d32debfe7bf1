// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir {

struct aimd_options {
    std::uint32_t initial_limit = 20;            ///< before anything is known; min_limit to max_limit
    std::uint32_t min_limit = 1;                 ///< never lower; at least 1
    std::uint32_t max_limit = 200;               ///< never higher; up to 1'000'000'000
    double decrease = 0.9;                       ///< what is left of the limit after a drop; in [0.1, 1)
    duration timeout = std::chrono::seconds{5};  ///< a call slower than this counts as a drop; 0: none does
};

/// Additive increase, multiplicative decrease, as TCP: up by one for a call that went well while the limit was in use,
/// down to `decrease` of itself for a drop or a call slower than `timeout`.
///
/// It learns from the damage: under overload it hovers where calls are as slow as `timeout`, so set that to the latency
/// that your callers bear. A burst of drops of one overload lowers the limit once, not once a drop: drops of calls that
/// were admitted before the last decrease count for nothing.
/// Source: D. Chiu, R. Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989; field's
///         constants: Netflix concurrency-limits, AIMDLimit.
/// Throws:  constructor and reconfigure only, std::invalid_argument for each field.
/// Threads: one at a time; see adaptive_limit.hpp.   Cost: arithmetic.   Seen in: examples/27_adaptive_limit.cpp
class aimd {
public:
    using options = aimd_options;

    explicit aimd(options const& o = {}) : limit_(checked(o).initial_limit), options_(o) {}

    void update(limit_sample const& s) noexcept
    {
        bool const slow = options_.timeout > duration::zero() && s.latency > options_.timeout;
        if (s.dropped || slow) {
            auto const admitted = later(s.now, -s.latency);
            if (admitted < lowered_) return;
            lowered_ = s.now;
            limit_ = limit_ * options_.decrease;
        } else if (s.in_flight >= limit_ / 2) {  // otherwise the limit has not been tried
            limit_ += s.calls;
        }
        clamp();
    }

    [[nodiscard]] std::uint32_t limit() const noexcept { return static_cast<std::uint32_t>(limit_); }

    void reconfigure(options const& o)
    {
        options_ = checked(o);
        clamp();
    }

private:
    void clamp() noexcept { limit_ = std::clamp(limit_, double(options_.min_limit), double(options_.max_limit)); }

    static options const& checked(options const& o)
    {
        detail::check_limits(o, "aimd_options");
        if (!(o.decrease >= 0.1 && o.decrease < 1))
            detail::bad_option("aimd_options.decrease", "in [0.1, 1)", o.decrease);
        if (o.timeout < duration::zero()) detail::bad_option("aimd_options.timeout", "at least 0 ms", o.timeout);
        return o;
    }

    double limit_;
    time_point lowered_ = time_point::min();
    options options_;
};

}  // namespace weir
