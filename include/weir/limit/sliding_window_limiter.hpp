// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/detail/limiter_verbs.hpp>
#include <weir/limit/detail/window_word.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

namespace detail {

/// The count is window (8 bits) | permits of the window before (24) | permits of the window (24). It counts
///
///     permits of the window + permits of the one before * share of that which still lies within `window` of now
///
/// as Cloudflare does ("How we built rate limiting capable of scaling to millions of domains", 2017), with nothing
/// rounded: both sides of every comparison are multiplied by the window.
struct sliding_count {
    static constexpr std::uint64_t most = (1 << 24) - 1;

    static std::uint64_t reach(window_frame const&) noexcept { return 120; }
    static std::uint64_t newest(window_frame const&, std::uint64_t count) noexcept { return count >> 48; }

    static bool fits(window_frame const& f, std::uint64_t count, std::uint64_t since, std::uint64_t n,
                     std::uint64_t& after) noexcept
    {
        auto const c = parts(count).at(since / f.window);
        auto const left = f.window - since % f.window;
        after = c.with(n);
        return c.index == since / f.window && c.now + n <= f.limit &&
               uint128{c.before} * left <= uint128{f.limit - c.now - n} * f.window;
    }
    /// Where the weight of the window before has come down far enough: in the window of now, in the next one, or at
    /// the beginning of the one after it.
    static window_plan plan(window_frame const& f, std::uint64_t count, std::uint64_t since, std::uint64_t n) noexcept
    {
        auto c = parts(count).at(since / f.window);
        for (auto at = std::max(since, f.start(c.index));; at = f.start(c.index)) {
            if (c.now + n <= f.limit) {
                auto const end = f.start(c.index + 1);
                auto const weightless = uint128{f.limit - c.now - n} * f.window;  // over c.before: time before the end
                if (uint128{c.before} * (end - at) <= weightless) return {at, c.with(n)};
                if (weightless >= c.before) return {end - static_cast<std::uint64_t>(weightless / c.before), c.with(n)};
            }
            c = c.at(c.index + 1);
        }
    }
    static std::uint64_t available(window_frame const& f, std::uint64_t count, std::uint64_t since) noexcept
    {
        auto const c = parts(count).at(since / f.window);
        auto const used = c.now + c.weight(f, since);
        return c.index == since / f.window && used < f.limit ? f.limit - used : 0;
    }
    static std::uint64_t moved(window_frame const& old, std::uint64_t count, window_frame const& next,
                               time_point now) noexcept
    {
        auto c = parts(count);
        if (old.window == next.window) {
            auto const from = static_cast<std::uint64_t>(old.origin), to = static_cast<std::uint64_t>(next.origin);
            if (next.origin < old.origin) return c.moved_to(c.index + (from - to) / next.window);
            auto const shift = (to - from) / next.window;
            if (c.index < shift) c = c.at(shift);
            return c.moved_to(c.index - shift);
        }
        // The permits that still count, in full, go to the window of now, or to that of the last reservation.
        auto const since = old.since_or_zero(now);
        c = c.at(std::min(since / old.window, c.index + 2));
        auto const place = next.since_or_zero(std::max(now, old.instant(old.start(c.index)))) / next.window;
        auto const used = c.index == since / old.window ? c.weight(old, since) : c.before;
        return parts{0, 0, std::min(c.now + used, most)}.moved_to(place);
    }

private:
    __extension__ using uint128 = unsigned __int128;

    struct parts {
        std::uint64_t index, before, now;

        parts(std::uint64_t i, std::uint64_t b, std::uint64_t n) noexcept : index(i), before(b), now(n) {}
        explicit parts(std::uint64_t count) noexcept : index(count >> 48), before(count >> 24 & most), now(count & most)
        {
        }
        /// As it stands when that window has begun; never an earlier one.
        [[nodiscard]] parts at(std::uint64_t window) const noexcept
        {
            if (window <= index) return *this;
            return {window, window == index + 1 ? now : 0, 0};
        }
        [[nodiscard]] std::uint64_t with(std::uint64_t n) const noexcept
        {
            return index << 48 | before << 24 | (now + n);
        }
        [[nodiscard]] std::uint64_t moved_to(std::uint64_t window) const noexcept
        {
            return window << 48 | before << 24 | now;
        }
        /// What the window before still counts, rounded up.
        [[nodiscard]] std::uint64_t weight(window_frame const& f, std::uint64_t since) const noexcept
        {
            return static_cast<std::uint64_t>((uint128{before} * (f.window - since % f.window) + f.window - 1) /
                                              f.window);
        }
    };
};

}  // namespace detail

struct sliding_window_limiter_options {
    std::uint64_t limit = 100;                    ///< permits per window, up to 16'777'215. 0: every request is refused
    duration window = std::chrono::seconds{1};    ///< more than 0, up to 365 days
    std::string name = "sliding_window_limiter";  ///< the gate name in refusals; fixed at construction
};

/// Admits about `limit` permits in any span of `window`, in one word: it counts the permits of this window of the
/// clock and of the one before, and takes it that those of the one before were spread evenly. The usual limiter of
/// public APIs: hardly more memory than a fixed window, and without its double burst at the edge.
///
/// Known excess: never more than limit in a window of the clock, and never more than limit * (1 + span / window) in any
/// span up to a window. It comes near to that, 2 * limit - 1 in one window, when a burst at the end of one is followed
/// by steady traffic. For no excess at all: sliding_window_log, at 8 bytes a permit.
///
/// A reservation starts at the first instant at which its n permits pass, at most 120 windows from now, and who asks
/// later queues behind. A clock that steps back into an earlier window makes it refuse until the time returns.
///
/// Verbs:   try_acquire, admit, reserve, drain, available, retry_at: detail/limiter_verbs.hpp.
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > limit:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for limit or window.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    one load, one division and one compare-exchange to admit, no write to refuse; never allocates.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_sliding_window_limiter : public detail::limiter_verbs<detail::window_word<detail::sliding_count>, Clock> {
    using verbs = detail::limiter_verbs<detail::window_word<detail::sliding_count>, Clock>;
    using verbs::state_;

public:
    using options = sliding_window_limiter_options;

    explicit basic_sliding_window_limiter(options o = {}, Clock clock = {})
        : verbs(detail::window_word<detail::sliding_count>{checked(o)}, std::move(o.name), std::move(clock))
    {
    }

    /// Changes limit and window under load. What has been counted stays counted; with another window, all that still
    /// counts goes to the window of now.
    void reconfigure(options const& o) { reconfigure(o, verbs::clock_.now()); }
    void reconfigure(options const& o, time_point now) { state_.reconfigure(checked(o), now); }

    /// As they are in force.
    [[nodiscard]] std::uint64_t limit() const noexcept { return state_.limit(); }
    [[nodiscard]] duration window() const noexcept { return state_.window(); }

private:
    static detail::window_frame checked(options const& o)
    {
        return detail::window_frame::checked(o.limit, detail::sliding_count::most, o.window,
                                             "sliding_window_limiter_options");
    }
};

/// The sliding window on the processor's counter.
using sliding_window_limiter = basic_sliding_window_limiter<>;

}  // namespace weir
