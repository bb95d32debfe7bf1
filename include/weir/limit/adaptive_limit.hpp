// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/limit_algorithm.hpp>
#include <weir/limit/littles_law.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace weir {

template <limit_algorithm Algorithm>
struct adaptive_limit_options {
    typename Algorithm::options concurrency{};  ///< the algorithm's own
    std::string name = "adaptive_limit";        ///< the gate name in refusals; fixed at construction
};

template <limit_algorithm Algorithm, clock Clock>
class basic_adaptive_limit;

namespace detail {

/// What a finished call tells a limit; nothing, when it says nothing about the load. Success is a sample of latency. A
/// failure that another try may repair is taken for overload: refused further in, or timed out. Any other failure, a
/// bad request for one, has a latency that means nothing.
[[nodiscard]] inline std::optional<limit_sample> sample_of(outcome const& o, time_point since, std::uint32_t in_flight,
                                                           time_point now) noexcept
{
    bool const dropped = o.failed() && o.transient;
    if (!o.ok() && !dropped) return std::nullopt;
    auto const latency = o.latency > duration::zero() ? o.latency : std::max(between(since, now), duration::zero());
    return limit_sample{latency, in_flight, dropped, now, 1};
}

}  // namespace detail

/// One slot of an adaptive limit. Given back once: by record, from which the limit learns, or by the destructor, from
/// which it learns nothing.
/// Threads: one at a time. Lifetimes: the limit outlives it.
template <class Limit>
class [[nodiscard]] adaptive_slot {
public:
    adaptive_slot(Limit& limit, time_point since, std::uint32_t in_flight) noexcept
        : limit_(&limit), since_(since), in_flight_(in_flight)
    {
    }
    adaptive_slot(adaptive_slot&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), since_(other.since_), in_flight_(other.in_flight_)
    {
    }
    adaptive_slot& operator=(adaptive_slot&& other) noexcept
    {
        if (this == &other) return *this;
        give_back();
        limit_ = std::exchange(other.limit_, nullptr);
        since_ = other.since_;
        in_flight_ = other.in_flight_;
        return *this;
    }
    ~adaptive_slot() { give_back(); }

    void record(outcome const& o, time_point now) noexcept
    {
        if (auto* const limit = std::exchange(limit_, nullptr))
            limit->release(detail::sample_of(o, since_, in_flight_, now));
    }

private:
    void give_back() noexcept
    {
        if (auto* const limit = std::exchange(limit_, nullptr)) limit->release(std::nullopt);
    }

    Limit* limit_;
    time_point since_;
    std::uint32_t in_flight_;
};

/// A concurrency limit that finds its number: an algorithm learns from the latency of the calls that end, and never are
/// more in progress than its limit of the moment. A limit that falls takes effect as calls end; nothing is interrupted.
///
///   weir::adaptive_limit<> limit;                                                    // littles_law
///   weir::adaptive_limit<weir::gradient2> limit{{.concurrency = {.max_limit = 500}}};
///
/// Algorithms: littles_law, gradient2, vegas, aimd, and yours (limit_algorithm.hpp).
/// Record every call's outcome, refusals of the peer and timeouts as transient failures; ignored ones teach nothing.
///
/// Refuses: errc::too_many_calls; retry_at is `now`, for a slot may fall free at any moment.
/// Throws:  constructor and reconfigure only, what the algorithm's options say.
/// Threads: everything, from any thread, except moving; it cannot be moved.
/// Cost:    one compare-exchange to admit. To settle, one subtraction, and a mutex for the algorithm that nobody waits
///          for: where calls end at the same moment, one sample is given for all of them. Drops do wait for it.
/// Seen in: examples/27_adaptive_limit.cpp
template <limit_algorithm Algorithm = littles_law, clock Clock = tsc_clock>
class basic_adaptive_limit {
public:
    using options = adaptive_limit_options<Algorithm>;
    using token = adaptive_slot<basic_adaptive_limit>;

    explicit basic_adaptive_limit(options o = {}, Clock clock = {})
        : algorithm_(o.concurrency), word_(word(algorithm_.limit())), name_(std::move(o.name)), clock_(std::move(clock))
    {
    }
    basic_adaptive_limit(basic_adaptive_limit const&) = delete;
    basic_adaptive_limit& operator=(basic_adaptive_limit const&) = delete;
    ~basic_adaptive_limit() { assert(in_flight() == 0 && "an adaptive_limit is destroyed with calls in progress"); }

    /// A slot now, or a refusal; never waits.
    admission<token> admit(time_point now) noexcept
    {
        auto seen = word_.load(std::memory_order_relaxed);
        do {
            if (in_flight(seen) >= limit(seen)) return rejection{errc::too_many_calls, now, name_};
        } while (!word_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire, std::memory_order_relaxed));
        return admission<token>(std::in_place, *this, now, in_flight(seen) + 1);
    }
    admission<token> try_acquire() noexcept { return admit(clock_.now()); }

    /// Keeps what was learnt, and the calls in progress.
    void reconfigure(options const& o)
    {
        std::scoped_lock const lock{mutex_};
        algorithm_.reconfigure(o.concurrency);
        publish();
    }

    [[nodiscard]] std::uint32_t limit() const noexcept { return limit(word_.load(std::memory_order_relaxed)); }
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight(word_.load(std::memory_order_relaxed)); }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }

    /// What the algorithm has learnt, as of now.
    [[nodiscard]] Algorithm algorithm() const
    {
        std::scoped_lock const lock{mutex_};
        return algorithm_;
    }

private:
    friend token;

    // limit | in flight, 32 bits each: one word decides, so no call slips in between the two.
    static constexpr std::uint64_t in_flight_mask = 0xffff'ffffu;
    static std::uint32_t in_flight(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
    static std::uint32_t limit(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
    static std::uint64_t word(std::uint32_t limit) noexcept { return std::uint64_t{limit} << 32; }

    void release(std::optional<limit_sample> sample) noexcept
    {
        word_.fetch_sub(1, std::memory_order_release);
        if (!sample) return;
        std::unique_lock lock{mutex_, std::defer_lock};
        if (sample->dropped) {
            lock.lock();  // bad news is never lost
        } else if (!lock.try_lock()) {
            untold_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        sample->calls += untold_.exchange(0, std::memory_order_relaxed);
        algorithm_.update(*sample);
        publish();
    }

    /// Precondition: the mutex is held.
    void publish() noexcept
    {
        auto const fresh = algorithm_.limit();
        auto seen = word_.load(std::memory_order_relaxed);
        while (limit(seen) != fresh &&
               !word_.compare_exchange_weak(seen, word(fresh) | (seen & in_flight_mask), std::memory_order_relaxed)) {}
    }

    mutable mutex mutex_;
    Algorithm algorithm_;
    atomic<std::uint64_t> word_;
    atomic<std::uint32_t> untold_{0};  // ended while another one held the mutex
    std::string name_;
    [[no_unique_address]] Clock clock_;
};

/// The adaptive limit on the processor's clock.
template <limit_algorithm Algorithm = littles_law>
using adaptive_limit = basic_adaptive_limit<Algorithm>;

}  // namespace weir
