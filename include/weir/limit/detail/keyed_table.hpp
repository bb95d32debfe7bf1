// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/keyed_buckets.hpp>
#include <weir/limit/detail/keyed_flow.hpp>
#include <weir/limit/detail/keyed_memory.hpp>
#include <weir/limit/detail/keyed_scale.hpp>
#include <weir/limit/keyed_limiter_options.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __GNUC__
#define WEIR_DETAIL_RARE [[gnu::noinline]]
#else
#define WEIR_DETAIL_RARE
#endif

namespace weir::detail {

/// The debts of many keys in a flat table of cache lines. A key may be in one of two buckets, its home first.
///
/// A key whose TAT has passed owes nothing and equals one that is not there, so its slot may go to any other key:
/// nothing is ever swept out to make room. Only when all slots of both buckets are in debt, the one nearest to the end
/// of it goes. A key enters under the lock of its home bucket, so that it never has two slots; all else is one
/// compare-exchange.
///
/// Why never over, also for a caller who was stopped between reading the clock and coming here: per slot, TATs are as
/// in gcra.hpp. A slot that changes hands leaves behind when its old owner was out of debt (`freed`), and who enters
/// with an older reading starts with that debt. A reading from before the last change of rates is taken on the clock of
/// then; from before others, its debt is judged by the earliest that the clock may have shown, and lasts as if it had
/// shown the latest. Readings more than `period` before the newest are refused altogether:
/// `lowest_` moves up with time and is looked at after the word, so no reading can meet a word that lies half a range
/// of the TAT ahead of it. Words are cleared before they lie half a range behind: every caller who is the first in
/// 1/1024 of a period does so for 1/1024 of the buckets. A unit of W/16, where W is the range of the TAT:
///
///     period     as long as the fastest quota takes for one; no caller sees `mark_` further than this from its `now`
///     TAT        at most 4 ahead of the reading that made it (one is the burst, the rest a reservation), 3 behind
template <class Bucket>
class keyed_table {
public:
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;  ///< admitted: when to start. Refused: when to ask again
        atomic<std::uint64_t>* word = nullptr;
        std::uint64_t before = 0, after = 0;  ///< the word around our admission
    };

    /// Throws: std::invalid_argument, naming keyed_limiter_options.
    explicit keyed_table(keyed_limiter_options const& o)
        : scale_(keyed_scale<Bucket>::of(o)),
          buckets_(buckets_for(o.capacity)),
          stripes_(stripes_for(buckets_.size())),
          period_(period_of(o.quotas, scale_)),
          quotas_(o.quotas.size()),
          capacity_(o.capacity)
    {
        for (std::size_t q = 0; q < quotas_; ++q) flows_[q].store({o.quotas[q].rate, o.quotas[q].burst, scale_});
    }

    /// Starts to bring the key's home closer.
    void prefetch(keyed_id id) const noexcept { prefetch(home(id)); }
    /// And the other place, when there are no more keys to come and memory would wait for us.
    void prefetch_both(keyed_id id) const noexcept { prefetch(home(id)), prefetch(other(id)); }

    [[nodiscard]] bool take(keyed_id id, std::size_t quota, std::uint64_t n, time_point now) noexcept
    {
        if (n == 0) return true;
        // The usual case on its own: the fewer the instructions, the more decisions wait for memory at once.
        prefetch(other(id));
        demand d;
        if (read_clock(d, quota, now) && n <= d.flow.burst) {
            measure<purpose::spend>(d, n, duration::zero());
            auto const v = at_once(id, d);
            if (v == verdict::admitted || v == verdict::refused) [[likely]]
                return v == verdict::admitted;
        }
        return ask<purpose::spend>(id, quota, n, now, duration::zero()).admitted;
    }
    [[nodiscard]] answer reserve(keyed_id id, std::size_t quota, std::uint64_t n, time_point now,
                                 duration max_wait) noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<purpose::reserve>(id, quota, n, now, max_wait);
    }
    [[nodiscard]] answer look(keyed_id id, std::size_t quota, std::uint64_t n, time_point now) noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<purpose::look>(id, quota, n, now, duration::zero());
    }
    void drain(keyed_id id, std::size_t quota, time_point now) noexcept
    {
        (void)ask<purpose::drain>(id, quota, 0, now, duration::zero());
    }
    [[nodiscard]] std::uint64_t available(keyed_id id, std::size_t quota, time_point now) noexcept
    {
        return ask<purpose::count>(id, quota, 0, now, duration::zero()).after;
    }

    /// One permit for each key, all at one instant. Returns how many got one.
    [[nodiscard]] std::size_t take_each(keyed_id const* ids, std::uint8_t const* quotas, std::size_t count, bool* out,
                                        time_point now) noexcept;

    /// Undoes an admission, unless the key was admitted again since or its slot is another's: the word goes back to
    /// what it was, as if nobody had asked.
    bool undo(answer const& a) noexcept
    {
        auto after = a.after;
        return a.word != nullptr && a.word->compare_exchange_strong(after, a.before, std::memory_order_acq_rel);
    }

    /// The new rates count from `now`, a time or a clock. Only a clock can be asked again when those who have read it
    /// before the change can do no more with the old rates: what they are admitted at a later time than that of the
    /// change would be earned once more at the new one.
    /// Throws: std::invalid_argument, naming keyed_limiter_options; then nothing has changed.
    template <class Now>
    void reconfigure(std::vector<keyed_quota> const& next, Now const& now);

    [[nodiscard]] std::uint64_t forced() const noexcept { return forced_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::size_t quotas() const noexcept { return quotas_; }
    /// Of this quota in this table, and of nothing else.
    [[nodiscard]] void const* address_of(std::size_t quota) const noexcept { return &flows_[quota]; }
    [[nodiscard]] std::size_t bytes() const noexcept
    {
        return sizeof *this + buckets_.size() * sizeof(Bucket) + stripes_.size() * sizeof(stripe);
    }
    [[nodiscard]] std::size_t in_debt(time_point now) noexcept;

private:
    static constexpr std::int64_t sixteenth = std::int64_t{1} << (Bucket::tat_bits - 4);
    static constexpr std::int64_t slices = 1024;  // of a period
    static constexpr std::int64_t unset = std::numeric_limits<std::int64_t>::min();

    enum class purpose { spend, reserve, look, count, drain };
    enum class verdict { admitted, refused, gone, stale };

    struct demand {
        keyed_flow flow;
        std::int64_t now;
        std::uint64_t at;    // now, on the flow
        std::int64_t least;  // and so much later it may have been: a key that owes nothing is taken to owe this
        std::uint64_t quota;
        std::int64_t cost, full, limit;  // in units
    };
    struct place {
        Bucket* bucket = nullptr;
        unsigned slot = 0;
        std::uint64_t word = 0;
        std::int64_t left = std::numeric_limits<std::int64_t>::max();  // nanoseconds of debt; negative: since it ended
    };
    struct stripe {
        mutex entering;
        atomic<std::int64_t> freed{unset};  // the latest end of a debt whose slot has changed hands
    };

    /// t + d, held at the ends of the scale.
    static std::int64_t sum(std::int64_t t, std::int64_t d) noexcept
    {
        return later(time_point{duration{t}}, duration{d}).time_since_epoch().count();
    }
    static std::int64_t period_of(std::vector<keyed_quota> const& quotas, unsigned scale)
    {
        auto shortest = std::int64_t{1} << 60;
        for (auto const& q : quotas)
            shortest = std::min(shortest, keyed_flow{q.rate, q.burst, scale}.nanoseconds(sixteenth));
        return shortest;
    }
    static std::size_t buckets_for(std::size_t capacity) noexcept
    {
        return static_cast<std::size_t>(static_cast<double>(capacity) / Bucket::fill / Bucket::size) + 2;
    }
    static std::size_t stripes_for(std::size_t buckets) noexcept
    {
        return std::clamp<std::size_t>(std::bit_floor(buckets / 16), 1, 1024);
    }

    static void prefetch([[maybe_unused]] Bucket const& b) noexcept
    {
#ifdef __GNUC__
        __builtin_prefetch(&b, 1, 3);
#endif
    }
    [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept
    {
        return static_cast<std::size_t>((uint128{hash} * buckets_.size()) >> 64);
    }
    [[nodiscard]] Bucket& home(keyed_id id) const noexcept { return buckets_[place_of(id.hash)]; }
    [[nodiscard]] Bucket& other(keyed_id id) const noexcept
    {
        auto const first = place_of(id.hash);
        auto const second = place_of(id.hash * 0xd6e8feb86659fd93u);
        return buckets_[second != first ? second : (first != 0 ? first - 1 : 1)];
    }
    [[nodiscard]] stripe& stripe_of(Bucket const& b) noexcept
    {
        return stripes_[buckets_.index_of(b) & (stripes_.size() - 1)];
    }

    template <purpose Why>
    WEIR_DETAIL_RARE [[nodiscard]] answer ask(keyed_id id, std::size_t quota, std::uint64_t n, time_point now,
                                              duration max_wait) noexcept;
    [[nodiscard]] bool read_clock(demand& d, std::size_t quota, time_point now) noexcept;
    WEIR_DETAIL_RARE [[nodiscard]] bool read_clock_before(demand& d) const noexcept;
    template <purpose Why>
    void measure(demand& d, std::uint64_t n, duration max_wait) const noexcept;
    [[nodiscard]] verdict at_once(keyed_id id, demand const& d) noexcept
    {
        answer unused;
        auto const v = in_bucket<purpose::spend>(home(id), id, d, unused);
        return v == verdict::gone ? in_bucket<purpose::spend>(other(id), id, d, unused) : v;
    }
    template <purpose Why>
    [[nodiscard]] verdict in_bucket(Bucket& b, keyed_id id, demand const& d, answer& a) noexcept;
    template <purpose Why>
    [[nodiscard]] verdict decide(demand const& d, std::int64_t debt, std::int64_t& total, answer& a) const noexcept;
    template <purpose Why>
    [[nodiscard]] verdict enter(keyed_id id, demand const& d, answer& a) noexcept;
    [[nodiscard]] std::int64_t debt(std::uint64_t word, demand const& d) const noexcept;
    [[nodiscard]] place choose(Bucket& first, Bucket& second, demand const& d) const noexcept;
    void remember(place const& p, demand const& d) noexcept;

    WEIR_DETAIL_RARE [[nodiscard]] bool catch_up(std::int64_t now) noexcept;
    void advance(std::int64_t now) noexcept;
    void sweep(std::size_t count, std::int64_t lowest) noexcept;
    void raise_lowest(std::int64_t to) noexcept;
    void set_bounds(std::int64_t mark, std::int64_t period) noexcept;
    void hold_up() noexcept;
    static std::int64_t told(time_point now) noexcept { return now.time_since_epoch().count(); }
    template <class Clock>
    static std::int64_t told(Clock const& clock) noexcept
    {
        return told(clock.now());
    }

    // Read by everybody, written once in a slice of a period.
    shared_flow flows_[8];
    atomic<std::int64_t> lowest_{unset};    // older readings are refused
    atomic<std::int64_t> newest_{unset};    // who reads this or more has a slice to clear
    atomic<std::int64_t> furthest_{unset};  // and waits for who is at it, if this or more
    unsigned const scale_;
    flat_array<Bucket> buckets_;
    flat_array<stripe> stripes_;

    alignas(64) mutex writers_;  // guards what follows and the writing of flows_ and of the bounds
    std::int64_t mark_ = 0;
    std::int64_t period_;
    bool used_ = false;
    std::size_t cursor_ = 0;  // the bucket to clear next
    std::size_t const quotas_;
    std::size_t const capacity_;
    atomic<std::uint64_t> forced_{0};
};

}  // namespace weir::detail

#include <weir/limit/detail/keyed_table_bodies.hpp>
