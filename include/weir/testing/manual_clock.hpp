// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <atomic>
#include <memory>

namespace weir::testing {

/// A clock that stands still until it is told to move. Copies share the time, so hand one to a policy and keep one.
/// `sleep_until` moves the clock: a blocking call under test waits for hours in no time.
///
///   weir::testing::manual_clock clock;
///   weir::basic_token_bucket bucket({.rate = weir::per_second(10), .burst = 1}, clock);
///   clock.advance(100ms);
///
/// Threads: any.   Seen in: examples/15_test_with_manual_clock.cpp
class manual_clock {
public:
    /// Starts an hour after the epoch, so that "a minute ago" is an instant too.
    manual_clock() : manual_clock(time_point(std::chrono::hours(1))) {}
    explicit manual_clock(time_point start)
        : time_(std::make_shared<std::atomic<duration::rep>>(count(start)))
    {
    }

    [[nodiscard]] time_point now() const noexcept { return time_point(duration(time_->load())); }

    void advance(duration d) noexcept
    {
        auto before = time_->load();
        while (!time_->compare_exchange_weak(before, count(later(time_point(duration(before)), d)))) {}
    }

    /// Any instant, earlier ones too: what happens to your code when a clock jumps?
    void set(time_point t) noexcept { time_->store(count(t)); }

    /// Never back, also where several threads sleep.
    void sleep_until(time_point t) const noexcept
    {
        auto before = time_->load();
        while (before < count(t) && !time_->compare_exchange_weak(before, count(t))) {}
    }

private:
    [[nodiscard]] static duration::rep count(time_point t) noexcept { return t.time_since_epoch().count(); }

    std::shared_ptr<std::atomic<duration::rep>> time_;
};

}  // namespace weir::testing
