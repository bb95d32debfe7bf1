// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/limiter_verbs.hpp>
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
/// less than about half the rate; drained, it stays as cold as it is. The curve is that of Guava's RateLimiter with a
/// warm-up period, and of Sentinel's rules.
///
/// Never over rate * t + burst in any window t. Permits that were admitted cold are paid for afterwards: who comes next
/// waits longer. Warm, it is exact and nothing drifts; the climb is exact to a millionth of an interval.
/// A clock that steps back makes it refuse until the time returns.
///
/// Verbs:   try_acquire, admit, reserve, drain, available, retry_at: detail/limiter_verbs.hpp.
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > burst:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate, warm_up, cold_factor or burst.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    a short lock around some 128-bit arithmetic, to admit and to refuse; never allocates.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_warm_up : public detail::limiter_verbs<detail::warm_state, Clock> {
    using verbs = detail::limiter_verbs<detail::warm_state, Clock>;

public:
    using options = warm_up_options;

    explicit basic_warm_up(options o = {}, Clock clock = {})
        : verbs(detail::warm_state{checked(o)}, std::move(o.name), std::move(clock))
    {
    }

    /// Changes everything but the name under load. What is owed stays owed, in permits; it stays as cold as it is.
    void reconfigure(options const& o) { reconfigure(o, verbs::clock_.now()); }
    void reconfigure(options const& o, time_point now) { verbs::state_.reconfigure(checked(o), now); }

private:
    static detail::warm_curve checked(options const& o)
    {
        return {o.rate, o.burst, o.warm_up, o.cold_factor, "warm_up_options"};
    }
};

/// The warm-up limiter on the processor's counter.
using warm_up = basic_warm_up<>;

}  // namespace weir
