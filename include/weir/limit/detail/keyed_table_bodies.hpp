// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

// Included by keyed_table.hpp only.
#include <weir/limit/detail/keyed_table.hpp>

namespace weir::detail {

/// `now` on the clock of the quota. False when it lies too far back to be told from the future.
template <class Bucket>
bool keyed_table<Bucket>::read_clock(demand& d, std::size_t quota, time_point now) noexcept
{
    d.now = now.time_since_epoch().count();
    d.quota = quota;
    for (;;) {
        // The first caller's time moves the flows: one read before that is of another clock, for good.
        if (newest_.load(std::memory_order_acquire) == unset) (void)catch_up(d.now);
        // First the flow, then the bounds: those of a faster rate are stored before it.
        d.flow = flows_[quota].load();
        if (d.now >= newest_.load(std::memory_order_acquire) && catch_up(d.now)) [[unlikely]]
            continue;
        if (d.now < lowest_.load(std::memory_order_acquire)) return false;
        d.at = d.flow.at(d.now);
        d.least = 0;
        if (d.now >= d.flow.since || read_clock_before(d)) [[likely]]
            return true;
    }
}

/// For a caller who was told a time before the flow began. False: it has changed once more.
template <class Bucket>
bool keyed_table<Bucket>::read_clock_before(demand& d) const noexcept
{
    auto const [flow, before] = flows_[d.quota].load_both();
    if (flow != d.flow) return false;
    d.at = before.at(d.now);
    if (d.now < before.since) d.least = static_cast<std::int64_t>(before.base - d.at);
    return true;
}

/// What n permits are in units, and how much debt is allowed. Precondition: n <= burst.
template <class Bucket>
template <typename keyed_table<Bucket>::purpose Why>
void keyed_table<Bucket>::measure(demand& d, std::uint64_t n, duration max_wait) const noexcept
{
    d.cost = static_cast<std::int64_t>(n << scale_);
    d.full = d.limit = static_cast<std::int64_t>(d.flow.burst << scale_);
    if constexpr (Why == purpose::reserve) {
        auto const wait = static_cast<std::uint64_t>(std::max(max_wait, duration::zero()).count());
        auto const room = 4 * sixteenth - d.full;
        auto const most = d.flow.units_in(wait) >= static_cast<std::uint64_t>(room)
                              ? room
                              : static_cast<std::int64_t>(d.flow.at(sum(d.now, max_wait.count())) - d.at);
        d.limit += std::clamp<std::int64_t>(most, 0, room);
    }
}

template <class Bucket>
std::int64_t keyed_table<Bucket>::debt(std::uint64_t word, demand const& d) const noexcept
{
    // A key whose quota has changed since keeps its debt in permits.
    auto const quota = Bucket::quota(word);
    auto const at = quota == d.quota ? d.at : flows_[quota].load().at(d.now);
    return std::max(Bucket::difference(Bucket::tat(word), at), d.least);
}

/// The decision, and the new debt.
template <class Bucket>
template <typename keyed_table<Bucket>::purpose Why>
auto keyed_table<Bucket>::decide(demand const& d, std::int64_t debt, std::int64_t& total, answer& a) const noexcept
    -> verdict
{
    if constexpr (Why == purpose::count) {
        a.after = debt < d.full ? static_cast<std::uint64_t>(d.full - debt) >> scale_ : 0;
        return verdict::refused;
    }
    total = Why == purpose::drain ? std::max(debt, d.full + d.least) : debt + d.cost;
    if (Why == purpose::drain && total == debt) return verdict::refused;
    if (Why != purpose::drain && total > d.limit) {
        if constexpr (Why != purpose::spend) a.at = d.flow.when(d.at + static_cast<std::uint64_t>(total - d.limit));
        return verdict::refused;
    }
    if constexpr (Why == purpose::reserve)
        a.at = total > d.full ? d.flow.when(d.at + static_cast<std::uint64_t>(total - d.full))
                              : time_point{duration{d.now}};
    if constexpr (Why == purpose::look) a.at = time_point{duration{d.now}};
    return verdict::admitted;
}

template <class Bucket>
template <typename keyed_table<Bucket>::purpose Why>
auto keyed_table<Bucket>::in_bucket(Bucket& b, keyed_id id, demand const& d, answer& a) noexcept -> verdict
{
    // The slot is computed and not found by branches, which nobody could guess: each wrong guess would wait for memory
    // before the next key's cache line is asked for (measured, 10M keys: 204 ns instead of 144).
    std::uint64_t word = 0;
    for (auto mask = b.candidates(id); mask != 0; mask &= mask - 1) {
        auto const i = static_cast<unsigned>(std::countr_zero(mask));
        if (!b.holds(i, id, word)) continue;
        do {
            if (d.now < lowest_.load(std::memory_order_acquire)) return verdict::stale;
            std::int64_t total = 0;
            auto const v = decide<Why>(d, debt(word, d), total, a);
            if (v != verdict::admitted || Why == purpose::look) return v;
            auto const after = Bucket::encode(id, d.quota, d.at + static_cast<std::uint64_t>(total));
            auto const before = word;
            if (b.word(i).compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) {
                if constexpr (Why == purpose::reserve) a.word = &b.word(i), a.before = before, a.after = after;
                return verdict::admitted;
            }
        } while (b.still_holds(i, id, word));
    }
    return verdict::gone;
}

template <class Bucket>
template <typename keyed_table<Bucket>::purpose Why>
auto keyed_table<Bucket>::ask(keyed_id id, std::size_t quota, std::uint64_t n, time_point now,
                              duration max_wait) noexcept -> answer
{
    for (;;) {
        demand d;
        answer a;
        if (!read_clock(d, quota, now)) {
            a.at = time_point{duration{lowest_.load(std::memory_order_acquire)}};
            return a;
        }
        if (n > d.flow.burst) return {false, errc::exceeds_burst, never};
        measure<Why>(d, n, max_wait);
        auto v = in_bucket<Why>(home(id), id, d, a);
        if (v == verdict::gone) v = in_bucket<Why>(other(id), id, d, a);
        if (v == verdict::gone) {
            std::int64_t total = 0;
            if constexpr (Why == purpose::look || Why == purpose::count)
                v = decide<Why>(d, d.least, total, a);
            else
                v = enter<Why>(id, d, a);
        }
        if (v == verdict::stale) continue;
        a.admitted = v == verdict::admitted;
        return a;
    }
}

/// Gives the key a slot, unless somebody else has meanwhile.
template <class Bucket>
template <typename keyed_table<Bucket>::purpose Why>
auto keyed_table<Bucket>::enter(keyed_id id, demand const& d, answer& a) noexcept -> verdict
{
    auto& first = home(id);
    auto& second = other(id);
    std::scoped_lock const lock{stripe_of(first).entering};
    for (;; std::this_thread::yield()) {
        for (auto* const b : {&first, &second})
            if (auto const v = in_bucket<Why>(*b, id, d, a); v != verdict::gone) return v;

        // It may have been here, and left when its debt had ended, which is later than `now` for a caller held up.
        auto const freed = std::max(stripe_of(first).freed.load(std::memory_order_acquire),
                                    stripe_of(second).freed.load(std::memory_order_acquire));
        if (flows_[d.quota].load() != d.flow) return verdict::stale;  // it may not tell what the clock showed then
        auto const debt = freed > d.now
                              ? std::max(Bucket::difference(d.flow.at(std::max(freed, d.flow.since)), d.at), d.least)
                              : d.least;
        auto p = choose(first, second, d);
        if (d.now < lowest_.load(std::memory_order_acquire)) return verdict::stale;
        std::int64_t total = 0;
        if (auto const v = decide<Why>(d, debt, total, a); v != verdict::admitted) return v;
        if (p.bucket == nullptr) continue;  // all slots are just changing hands
        if (p.word != 0 && p.left <= 0) remember(p, d);
        auto after = Bucket::encode(id, d.quota, d.at + static_cast<std::uint64_t>(total));
        if (!p.bucket->claim(p.slot, id, p.word, after)) continue;
        if (p.word != 0 && p.left > 0) forced_.fetch_add(1, std::memory_order_relaxed);
        if constexpr (Why == purpose::reserve) {
            a.word = &p.bucket->word(p.slot);
            a.before = Bucket::encode(id, d.quota, d.at + static_cast<std::uint64_t>(debt));
            a.after = after;
        }
        return verdict::admitted;
    }
}

/// In the bucket with fewer keys in debt, an empty slot, or else the one whose debt has ended longest ago; if none has,
/// the one in either that ends first. An empty one in the other bucket comes before any of those: else keys chase each
/// other out while the table has room.
template <class Bucket>
auto keyed_table<Bucket>::choose(Bucket& first, Bucket& second, demand const& d) const noexcept -> place
{
    place best[2];
    unsigned in_debt[2] = {0, 0};
    for (unsigned k : {0U, 1U}) {
        auto& b = k == 0 ? first : second;
        for (unsigned i = 0; i < Bucket::size; ++i) {
            auto const word = b.word(i).load(std::memory_order_acquire);
            auto left = std::numeric_limits<std::int64_t>::min();  // empty
            if (word != 0) {
                if (Bucket::busy(word)) {
                    ++in_debt[k];
                    continue;
                }
                auto const quota = Bucket::quota(word);
                auto const flow = quota == d.quota ? d.flow : flows_[quota].load();
                auto const owed = Bucket::difference(Bucket::tat(word), flow.at(d.now));
                left = owed > 0 ? std::max<std::int64_t>(flow.nanoseconds(static_cast<std::uint64_t>(owed)), 1)
                                : -flow.nanoseconds(static_cast<std::uint64_t>(-owed));
                in_debt[k] += owed > 0 ? 1 : 0;
            }
            if (best[k].bucket == nullptr || left < best[k].left) best[k] = {&b, i, word, left};
        }
    }
    for (auto const& p : best)
        if (p.bucket == nullptr) return &p == &best[0] ? best[1] : best[0];  // all busy
    bool const empty[2] = {best[0].word == 0, best[1].word == 0};
    if (empty[0] != empty[1]) return best[empty[0] ? 0 : 1];
    if (best[0].left > 0 || best[1].left > 0) return best[best[0].left <= best[1].left ? 0 : 1];
    // A key found at home costs one cache miss, not two.
    return best[in_debt[0] < Bucket::home_first || in_debt[0] <= in_debt[1] ? 0 : 1];
}

/// Notes when the debt of a key that leaves its slot ended. Precondition: it has.
template <class Bucket>
void keyed_table<Bucket>::remember(place const& p, demand const& d) noexcept
{
    auto const ended = std::max(d.now + p.left, flows_[Bucket::quota(p.word)].load().since);
    auto& freed = stripe_of(*p.bucket).freed;
    for (auto known = freed.load(std::memory_order_relaxed); known < ended;)
        if (freed.compare_exchange_weak(known, ended, std::memory_order_acq_rel, std::memory_order_relaxed)) return;
}

template <class Bucket>
std::size_t keyed_table<Bucket>::take_each(keyed_id const* ids, std::uint8_t const* quotas, std::size_t count,
                                           bool* out, time_point now) noexcept
{
    std::size_t admitted = 0;
    demand d;
    bool readable = false;
    for (std::size_t i = 0; i < count; ++i) {
        if (i == 0 || quotas[i] != quotas[i - 1]) {
            readable = read_clock(d, quotas[i], now) && d.flow.burst > 0;
            if (readable) measure<purpose::spend>(d, 1, duration::zero());
        }
        auto v = readable ? at_once(ids[i], d) : verdict::gone;
        if (v != verdict::admitted && v != verdict::refused) [[unlikely]]
            v = ask<purpose::spend>(ids[i], quotas[i], 1, now, duration::zero()).admitted ? verdict::admitted
                                                                                          : verdict::refused;
        out[i] = v == verdict::admitted;
        admitted += out[i] ? 1 : 0;
    }
    return admitted;
}

template <class Bucket>
template <class Now>
void keyed_table<Bucket>::reconfigure(std::vector<keyed_quota> const& next, Now const& now)
{
    keyed_scale<Bucket>::check(next, quotas_, scale_);
    auto const period = period_of(next, scale_);
    keyed_flow flows[8];
    for (std::size_t q = 0; q < quotas_; ++q) flows[q] = {next[q].rate, next[q].burst, scale_};

    std::scoped_lock const lock{writers_};
    if (used_) {
        if (auto const t = told(now); t >= newest_.load(std::memory_order_relaxed)) advance(t);
        hold_up();
        // Whoever got past before has read his clock before this.
        auto const t = std::max(told(now), mark_);
        // Readings from before the change stay good for as long as the fastest of the rates then could make a
        // sixteenth.
        auto const lowest = lowest_.load(std::memory_order_relaxed);
        auto reach = period_;
        for (std::size_t q = 0; q < quotas_; ++q) {
            auto const old = flows_[q].load();
            auto& f = flows[q];
            f.since = std::max(t, old.since);
            f.base = old.at(f.since);
            f.backwards = std::max(old.speed(), old.since > lowest ? old.backwards : 0);
            reach = std::min(reach, static_cast<std::int64_t>(
                                        std::min((uint128{sixteenth} << 20) / f.backwards, uint128{INT64_MAX})));
        }
        raise_lowest(std::max(sum(t, -reach), sum(mark_, -std::min(period, period_))));
    }
    for (std::size_t q = 0; q < quotas_; ++q) flows_[q].store(flows[q]);
    if (used_) set_bounds(mark_, period);
    period_ = period;
}

/// It never comes down again: what lies below may have been cleared.
template <class Bucket>
void keyed_table<Bucket>::raise_lowest(std::int64_t to) noexcept
{
    lowest_.store(std::max(lowest_.load(std::memory_order_relaxed), to), std::memory_order_release);
}

/// Until the bounds are set again, who comes waits for writers_ before he looks at a flow, as the first of all does.
template <class Bucket>
void keyed_table<Bucket>::hold_up() noexcept
{
    furthest_.store(unset, std::memory_order_release);
    newest_.exchange(unset);  // and not a store: that could come to be seen only after our next look at the clock
}

template <class Bucket>
void keyed_table<Bucket>::set_bounds(std::int64_t mark, std::int64_t period) noexcept
{
    raise_lowest(sum(mark, -period));
    newest_.store(sum(mark, std::max<std::int64_t>(period / slices, 1)), std::memory_order_release);
    furthest_.store(sum(mark, period), std::memory_order_release);
}

/// For a caller who is the first so late. False: another is at it, go on.
template <class Bucket>
bool keyed_table<Bucket>::catch_up(std::int64_t now) noexcept
{
    std::unique_lock lock{writers_, std::defer_lock};
    if (now >= furthest_.load(std::memory_order_acquire))
        lock.lock();
    else if (!lock.try_lock())
        return false;
    if (!used_ || now >= newest_.load(std::memory_order_relaxed)) advance(now);
    return now < newest_.load(std::memory_order_relaxed);  // not at the very end of time
}

/// Precondition: writers_ is held.
template <class Bucket>
void keyed_table<Bucket>::advance(std::int64_t now) noexcept
{
    auto const slice = std::max<std::int64_t>(period_ / slices, 1);
    if (!used_) {
        for (std::size_t q = 0; q < quotas_; ++q) {
            auto f = flows_[q].load();
            auto const den = static_cast<std::int64_t>(f.den);
            f.since = sum(now, -(period_ / den + 1) * den);  // so that units are counted from `now`
            flows_[q].store(f);
        }
        used_ = true;
        mark_ = now;
        set_bounds(mark_, period_);
        return;
    }
    auto const late = sum(now, -mark_) / slice;
    bool const whole = late >= slices;
    auto const mark = whole ? now : mark_ + late * slice;
    auto const lowest = std::max(lowest_.load(std::memory_order_relaxed), sum(mark, -period_));
    lowest_.store(lowest, std::memory_order_release);
    auto const share = buckets_.size() / static_cast<std::size_t>(slices) + 1;
    sweep(whole ? buckets_.size() : std::min(static_cast<std::size_t>(late) * share, buckets_.size()), lowest);
    mark_ = mark;
    set_bounds(mark_, period_);
}

/// Clears the words of the next `count` buckets whose debt had ended at `lowest`: no caller can be so late that he
/// would still have found it. Then moves the flows on, once in a round.
template <class Bucket>
void keyed_table<Bucket>::sweep(std::size_t count, std::int64_t lowest) noexcept
{
    std::uint64_t at[8] = {};
    bool all[8] = {};  // so much time has passed that words are not in range any more, and none is in debt
    for (std::size_t q = 0; q < quotas_; ++q) {
        auto const flow = flows_[q].load();
        at[q] = flow.at(lowest);
        auto const passed = std::max<std::int64_t>(sum(lowest, -mark_), 0);
        all[q] = flow.units_in(static_cast<std::uint64_t>(passed)) >= static_cast<std::uint64_t>(5 * sixteenth);
    }
    bool around = false;
    for (; count > 0; --count) {
        auto& b = buckets_[cursor_];
        for (unsigned i = 0; i < Bucket::size; ++i) {
            auto word = b.word(i).load(std::memory_order_acquire);
            if (word == 0 || Bucket::busy(word)) continue;
            auto const q = Bucket::quota(word);
            if (all[q] || Bucket::difference(Bucket::tat(word), at[q]) <= 0)
                b.word(i).compare_exchange_strong(word, 0, std::memory_order_acq_rel);
        }
        if (++cursor_ == buckets_.size()) cursor_ = 0, around = true;
    }
    if (!around) return;
    for (std::size_t q = 0; q < quotas_; ++q) {
        auto flow = flows_[q].load();
        if (lowest < flow.since) continue;
        flow.advance(lowest);
        flows_[q].store(flow);
    }
}

/// Precondition: nobody else is asking; only then is it exact.
template <class Bucket>
std::size_t keyed_table<Bucket>::in_debt(time_point now) noexcept
{
    std::size_t count = 0;
    for (std::size_t q = 0; q < quotas_; ++q) {
        demand d;
        if (!read_clock(d, q, now)) return 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i)
            for (unsigned k = 0; k < Bucket::size; ++k) {
                auto const word = buckets_[i].word(k).load(std::memory_order_relaxed);
                if (word != 0 && !Bucket::busy(word) && Bucket::quota(word) == q && debt(word, d) > d.least) ++count;
            }
    }
    return count;
}

}  // namespace weir::detail
