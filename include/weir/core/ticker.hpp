// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <memory>

namespace weir {

/// A clock that is read once for many decisions: whoever owns it says when, and all others pay for one load.
///
///   weir::ticker time;
///   weir::basic_token_bucket bucket({.rate = weir::per_second(500)}, time);
///   for (;;) {
///       time.tick();      // once per turn of the event loop
///       io.poll_one();    // decisions in here cost no clock reading
///   }
///
/// Copies share the time, like testing::manual_clock's: hand one to each policy and keep one. Time stands still between
/// ticks: a policy refuses until the next one, and seen by a running clock a window may hold what the rate allows in
/// one turn more. It never goes back, whoever ticks, and its instants are steady_clock's. Throws: construction,
/// std::bad_alloc.   Threads: any.   Cost: now, one load; tick, a clock reading and one exchange. Seen in:
/// examples/20_clocks.cpp
class ticker {
public:
    ticker() : ticker(steady_clock::now()) {}
    explicit ticker(time_point start) : time_(std::make_shared<weir::atomic<duration::rep>>(count(start))) {}

    [[nodiscard]] time_point now() const noexcept
    {
        return time_point(duration(time_->load(std::memory_order_relaxed)));
    }

    /// Reads steady_clock; gives what `now` tells from here on.
    time_point tick() const noexcept { return tick(steady_clock::now()); }

    /// The same where the loop has read a clock already.
    time_point tick(time_point now) const noexcept;

    /// Sleeps, and ticks.
    void sleep_until(time_point t) const;

private:
    [[nodiscard]] static duration::rep count(time_point t) noexcept { return t.time_since_epoch().count(); }

    std::shared_ptr<weir::atomic<duration::rep>> time_;
};

inline time_point ticker::tick(time_point now) const noexcept
{
    auto seen = time_->load(std::memory_order_relaxed);
    while (seen < count(now) && !time_->compare_exchange_weak(seen, count(now), std::memory_order_relaxed)) {}
    return time_point(duration(std::max(seen, count(now))));
}

inline void ticker::sleep_until(time_point t) const
{
    while (now() < t) {
        steady_clock::sleep_until(t);
        tick();
    }
}

}  // namespace weir
