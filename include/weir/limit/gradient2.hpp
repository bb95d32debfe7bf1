// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace weir {

struct gradient2_options {
    std::uint32_t initial_limit = 20;           ///< before anything is known; min_limit to max_limit
    std::uint32_t min_limit = 20;               ///< never lower; at least 1
    std::uint32_t max_limit = 200;              ///< never higher; up to 1'000'000'000
    duration window = std::chrono::seconds{1};  ///< one step a window; at least 1 ms
    std::uint32_t min_samples = 10;             ///< calls a window needs, or it goes on; at least 1
    std::uint32_t long_window = 600;            ///< windows in the long average of latency; 1 to 1'000'000
    double tolerance = 1.5;                     ///< how far latency may rise over that before the limit falls; [1, 100]
    double smoothing = 0.2;                     ///< share of a step that is taken; in (0, 1]
    std::uint32_t queue = 4;                    ///< what the limit grows by while latency is fine; 1 to 1'000'000
};

/// Holds the latency of now against a long average of it, and lowers the limit in proportion when it is worse than
/// `tolerance` allows.
///
/// Known weakness: a long overload becomes the average, and the limit drifts up with it until max_limit (measured: 41
/// to 652 in half an hour at 1.5 times the capacity). Set max_limit to what you can bear, or take `littles_law`, which
/// cannot drift.
/// Source: Netflix concurrency-limits, Gradient2Limit and WindowedLimit, with their constants; the drift is their
///         issues 65, 88 and 134.
/// Throws:  constructor and reconfigure only, std::invalid_argument for each field.
/// Threads: one at a time; see adaptive_limit.hpp.   Cost: arithmetic.
class gradient2 {
public:
    using options = gradient2_options;

    explicit gradient2(options const& o = {}) : limit_(checked(o).initial_limit), options_(o) {}

    void update(limit_sample const& s) noexcept
    {
        if (ends_ == never) ends_ = later(s.now, options_.window);
        sum_ += double(s.latency.count()) * s.calls;
        calls_ += s.calls;
        most_ = std::max(most_, s.in_flight);
        if (s.now < ends_ || calls_ < options_.min_samples) return;
        step(sum_ / double(calls_));
        sum_ = 0, calls_ = 0, most_ = 0;
        ends_ = later(s.now, options_.window);
    }

    [[nodiscard]] std::uint32_t limit() const noexcept { return static_cast<std::uint32_t>(limit_); }

    /// The long average of latency; zero while unknown.
    [[nodiscard]] duration baseline() const noexcept { return duration{std::llround(long_)}; }

    void reconfigure(options const& o)
    {
        options_ = checked(o);
        clamp();
    }

private:
    void step(double latency) noexcept
    {
        latency = std::max(latency, 1.0);
        if (windows_ < 10)  // the first ones: a plain mean
            long_ += (latency - long_) / double(++windows_);
        else
            long_ += (latency - long_) * 2 / (1 + double(options_.long_window));
        if (long_ > 2 * latency) long_ *= 0.95;  // the load is over: forget it sooner
        if (most_ < limit_ / 2) return;          // the limit has not been tried
        auto const gradient = std::clamp(options_.tolerance * long_ / latency, 0.5, 1.0);
        auto const next = limit_ * gradient + options_.queue;
        limit_ += options_.smoothing * (next - limit_);
        clamp();
    }

    void clamp() noexcept { limit_ = std::clamp(limit_, double(options_.min_limit), double(options_.max_limit)); }

    static options const& checked(options const& o)
    {
        detail::check_limits(o, "gradient2_options");
        if (o.window < std::chrono::milliseconds{1})
            detail::bad_option("gradient2_options.window", "at least 1 ms", o.window);
        if (o.min_samples == 0) detail::bad_option("gradient2_options.min_samples", "at least 1", o.min_samples);
        if (o.long_window == 0 || o.long_window > 1'000'000)
            detail::bad_option("gradient2_options.long_window", "from 1 to 1000000", o.long_window);
        detail::check_ratio(o.tolerance, 1, 100, "gradient2_options.tolerance", "in [1, 100]");
        if (!(o.smoothing > 0 && o.smoothing <= 1))
            detail::bad_option("gradient2_options.smoothing", "in (0, 1]", o.smoothing);
        if (o.queue == 0 || o.queue > 1'000'000)
            detail::bad_option("gradient2_options.queue", "from 1 to 1000000", o.queue);
        return o;
    }

    double limit_;
    double long_ = 0;  // nanoseconds
    unsigned windows_ = 0;
    double sum_ = 0;  // of this window
    std::uint64_t calls_ = 0;
    std::uint32_t most_ = 0;
    time_point ends_ = never;
    options options_;
};

}  // namespace weir
