// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra_rate.hpp>

#include <algorithm>
#include <atomic>
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
///     word = TAT in ticks since an origin (56 bits) | generation (8 bits)
///
/// Bit 0 of the generation says in which of two frames (rate and origin) the TAT is counted. A writer fills the idle
/// frame, then moves the word over in one compare-exchange that keeps the debt in permits. A reader whose frame was
/// replaced meanwhile fails its own compare-exchange, or sees the new generation before it says no; to be fooled it
/// would have to sleep through exactly 256 changes that end in the very same TAT. The same move brings the origin up to
/// date when its 55 bits of clock have run out, so no idle time is too long.
class alignas(64) gcra {
public:
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;                ///< admitted: when to start. Refused: when to ask again
        std::uint64_t before = 0, after = 0;  ///< the word around our admission
    };

    explicit gcra(gcra_rate const& r) noexcept { frames_[0].store({r, std::numeric_limits<std::int64_t>::min()}); }
    gcra(gcra&& other) noexcept : word_(other.word_.load())
    {
        for (int i : {0, 1}) frames_[i].store(other.frames_[i].load());
    }

    /// Takes n permits now, or says no.
    [[nodiscard]] bool take(std::uint64_t n, time_point now) noexcept
    {
        return n == 0 || ask<purpose::spend>(n, now, duration::zero()).admitted;
    }

    /// Takes n permits for use at `answer::at`, not more than max_wait from now, or says when to ask again.
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait) noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<purpose::reserve>(n, now, max_wait);
    }

    /// What `reserve` would answer now. Takes nothing.
    [[nodiscard]] answer look(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        return n == 0 ? answer{true, {}, now} : ask<purpose::look>(n, now, max_wait);
    }

    /// Undoes the admission that turned `before` into `after`, unless something was admitted behind it: the word goes
    /// back to what it was, as if nobody had asked. Subtracting the permits from a word that has moved on would mint
    /// them whenever the bucket had been full in between.
    bool undo(std::uint64_t before, std::uint64_t after) noexcept
    {
        return before != after && word_.compare_exchange_strong(after, before, std::memory_order_acq_rel);
    }

    /// Whole permits on hand.
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept;

    /// A new rate and burst; permits already spent stay spent. Waits for nobody but another writer. The debt is measured
    /// at `now`: no admission should have been made at a later time. `now` is a time, or a function that tells it; only
    /// the function can be asked again when an admission comes between.
    void reconfigure(gcra_rate const& next, time_point now) noexcept
    {
        reconfigure(next, [now] { return now; });
    }
    template <class Now>
    void reconfigure(gcra_rate const& next, Now const& now) noexcept
    {
        std::scoped_lock const lock{writers_};
        auto const half = duration{static_cast<std::int64_t>(next.reach / 2)};
        move_to({next, later(now(), -half).time_since_epoch().count()}, now);
    }

private:
    static constexpr std::uint64_t generation = 0xff;

    struct frame {
        gcra_rate rate;
        std::int64_t origin;

        // Arithmetic wraps: a frame read while it is being replaced may be a mixture; what comes of it is discarded.
        [[nodiscard]] std::uint64_t since_origin(time_point now) const noexcept
        {
            return static_cast<std::uint64_t>(now.time_since_epoch().count()) - static_cast<std::uint64_t>(origin);
        }
        [[nodiscard]] std::int64_t ticks(std::uint64_t ns) const noexcept
        {
            return static_cast<std::int64_t>((ns * static_cast<std::uint64_t>(rate.mul)) >> rate.shift);
        }
        [[nodiscard]] std::int64_t cost(std::uint64_t n) const noexcept
        {
            return static_cast<std::int64_t>(n * static_cast<std::uint64_t>(rate.interval));
        }
        [[nodiscard]] std::int64_t full() const noexcept { return cost(static_cast<std::uint64_t>(rate.burst)); }

        /// The first instant at which so many ticks have passed since the origin.
        [[nodiscard]] time_point instant(std::int64_t ticks) const noexcept
        {
            if (ticks > std::numeric_limits<std::int64_t>::max() >> rate.shift) return never;
            auto const ns = rate.shift > 0 ? ticks << rate.shift : (ticks + rate.mul - 1) / rate.mul;
            return later(time_point{duration{origin}}, duration{ns});
        }
    };

    /// A frame in shared memory. Release and acquire on every number: who meets one of a later frame, and then looks at
    /// the word, also meets its later generation.
    class shared_frame {
    public:
        void store(frame const& f) noexcept
        {
            auto const put = [](auto& to, auto value) { to.store(value, std::memory_order_release); };
            put(mul_, f.rate.mul), put(shift_, f.rate.shift), put(interval_, f.rate.interval);
            put(burst_, f.rate.burst), put(reach_, f.rate.reach), put(origin_, f.origin);
        }
        [[nodiscard]] frame load() const noexcept
        {
            auto const get = [](auto const& from) { return from.load(std::memory_order_acquire); };
            frame f;
            f.rate.mul = get(mul_), f.rate.shift = get(shift_), f.rate.interval = get(interval_);
            f.rate.burst = get(burst_), f.rate.reach = get(reach_), f.origin = get(origin_);
            return f;
        }

    private:
        atomic<std::int64_t> origin_{0}, mul_{1}, shift_{0}, interval_{1}, burst_{0};
        atomic<std::uint64_t> reach_{0};
    };

    static std::int64_t tat(std::uint64_t word) noexcept { return static_cast<std::int64_t>(word >> 8); }
    static std::int64_t add(std::int64_t a, std::int64_t b) noexcept
    {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    }
    static std::int64_t debt(std::uint64_t word, std::int64_t at) noexcept
    {
        return std::max<std::int64_t>(static_cast<std::int64_t>((word >> 8) - static_cast<std::uint64_t>(at)), 0);
    }

    /// True, and `word` renewed, when the frame that belonged to `word` is no longer in force.
    [[nodiscard]] bool replaced(std::uint64_t& word) const noexcept
    {
        auto const again = word_.load(std::memory_order_acquire);
        if (((again ^ word) & generation) == 0) return false;
        word = again;
        return true;
    }

    enum class purpose { spend, reserve, look };  // spend: only yes or no matters, so the times are not worked out

    template <purpose Why>
    [[nodiscard]] answer ask(std::uint64_t n, time_point now, duration max_wait) const noexcept;
    [[nodiscard]] bool rebase(time_point now) const noexcept;
    template <class Now>
    void move_to(frame const& next, Now const& now) const noexcept;

    // Mutable, because whoever merely looks may be the one to bring the origin up to date.
    mutable atomic<std::uint64_t> word_{0};
    mutable shared_frame frames_[2];
    mutable mutex writers_;
};

template <gcra::purpose Why>
gcra::answer gcra::ask(std::uint64_t n, time_point now, duration max_wait) const noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_[word & 1].load();
        auto const since = f.since_origin(now);
        if (since > f.rate.reach) [[unlikely]] {
            bool const ahead = rebase(now);
            if (replaced(word) || ahead) continue;
            return {false, errc::rate_limited, time_point{duration{f.origin}}};  // the clock went back that far
        }
        auto const at = f.ticks(since);
        auto const total = add(debt(word, at), f.cost(n));
        auto limit = f.full();
        if constexpr (Why != purpose::spend) {
            auto const wait = static_cast<std::uint64_t>(std::max(max_wait, duration::zero()).count());
            limit = std::min(add(limit, f.ticks(std::min(wait, f.rate.reach))), gcra_rate::span - 1);
        }
        bool const possible = n <= static_cast<std::uint64_t>(f.rate.burst);
        if (!possible || total > limit) {
            if (replaced(word)) continue;
            if constexpr (Why == purpose::spend) return {};
            if (!possible) return {false, errc::exceeds_burst, never};
            return {false, errc::rate_limited, f.instant(at + (total - limit))};
        }
        auto const before = word;
        auto const after = static_cast<std::uint64_t>(add(at, total)) << 8 | (word & generation);
        if constexpr (Why == purpose::look) {
            if (replaced(word)) continue;
        } else {
            if (!word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire))
                continue;
        }
        if constexpr (Why == purpose::spend) return {true};
        return {true, {}, total > f.full() ? f.instant(at + total - f.full()) : now, before, after};
    }
}

inline std::uint64_t gcra::available(time_point now) const noexcept
{
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const f = frames_[word & 1].load();
        auto const since = f.since_origin(now);
        bool const in_reach = since <= f.rate.reach;
        bool const ahead = !in_reach && rebase(now);
        if (replaced(word) || ahead) continue;
        if (!in_reach) return 0;
        auto const left = f.full() - debt(word, f.ticks(since));
        return left > 0 ? static_cast<std::uint64_t>(left / f.rate.interval) : 0;
    }
}

/// The same rate with an origin that reaches `now`. False when `now` lies before the origin, not beyond its reach.
inline bool gcra::rebase(time_point now) const noexcept
{
    std::scoped_lock const lock{writers_};
    auto f = frames_[word_.load(std::memory_order_acquire) & 1].load();
    if (now.time_since_epoch().count() < f.origin) return false;
    auto const since = f.since_origin(now);
    if (since <= f.rate.reach) return true;  // another thread did it
    auto const whole_ticks = (since - f.rate.reach / 2) >> f.rate.shift << f.rate.shift;
    f.origin = static_cast<std::int64_t>(static_cast<std::uint64_t>(f.origin) + whole_ticks);
    move_to(f, [now] { return now; });
    return true;
}

/// Precondition: writers_ is held.
template <class Now>
void gcra::move_to(frame const& next, Now const& now) const noexcept
{
    constexpr int128 far = int128{1} << 56;
    auto word = word_.load(std::memory_order_acquire);
    auto const old = frames_[word & 1].load();
    frames_[(word + 1) & 1].store(next);

    int128 const up = (int128{1} << next.rate.shift) - 1;  // rounded towards more debt, here and below
    for (;;) {
        // Told after the word was read: no admission in the word is later, or else a faster rate would count as earned
        // what came before it.
        int128 const t = now().time_since_epoch().count();
        int128 const old_at = ((t - old.origin) * old.rate.mul) >> old.rate.shift;
        int128 const next_at = ((t - next.origin) * next.rate.mul + up) >> next.rate.shift;
        // Negative when the bucket has long been full: kept, so that an older reading still finds it full.
        auto const owed = std::clamp(tat(word) - old_at, -far, far) * next.rate.interval;
        auto const scaled = owed / old.rate.interval + (owed % old.rate.interval > 0 ? 1 : 0);
        auto const moved = static_cast<std::uint64_t>(std::clamp(next_at + scaled, int128{0}, far - 1));
        auto const after = moved << 8 | ((word + 1) & generation);
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) return;
    }
}

}  // namespace weir::detail
