// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "support/limits.hpp"

#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

/// What the tests of limiters with leases share: a clock of few instants, so that every window between two of them can
/// be counted.
namespace leases {

using weir::test::exact_bucket;
using weir::test::hand_clock;
using weir::test::together;

constexpr weir::time_point start{std::chrono::seconds{1'000'000}};

/// Time in steps that one thread makes and all see. Between reading it and going on, a thread may sleep for some steps:
/// that is when a limiter has the chance to count a pause twice.
class stepped_time {
public:
    explicit stepped_time(weir::duration step) : step_(step) {}

    struct clock {
        stepped_time const* world;
        [[nodiscard]] weir::time_point now() const noexcept
        {
            auto const t = world->at(world->steps());
            thread_local std::minstd_rand random{std::random_device{}()};
            for (auto naps = random() % 64 == 0 ? random() % 8 : 0; naps > 0; --naps) std::this_thread::yield();
            return t;
        }
    };

    [[nodiscard]] std::size_t steps() const noexcept { return steps_.load(); }
    [[nodiscard]] weir::time_point at(std::size_t step) const noexcept
    {
        return start + step_ * static_cast<std::int64_t>(step);
    }
    [[nodiscard]] std::size_t step_of(weir::time_point t) const noexcept
    {
        return static_cast<std::size_t>((t - start) / step_);
    }
    void go_on() noexcept { ++steps_; }

private:
    weir::duration step_;
    std::atomic<std::size_t> steps_{0};
};

/// A clock whose reader may fall asleep between reading it and going on; meanwhile happens what the test says.
class nap_world {
public:
    struct clock {
        nap_world* world;
        [[nodiscard]] weir::time_point now() const noexcept
        {
            auto const told = world->t;
            if (world->what_ && world->readings_++ == world->at_) std::exchange(world->what_, nullptr)();
            return told;
        }
    };

    /// At reading number `at` from now on, if it comes to that.
    void sleep(int at, std::function<void()> what) { at_ = at, readings_ = 0, what_ = std::move(what); }
    void stay_awake() { what_ = nullptr; }

    weir::time_point t = start;

private:
    int at_ = 0, readings_ = 0;
    std::function<void()> what_;
};

/// Two callers of a full bucket each read the clock and sleep through a long pause, before or while they pay for a
/// lease of 20. How many permits are admitted after that pause, at one instant, by the others?
template <class Bucket>
std::uint64_t after_two_sleepers(nap_world& world, Bucket& bucket, int first, int second)
{
    std::uint64_t n = 0;
    auto const pause = [&] { world.t = start + std::chrono::hours{2}; };
    world.t = start + std::chrono::hours{1};
    world.sleep(first, [&] {
        world.sleep(second, pause);
        (void)bucket.try_acquire();
        world.stay_awake();
        pause();
        for (int i = 0; i < 20; ++i) n += bucket.try_acquire() ? 1 : 0;  // what the second one paid for
    });
    (void)bucket.try_acquire();
    world.stay_awake();
    pause();
    while (bucket.try_acquire()) ++n;
    return n;
}

/// Admissions, each some time between two steps, and whether any window has too many: those that lie in it for certain.
class census {
public:
    explicit census(std::size_t steps) : n_((steps + 1) * (steps + 1)), steps_(steps) {}

    void add(std::size_t before, std::size_t after, std::uint64_t n = 1)
    {
        std::scoped_lock const lock{mutex_};
        n_[before * (steps_ + 1) + after] += n;
        total_ += n;
    }
    [[nodiscard]] std::uint64_t total() const { return total_; }

    /// By how many permits the worst window of all is over rate * t + burst; at most 0 when none is.
    [[nodiscard]] std::int64_t excess(double permits_per_step, std::uint64_t burst) const
    {
        double worst = -static_cast<double>(burst);
        std::vector<std::uint64_t> ended(steps_ + 1);  // in windows that begin at s: admissions by their end
        for (auto s = steps_ + 1; s-- > 0;) {
            for (std::size_t t = 0; t <= steps_; ++t) ended[t] += n_[s * (steps_ + 1) + t];
            std::uint64_t inside = 0;
            for (auto t = s; t <= steps_; ++t) {
                inside += ended[t];
                worst = std::max(worst, static_cast<double>(inside) - permits_per_step * static_cast<double>(t - s) -
                                            static_cast<double>(burst));
            }
        }
        return static_cast<std::int64_t>(worst);
    }

private:
    std::mutex mutex_;
    std::vector<std::uint64_t> n_;
    std::size_t steps_;
    std::uint64_t total_ = 0;
};

}  // namespace leases
