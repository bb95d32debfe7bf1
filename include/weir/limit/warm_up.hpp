// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/permit.hpp>
#include <weir/limit/detail/warm_state.hpp>
#include <weir/limit/rate.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

struct warm_up_options {
    weir::rate rate = per_second(100);            ///< when warm; one per 365 days to 1e9 per second
    duration warm_up = std::chrono::seconds{10};  ///< from cold to the full rate, under full load; up to 24 h. 0: none
    std::uint32_t cold_factor = 3;                ///< cold, the rate is one so-many-th; 1 to 100. 1: no difference
    std::uint64_t burst = 1;       ///< warm permits at once, up to 1e9; cold ones count so much more. 0: none, ever
    std::string name = "warm_up";  ///< the gate name in refusals; fixed at construction
};

/// Admits at a rate that climbs from rate / cold_factor to rate over `warm_up`: for a service that has to fill its
/// caches and its pools before it can bear full load. Starts cold, and gets cold again while it is idle, or used at
/// less than about half the rate. The curve is that of Guava's RateLimiter with a warm-up period, and of Sentinel's
/// rules.
///
/// Never over rate * t + burst in any window t. Permits that were admitted cold are paid for afterwards: who comes next
/// waits longer. Warm, it is exact and nothing drifts; the climb is exact to a millionth of an interval.
/// A clock that steps back makes it refuse until the time returns.
///
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > burst:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate, warm_up, cold_factor or burst.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    a short lock around some 128-bit arithmetic, to admit and to refuse; never allocates.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_warm_up {
public:
    using options = warm_up_options;
    using token = detail::permit<detail::warm_state>;

    explicit basic_warm_up(options o = {}, Clock clock = {})
        : state_(checked(o)), name_(std::move(o.name)), clock_(std::move(clock))
    {
    }
    basic_warm_up(basic_warm_up&&) = default;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
    {
        return state_.reserve(n, now, duration::zero()).admitted;
    }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    /// n permits for use at `start_at()`, at most max_wait from now. They are taken at once, so those who ask later
    /// queue behind. Refused when the wait would be longer; retry_at is when it no longer is.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = state_.reserve(n, now, max_wait);
        if (a.admitted) return token{state_, a};
        return rejection{a.why, a.at, name_};
    }

    /// Changes everything but the name under load. What is owed stays owed, in permits; it stays as cold as it is.
    void reconfigure(options const& o) { reconfigure(o, clock_.now()); }
    void reconfigure(options const& o, time_point now) { state_.reconfigure(checked(o), now); }

    /// Spends the burst; it stays as cold as it is.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { state_.drain(now); }

    /// How many permits pass now, in one go.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return state_.available(now); }

    /// When n permits pass if nobody else asks: `now` or later, `never` when n > burst.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return state_.look(n, now, duration::zero()).at;
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    static detail::warm_curve checked(options const& o)
    {
        return {o.rate, o.burst, o.warm_up, o.cold_factor, "warm_up_options"};
    }

    detail::warm_state state_;
    std::string name_;
    [[no_unique_address]] Clock clock_;
};

/// The warm-up limiter on the processor's counter.
using warm_up = basic_warm_up<>;

}  // namespace weir
