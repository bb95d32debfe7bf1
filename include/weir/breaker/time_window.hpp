// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/tally.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir {

/// A breaker judges the outcomes of the last `length`, forgotten bucket by bucket: at any instant it remembers between
/// length - length / buckets and length.
struct time_window {
    duration length = std::chrono::seconds(10);  ///< more than 0
    unsigned buckets = 10;                       ///< in [1, 1000]; length / buckets is at least 1 microsecond

    friend bool operator==(time_window const&, time_window const&) = default;
};

namespace detail {

/// A ring of buckets; the first begins with the first call. A `now` before the current bucket counts in the current
/// one: going back in time neither loses nor revives anything. Not thread-safe: the breaker holds its lock.
class time_ring {
public:
    explicit time_ring(time_window w) : options_(checked(w)), width_(w.length / w.buckets), buckets_(w.buckets) {}

    [[nodiscard]] time_window options() const noexcept { return options_; }

    /// Forgets what is too old at `now`. Until the instant returned, a success belongs to the current bucket, so it may
    /// be counted elsewhere and added later by add_successes.
    time_point advance(time_point now) noexcept
    {
        if (start_ == never) start_ = now;
        auto const steps = steps_to(now);
        for (auto n = std::min(steps, size()); n > 0; --n) {
            current_ = current_ + 1 == buckets_.size() ? 0 : current_ + 1;
            total_ -= buckets_[current_];
            buckets_[current_] = {};
        }
        // After a silence longer than the window nothing is left to be aligned with, and the distance may be a held
        // one.
        start_ = steps >= size() ? now : start_ + width_ * steps;
        return later(start_, width_);
    }

    void add(circuit_tally const& call) noexcept
    {
        buckets_[current_] += call;
        total_ += call;
    }

    void add_successes(std::uint64_t n) noexcept { add({n, 0, 0}); }

    [[nodiscard]] circuit_tally total() const noexcept { return total_; }

    /// The total as `advance(now)` would leave it, with `successes` that the current bucket is still to be given.
    [[nodiscard]] circuit_tally total(time_point now, std::uint64_t successes) const noexcept
    {
        auto const steps = steps_to(now);
        if (steps >= size()) return {};
        auto result = total_;
        result.calls += successes;
        for (std::int64_t i = 1; i <= steps; ++i)
            result -= buckets_[(current_ + static_cast<std::size_t>(i)) % buckets_.size()];
        return result;
    }

    /// A success always raises a count here.
    [[nodiscard]] bool full_of_successes() const noexcept { return false; }

    [[nodiscard]] std::uint32_t worth_a_look() const noexcept { return 0; }

    void clear() noexcept
    {
        std::fill(buckets_.begin(), buckets_.end(), circuit_tally{});
        total_ = {};
        start_ = never;
    }

    /// Takes over the totals of another window, as if they had happened in the first bucket.
    void take_over(circuit_tally const& old) noexcept { add(old); }

private:
    /// How many buckets begin after the current one and not after `now`.
    [[nodiscard]] std::int64_t steps_to(time_point now) const noexcept
    {
        return now <= start_ ? 0 : between(start_, now) / width_;
    }

    [[nodiscard]] std::int64_t size() const noexcept { return static_cast<std::int64_t>(buckets_.size()); }

    [[nodiscard]] static time_window checked(time_window w)
    {
        if (w.buckets < 1 || w.buckets > 1000) bad_option("time_window.buckets", "in [1, 1000]", w.buckets);
        if (w.length / w.buckets < std::chrono::microseconds(1))
            bad_option("time_window.length", "at least 0.001 ms for each bucket", w.length);
        return w;
    }

    time_window options_;
    duration width_;
    std::vector<circuit_tally> buckets_;
    std::size_t current_ = 0;
    time_point start_ = never;  // of the current bucket; never: nothing has happened yet
    circuit_tally total_;
};

}  // namespace detail
}  // namespace weir
