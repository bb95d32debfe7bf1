// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/count_window.hpp>
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

/// A window of either kind with a front: a place where plain successes, that is nearly all calls of a healthy peer, are
/// counted without the breaker's lock, and exactly.
///
/// A time window's front counts the successes of its current bucket in one word. A full count window without a failure
/// has nothing to count: a success would replace a success.
///
/// Why it is exact. (1) The generation is in the compared word, so a success is added to its own generation or to none.
/// (2) Whoever changes the window under the lock first sets `watched_`, then drains the front; a success first adds to
/// the front, then reads `watched_`. In the single order of these sequentially consistent operations either the drain
/// takes this success along, or this success sees the flag, or what the judgement after that drain left in it.
class window_with_front {
public:
    enum class counted {
        no,          ///< take the lock and `update`
        yes,         ///< or of an older generation, which counts nowhere
        then_judge,  ///< and it may have changed more than a count: take the lock, `update` with an empty tally
    };

    window_with_front(outcome_window const& o, std::uint64_t generation)
        : options_(o), ring_(make(o)), front_(first(generation))
    {
    }

    /// Without the lock, from any thread.
    [[nodiscard]] counted count_success(std::uint64_t generation, time_point now) noexcept
    {
        if (unchanged_by_success_.load(std::memory_order_acquire) == generation) return counted::yes;
        if (now >= bucket_end_.load(std::memory_order_acquire)) return counted::no;
        auto front = front_.load(std::memory_order_relaxed);
        do {
            if ((front & ~count_mask) != first(generation)) return counted::yes;
            if ((front & count_mask) == count_mask) return counted::no;  // full: drain it
        } while (!front_.compare_exchange_weak(front, front + 1, std::memory_order_seq_cst, std::memory_order_relaxed));
        return watched_.load(std::memory_order_seq_cst) ? counted::then_judge : counted::yes;
    }

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
        drain();
        bucket_end_.store(time_point::min(), std::memory_order_relaxed);
        watch(false, 0);
        front_.store(first(generation), std::memory_order_seq_cst);
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
        options_ = o;
    }

    [[nodiscard]] circuit_tally total(time_point now) const noexcept
    {
        auto const successes = front_.load(std::memory_order_seq_cst) & count_mask;
        return std::visit([&](auto const& r) { return r.total(now, successes); }, ring_);
    }

    /// As of the last `update`, without what the front has counted since.
    [[nodiscard]] circuit_tally total() const noexcept
    {
        return std::visit([](auto const& r) { return r.total(); }, ring_);
    }

private:
    using ring = std::variant<time_ring, count_ring>;

    // 32 bits of generation, then 32 bits of count. A success would have to sleep through exactly 2^32 changes of
    // state, between the breaker's check of the whole generation and this one, to be taken for one of another
    // generation.
    static constexpr std::uint64_t count_mask = 0xffff'ffffu;
    static constexpr std::uint64_t first(std::uint64_t generation) noexcept { return generation << 32; }

    static ring make(outcome_window const& o)
    {
        if (auto const* const t = std::get_if<time_window>(&o)) return time_ring(*t);
        return count_ring(std::get<count_window>(o));
    }

    void drain() noexcept
    {
        auto const seen = front_.fetch_and(~count_mask, std::memory_order_seq_cst) & count_mask;
        if (seen != 0) std::visit([&](auto& r) { r.add_successes(seen); }, ring_);
    }

    outcome_window options_;
    ring ring_;

    // Written under the lock, rarely; read by everyone. Apart from the front, which every success of a time window
    // writes.
    alignas(64) atomic<std::uint64_t> unchanged_by_success_{0};  // the generation of which this is true
    atomic<time_point> bucket_end_{time_point::min()};           // from then on the front must not count
    atomic<bool> watched_{false};
    alignas(64) atomic<std::uint64_t> front_;
};

}  // namespace detail
}  // namespace weir
