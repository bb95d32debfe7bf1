// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/permit.hpp>
#include <weir/limit/detail/start_log.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

struct sliding_window_log_options {
    std::uint64_t limit = 100;                  ///< permits per window, up to capacity. 0: every request is refused
    duration window = std::chrono::seconds{1};  ///< more than 0, up to 365 days
    std::uint64_t capacity =
        0;  ///< the highest limit of a later reconfigure, up to 1e8. 0: limit. Fixed at construction
    std::string name = "sliding_window_log";  ///< the gate name in refusals; fixed at construction
};

/// Admits at most `limit` permits in every span shorter than `window`, exactly: it remembers when each of the last
/// ones started. The strictest of the windows, at 8 bytes a permit; for contracts that are checked on the other side.
///
/// A reservation starts when the permits before it are old enough, and who asks later queues behind. A clock that steps
/// back makes it refuse sooner, never admit more.
///
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > limit:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for limit, window or capacity; std::bad_alloc.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    8 bytes * capacity, allocated at construction. A short lock and n writes to admit; loads only to refuse.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_sliding_window_log {
public:
    using options = sliding_window_log_options;
    using token = detail::permit<detail::start_log>;

    explicit basic_sliding_window_log(options o = {}, Clock clock = {})
        : log_(checked(o, capacity_of(o)).limit, o.window, capacity_of(o)),
          name_(std::move(o.name)),
          clock_(std::move(clock))
    {
    }
    basic_sliding_window_log(basic_sliding_window_log&&) = default;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
    {
        return log_.reserve(n, now, duration::zero()).admitted;
    }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    /// n permits for use at `start_at()`, all at once and at most max_wait from now. They are taken at once. Refused
    /// when the wait would be longer; retry_at is when it no longer is.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = log_.reserve(n, now, max_wait);
        if (a.admitted) return token{log_, a};
        return rejection{a.why, a.at, name_};
    }

    /// Changes limit and window under load. The log stays as it is.
    void reconfigure(options const& o) { log_.reconfigure(checked(o, log_.capacity()).limit, o.window); }
    void reconfigure(options const& o, time_point) { reconfigure(o); }

    /// Spends what passes now: nothing passes until permits have grown old.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { log_.drain(now); }

    /// How many permits pass now.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return log_.available(now); }

    /// When n permits pass if nobody else asks: `now` or later, `never` when n > limit.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return log_.look(n, now, duration::zero()).at;
    }

    /// As they are in force.
    [[nodiscard]] std::uint64_t limit() const noexcept { return log_.limit(); }
    [[nodiscard]] duration window() const noexcept { return log_.window(); }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    static std::uint64_t capacity_of(options const& o) noexcept { return o.capacity == 0 ? o.limit : o.capacity; }

    static options const& checked(options const& o, std::uint64_t capacity)
    {
        using namespace std::chrono_literals;
        if (capacity > 100'000'000)
            detail::bad_option("sliding_window_log_options.capacity", "at most 100000000", capacity);
        if (o.limit > capacity)
            detail::bad_option("sliding_window_log_options.limit",
                               "at most the capacity of " + std::to_string(capacity), o.limit);
        if (o.window <= 0ns || o.window > 365 * 24h)
            detail::bad_option("sliding_window_log_options.window", "more than 0 and at most 365 days", o.window);
        return o;
    }

    detail::start_log log_;
    std::string name_;
    [[no_unique_address]] Clock clock_;
};

/// The sliding log on the processor's counter.
using sliding_window_log = basic_sliding_window_log<>;

}  // namespace weir
