// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra.hpp>
#include <weir/limit/rate.hpp>
#include <weir/limit/rate_permit.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace weir {

struct token_bucket_options {
    weir::rate rate = per_second(100);  ///< how fast permits come back; one per 365 days to 1e9 per second
    std::uint64_t burst = 10;           ///< permits on hand after a pause, up to 1e9. 0: every request is refused
    std::string name = "token_bucket";  ///< the gate name in refusals; fixed at construction
};

/// Admits `rate` permits per time on average and up to `burst` at once: admitted <= rate * t + burst in every window t,
/// with any number of threads. Starts full.
///
/// The state is one word (see detail/gcra.hpp). Rates are exact fractions: nothing drifts, neither after a year of
/// uptime nor at 1e9 per second; where 64 bits are too few the rate is lower than asked, by less than 3e-7 of it, never
/// higher. A clock that steps back makes it refuse until the time returns.
///
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > burst:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate or burst.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    one load and one compare-exchange to admit, loads only to refuse; never allocates.
/// Seen in: examples/01_token_bucket.cpp
template <clock Clock = steady_clock>
class basic_token_bucket {
public:
    using options = token_bucket_options;
    using token = rate_permit;

    explicit basic_token_bucket(options o = {}, Clock clock = {})
        : word_(detail::gcra_rate{o.rate, o.burst, "token_bucket_options"}),
          name_(std::move(o.name)),
          clock_(std::move(clock))
    {
    }
    basic_token_bucket(basic_token_bucket&&) = default;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return word_.take(n, now); }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    /// n permits for use at `start_at()`, at most max_wait from now. They are taken at once, so those who ask later
    /// queue behind. Refused when the wait would be longer; retry_at is when it no longer is.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = word_.reserve(n, now, max_wait);
        if (a.admitted) return token{word_, a};
        return rejection{a.why, a.at, name_};
    }

    /// Changes rate and burst under load. Permits spent and reserved stay so, counted in permits and not in seconds.
    /// A window across the change admits at most the permits of both rates and the larger burst.
    void reconfigure(options const& o)
    {
        word_.reconfigure(detail::gcra_rate{o.rate, o.burst, "token_bucket_options"}, [this] { return clock_.now(); });
    }
    void reconfigure(options const& o, time_point now)
    {
        word_.reconfigure(detail::gcra_rate{o.rate, o.burst, "token_bucket_options"}, now);
    }

    /// Permits on hand.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return word_.available(now); }

    /// When n permits will be on hand if nobody else asks: `now` or later, `never` when n > burst.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return word_.look(n, now, duration::zero()).at;
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    detail::gcra word_;
    std::string name_;
    [[no_unique_address]] Clock clock_;
};

/// The token bucket on the steady clock.
using token_bucket = basic_token_bucket<>;

}  // namespace weir
