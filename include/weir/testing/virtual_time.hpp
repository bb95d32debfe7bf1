// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace weir::testing {

/// An execution context whose time moves only when nothing is left to do now: hours of back-off run in microseconds,
/// and the same program runs the same way every time. It is an io_context, so every executor, strand, coroutine and
/// completion token works as in production. Only weir's own waits (weir::timer, async_call, the HTTP and registry
/// clients) follow virtual time; an asio::steady_timer or a socket in the code under test still lives in real time.
///
///   weir::testing::virtual_time world;
///   asio::co_spawn(world.get_executor(), code_under_test(), asio::detached);
///   world.run();
///
/// Threads: one.   Throws: std::runtime_error when an instant never ends (a loop that re-arms itself with no delay).
/// Seen in: examples/16_test_in_virtual_time.cpp
class virtual_time {
public:
    using executor_type = asio::io_context::executor_type;

    /// `handlers_per_instant`: how many may run without time moving, before that is taken for an endless loop.
    explicit virtual_time(time_point start = time_point(std::chrono::hours(1)),
                          std::size_t handlers_per_instant = 1'000'000)
        : queue_(timer_queue::of(executor())), handlers_per_instant_(handlers_per_instant)
    {
        queue_.use_virtual_time(start);
    }

    [[nodiscard]] executor_type get_executor() noexcept { return executor(); }
    [[nodiscard]] asio::io_context& context() noexcept { return context_; }
    [[nodiscard]] time_point now() const noexcept { return queue_.now(); }

    /// Handlers run so far: a scenario's steps, to be cancelled at each.
    [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

    /// Waits pending.
    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

    /// Runs one ready handler, or else moves time to the next wait's end (not past `limit`). False: neither is there.
    bool step(time_point limit = never)
    {
        context_.restart();
        if (context_.poll_one() != 0) {
            ++steps_;
            if (++this_instant_ > handlers_per_instant_)
                throw std::runtime_error("virtual_time: " + std::to_string(handlers_per_instant_) +
                                         " handlers ran and time did not move");
            return true;
        }
        auto const next = queue_.next_expiry();
        if (next == never || next > limit) return false;
        if (next > now()) this_instant_ = 0;
        return queue_.advance(std::max(next, now()));
    }

    /// Runs what is ready, without moving time.
    void poll()
    {
        while (step(now())) {}
    }

    /// Runs until nothing is ready and nothing waits.
    void run()
    {
        while (step()) {}
    }

    /// Runs what happens up to `t`, and leaves the clock there.
    void run_until(time_point t)
    {
        while (step(t)) {}
        if (t > now()) this_instant_ = 0;
        queue_.advance(t);
    }

    void run_for(duration d) { run_until(later(now(), d)); }

private:
    executor_type executor() noexcept { return context_.get_executor(); }

    asio::io_context context_{1};
    timer_queue& queue_;
    std::size_t const handlers_per_instant_;
    std::size_t steps_ = 0;
    std::size_t this_instant_ = 0;
};

}  // namespace weir::testing
