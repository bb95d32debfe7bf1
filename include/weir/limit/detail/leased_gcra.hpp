// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/detail/thread_bias.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra.hpp>
#include <weir/limit/detail/last_refusal.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace weir::detail {

/// The word of `gcra` with a lease beside it: a counter of permits that are already paid for, so that most callers
/// subtract one and read no clock. Whoever finds the lease empty pays for the next one, in one compare-exchange.
///
/// Why it is never over. Phi = permits in the word + in the lease + in the hands of the one who fills it.
///   - Admitting n takes n out of Phi, by one atomic step, or by the plain stores of a thread that is alone with the
///     lease (core/detail/thread_bias.hpp); before any other thread changes the lease, that is over.
///   - Filling the lease moves permits. While the word lends it holds burst - q at most (q: the most a lease holds),
///     and lease and hands together hold q at most: there is one filler (the lock), it asks for q less what the lease
///     holds, and in the meantime the lease only shrinks. Hence Phi <= burst.
///   - Only the word earns, at the rate, by the clock. The filler reads the clock after it has the lock and has looked
///     at the lease. Were the reading older, one filler after another could pay at an instant before an idle pause,
///     which costs the full word nothing, and Phi would grow without time passing. In this order, at any instant s, the
///     permits paid for before s and used after it are those of one lease, q at most; those paid for after s are
///     bounded by the word, burst - q + rate * t.
///   - Permits go back only as the word stops lending, and gets back the room that was set aside for them.
/// Hence admitted <= rate * t + burst in every window. A permit in the lease has no time of its own, so who brings a
/// time (`spend`, `reserve`) takes from the word, and has the lease put back into it where the word is not enough.
///
/// The counter may be below zero by the callers who saw a permit that another one took; it then holds none.
class leased_gcra : public gcra {
public:
    using gcra::gcra;
    leased_gcra(leased_gcra&& other) noexcept : gcra(std::move(other)), lease_(other.lease_.load()) {}

    /// Takes n permits now, or says no. The clock is only asked where the lease is not enough.
    template <class Clock>
    [[nodiscard, gnu::always_inline]] bool acquire(std::uint64_t n, Clock const& clock) noexcept
    {
        auto const before = word();
        if constexpr (counting_clock<Clock>) {
            if (n != 0 && refused_last.again(this, before, clock)) return false;
        }
        if (is_lending(before)) {
            // The flag, not the counter, is looked at first: a load of a word that was just subtracted from waits.
            thread_bias::section const here{bias_};
            if (here.alone()) {
                auto const held = lease_.load(std::memory_order_relaxed);
                if (held > 0 && n <= static_cast<std::uint64_t>(held)) [[likely]] {
                    lease_.store(held - static_cast<std::int32_t>(n), std::memory_order_relaxed);
                    return true;
                }
            } else if (here.settled()) {
                return take_shared(n) || acquire_by_clock(n, clock);
            }
        }
        return acquire_anew(n, clock);
    }

    /// The same at a time of the caller's.
    template <class Clock>
    [[nodiscard]] bool spend(std::uint64_t n, time_point now, Clock const& clock) noexcept
    {
        if (take(n, now)) return true;
        if (!lease_would_help(n)) return false;
        end_lease(clock);
        return take(n, now);
    }

    template <class Clock>
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait, Clock const& clock) noexcept
    {
        if (is_lending()) {
            // At once if that is possible: nobody waits for what is in the lease.
            if (auto const a = gcra::reserve(n, now, duration::zero()); a.admitted) return a;
            if (lease_would_help(n)) end_lease(clock);
        }
        return gcra::reserve(n, now, max_wait);
    }

    [[nodiscard]] answer look(std::uint64_t n, time_point now) const noexcept
    {
        return gcra::look(n, now, duration::zero(), in_lease());
    }

    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
    {
        auto const outside = static_cast<std::uint64_t>(in_lease());
        return std::min(gcra::available(now) + outside, static_cast<std::uint64_t>(rate_now().burst));
    }

    /// `now`: a time, or again the clock.
    template <class Time, class Clock>
    void reconfigure(gcra_rate const& next, Time const& now, Clock const& clock) noexcept
    {
        std::scoped_lock const lock{filler_};
        put_back(clock);
        gcra::reconfigure(next, now);
    }

    template <class Clock>
    void drain(time_point now, Clock const& clock) noexcept
    {
        std::scoped_lock const lock{filler_};
        put_back(clock);
        gcra::drain(now);
    }

private:
    [[nodiscard]] std::int32_t in_lease() const noexcept { return std::max(lease_.load(std::memory_order_acquire), 0); }

    /// n permits that are paid for. Relaxed: the number is all there is to know.
    [[nodiscard]] bool take_shared(std::uint64_t n) noexcept
    {
        if (n == 1) return lease_.fetch_sub(1, std::memory_order_relaxed) > 0;
        auto held = lease_.load(std::memory_order_relaxed);
        while (held > 0 && n <= static_cast<std::uint64_t>(held))
            if (lease_.compare_exchange_weak(held, held - static_cast<std::int32_t>(n), std::memory_order_relaxed))
                return true;
        return false;
    }

    [[nodiscard]] bool take_prepaid(std::uint64_t n) noexcept
    {
        bias_.settle();
        return take_shared(n);
    }

    template <class Clock>
    [[gnu::noinline]] bool acquire_anew(std::uint64_t n, Clock const& clock) noexcept
    {
        return (is_lending() && take_prepaid(n)) || acquire_by_clock(n, clock);
    }
    template <class Clock>
    [[gnu::noinline]] bool acquire_by_clock(std::uint64_t n, Clock const& clock) noexcept;
    template <class Clock>
    [[gnu::noinline]] void remember_refusal(time_point now, Clock const& clock) const noexcept;
    template <class Clock>
    [[gnu::noinline]] bool acquire_at(std::uint64_t n, time_point now, Clock const& clock) noexcept;
    template <class Clock>
    [[gnu::noinline]] bool fill_and_take(std::uint64_t n, Clock const& clock) noexcept;
    template <class Clock>
    [[gnu::noinline]] bool acquire_at_end(std::uint64_t n, Clock const& clock) noexcept;

    /// Whether a refusal may come from permits in the lease, or from the room set aside for them.
    [[nodiscard]] bool lease_would_help(std::uint64_t n) const noexcept
    {
        if (!is_lending()) return false;
        auto const r = rate_now();
        auto const burst = static_cast<std::uint64_t>(r.burst);
        return n <= burst && (in_lease() > 0 || n > burst - static_cast<std::uint64_t>(r.lease));
    }

    template <class Clock>
    void end_lease(Clock const& clock) noexcept
    {
        std::scoped_lock const lock{filler_};
        put_back(clock);
    }

    /// Precondition: filler_ is held.
    template <class Clock>
    void put_back(Clock const& clock) noexcept
    {
        if (!is_lending()) return;
        bias_.settle();
        auto held = lease_.load(std::memory_order_relaxed);
        while (held > 0 && !lease_.compare_exchange_weak(held, 0, std::memory_order_relaxed)) {}
        end_lending(std::max(held, 0), clock.now());
    }

    // They lie in the tail of gcra, on the line of the word: 56 bytes altogether.
    byte_lock filler_;
    thread_bias bias_;  // of the lease
    atomic<std::int32_t> lease_{0};
};

template <class Clock>
bool leased_gcra::acquire_by_clock(std::uint64_t n, Clock const& clock) noexcept
{
    if (n == 0) return true;
    auto const now = clock.now();
    bool for_long = false;
    if (!refuses(n, now, for_long)) return acquire_at(n, now, clock);
    if constexpr (counting_clock<Clock>) {
        if (for_long) remember_refusal(now, clock);
    }
    return false;
}

/// That not even one permit is to be had for a while.
template <class Clock>
void leased_gcra::remember_refusal(time_point now, Clock const& clock) const noexcept
{
    auto const before = word();
    auto const one = gcra::look(1, now, duration::zero());
    if (one.admitted || one.at == never || is_lending(before) || word() != before) return;
    refused_last.set(this, before, one.at, clock);
}

template <class Clock>
bool leased_gcra::acquire_at(std::uint64_t n, time_point now, Clock const& clock) noexcept
{
    for (;; now = clock.now()) {
        gcra::passage made;
        auto const what = decide<true>(n, now, made);
        if (what == verdict::taken) return true;
        if (what == verdict::plenty) {
            if (fill_and_take(n, clock)) return true;
        } else {
            if (!is_lending()) return false;
            if (n > 1 || in_lease() == 0) return acquire_at_end(n, clock);
        }
        if (take_prepaid(n)) return true;
    }
}

/// The word has not enough, nor has the lease. Ends the lending where that frees enough for n, or where the lease is
/// empty: from then on a refusal only reads.
template <class Clock>
bool leased_gcra::acquire_at_end(std::uint64_t n, Clock const& clock) noexcept
{
    auto const r = rate_now();
    if (n > static_cast<std::uint64_t>(r.burst)) return false;
    auto const held = in_lease();
    bool const beyond = n > static_cast<std::uint64_t>(r.burst - r.lease);  // it needs the room set aside for the lease
    if (beyond || (held > 0 && gcra::look(n, clock.now(), duration::zero(), held).admitted)) {
        end_lease(clock);
        return take(n, clock.now());
    }
    if (held > 0) return false;
    if (filler_.try_lock()) {
        put_back(clock);
        filler_.unlock();
    } else if (auto below = lease_.load(std::memory_order_relaxed); below < -(1 << 24)) {
        // The filler sleeps, and each refusal subtracts one. Below zero is as good as zero.
        lease_.compare_exchange_strong(below, 0, std::memory_order_relaxed);
    }
    return false;
}

/// Pays for n permits and the next lease, or, as nobody waits for the one who does that, for n permits.
template <class Clock>
bool leased_gcra::fill_and_take(std::uint64_t n, Clock const& clock) noexcept
{
    std::unique_lock const filler{filler_, std::try_to_lock};
    if (!filler) return take(n, clock.now());
    bias_.settle();
    auto const held = in_lease();
    auto const most = static_cast<std::int32_t>(rate_now().lease);
    if (held >= most || n <= static_cast<std::uint64_t>(held)) return false;  // another one was faster
    auto const got = lend(n, most - held, clock.now());
    if (got.extra > 0) {
        auto left = lease_.load(std::memory_order_relaxed);
        auto const extra = static_cast<std::int32_t>(got.extra);
        while (!lease_.compare_exchange_weak(left, std::max(left, 0) + extra, std::memory_order_relaxed)) {}
    }
    return got.admitted;
}

}  // namespace weir::detail
