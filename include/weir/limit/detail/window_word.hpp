// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>

namespace weir::detail {

/// So many permits per window. Windows start at the multiples of their length on the clock's scale; they are numbered
/// from `origin`, which is one of them.
struct window_frame {
    std::int64_t origin = 0;
    std::uint64_t window = 1;
    std::uint64_t limit = 0;

    /// Throws: std::invalid_argument, naming `who` and the field.
    static window_frame checked(std::uint64_t limit, std::uint64_t most, duration window, std::string const& who)
    {
        using namespace std::chrono_literals;
        if (limit > most) bad_option(who + ".limit", "at most " + std::to_string(most), limit);
        if (window <= 0ns || window > 365 * 24h)
            bad_option(who + ".window", "more than 0 and at most 365 days", window);
        window_frame f{0, static_cast<std::uint64_t>(window.count()), limit};
        f.origin = f.lowest();
        return f;
    }

    /// The first multiple of the window on the scale. Older instants, of 292 years before the epoch, count as this.
    [[nodiscard]] std::int64_t lowest() const noexcept
    {
        auto const w = static_cast<std::int64_t>(window);
        return std::numeric_limits<std::int64_t>::min() / w * w;
    }

    // Arithmetic wraps: a frame read while it is being replaced may be a mixture; what comes of it is discarded.
    [[nodiscard]] std::uint64_t since_origin(time_point now) const noexcept
    {
        auto const t = std::max<std::int64_t>(now.time_since_epoch().count(), lowest());
        return static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(origin);
    }
    /// For an older frame: 0 before its origin.
    [[nodiscard]] std::uint64_t since_or_zero(time_point now) const noexcept
    {
        return now.time_since_epoch().count() < origin ? 0 : since_origin(now);
    }
    /// The beginning of a window, held at the end of the scale.
    [[nodiscard]] std::uint64_t start(std::uint64_t index) const noexcept
    {
        constexpr auto end = std::numeric_limits<std::uint64_t>::max();
        return index > end / window ? end : index * window;
    }
    [[nodiscard]] time_point instant(std::uint64_t since) const noexcept
    {
        auto const left =
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - static_cast<std::uint64_t>(origin);
        if (since > left) return never;
        return time_point{duration{static_cast<std::int64_t>(static_cast<std::uint64_t>(origin) + since)}};
    }
};

/// What a way of counting says to n permits: when they pass, in nanoseconds since the origin, and the count with them.
struct window_plan {
    std::uint64_t start;
    std::uint64_t after;
};

/// A limiter that counts by windows, on one 64-bit word: count (56 bits) | generation (8 bits).
///
/// `Counting` says what the count means, in pure functions of (frame, count, nanoseconds since the origin):
///
///     most                  the largest limit
///     reach(frame)          how many windows after the origin its bits can tell apart, with as many more to reserve in
///     newest(frame, count)  the last window that it has counted in
///     fits(..., n, after)   true when n permits pass now; after: the count with them
///     plan(..., n)          when n permits pass at the earliest
///     available(...)        what passes now
///     moved(...)            the count in another frame
///
/// Bit 0 of the generation says in which of two frames (limit, window, origin) it is counted. A writer fills the idle
/// frame, then moves the word over in one compare-exchange. A reader whose frame was replaced meanwhile fails its own
/// compare-exchange, or sees the new generation before it says no; to be fooled it would have to sleep through exactly
/// 256 changes that end in the very same count. The same move brings the origin up to date when the reach has run out,
/// so no idle time is too long.
template <class Counting>
class alignas(64) window_word {
public:
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;                ///< admitted: when to start. Refused: when to ask again
        std::uint64_t before = 0, after = 0;  ///< the word around our admission
    };

    explicit window_word(window_frame const& f) noexcept { frames_[0].store(f); }
    window_word(window_word&& other) noexcept : word_(other.word_.load())
    {
        for (int i : {0, 1}) frames_[i].store(other.frames_[i].load());
    }

    /// Takes n permits now, or says no.
    [[nodiscard]] bool take(std::uint64_t n, time_point now) noexcept
    {
        if (n == 0) return true;
        for (auto word = word_.load(std::memory_order_acquire);;) {
            auto const s = look_at(word, now);
            std::uint64_t after = 0;
            bool const fits = s.known && n <= s.frame.limit && Counting::fits(s.frame, word >> 8, s.since, n, after);
            if (fits ? exchange(word, after) : !replaced(word)) return fits;
        }
    }

    /// Takes n permits for use at `answer::at`, not more than max_wait from now, or says when to ask again.
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait) noexcept
    {
        return ask<true>(n, now, max_wait);
    }

    /// What `reserve` would answer now. Takes nothing.
    [[nodiscard]] answer look(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        return const_cast<window_word*>(this)->template ask<false>(n, now, max_wait);
    }

    /// Undoes an admission, unless something was admitted behind it: the word goes back to what it was, as if nobody
    /// had asked.
    bool undo(answer const& a) noexcept
    {
        auto expected = a.after;
        return a.before != a.after &&
               word_.compare_exchange_strong(expected, a.before, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
    {
        for (auto word = word_.load(std::memory_order_acquire);;) {
            auto const s = look_at(word, now);
            auto const n = s.known ? Counting::available(s.frame, word >> 8, s.since) : 0;
            if (!replaced(word)) return n;
        }
    }

    // As they are in force.
    [[nodiscard]] std::uint64_t limit() const noexcept { return frame_now().limit; }
    [[nodiscard]] duration window() const noexcept { return duration{static_cast<duration::rep>(frame_now().window)}; }

    /// Spends what is available.
    void drain(time_point now) noexcept
    {
        for (auto word = word_.load(std::memory_order_acquire);;) {
            auto const s = look_at(word, now);
            auto const n = s.known ? Counting::available(s.frame, word >> 8, s.since) : 0;
            std::uint64_t after = 0;
            bool const any = n != 0 && Counting::fits(s.frame, word >> 8, s.since, n, after);
            if (any ? exchange(word, after) : !replaced(word)) return;
        }
    }

    /// A new limit and window. Waits for nobody but another writer.
    void reconfigure(window_frame next, time_point now) noexcept
    {
        std::scoped_lock const lock{writers_};
        auto const index = next.since_origin(now) / next.window;
        auto const reach = Counting::reach(next);
        move_to(
            [&](window_frame const& old, std::uint64_t count) {
                auto const reserved = old.instant(old.start(Counting::newest(old, count)));
                auto const last = next.since_origin(std::max(now, reserved)) / next.window;
                auto const first = std::max(index - std::min(reach / 2, index), last - std::min(2 * reach, last));
                auto f = next;
                f.origin = next.instant(next.start(first)).time_since_epoch().count();
                return f;
            },
            now);
    }

private:
    static constexpr std::uint64_t generation = 0xff;

    /// A frame in shared memory. Release and acquire on every number: who meets one of a later frame, and then looks at
    /// the word, also meets its later generation.
    class shared_frame {
    public:
        void store(window_frame const& f) noexcept
        {
            origin_.store(f.origin, std::memory_order_release);
            window_.store(f.window, std::memory_order_release);
            limit_.store(f.limit, std::memory_order_release);
        }
        [[nodiscard]] window_frame load() const noexcept
        {
            return {origin_.load(std::memory_order_acquire), window_.load(std::memory_order_acquire),
                    limit_.load(std::memory_order_acquire)};
        }

    private:
        atomic<std::int64_t> origin_{0};
        atomic<std::uint64_t> window_{1}, limit_{0};
    };

    struct sight {
        window_frame frame;
        std::uint64_t since;
        bool known;  ///< false: the clock went back further than the frame tells
    };

    [[nodiscard]] window_frame frame_now() const noexcept
    {
        for (auto word = word_.load(std::memory_order_acquire);;) {
            auto const f = frames_[word & 1].load();
            if (!replaced(word)) return f;
        }
    }

    /// The frame of `word`, and where `now` lies in it. May renew `word`.
    [[nodiscard]] sight look_at(std::uint64_t& word, time_point now) const noexcept
    {
        for (;;) {
            auto const f = frames_[word & 1].load();
            auto const since = f.since_origin(now);
            if (since / f.window <= Counting::reach(f)) [[likely]]
                return {f, since, true};
            bool const ahead = rebase(now);
            if (!replaced(word) && !ahead) return {f, since, false};
        }
    }

    /// True, and `word` renewed, when the frame that belonged to `word` is no longer in force.
    [[nodiscard]] bool replaced(std::uint64_t& word) const noexcept
    {
        auto const again = word_.load(std::memory_order_acquire);
        if (((again ^ word) & generation) == 0) return false;
        word = again;
        return true;
    }

    [[nodiscard]] bool exchange(std::uint64_t& word, std::uint64_t count) noexcept
    {
        return word_.compare_exchange_weak(word, count << 8 | (word & generation), std::memory_order_acq_rel,
                                           std::memory_order_acquire);
    }

    template <bool Take>
    [[nodiscard]] answer ask(std::uint64_t n, time_point now, duration max_wait) noexcept;
    [[nodiscard]] bool rebase(time_point now) const noexcept;
    template <class FrameFor>
    void move_to(FrameFor const& frame_for, time_point now) const noexcept;

    // Mutable, because whoever merely looks may be the one to bring the origin up to date.
    mutable atomic<std::uint64_t> word_{0};
    mutable shared_frame frames_[2];
    mutable mutex writers_;
};

template <class Counting>
template <bool Take>
auto window_word<Counting>::ask(std::uint64_t n, time_point now, duration max_wait) noexcept -> answer
{
    if (n == 0) return {true, {}, now};
    for (auto word = word_.load(std::memory_order_acquire);;) {
        auto const s = look_at(word, now);
        auto const& f = s.frame;
        if (!s.known) return {false, errc::rate_limited, time_point{duration{f.origin}}};
        if (n > f.limit) {
            if (replaced(word)) continue;
            return {false, errc::exceeds_burst, never};
        }
        auto const plan = Counting::plan(f, word >> 8, s.since, n);
        auto const longest = std::min(Counting::reach(f), std::numeric_limits<std::uint64_t>::max() / 4 / f.window);
        auto const wait =
            std::min(static_cast<std::uint64_t>(std::max(max_wait, duration::zero()).count()), longest * f.window);
        auto const at = plan.start == s.since ? now : f.instant(plan.start);
        if (plan.start - s.since > wait || at == never) {
            if (replaced(word)) continue;
            return {false, errc::rate_limited, at == never ? never : f.instant(plan.start - wait)};
        }
        auto const before = word;
        auto const after = plan.after << 8 | (word & generation);
        if (Take ? exchange(word, plan.after) : !replaced(word)) return {true, {}, at, before, after};
    }
}

/// The same windows with an origin that reaches `now`. False when `now` lies before the origin, not beyond its reach.
template <class Counting>
bool window_word<Counting>::rebase(time_point now) const noexcept
{
    std::scoped_lock const lock{writers_};
    auto f = frames_[word_.load(std::memory_order_acquire) & 1].load();
    if (now.time_since_epoch().count() < f.origin && f.origin != f.lowest()) return false;
    auto const index = f.since_origin(now) / f.window;
    auto const reach = Counting::reach(f);
    if (index <= reach) return true;  // another thread did it
    f.origin = static_cast<std::int64_t>(static_cast<std::uint64_t>(f.origin) + (index - reach / 2) * f.window);
    move_to([&](auto&&...) { return f; }, now);
    return true;
}

/// Into the frame that `frame_for(old frame, count)` says: for the very count that is moved, or one that others have
/// taken further meanwhile may lie beyond its reach.
/// Precondition: writers_ is held.
template <class Counting>
template <class FrameFor>
void window_word<Counting>::move_to(FrameFor const& frame_for, time_point now) const noexcept
{
    auto word = word_.load(std::memory_order_acquire);
    auto const old = frames_[word & 1].load();
    for (;;) {
        auto const next = frame_for(old, word >> 8);
        frames_[(word + 1) & 1].store(next);
        auto const count = Counting::moved(old, word >> 8, next, now);
        auto const after = count << 8 | ((word + 1) & generation);
        if (word_.compare_exchange_weak(word, after, std::memory_order_acq_rel, std::memory_order_acquire)) return;
    }
}

}  // namespace weir::detail
