// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/gate_name.hpp>
#include <weir/limit/detail/gcra.hpp>
#include <weir/limit/detail/stripes.hpp>
#include <weir/limit/rate.hpp>
#include <weir/limit/rate_permit.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct striped_token_bucket_options {
    weir::rate rate = per_second(1'000'000);  ///< how fast permits come back; one per 365 days to 1e9 per second
    std::uint64_t burst = 100'000;            ///< permits on hand after a pause, up to 1e9
    duration lease = std::chrono::microseconds{100};  ///< permits paid for at once, in time, up to 1 s. 0: one by one
    unsigned stripes = 0;  ///< rounded up to a power of two, up to 1024; fixed at construction. 0: one per processor
    unsigned handles = 0;  ///< handles that may have leases of their own at once, up to 1024; fixed at construction
    std::string name = "striped_token_bucket";  ///< the gate name in refusals; fixed at construction
};

/// A token bucket for one hot limit on many cores: admitted <= rate * t + burst in every window t, with any number of
/// threads, and most callers touch a cache line of their own processor only.
///
/// Each stripe holds a few permits that were paid for ahead: what the rate earns in `lease`, at most 511, and all
/// together at most a quarter of the burst. Less than two each are not worth it: then it is the exact one-word bucket.
/// Price: after a pause the burst may be short by what the stripes have left, and above 2'000'000 per second a stripe
/// waits for a microsecond's worth. A refused caller looks for permits in other stripes once per `lease`. Which stripe
/// a thread meets matters to speed alone.
///
/// The overloads with a time, and `reserve`, take from the word behind the stripes, to keep what they promise about
/// time; where n needs the room that is set aside for the stripes, these are emptied into the word.
///
/// Refuses: errc::rate_limited, retry_at exact but for permits in stripes; errc::exceeds_burst when n > burst, less
///          what is set aside for handles: never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for rate, burst, lease, stripes or handles.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    one subtraction in the processor's own line; a clock reading and a compare-exchange on the shared line once
///          per lease. A refusal reads the clock and its own line. 128 bytes per stripe and handle, at construction.
/// Seen in: examples/23_striped_token_bucket.cpp
template <clock Clock = tsc_clock>
class basic_striped_token_bucket {
public:
    using options = striped_token_bucket_options;
    using token = rate_permit;
    class handle_type;

    explicit basic_striped_token_bucket(options const& o = {}, Clock clock = {})
        : stripes_(checked(o), o.lease, detail::stripe_count(o.stripes), o.handles),
          name_(o.name),
          clock_(std::move(clock))
    {
    }
    basic_striped_token_bucket(basic_striped_token_bucket&&) = default;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return stripes_.acquire(n, clock_); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return stripes_.spend(n, now, clock_); }

    /// A source for one event loop or thread, which takes without atomics from a lease of its own.
    [[nodiscard]] handle_type handle() noexcept { return handle_type{*this}; }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    /// n permits for use at `start_at()`, at most max_wait from now. They are taken at once, so those who ask later
    /// queue behind. Refused when the wait would be longer; retry_at is when it no longer is.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = stripes_.reserve(n, now, max_wait, clock_);
        if (a.admitted) return token{stripes_.word(), a.at, a.made};
        return rejection{a.why, a.at, name()};
    }

    /// Changes rate, burst and lease under load. Permits spent and reserved stay so, counted in permits; so do those in
    /// handles, and the burst must leave room for what these held at most.
    void reconfigure(options const& o) { stripes_.reconfigure(checked(o), o.lease, clock_, clock_); }
    void reconfigure(options const& o, time_point now) { stripes_.reconfigure(checked(o), o.lease, now, clock_); }

    /// Empty from now on, as if all on hand had been spent, except for what handles hold.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { stripes_.drain(now, clock_); }

    /// Permits on hand, in all stripes.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return stripes_.available(now); }

    /// When `admit` and `reserve` will have n permits if nobody else asks: `now` or later, `never` when n > burst. A
    /// stripe may have some for `try_acquire` before that.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return stripes_.retry_at(n, now);
    }

    [[nodiscard]] std::string_view name() const noexcept { return name_.view(); }

private:
    static detail::gcra_rate checked(options const& o)
    {
        detail::gcra_rate const r{o.rate, o.burst, "striped_token_bucket_options"};
        if (o.lease < duration::zero() || o.lease > std::chrono::seconds{1})
            detail::bad_option("striped_token_bucket_options.lease", "0 to 1000 ms", o.lease);
        if (o.stripes > detail::max_stripes)
            detail::bad_option("striped_token_bucket_options.stripes", "at most 1024", o.stripes);
        if (o.handles > detail::max_stripes)
            detail::bad_option("striped_token_bucket_options.handles", "at most 1024", o.handles);
        return r;
    }

    detail::striped_gcra stripes_;
    detail::gate_name<"striped_token_bucket"> name_;
    [[no_unique_address]] Clock clock_;
};

/// Takes from a striped_token_bucket through a lease of its own, without atomics. There is room for `options.handles`
/// of them at once; one more than that works too, through the stripes. What it has left when it is destroyed waits for
/// the next handle, or for a caller who is short.
/// Threads: one at a time.   Lifetimes: the bucket outlives it, and is not moved.   Cost: a decrement.
template <clock Clock>
class basic_striped_token_bucket<Clock>::handle_type {
public:
    handle_type(handle_type&&) = default;
    handle_type& operator=(handle_type&&) = default;

    /// Takes n permits, or none.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept
    {
        return pocket_.take(n) || bucket_->stripes_.acquire_through(pocket_, n, bucket_->clock_);
    }

private:
    friend basic_striped_token_bucket;
    explicit handle_type(basic_striped_token_bucket& bucket) noexcept : bucket_(&bucket), pocket_(bucket.stripes_) {}

    basic_striped_token_bucket* bucket_;
    detail::striped_gcra::pocket pocket_;
};

/// The striped token bucket on the processor's clock.
using striped_token_bucket = basic_striped_token_bucket<>;

}  // namespace weir
