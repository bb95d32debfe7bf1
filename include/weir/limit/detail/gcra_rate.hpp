// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/limit/rate.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>

namespace weir::detail {

__extension__ using int128 = __int128;

/// A rate and a burst as whole numbers of ticks. The tick is chosen so that the interval between two permits is a whole
/// number of them:
///
///   exact    permits/per in lowest terms is p/q with p <= 2^24, and an empty bucket fills within half a year:
///            one nanosecond is p ticks, one permit is q ticks, and nothing is ever rounded.
///   fine     p above 2^24 (999'999'937 per second): one nanosecond is 2^m ticks, the interval is rounded up.
///   coarse   a burst that takes more than half a year to fill: one tick is 2^s nanoseconds, the interval is rounded
///            up, and one more tick pays for reading the clock in whole ticks.
///
/// Rounding only lengthens the interval, by less than 3e-7 of it: a limiter is never faster than asked.
/// Throws: std::invalid_argument, naming `who` and the field.
struct gcra_rate {
    static constexpr std::int64_t span = std::int64_t{1} << 55;  ///< reach of one origin; most debt
    static constexpr std::int64_t max_burst = 1'000'000'000;
    static constexpr std::int64_t max_mul = 1 << 24;
    static constexpr std::int64_t max_lease = 511;

    std::int64_t mul = 1;  ///< ticks = (nanoseconds * mul) >> shift; one of the two is neutral
    std::int64_t shift = 0;
    std::int64_t interval = 1;  ///< ticks per permit
    std::int64_t burst = 0;     ///< permits; burst * interval <= span / 2
    std::int64_t lease = 0;     ///< permits that may be paid for ahead, see detail/leased_gcra.hpp; 0 or at least 2

    gcra_rate() = default;
    gcra_rate(rate r, std::uint64_t burst_permits, std::string const& who)
    {
        using namespace std::chrono_literals;
        auto const per = r.per.count();
        if (r.per <= 0ns || r.per > 365 * 24h) bad_option(who + ".rate.per", "more than 0 and at most 365 days", r.per);
        if (r.permits == 0 || r.permits > static_cast<std::uint64_t>(per))
            bad_option(who + ".rate.permits", "at least 1, and at most 1e9 per second", r.permits);
        if (burst_permits > static_cast<std::uint64_t>(max_burst))
            bad_option(who + ".burst", "at most " + std::to_string(max_burst), burst_permits);
        burst = static_cast<std::int64_t>(burst_permits);
        choose_tick(static_cast<std::int64_t>(r.permits), per, burst);
    }

    /// `span` in nanoseconds.
    [[nodiscard]] std::uint64_t reach() const noexcept
    {
        return static_cast<std::uint64_t>(shift > 8 ? INT64_MAX : (span / mul) << shift);
    }

    /// Permits per time, in the terms that are counted in.
    [[nodiscard]] weir::rate as_rate() const noexcept
    {
        return {static_cast<std::uint64_t>(mul), duration{interval << shift}};
    }

    /// The same with leases: what comes back in `length`, at most `most` permits. Less than two are not worth it.
    [[nodiscard]] gcra_rate leasing(duration length, std::int64_t most) const noexcept
    {
        auto const earned = ((static_cast<int128>(length.count()) * mul) >> shift) / interval;
        auto leased = *this;
        leased.lease = static_cast<std::int64_t>(std::min({earned, int128{most}, int128{max_lease}}));
        if (leased.lease < 2) leased.lease = 0;
        return leased;
    }

    /// The same in ticks so long that a debt of so many permits can be told, up to 2^40. The longer they are, the more
    /// is rounded: beyond 4e9 permits more than 3e-7.
    [[nodiscard]] gcra_rate with_room_for(int128 permits) const noexcept
    {
        auto longer = *this;
        auto const most = static_cast<std::int64_t>(std::min(permits, int128{1} << 40));
        longer.choose_tick(mul, interval << shift, std::max(burst, most));
        return longer;
    }

private:
    void choose_tick(std::int64_t permits, std::int64_t per, std::int64_t most_owed) noexcept
    {
        auto const room = span / 2 / std::max<std::int64_t>(most_owed, 1);  // the longest interval we have the bits for
        auto const divisor = std::gcd(permits, per);
        mul = permits / divisor;
        interval = per / divisor;
        shift = 0;
        if (mul <= max_mul && interval <= room) return;

        // How many ticks of 2^-m nanoseconds one permit takes, rounded up.
        auto const ticks = [&](int m) {
            auto const a = static_cast<int128>(per) << std::max(m, 0);
            auto const b = static_cast<int128>(permits) << std::max(-m, 0);
            return (a + b - 1) / b + (m < 0 ? 1 : 0);
        };
        int m = 24;
        while (ticks(m) > room) --m;
        mul = std::int64_t{1} << std::max(m, 0);
        shift = std::max(-m, 0);
        interval = static_cast<std::int64_t>(ticks(m));
    }
};

}  // namespace weir::detail
