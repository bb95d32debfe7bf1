// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/gate_name.hpp>
#include <weir/limit/detail/leased_gcra.hpp>
#include <weir/limit/rate.hpp>
#include <weir/limit/rate_permit.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct token_bucket_options {
    weir::rate rate = per_second(100);               ///< how fast permits come back; one per 365 days to 1e9 per second
    std::uint64_t burst = 10;                        ///< permits on hand after a pause, up to 1e9. 0: all are refused
    duration lease = std::chrono::microseconds{20};  ///< permits paid for at once, in time, up to 1 s. 0: one by one
    std::string name = "token_bucket";               ///< the gate name in refusals; fixed at construction
};

/// Admits `rate` permits per time on average and up to `burst` at once: admitted <= rate * t + burst in every window t,
/// with any number of threads. Starts full.
///
/// The state is one word (detail/gcra.hpp). Rates are exact fractions: nothing drifts, neither after a year of uptime
/// nor at 1e9 per second; where 64 bits are too few the rate is lower than asked, by less than 3e-7 of it, and never
/// higher. A clock that steps back makes it refuse until the time returns.
///
/// Leases: `try_acquire(n)` without a time takes from a few permits that were paid for ahead, what the rate earns in
/// `lease` (at most burst / 8 and 511), and reads no clock for it. Less than two are not worth it: below 100'000 per
/// second, or a burst below 16, every permit is decided by the clock. Price: after a pause the burst may be short by
/// what the lease had left. The overloads with a time do not lease, and put back what lies there when they need it.
///
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > burst:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate, burst or lease.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    with a lease some plain stores while a single thread asks, and one locked subtraction once others do;
///          otherwise a clock reading, one load and one compare-exchange. Refusing writes nothing that threads share,
///          and the same refusal again costs a reading of the processor's counter. 64 bytes, one cache line (with a
///          clock that holds nothing); nothing allocates, except construction for a name of its own.
/// Seen in: examples/01_token_bucket.cpp
template <clock Clock = tsc_clock>
class alignas(64) basic_token_bucket {
public:
    using options = token_bucket_options;
    using token = rate_permit;

    explicit basic_token_bucket(options const& o = {}, Clock clock = {})
        : word_(checked(o)), name_(o.name), clock_(std::move(clock))
    {
    }
    basic_token_bucket(basic_token_bucket&&) = default;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard, gnu::always_inline]] bool try_acquire(std::uint64_t n = 1) noexcept
    {
        return word_.acquire(n, clock_);
    }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return word_.spend(n, now, clock_); }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept
    {
        detail::gcra::passage made;
        detail::gcra::refusal no;
        if (word_.take(1, now, made, no)) [[likely]]
            return admission<token>(std::in_place, word_, now, made);
        if (no.lending) return reserve(1, duration::zero(), now);
        return rejection{no.why, no.at, name()};
    }

    /// n permits for use at `start_at()`, at most max_wait from now. They are taken at once, so those who ask later
    /// queue behind. Refused when the wait would be longer; retry_at is when it no longer is. The queue is as long as
    /// the word can tell: a year and more at everyday rates, some seconds where a rate in lowest terms has millions of
    /// permits in it (15'485'863 per day: 2 s).
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = word_.reserve(n, now, max_wait, clock_);
        if (a.admitted) return token{word_, a.at, a.made};
        return rejection{a.why, a.at, name()};
    }

    /// Changes rate, burst and lease under load. Permits spent and reserved stay so, counted in permits and not in
    /// seconds. A window across the change admits at most the permits of both rates and the larger burst; what was
    /// reserved for later keeps its start, and comes on top where a higher rate lets others pass before it.
    void reconfigure(options const& o) { word_.reconfigure(checked(o), clock_, clock_); }
    void reconfigure(options const& o, time_point now) { word_.reconfigure(checked(o), now, clock_); }

    /// Empty from now on, as if all on hand had been spent: for when the service behind says that it has had too much.
    /// Where nothing was on hand, a reservation that is cancelled later still comes back.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { word_.drain(now, clock_); }

    /// Permits on hand.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return word_.available(now); }

    /// When n permits will be on hand if nobody else asks: `now` or later, `never` when n > burst.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept { return word_.look(n, now).at; }

    /// As they are in force.
    [[nodiscard]] weir::rate rate() const noexcept { return word_.rate_now().as_rate(); }
    [[nodiscard]] std::uint64_t burst() const noexcept { return static_cast<std::uint64_t>(word_.rate_now().burst); }

    [[nodiscard]] std::string_view name() const noexcept { return name_.view(); }

private:
    static detail::gcra_rate checked(options const& o)
    {
        detail::gcra_rate const r{o.rate, o.burst, "token_bucket_options"};
        if (o.lease < duration::zero() || o.lease > std::chrono::seconds{1})
            detail::bad_option("token_bucket_options.lease", "0 to 1000 ms", o.lease);
        return r.leasing(o.lease, r.burst / 8);
    }

    detail::leased_gcra word_;
    detail::gate_name<"token_bucket"> name_;
    [[no_unique_address]] Clock clock_;
};

/// The token bucket on the processor's clock.
using token_bucket = basic_token_bucket<>;

}  // namespace weir
