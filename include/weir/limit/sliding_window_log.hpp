// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/limiter_verbs.hpp>
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
/// Verbs:   try_acquire, admit, reserve, drain, available, retry_at: detail/limiter_verbs.hpp.
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > limit:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for limit, window or capacity; std::bad_alloc.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    8 bytes * capacity, allocated at construction. A short lock and n writes to admit; loads only to refuse.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_sliding_window_log : public detail::limiter_verbs<detail::start_log, Clock> {
    using verbs = detail::limiter_verbs<detail::start_log, Clock>;
    using verbs::state_;

public:
    using options = sliding_window_log_options;

    explicit basic_sliding_window_log(options o = {}, Clock clock = {})
        : verbs({checked(o, capacity_of(o)).limit, o.window, capacity_of(o)}, std::move(o.name), std::move(clock))
    {
    }

    /// Changes limit and window under load. The log stays as it is.
    void reconfigure(options const& o) { state_.reconfigure(checked(o, state_.capacity()).limit, o.window); }
    void reconfigure(options const& o, time_point) { reconfigure(o); }

    /// As they are in force.
    [[nodiscard]] std::uint64_t limit() const noexcept { return state_.limit(); }
    [[nodiscard]] duration window() const noexcept { return state_.window(); }

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
};

/// The sliding log on the processor's counter.
using sliding_window_log = basic_sliding_window_log<>;

}  // namespace weir
