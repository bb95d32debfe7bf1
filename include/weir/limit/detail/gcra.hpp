// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/byte_lock.hpp>
#include <weir/limit/detail/gcra_frame.hpp>
#include <weir/limit/detail/gcra_rate.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>
#include <mutex>

namespace weir::detail {

/// The generic cell rate algorithm on one 64-bit word (ITU-T I.371; the word is the "theoretical arrival time", TAT).
///
/// TAT - now is the debt; n permits fit when debt + n*T <= burst*T, and then TAT = max(TAT, now) + n*T. In the order of
/// the compare-exchanges every admission adds n*T, and TAT stays within burst*T of the clock; hence
/// admitted <= rate * t + burst in every window t, however many threads ask. Refusing only reads.
///
///     word = TAT in ticks since an origin (56 bits) | lending (1) | generation (7)
///
/// Bit 0 of the generation says in which of two frames (rate and origin) the TAT is counted. A writer fills the idle
/// frame, then moves the word over in one compare-exchange that keeps the debt in permits. A reader whose frame was
/// replaced meanwhile fails its own compare-exchange, or sees the new generation before it says no; to be fooled it
/// would have to sleep through exactly 128 changes that end in the very same TAT. The same move brings the origin up to
/// date when its 55 bits of clock have run out, so no idle time is too long.
///
/// While `lending` is set, permits may also be outside, paid for and not yet used, at most `aside` of them: the word
/// then holds burst - aside at most, and both together never more than the burst (detail/leased_gcra.hpp).
class gcra {
public:
    /// The word around an admission.
    struct passage {
        std::uint64_t before = 0, after = 0;
    };
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;  ///< admitted: when to start. Refused: when to ask again
        passage made = {};
    };

    /// `parts`: how many lease at most rate.lease permits each; a power of two.
    explicit gcra(gcra_rate const& r, unsigned parts = 1) noexcept
        : frames_({r, std::numeric_limits<std::int64_t>::min()}),
          log2_parts_(static_cast<std::uint8_t>(std::bit_width(parts) - 1))
    {
    }
    gcra(gcra&& other) noexcept : word_(other.word_.load()), frames_(other.frames_), log2_parts_(other.log2_parts_) {}

    /// Takes n permits now, or says no.
    [[nodiscard]] bool take(std::uint64_t n, time_point now) noexcept
    {
        passage made;
        return take(n, now, made);
    }
    [[nodiscard, gnu::always_inline]] bool take(std::uint64_t n, time_point now, passage& made) noexcept
    {
        return n == 0 || decide<false>(n, now, made) == verdict::taken;
    }

    struct refusal {
        errc why = errc::rate_limited;
        time_point at = never;  ///< when to ask again
        bool lending = false;   ///< permits outside, or the room set aside for them, might have helped
    };
    /// The same, which also says why not, in one decision. Precondition: n > 0.
    [[nodiscard, gnu::always_inline]] bool take(std::uint64_t n, time_point now, passage& made, refusal& no) noexcept
    {
        return decide<false>(n, now, made, no) == verdict::taken;
    }

    /// Takes n permits for use at `answer::at`, not more than max_wait from now, or says when to ask again.
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait) noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<true>(n, now, max_wait, 0);
    }

    /// What `reserve` would answer now if `back` permits from outside came back. Takes nothing.
    [[nodiscard]] answer look(std::uint64_t n, time_point now, duration max_wait, std::int64_t back = 0) const noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<false>(n, now, max_wait, back);
    }

    /// Undoes an admission, unless something was admitted behind it: the word goes back to what it was, as if nobody
    /// had asked. Subtracting the permits from a word that has moved on would mint them whenever the bucket had been
    /// full in between.
    bool undo(passage made) noexcept
    {
        return made.before != made.after &&
               word_.compare_exchange_strong(made.after, made.before, std::memory_order_acq_rel);
    }

    /// Whole permits on hand, without those outside.
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept;

    /// A new rate and burst; permits already spent stay spent. Waits for nobody but another writer. The debt is
    /// measured at `now`, a time or a clock. Only a clock can be asked again when an admission has come between: at an
    /// older time the new rate would count as earned what came before that admission.
    /// Precondition: not lending.
    template <class Now>
    void reconfigure(gcra_rate const& next, Now const& now) noexcept;

    /// Spends all that is on hand. Precondition: not lending.
    void drain(time_point now) noexcept;

    // For those who lend.

    enum class verdict { refused, taken, plenty };

    /// Takes n permits, n > 0. If asked to see plenty, it takes nothing where a good part of a lease is on hand too.
    /// `no`: nothing, or a refusal to fill in.
    template <bool SeePlenty, class... No>
    [[nodiscard, gnu::always_inline]] verdict decide(std::uint64_t n, time_point now, passage& made,
                                                     No&... no) noexcept;

    /// Whether n permits, n > 0, are refused for certain: the way of most refusals, with nothing but loads in it. False
    /// says nothing. `for_long`: for 65 microseconds and more.
    [[nodiscard, gnu::always_inline]] bool refuses(std::uint64_t n, time_point now, bool& for_long) const noexcept
    {
        auto const word = word_.load(std::memory_order_acquire);
        auto const f = frames_.load(word);
        auto const at = f.at(now);
        if (at >= gcra_rate::span || (word & lending) != 0) return false;
        auto const allowed_from = add(tat(word), subtract(f.cost(n), f.full()));
        if (at >= allowed_from || n > static_cast<std::uint64_t>(f.rate.burst)) return false;
        for_long = subtract(allowed_from, at) > f.ticks(1 << 16);
        return ((word_.load(std::memory_order_acquire) ^ word) & generation) == 0;
    }

    struct loan {
        bool admitted = false;
        std::int64_t extra = 0;
    };
    /// Takes n permits and up to `most` for use outside, the wish halved until it fits. Nothing where less than `least`
    /// are on hand. What goes outside is in the room that the word sets aside from then on, or, `own_room`, in one that
    /// was never the word's.
    [[nodiscard]] loan lend(std::uint64_t n, std::int64_t most, time_point now, std::int64_t least = 0,
                            bool own_room = false) noexcept;

    /// `back` permits come back from outside, all others are spent, and the word holds the whole burst again. They
    /// cannot be too many: the room for them was set aside.
    void end_lending(std::int64_t back, time_point now) noexcept;

    [[nodiscard]] std::uint64_t word() const noexcept { return word_.load(std::memory_order_acquire); }
    [[nodiscard]] static bool is_lending(std::uint64_t word) noexcept { return (word & lending) != 0; }
    [[nodiscard]] bool is_lending() const noexcept { return is_lending(word()); }
    [[nodiscard]] gcra_rate rate_now() const noexcept;

private:
    static constexpr std::uint64_t generation = 0x7f;
    static constexpr std::uint64_t lending = 0x80;

    using frame = gcra_frame;

    static std::int64_t tat(std::uint64_t word) noexcept { return static_cast<std::int64_t>(word >> 8); }
    static std::int64_t add(std::int64_t a, std::int64_t b) noexcept
    {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    }
    static std::int64_t subtract(std::int64_t a, std::int64_t b) noexcept
    {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
    }
    static std::int64_t debt(std::uint64_t word, std::int64_t at) noexcept
    {
        return std::max<std::int64_t>(tat(word) - at, 0);
    }
    static std::uint64_t with_tat(std::uint64_t word, std::int64_t tat, std::uint64_t flag) noexcept
    {
        return static_cast<std::uint64_t>(tat) << 8 | flag | (word & generation);
    }
    /// Ticks that the word must leave free, for permits outside; `back` of them are there again.
    [[nodiscard]] std::int64_t aside(std::uint64_t word, frame const& f, std::int64_t back = 0) const noexcept
    {
        return word & lending ? f.cost((f.rate.lease << log2_parts_) - back) : 0;
    }

    /// True, and `word` renewed, when the frame that belonged to `word` is no longer in force.
    [[nodiscard]] bool replaced(std::uint64_t& word) const noexcept
    {
        auto const again = word_.load(std::memory_order_acquire);
        if (((again ^ word) & generation) == 0) return false;
        word = again;
        return true;
    }

    template <bool Take>
    [[nodiscard]] answer ask(std::uint64_t n, time_point now, duration max_wait, std::int64_t back) const noexcept;

    template <class Next>
    void change(time_point now, Next next) noexcept;
    [[nodiscard, gnu::cold]] bool rebase(time_point now) const noexcept;
    template <class Now>
    void move_to(frame next, Now const& now) const noexcept;
    static time_point told(time_point now) noexcept { return now; }
    template <class Now>
    static time_point told(Now const& clock) noexcept
    {
        return clock.now();
    }

    // Mutable, because whoever merely looks may be the one to bring the origin up to date.
    mutable atomic<std::uint64_t> word_{0};
    mutable gcra_frames frames_;
    std::uint8_t log2_parts_;
    mutable byte_lock writers_;
};

// Bodies

template <bool SeePlenty, class... No>
inline gcra::verdict gcra::decide(std::uint64_t n, time_point now, passage& made, No&... no) noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        auto const cost = f.cost(n);
        auto const limit = subtract(f.full(), aside(word, f));
        auto const allowed_from = add(tat(word), subtract(cost, limit));
        auto const at = f.at(now);
        if (at >= gcra_rate::span) [[unlikely]] {
            bool const ahead = rebase(now);
            if (replaced(word) || ahead) continue;
            ((no.at = time_point{duration{f.origin}}), ...);
            return verdict::refused;  // the clock went back that far
        }
        if (at < allowed_from || cost > limit || n > static_cast<std::uint64_t>(f.rate.burst)) {
            if (replaced(word)) continue;
            bool const possible = n <= static_cast<std::uint64_t>(f.rate.burst);
            ((no = possible ? refusal{errc::rate_limited, f.instant(allowed_from), (word & lending) != 0}
                            : refusal{errc::exceeds_burst, never}),
             ...);
            return verdict::refused;
        }
        auto const next = add(std::max(tat(word), at), cost);
        if constexpr (SeePlenty) {
            auto const worth = std::max<std::int64_t>(f.rate.lease / 4, 2);
            bool const lease = f.rate.lease > 0 && n <= static_cast<std::uint64_t>(f.rate.lease);
            if (lease && add(subtract(next, at), f.cost(worth)) <= limit) return verdict::plenty;
        }
        auto const after = with_tat(word, next, word & lending);
        auto const before = word;
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) {
            made = {before, after};
            return verdict::taken;
        }
    }
}

template <bool Take>
gcra::answer gcra::ask(std::uint64_t n, time_point now, duration max_wait, std::int64_t back) const noexcept
{
    auto const wait = static_cast<std::uint64_t>(std::max(max_wait, duration::zero()).count());
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        auto const at = f.at(now);
        if (at >= gcra_rate::span) [[unlikely]] {
            bool const ahead = rebase(now);
            if (replaced(word) || ahead) continue;
            return {false, errc::rate_limited, time_point{duration{f.origin}}};
        }
        auto const total = add(debt(word, at), f.cost(n));
        auto const outside = aside(word, f, back);
        auto const limit = subtract(std::min(add(f.full(), f.ticks(wait)), gcra_rate::span - 1), outside);
        bool const possible = n <= static_cast<std::uint64_t>(f.rate.burst);
        if (!possible || total > limit) {
            if (replaced(word)) continue;
            if (!possible) return {false, errc::exceeds_burst, never};
            return {false, errc::rate_limited, f.instant(add(at, subtract(total, limit)))};
        }
        auto const before = word;
        auto const after = with_tat(word, add(at, total), word & lending);
        if constexpr (Take) {
            if (!word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire))
                continue;
        } else {
            if (replaced(word)) continue;
        }
        auto const ahead = subtract(total, subtract(f.full(), outside));
        return {true, {}, ahead > 0 ? f.instant(add(at, ahead)) : now, {before, after}};
    }
}

inline gcra::loan gcra::lend(std::uint64_t n, std::int64_t most, time_point now, std::int64_t least,
                             bool own_room) noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        auto const at = f.at(now);
        if (at >= gcra_rate::span) [[unlikely]] {
            bool const ahead = rebase(now);
            if (replaced(word) || ahead) continue;
            return {};
        }
        auto const owed = add(debt(word, at), f.cost(n));
        auto const on_hand = subtract(subtract(f.full(), aside(word, f)), debt(word, at));
        auto const room = subtract(on_hand, f.cost(n));
        if (n > static_cast<std::uint64_t>(f.rate.burst) || room < 0 || on_hand < f.cost(least)) {
            if (replaced(word)) continue;
            return {};
        }
        auto extra = most;
        while (f.cost(extra) > room) extra >>= 1;
        // What the word counts as on hand is from now on less by what is set aside; more than that it cannot hold.
        auto const flag = extra > 0 && !own_room ? lending : word & lending;
        auto const next = std::max<std::int64_t>(subtract(add(owed, f.cost(extra)), aside(flag & ~word, f)), 0);
        auto const after = with_tat(word, add(at, next), flag);
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire))
            return {true, extra};
    }
}

/// Replaces the word by next(frame, now in ticks, word).
template <class Next>
void gcra::change(time_point now, Next next) noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        auto at = f.at(now);
        if (at >= gcra_rate::span) [[unlikely]] {
            bool const ahead = rebase(now);
            if (replaced(word) || ahead) continue;
            at = 0;  // the clock went back beyond the origin
        }
        auto const after = next(f, at, word);
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) return;
    }
}

inline void gcra::end_lending(std::int64_t back, time_point now) noexcept
{
    change(now, [&](frame const& f, std::int64_t at, std::uint64_t word) {
        return with_tat(word, word & lending ? add(std::max(tat(word), at), aside(word, f, back)) : tat(word), 0);
    });
}

inline void gcra::drain(time_point now) noexcept
{
    change(now, [](frame const& f, std::int64_t at, std::uint64_t word) {
        return with_tat(word, std::max(tat(word), add(at, f.full())), word & lending);
    });
}

inline std::uint64_t gcra::available(time_point now) const noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        auto const at = f.at(now);
        bool const in_reach = at < gcra_rate::span;
        bool const ahead = !in_reach && rebase(now);
        if (replaced(word) || ahead) continue;
        if (!in_reach) return 0;
        auto const left = subtract(subtract(f.full(), aside(word, f)), debt(word, at));
        return left > 0 ? static_cast<std::uint64_t>(left / f.rate.interval) : 0;
    }
}

inline gcra_rate gcra::rate_now() const noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_.load(word);
        if (!replaced(word)) return f.rate;
    }
}

template <class Now>
void gcra::reconfigure(gcra_rate const& next, Now const& now) noexcept
{
    std::scoped_lock const lock{writers_};
    auto const half = duration{static_cast<std::int64_t>(next.reach() / 2)};
    move_to({next, later(told(now), -half).time_since_epoch().count()}, now);
}

/// The same rate with an origin that reaches `now`. False when `now` lies before the origin, not beyond its reach.
inline bool gcra::rebase(time_point now) const noexcept
{
    std::scoped_lock const lock{writers_};
    auto f = frames_.load(word_.load(std::memory_order_acquire));
    auto const t = now.time_since_epoch().count();
    if (t < f.origin) return false;
    if (f.at(now) < gcra_rate::span) return true;  // another thread did it
    auto const since = static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(f.origin);
    auto const step =
        std::max(gcra_frames::unit, std::int64_t{1} << f.rate.shift);  // whole ticks, so nothing is rounded
    auto const ahead = (since - f.rate.reach() / 2) & ~static_cast<std::uint64_t>(step - 1);
    f.origin = static_cast<std::int64_t>(static_cast<std::uint64_t>(f.origin) + ahead);
    move_to(f, now);
    return true;
}

/// Precondition: writers_ is held.
template <class Now>
void gcra::move_to(frame next, Now const& now) const noexcept
{
    constexpr int128 far = int128{1} << 56;
    auto word = word_.load(std::memory_order_acquire);
    auto const old = frames_.load(word);
    for (bool stored = false;;) {
        if (!stored) {
            frames_.store(word + 1, next);
            next.origin = frames_.load(word + 1).origin;  // rounded down to its unit
            stored = true;
        }
        int128 const up = (int128{1} << next.rate.shift) - 1;   // rounded towards more debt, here and below
        int128 const t = told(now).time_since_epoch().count();  // asked after the word was read
        int128 const old_at = ((t - old.origin) * old.rate.mul) >> old.rate.shift;
        int128 const next_at = ((t - next.origin) * next.rate.mul + up) >> next.rate.shift;
        // Negative when the bucket has long been full: kept, so that an older reading still finds it full.
        auto const owed = std::clamp(tat(word) - old_at, -far, far) * next.rate.interval;
        auto const scaled = owed / old.rate.interval + (owed % old.rate.interval > 0 ? 1 : 0);
        if (next_at + scaled >= far) {
            // So many permits are owed that they take longer than this word can tell: in longer ticks it can.
            if (auto const r = next.rate.with_room_for(scaled / next.rate.interval + 1);
                r.interval < next.rate.interval) {
                next.rate = r;
                stored = false;
                continue;
            }
        }
        auto const moved = static_cast<std::uint64_t>(std::clamp(next_at + scaled, int128{0}, far - 1));
        auto const after = moved << 8 | (word & lending) | ((word + 1) & generation);
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) return;
    }
}

}  // namespace weir::detail
