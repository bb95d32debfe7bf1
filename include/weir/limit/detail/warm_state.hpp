// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/rate.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <numeric>
#include <string>

namespace weir::detail {

__extension__ using int128 = __int128;

/// What a permit costs, by how long the limiter has been idle: the curve of Guava's SmoothWarmingUp. Idle time is kept
/// as stored permits; below `threshold` one costs the interval of the rate, above it the price climbs in a straight
/// line, up to `cold_factor` intervals at `most`. Spent at full speed, `most` down to `threshold` takes warm_up, and
/// the rest half as long; idling from none to `most` takes warm_up.
///
/// Units: time in ticks of 1 / rate.permits nanoseconds, in which a permit at the rate costs exactly rate.per: warm, it
/// never drifts. Stored permits in 2^-20, rounded towards the cold: by less than a millionth of an interval each time,
/// and since the store is emptied and filled to the brim, it does not add up.
struct warm_curve {
    static constexpr int128 one = 1 << 20;

    int128 permits = 1, per = 1;  ///< of the rate, in lowest terms
    int128 burst = 1;
    int128 cold = 1;
    int128 warm_up = 0;  ///< in stored permits at the rate
    int128 threshold = 0, most = 0;

    warm_curve() = default;

    /// Throws: std::invalid_argument, naming the field.
    warm_curve(rate r, std::uint64_t burst_permits, duration warming, std::uint32_t cold_factor, std::string const& who)
    {
        using namespace std::chrono_literals;
        if (r.per <= 0ns || r.per > 365 * 24h) bad_option(who + ".rate.per", "more than 0 and at most 365 days", r.per);
        auto const ns = static_cast<std::uint64_t>(r.per.count());
        if (r.permits == 0 || r.permits > ns)
            bad_option(who + ".rate.permits", "at least 1, and at most 1e9 per second", r.permits);
        if (burst_permits > 1'000'000'000) bad_option(who + ".burst", "at most 1000000000", burst_permits);
        if (warming < 0ns || warming > 24h) bad_option(who + ".warm_up", "from 0 ms to 24 hours", warming);
        if (cold_factor < 1 || cold_factor > 100) bad_option(who + ".cold_factor", "from 1 to 100", cold_factor);
        permits = static_cast<int128>(r.permits / std::gcd(r.permits, ns));
        per = static_cast<int128>(ns / std::gcd(r.permits, ns));
        burst = static_cast<int128>(burst_permits);
        cold = static_cast<int128>(cold_factor);
        warm_up = up(int128{warming.count()} * permits * one, per);
        threshold = warm_up / 2;
        most = threshold + 2 * warm_up / (1 + cold);
    }

    [[nodiscard]] static constexpr int128 up(int128 a, int128 b) noexcept { return (a + b - 1) / b; }

    /// Permits stored by so many idle ticks.
    [[nodiscard]] int128 stored_by(int128 ticks) const noexcept
    {
        if (ticks / per > warm_up / one) return most;
        auto const at_rate = ticks / per * one + up(ticks % per * one, per);
        return std::min(up(at_rate * (5 + cold), 2 * (1 + cold)), most);
    }

    /// Ticks that n permits cost out of a store. The area under the line is its mean height times the permits above the
    /// threshold.
    [[nodiscard]] int128 cost(int128 n, int128 stored) const noexcept
    {
        auto const above = stored - threshold;
        if (above <= 0 || cold == 1) return n * per;
        auto const k = std::min(above, n * one);
        auto const dearer = up(k * (2 * above - k), 2 * (most - threshold));
        return n * per + up((cold - 1) * dearer * per, one);
    }
};

/// A limiter on that curve. Two numbers change together, so a mutex guards them.
class warm_state {
public:
    struct answer {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;  ///< admitted: when to start. Refused: when to ask again
        int128 next_before = 0, stored_before = 0;
        std::uint64_t version = 0;  ///< after our admission; 0: nothing was taken
    };

    explicit warm_state(warm_curve const& c) noexcept
        : curve_(c), next_(int128{std::numeric_limits<std::int64_t>::min()} * c.permits), stored_(c.most)
    {
    }
    warm_state(warm_state&& other) noexcept
        : curve_(other.curve_), next_(other.next_), stored_(other.stored_), seen_(other.seen_)
    {
    }

    [[nodiscard]] bool take(std::uint64_t n, time_point now) noexcept
    {
        return reserve(n, now, duration::zero()).admitted;
    }
    [[nodiscard]] answer reserve(std::uint64_t n, time_point now, duration max_wait) noexcept
    {
        if (n == 0) return {true, {}, now};
        std::scoped_lock const lock{mutex_};
        auto a = weigh(n, now, max_wait);
        if (!a.admitted) return a;
        seen_ = std::max(seen_, now);
        idle_until(ticks(now));
        next_ += curve_.cost(static_cast<int128>(n), stored_);
        stored_ = std::max<int128>(stored_ - static_cast<int128>(n) * warm_curve::one, 0);
        a.version = ++version_;
        return a;
    }

    /// What `reserve` would answer now. Takes nothing.
    [[nodiscard]] answer look(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        if (n == 0) return {true, {}, now};
        std::scoped_lock const lock{mutex_};
        return weigh(n, now, max_wait);
    }

    /// As if nobody had asked, unless something was admitted or changed behind it.
    bool undo(answer const& a) noexcept
    {
        std::scoped_lock const lock{mutex_};
        if (a.version == 0 || a.version != version_) return false;
        next_ = a.next_before;
        stored_ = a.stored_before;
        --version_;
        return true;
    }

    [[nodiscard]] std::uint64_t available(time_point now) const noexcept
    {
        std::scoped_lock const lock{mutex_};
        auto const left = curve_.burst * curve_.per - std::max<int128>(next_ - ticks(now), 0);
        return left > 0 ? static_cast<std::uint64_t>(left / curve_.per) : 0;
    }

    void drain(time_point now) noexcept
    {
        std::scoped_lock const lock{mutex_};
        idle_until(ticks(now));
        next_ = std::max(next_, ticks(now) + curve_.burst * curve_.per);
        // Never again the number of an admission that could still be undone.
        ++version_;
    }

    void reconfigure(warm_curve const& c, time_point now) noexcept
    {
        std::scoped_lock const lock{mutex_};
        // Not before the last admission: what has passed until then was earned at the old rate.
        now = std::max(now, seen_);
        idle_until(ticks(now));
        auto const debt = next_ - ticks(now);
        constexpr int128 all = int128{1} << 32;
        auto const share = curve_.most == 0 ? all : warm_curve::up(stored_ * all, curve_.most);
        auto const scaled = debt / curve_.per * c.per + warm_curve::up(debt % curve_.per * c.per, curve_.per);
        curve_ = c;
        next_ = ticks(now) + scaled;
        stored_ = std::min(warm_curve::up(share * c.most, all), c.most);
        ++version_;
    }

private:
    [[nodiscard]] int128 ticks(time_point t) const noexcept
    {
        return int128{t.time_since_epoch().count()} * curve_.permits;
    }

    /// Precondition, here and below: the mutex is held.
    [[nodiscard]] answer weigh(std::uint64_t n, time_point now, duration max_wait) const noexcept
    {
        auto const permits = static_cast<int128>(n);
        if (permits > curve_.burst) return {false, errc::exceeds_burst, never};
        auto at = now;
        auto const start = next_ - (curve_.burst - permits) * curve_.per;
        if (start > ticks(now)) {
            auto const ns = start / curve_.permits + (start % curve_.permits > 0 ? 1 : 0);
            if (ns >= int128{never.time_since_epoch().count()}) return {false, errc::rate_limited, never};
            at = time_point{duration{static_cast<std::int64_t>(ns)}};
        }
        auto const wait = std::max(max_wait, duration::zero());
        if (between(now, at) > wait) return {false, errc::rate_limited, later(at, -wait)};
        return {true, {}, at, next_, stored_};
    }

    void idle_until(int128 now) noexcept
    {
        if (next_ >= now) return;
        stored_ = std::min(stored_ + curve_.stored_by(now - next_), curve_.most);
        next_ = now;
    }

    warm_curve curve_;
    int128 next_;                          ///< when all that was admitted has been paid for
    int128 stored_;                        ///< at that time
    time_point seen_ = time_point::min();  ///< the latest admission
    std::uint64_t version_ = 0;
    mutable mutex mutex_;
};

}  // namespace weir::detail
