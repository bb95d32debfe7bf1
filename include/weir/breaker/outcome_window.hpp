// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/count_window.hpp>
#include <weir/breaker/success_front.hpp>
#include <weir/breaker/tally.hpp>
#include <weir/breaker/time_window.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <atomic>
#include <cstdint>
#include <utility>
#include <variant>

namespace weir {

/// What a breaker's rates are taken over.
using outcome_window = std::variant<time_window, count_window>;

namespace detail {

/// A window of either kind with a front, where plain successes, that is nearly all calls of a healthy peer, are counted
/// without the breaker's lock, and exactly. A full count window without a failure has nothing to count: a success would
/// replace a success. Between two drains there are only successes, so a count window keeps its order.
///
/// Why it is exact. (1) A success is added to its own generation or to none. (2) Whoever changes the window under the
/// lock first sets `watched_`, then drains the front; a success first adds to the front, then reads `watched_`. In the
/// single order of these sequentially consistent operations either the drain takes this success along, or this success
/// sees the flag, or what the judgement after that drain left in it. That holds for each stripe of the front alone.
class window_with_front {
public:
    enum class counted {
        no,          ///< take the lock and `update`
        yes,         ///< or of an older generation, which counts nowhere
        then_judge,  ///< and it may have changed more than a count: take the lock, `update` with an empty tally
    };

    window_with_front(outcome_window const& o, std::uint64_t generation, unsigned stripes = 1)
        : options_(o), ring_(make(o)), limit_(limit_of(ring_)), front_(stripes, generation)
    {
    }

    /// Without the lock, from any thread.
    [[nodiscard]] counted count_success(std::uint64_t generation, time_point now) noexcept
    {
        if (unchanged_by_success_.load(std::memory_order_acquire) == generation) return counted::yes;
        if (now >= bucket_end_.load(std::memory_order_acquire)) return counted::no;
        auto const n = front_.count(generation);
        if (n == 0) return counted::yes;
        if (n == success_front::most) return counted::no;  // full: drain it
        bool const judge = watched_.load(std::memory_order_seq_cst) || n == limit_.load(std::memory_order_relaxed);
        return judge ? counted::then_judge : counted::yes;
    }

    void count_refusal() noexcept { front_.count_refusal(); }
    [[nodiscard]] std::uint64_t refusals() const noexcept { return front_.refusals(); }

    // All others: under the breaker's lock.

    /// Adds a call, or an empty tally for a success that the front has counted. Then judge, then `watch`.
    void update(circuit_tally const& call, time_point now) noexcept
    {
        watch_all();
        drain();
        bucket_end_.store(std::visit([&](auto& r) { return r.advance(now); }, ring_), std::memory_order_release);
        if (call.calls != 0) std::visit([&](auto& r) { r.add(call); }, ring_);
    }

    /// After judging: may a success still to come change the judgement?
    void watch(bool successes, std::uint64_t generation) noexcept
    {
        watched_.store(successes, std::memory_order_seq_cst);
        bool const idle = !successes && std::visit([](auto const& r) { return r.full_of_successes(); }, ring_);
        unchanged_by_success_.store(idle ? generation : 0, std::memory_order_release);
    }

    /// Has the next success judged, whatever it is.
    void watch_all() noexcept
    {
        watched_.store(true, std::memory_order_seq_cst);
        unchanged_by_success_.store(0, std::memory_order_relaxed);
    }

    /// Stops counting for the old generation and begins a new one with what the window holds.
    void begin(std::uint64_t generation) noexcept
    {
        bucket_end_.store(time_point::min(), std::memory_order_relaxed);
        watch(false, 0);
        add_successes(front_.restart(generation));
    }

    void clear() noexcept
    {
        std::visit([](auto& r) { r.clear(); }, ring_);
    }

    /// Keeps the contents, as far as the new kind can hold them.
    void reconfigure(outcome_window const& o, time_point now)
    {
        if (o == options_) return;
        auto fresh = make(o);
        bucket_end_.store(time_point::min(), std::memory_order_relaxed);
        drain();
        auto const* const from = std::get_if<count_ring>(&ring_);
        auto* const to = std::get_if<count_ring>(&fresh);
        if (from != nullptr && to != nullptr)
            to->take_over(*from);
        else
            std::visit([held = total(now)](auto& r) { r.take_over(held); }, fresh);
        ring_ = std::move(fresh);
        limit_.store(limit_of(ring_), std::memory_order_relaxed);
        options_ = o;
    }

    [[nodiscard]] circuit_tally total(time_point now) const noexcept
    {
        return std::visit([&](auto const& r) { return r.total(now, front_.total()); }, ring_);
    }

    /// As of the last `update`, without what the front has counted since.
    [[nodiscard]] circuit_tally total() const noexcept
    {
        return std::visit([](auto const& r) { return r.total(); }, ring_);
    }

private:
    using ring = std::variant<time_ring, count_ring>;

    static ring make(outcome_window const& o)
    {
        if (auto const* const t = std::get_if<time_window>(&o)) return time_ring(*t);
        return count_ring(std::get<count_window>(o));
    }

    /// So many successes on one stripe may have changed what a window looks like.
    static std::uint32_t limit_of(ring const& r) noexcept
    {
        return std::visit([](auto const& w) { return w.worth_a_look(); }, r);
    }

    void drain() noexcept { add_successes(front_.drain()); }
    void add_successes(std::uint64_t n) noexcept
    {
        if (n != 0) std::visit([&](auto& r) { r.add_successes(n); }, ring_);
    }

    outcome_window options_;
    ring ring_;

    // Written under the lock, rarely; read by everyone.
    alignas(64) atomic<std::uint64_t> unchanged_by_success_{0};  // the generation of which this is true
    atomic<time_point> bucket_end_{time_point::min()};           // from then on the front must not count
    atomic<std::uint32_t> limit_;                                // a stripe with so many successes asks for a judgement
    atomic<bool> watched_{false};
    success_front front_;
};

}  // namespace detail
}  // namespace weir
