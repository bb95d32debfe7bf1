// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace weir {

struct throttle_options {
    double k = 2;                                ///< requests let through for each one the peer accepts; in [1.01, 100]
    duration window = std::chrono::seconds{10};  ///< what is remembered; 10 ms to 1 day
    std::uint32_t min_requests = 20;             ///< in the window, before any is refused
    double max_rejection = 0.9;                  ///< the rest are probes, whatever happens; in [0, 0.99]
    std::string name = "throttle";               ///< the gate name in refusals; fixed at construction
};

/// What a throttle remembers: a tenth of the window may be missing at its old end.
struct throttle_tally {
    std::uint64_t requests = 0;  ///< asked for, sent or refused here
    std::uint64_t accepts = 0;   ///< of these, the peer took
};

namespace detail {

/// Requests and accepts of the last ten buckets of time, a word each: epoch (20 bits) | requests (22) | accepts (22).
/// Exact with any number of threads, as one compare-exchange changes all of a bucket. A bucket that is full counts no
/// more: four million calls in one keep their ratio.
class throttle_window {
public:
    static constexpr std::size_t size = 10;

    [[nodiscard]] throttle_tally total(std::uint64_t epoch) const noexcept
    {
        throttle_tally sum;
        for (auto const& b : buckets_) {
            auto const w = b.load(std::memory_order_relaxed);
            if (age(epoch, w) >= size) continue;
            sum.requests += requests(w);
            sum.accepts += accepts(w);
        }
        return sum;
    }

    /// Of the bucket of `epoch`; one that this moment has overtaken is left alone.
    void add(std::uint64_t epoch, std::uint64_t new_requests, std::uint64_t new_accepts) noexcept
    {
        auto& b = buckets_[epoch % size];
        auto w = b.load(std::memory_order_relaxed);
        std::uint64_t next = 0;
        do {
            bool const same = age(epoch, w) == 0;
            // A thread whose clock reading is old does not clear what a later one began. A clock that was set back
            // does.
            if (!same && age(stamp(w), epoch << 44) < 2 * size) return;
            auto const r = (same ? requests(w) : 0) + new_requests;
            auto const a = (same ? accepts(w) : 0) + new_accepts;
            if (r > most || a > most) return;
            next = (epoch << 44) | (r << 22) | a;
        } while (!b.compare_exchange_weak(w, next, std::memory_order_relaxed));
    }

    /// Forgets a request of that epoch, if it is still remembered.
    void take_back(std::uint64_t epoch) noexcept
    {
        auto& b = buckets_[epoch % size];
        auto w = b.load(std::memory_order_relaxed);
        while (age(epoch, w) == 0 && requests(w) > 0 &&
               !b.compare_exchange_weak(w, w - (std::uint64_t{1} << 22), std::memory_order_relaxed)) {}
    }

private:
    static constexpr std::uint64_t most = (1u << 22) - 1;
    static std::uint64_t requests(std::uint64_t w) noexcept { return w >> 22 & most; }
    static std::uint64_t accepts(std::uint64_t w) noexcept { return w & most; }
    static std::uint64_t stamp(std::uint64_t w) noexcept { return w >> 44; }
    /// Buckets from w's to `epoch`, on the ring of 20 bits.
    static std::uint64_t age(std::uint64_t epoch, std::uint64_t w) noexcept { return (epoch - stamp(w)) & 0xf'ffffu; }

    std::array<atomic<std::uint64_t>, size> buckets_{};
};

}  // namespace detail

template <clock Clock>
class basic_throttle;

/// A request that the throttle let through. Settled once: by record, or taken back by the destructor, as if it had
/// never been asked for.
/// Threads: one at a time. Lifetimes: the throttle outlives it.
template <clock Clock>
class [[nodiscard]] throttle_token {
public:
    throttle_token(basic_throttle<Clock>& from, std::uint64_t epoch) noexcept : throttle_(&from), epoch_(epoch) {}
    throttle_token(throttle_token&& other) noexcept
        : throttle_(std::exchange(other.throttle_, nullptr)), epoch_(other.epoch_)
    {
    }
    throttle_token& operator=(throttle_token&& other) noexcept
    {
        if (this == &other) return *this;
        take_back();
        throttle_ = std::exchange(other.throttle_, nullptr);
        epoch_ = other.epoch_;
        return *this;
    }
    ~throttle_token() { take_back(); }

    /// Success, or a failure that another try would only repeat: the peer took the request. A transient failure: it did
    /// not. Ignored: as if never asked.
    void record(outcome const& o, time_point now) noexcept
    {
        if (o.what == outcome::kind::ignored) return take_back();
        auto* const from = std::exchange(throttle_, nullptr);
        if (from && !(o.failed() && o.transient)) from->accepted(now);
    }

private:
    void take_back() noexcept
    {
        if (auto* const from = std::exchange(throttle_, nullptr)) from->window_.take_back(epoch_);
    }

    basic_throttle<Clock>* throttle_;
    std::uint64_t epoch_;
};

/// Client-side adaptive throttling: when a peer refuses more and more, the client refuses first, without the cost of
/// asking. A request is refused with probability (requests - k * accepts) / (requests + 1) of the last `window`, at
/// least 0, at most `max_rejection`. With k = 2 about as many are sent in vain as are accepted.
///
/// Requests refused here count as requests: so, when the peer is well again, the share let through grows exponentially
/// and not in one step, by 10 in 1.4 windows with k = 2. A smaller k holds more back and comes back slower: 12 windows
/// with k = 1.1. Since a tenth always goes through, the way back never takes longer than that.
///
/// Refuses: errc::circuit_open, retry_at a tenth of the window from now, when the odds may be other.
/// Throws:  constructor and reconfigure only, std::invalid_argument for each field but the name.
/// Threads: everything, from any thread.   Lock-free, except reconfigure.   It cannot be moved.
/// Cost:    ten loads and one compare-exchange to admit, a random number only while requests are being refused; one
///          compare-exchange to settle. Nothing allocates.
/// Source:  B. Beyer et al. (ed.), "Site Reliability Engineering", 2016, chapter 21; the floor of probes as in Finagle
///          and Envoy.   Seen in: examples/28_throttle.cpp
template <clock Clock = tsc_clock>
class basic_throttle {
public:
    using options = throttle_options;
    using token = throttle_token<Clock>;

    explicit basic_throttle(options o = {}, Clock clock = {}) : name_(std::move(o.name)), clock_(std::move(clock))
    {
        reconfigure(o);
    }
    basic_throttle(basic_throttle const&) = delete;
    basic_throttle& operator=(basic_throttle const&) = delete;

    /// Lets one request through, or refuses it. Draws from `random` only if there is something to decide.
    template <random_source Random>
    admission<token> admit(time_point now, Random& random) noexcept
    {
        auto const e = epoch(now);
        auto const p = rejection_probability(window_.total(e));
        window_.add(e, 1, 0);
        if (p > 0 && uniform_unit(random) < p) [[unlikely]]
            return rejection{errc::circuit_open, later(now, width()), name_};
        return admission<token>(std::in_place, *this, e);
    }
    admission<token> admit(time_point now) noexcept { return admit(now, thread_random()); }
    admission<token> try_acquire() noexcept { return admit(clock_.now()); }

    /// With which the next request is refused.
    [[nodiscard]] double rejection_probability(time_point now) const noexcept
    {
        return rejection_probability(window_.total(epoch(now)));
    }
    [[nodiscard]] throttle_tally total(time_point now) const noexcept { return window_.total(epoch(now)); }

    /// Keeps what is remembered, unless the window changes.
    void reconfigure(options const& o)
    {
        check(o);
        std::scoped_lock const lock{reconfiguring_};
        k_.store(o.k, std::memory_order_relaxed);
        max_rejection_.store(o.max_rejection, std::memory_order_relaxed);
        min_requests_.store(o.min_requests, std::memory_order_relaxed);
        width_.store(o.window.count() / static_cast<std::int64_t>(detail::throttle_window::size),
                     std::memory_order_relaxed);
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    friend token;

    [[nodiscard]] double rejection_probability(throttle_tally const& t) const noexcept
    {
        if (t.requests < min_requests_.load(std::memory_order_relaxed)) return 0;
        auto const requests = static_cast<double>(t.requests);
        auto const p =
            (requests - k_.load(std::memory_order_relaxed) * static_cast<double>(t.accepts)) / (requests + 1);
        return std::clamp(p, 0.0, max_rejection_.load(std::memory_order_relaxed));
    }

    void accepted(time_point now) noexcept { window_.add(epoch(now), 0, 1); }

    [[nodiscard]] duration width() const noexcept { return duration{width_.load(std::memory_order_relaxed)}; }

    /// 20 bits of the number of the bucket.
    [[nodiscard]] std::uint64_t epoch(time_point now) const noexcept
    {
        auto const since = now.time_since_epoch().count();
        auto const width = width_.load(std::memory_order_relaxed);
        return static_cast<std::uint64_t>(since / width - (since % width < 0)) & 0xf'ffffu;
    }

    static void check(options const& o)
    {
        if (!(o.k >= 1.01 && o.k <= 100)) detail::bad_option("throttle_options.k", "in [1.01, 100]", o.k);
        if (o.window < std::chrono::milliseconds{10} || o.window > std::chrono::hours{24})
            detail::bad_option("throttle_options.window", "from 10 ms to 1 day", o.window);
        if (o.min_requests > 1'000'000)
            detail::bad_option("throttle_options.min_requests", "at most 1000000", o.min_requests);
        if (!(o.max_rejection >= 0 && o.max_rejection <= 0.99))
            detail::bad_option("throttle_options.max_rejection", "in [0, 0.99]", o.max_rejection);
    }

    // Read by every request, written by none.
    atomic<double> k_{2};
    atomic<double> max_rejection_{0.9};
    atomic<std::uint32_t> min_requests_{20};
    atomic<std::int64_t> width_{1};  // of a bucket, in nanoseconds
    mutex reconfiguring_;
    std::string name_;
    [[no_unique_address]] Clock clock_;
    alignas(64) detail::throttle_window window_;
};

/// The throttle on the processor's clock.
using throttle = basic_throttle<>;

}  // namespace weir
