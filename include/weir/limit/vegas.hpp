// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace weir {

struct vegas_options {
    std::uint32_t initial_limit = 20;  ///< before anything is known; min_limit to max_limit
    std::uint32_t min_limit = 1;       ///< never lower; at least 1
    std::uint32_t max_limit = 1000;    ///< never higher; up to 1'000'000'000
    double alpha = 3;                  ///< queue that is aimed at, times log10(limit); in (0, beta)
    double beta = 6;                   ///< queue that is too long, times log10(limit); up to 1000
    std::uint32_t probe_every =
        30;  ///< the shortest latency is measured anew every so many times `limit` calls; from 1
};

/// Estimates the queue behind it from the shortest latency seen, limit * (1 - shortest / latency), and keeps that
/// between alpha and beta, as TCP Vegas does.
///
/// It is at home where all calls take about as long. Where service times vary the shortest says little about the
/// others, and half of the capacity is left unused (measured: 56 % with exponential times): take `littles_law` there.
/// Source: L. Brakmo, L. Peterson, "TCP Vegas", 1995; field's constants and steps: Netflix concurrency-limits,
///          VegasLimit.
/// Throws:  constructor and reconfigure only, std::invalid_argument for each field.
/// Threads: one at a time; see adaptive_limit.hpp.   Cost: arithmetic, one logarithm.
class vegas {
public:
    using options = vegas_options;

    explicit vegas(options const& o = {}) : limit_(checked(o).initial_limit), options_(o) {}

    void update(limit_sample const& s) noexcept
    {
        seen_ += s.calls;
        if (seen_ >= spread() * options_.probe_every * limit_ && !s.dropped) {
            seen_ = 0;
            ++probes_;
            shortest_ = s.latency;
            return;
        }
        if (!s.dropped && s.latency > duration::zero() && (shortest_ == duration::zero() || s.latency < shortest_)) {
            shortest_ = s.latency;
            return;
        }
        auto const step = std::max(1.0, std::floor(std::log10(limit_)));
        if (s.dropped) {
            limit_ -= step;
        } else {
            if (s.in_flight < limit_ / 2) return;
            auto const latency = std::max(s.latency, duration{1});
            auto const queue = std::ceil(limit_ * (1 - double(shortest_.count()) / double(latency.count())));
            if (queue <= step)
                limit_ += options_.beta * step;
            else if (queue < options_.alpha * step)
                limit_ += step;
            else if (queue > options_.beta * step)
                limit_ -= step;
        }
        clamp();
    }

    [[nodiscard]] std::uint32_t limit() const noexcept { return static_cast<std::uint32_t>(limit_); }

    /// The shortest latency, against which others are held; zero while unknown.
    [[nodiscard]] duration baseline() const noexcept { return shortest_; }

    void reconfigure(options const& o)
    {
        options_ = checked(o);
        clamp();
    }

private:
    /// In [0.5, 1): limits of many processes should not measure together. Multiples of the golden ratio, modulo 1, are
    /// spread as evenly as numbers can be, and need no generator.
    [[nodiscard]] double spread() const noexcept
    {
        double whole = 0;
        return 0.5 + 0.5 * std::modf(double(probes_) * 0.6180339887498949, &whole);
    }

    void clamp() noexcept { limit_ = std::clamp(limit_, double(options_.min_limit), double(options_.max_limit)); }

    static options const& checked(options const& o)
    {
        detail::check_limits(o, "vegas_options");
        if (!(o.alpha > 0 && o.alpha < o.beta)) detail::bad_option("vegas_options.alpha", "in (0, beta)", o.alpha);
        if (!(o.beta <= 1000)) detail::bad_option("vegas_options.beta", "at most 1000", o.beta);
        if (o.probe_every == 0) detail::bad_option("vegas_options.probe_every", "at least 1", o.probe_every);
        return o;
    }

    double limit_;
    duration shortest_{};
    double seen_ = 0;  // since the last probe
    std::uint32_t probes_ = 0;
    options options_;
};

}  // namespace weir
