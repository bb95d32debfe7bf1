// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/gate_name.hpp>
#include <weir/limit/detail/gcra.hpp>
#include <weir/limit/rate.hpp>
#include <weir/limit/rate_permit.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct leaky_bucket_options {
    weir::rate rate = per_second(100);                   ///< how fast it leaks; one per 365 days to 1e9 per second
    duration max_wait = std::chrono::milliseconds{500};  ///< the longest wait it hands out. 0: a meter, nobody waits
    std::uint64_t burst = 1;                             ///< sends that may follow without a gap: 1 + slack; 1 to 1e9
    std::string name = "leaky_bucket";                   ///< the gate name in refusals; fixed at construction
};

/// Paces sends: lets them out one by one at `rate`, in the order of asking. Who comes early is told when to send, and
/// who would have to wait longer than `max_wait` is refused. It is the word of the token bucket read the other way:
/// what is debt there is the queue here. No timer and no memory per waiter; waiting until `start_at()` is up to the
/// caller.
///
/// `burst` is the slack: unused turns do not get lost, up to burst - 1 of them, and who comes late after a pause may
/// catch up by as many sends without a gap. 1: never closer than the rate. (The slack of uber-go/ratelimit, 10 by
/// default there, is a burst of 11.)
///
/// Starts are spaced by the exact rate, each rounded up to a nanosecond; sends <= rate * t + burst in every window t.
///
/// Refuses: errc::rate_limited; retry_at is when the wait will have come down to max_wait, if nobody else asks
///          meanwhile. errc::exceeds_burst when n > burst: never.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate, max_wait or burst.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    one load and one compare-exchange to admit, loads only to refuse; never allocates.
/// Seen in: examples/02_leaky_bucket.cpp
template <clock Clock = tsc_clock>
class alignas(64) basic_leaky_bucket {
public:
    using options = leaky_bucket_options;
    using token = rate_permit;

    explicit basic_leaky_bucket(options const& o = {}, Clock clock = {})
        : word_(checked(o)), max_wait_(o.max_wait), name_(o.name), clock_(std::move(clock))
    {
    }
    basic_leaky_bucket(basic_leaky_bucket&& other) noexcept
        : word_(std::move(other.word_)),
          max_wait_(other.max_wait_.load()),
          name_(std::move(other.name_)),
          clock_(std::move(other.clock_))
    {
    }

    /// A place in the stream: send at `start_at()`. Destroyed before that, the token gives the place back if it is
    /// the last.
    admission<token> admit(time_point now) noexcept { return reserve(1, max_wait(), now); }
    admission<token> admit() noexcept { return admit(clock_.now()); }

    /// n places in a row, the last of them at `start_at()`, with a limit of the caller's own on the wait.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = word_.reserve(n, now, max_wait);
        if (a.admitted) return token{word_, a.at, a.made};
        return rejection{a.why, a.at, name()};
    }

    /// As a meter: true, and counted, when it may be sent at once.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return word_.take(n, now); }

    /// Changes rate, burst and max_wait under load. The queue stays, counted in sends and not in seconds; starts
    /// already handed out stay as they are, and those that a higher rate lets pass before them come on top.
    void reconfigure(options const& o) { change(o, clock_); }
    void reconfigure(options const& o, time_point now) { change(o, now); }

    /// Empty from now on: the slack is used up, and the next send starts one interval from now at the earliest.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { word_.drain(now); }

    /// Sends that may start at once, one after the other.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return word_.available(now); }

    /// When n may be sent at once if nobody else asks: `now` or later, `never` when n > burst.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return word_.look(n, now, duration::zero()).at;
    }

    /// The longest wait that `admit` hands out.
    [[nodiscard]] duration max_wait() const noexcept { return max_wait_.load(std::memory_order_relaxed); }

    /// How long a send admitted now would wait, whatever max_wait says.
    [[nodiscard]] duration wait(time_point now) const noexcept
    {
        return std::max(between(now, word_.look(1, now, duration::max()).at), duration::zero());
    }

    /// As they are in force.
    [[nodiscard]] weir::rate rate() const noexcept { return word_.rate_now().as_rate(); }
    [[nodiscard]] std::uint64_t burst() const noexcept { return static_cast<std::uint64_t>(word_.rate_now().burst); }

    [[nodiscard]] std::string_view name() const noexcept { return name_.view(); }

private:
    template <class Now>
    void change(options const& o, Now const& now)
    {
        word_.reconfigure(checked(o), now);
        max_wait_.store(o.max_wait, std::memory_order_relaxed);
    }

    static detail::gcra_rate checked(options const& o)
    {
        if (o.max_wait < duration::zero())
            detail::bad_option("leaky_bucket_options.max_wait", "at least 0 ms", o.max_wait);
        if (o.burst == 0) detail::bad_option("leaky_bucket_options.burst", "at least 1", o.burst);
        return {o.rate, o.burst, "leaky_bucket_options"};
    }

    detail::gcra word_;
    atomic<duration> max_wait_;
    detail::gate_name<"leaky_bucket"> name_;
    [[no_unique_address]] Clock clock_;
};

/// The leaky bucket on the processor's clock.
using leaky_bucket = basic_leaky_bucket<>;

}  // namespace weir
