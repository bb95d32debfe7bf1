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

/// The count is the next free slot. Window k owns the slots [k * limit, (k + 1) * limit): whoever asks in it skips to
/// its first slot, and those of the windows before are gone. It only grows, so one compare-exchange decides.
struct fixed_count {
    static constexpr std::uint64_t most = 1'000'000'000;

    static std::uint64_t reach(window_frame const& f) noexcept
    {
        return (std::uint64_t{1} << 54) / std::max<std::uint64_t>(f.limit, 1);
    }
    static std::uint64_t newest(window_frame const& f, std::uint64_t slot) noexcept
    {
        return slot == 0 || f.limit == 0 ? 0 : (slot - 1) / f.limit;
    }
    static bool fits(window_frame const& f, std::uint64_t slot, std::uint64_t since, std::uint64_t n,
                     std::uint64_t& after) noexcept
    {
        auto const begin = since / f.window * f.limit;
        after = std::max(slot, begin) + n;
        return after <= begin + f.limit;
    }
    /// n permits come from one window, or it would send more than its limit.
    static window_plan plan(window_frame const& f, std::uint64_t slot, std::uint64_t since, std::uint64_t n) noexcept
    {
        auto first = std::max(slot, since / f.window * f.limit);
        auto index = first / f.limit;
        if (first - index * f.limit + n > f.limit) first = ++index * f.limit;
        return {std::max(since, f.start(index)), first + n};
    }
    static std::uint64_t available(window_frame const& f, std::uint64_t slot, std::uint64_t since) noexcept
    {
        auto const begin = since / f.window * f.limit;
        auto const first = std::max(slot, begin);
        return first < begin + f.limit ? begin + f.limit - first : 0;
    }
    static std::uint64_t moved(window_frame const& old, std::uint64_t slot, window_frame const& next,
                               time_point now) noexcept
    {
        if (old.limit == next.limit && old.window == next.window && next.origin >= old.origin) {
            auto const gone =
                (static_cast<std::uint64_t>(next.origin) - static_cast<std::uint64_t>(old.origin)) / next.window;
            return slot / std::max<std::uint64_t>(next.limit, 1) < gone ? 0 : slot - gone * next.limit;
        }
        // What the window of now has spent, or, when slots of later ones are handed out, what the last of them has.
        // More than the new limit goes on into the next windows: clamped, a limit put down and up again would mint it.
        auto const index = old.since_or_zero(now) / old.window;
        auto const last = newest(old, slot);
        auto const begin = next.since_or_zero(now) / next.window * next.limit;
        if (last > index) {
            auto const place = next.since_or_zero(old.instant(old.start(last))) / next.window;
            // Nor less than all that was spent and handed out since this window began.
            return std::max(place * next.limit + (slot - last * old.limit), begin + (slot - index * old.limit));
        }
        // While the limit was 0, nothing was counted in windows: what was spent before is all there.
        auto const spent = last == index || old.limit == 0 ? slot - std::min(index * old.limit, slot) : 0;
        return begin + spent;
    }
};

}  // namespace detail

struct fixed_window_options {
    std::uint64_t limit = 100;                  ///< permits per window, up to 1e9. 0: every request is refused
    duration window = std::chrono::seconds{1};  ///< more than 0, up to 365 days
    std::string name = "fixed_window";          ///< the gate name in refusals; fixed at construction
};

/// Admits `limit` permits in each window of the clock: [0, window), [window, 2 * window) and so on, of steady time, as
/// it mostly began with the machine. What is not used in a window is lost.
///
/// Known excess: a span shorter than a window, across the edge of two, may see 2 * limit, back to back. So may a minute
/// or a day of the calendar, as a peer counts that says "1000 per minute", for its edges are others. Where that hurts,
/// take sliding_window_log or token_bucket.
///
/// A reservation takes permits of a later window; n permits come from one window, so what the windows before have left
/// is passed over. Numbers are whole: nothing is rounded, neither after a year of uptime nor at 1e9 per window. A clock
/// that steps back into an earlier window makes it refuse until the time returns.
///
/// Verbs:   try_acquire, admit, reserve, drain, available, retry_at: detail/limiter_verbs.hpp.
/// Refuses: errc::rate_limited, retry_at exact if nobody else asks meanwhile; errc::exceeds_burst when n > limit:
///          never. n = 0 always passes and takes nothing.
/// Throws:  constructor and reconfigure only, std::invalid_argument for limit or window.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    one load, one division and one compare-exchange to admit, no write to refuse; never allocates.
/// Seen in: examples/18_windows.cpp
template <clock Clock = tsc_clock>
class basic_fixed_window : public detail::limiter_verbs<detail::window_word<detail::fixed_count>, Clock> {
    using verbs = detail::limiter_verbs<detail::window_word<detail::fixed_count>, Clock>;
    using verbs::state_;

public:
    using options = fixed_window_options;

    explicit basic_fixed_window(options o = {}, Clock clock = {})
        : verbs(detail::window_word<detail::fixed_count>{checked(o)}, std::move(o.name), std::move(clock))
    {
    }

    /// Changes limit and window under load. What this window has spent stays spent, and reservations stay. Permits over
    /// a lowered limit are paid by the next windows, and those stay paid for when it is raised again.
    void reconfigure(options const& o) { reconfigure(o, verbs::clock_.now()); }
    void reconfigure(options const& o, time_point now) { state_.reconfigure(checked(o), now); }

    /// As they are in force.
    [[nodiscard]] std::uint64_t limit() const noexcept { return state_.limit(); }
    [[nodiscard]] duration window() const noexcept { return state_.window(); }

private:
    static detail::window_frame checked(options const& o)
    {
        return detail::window_frame::checked(o.limit, detail::fixed_count::most, o.window, "fixed_window_options");
    }
};

/// The fixed window on the processor's counter.
using fixed_window = basic_fixed_window<>;

}  // namespace weir
