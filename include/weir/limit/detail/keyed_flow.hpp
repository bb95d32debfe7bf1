// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/rate.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <numeric>
#include <utility>

namespace weir::detail {

__extension__ using uint128 = unsigned __int128;

/// The clock of one quota. It does not tell nanoseconds, but permits: how many the rate has brought so far, in units of
/// 2^-scale permits, modulo 2^64. A debt measured on it is a debt in permits, so a new rate changes how fast the clock
/// runs and leaves the debts of ten million keys alone: none of them needs to be visited.
///
///     at(now) = base + floor((now - since) * num / den)
///
/// A rate of p permits per q nanoseconds (lowest terms) is told exactly while q <= 2^scale; else a reading is early by
/// less than one unit, in all and not per permit.
struct keyed_flow {
    std::int64_t since = 0;  ///< when this rate began; what is older is read as if it were later in the debt
    std::uint64_t base = 0;  ///< units at `since`
    std::uint64_t num = 1;   ///< num / den units per nanosecond; both below 2^62
    std::uint64_t den = 1;
    std::uint64_t inverse = 1;  ///< floor(2^shift * num / den), all 64 bits of it used
    std::uint64_t shift = 0;
    std::uint64_t burst = 0;      ///< permits
    std::uint64_t backwards = 0;  ///< 2^-20 units per nanosecond before `since`: no rate in force then was faster

    keyed_flow() = default;
    bool operator==(keyed_flow const&) const = default;

    /// Precondition: r and burst_permits are what gcra_rate accepts; the rate times 2^scale is below 2^61.
    keyed_flow(rate r, std::uint64_t burst_permits, unsigned scale) noexcept : burst(burst_permits)
    {
        auto const per = static_cast<std::uint64_t>(r.per.count());
        auto const divisor = std::gcd(r.permits, per);
        num = r.permits / divisor;
        den = per / divisor;
        // Fractions too long for 62 bits lose their last ones, never to the faster side.
        auto units = uint128{num} << scale;
        for (; units >> 61 != 0; den = (den + 1) / 2) units /= 2;
        num = static_cast<std::uint64_t>(units);
        inverse = num / den;
        for (auto rest = num % den; inverse >> 63 == 0; ++shift) {
            rest *= 2;
            inverse = inverse * 2 + (rest >= den ? 1 : 0);
            if (rest >= den) rest -= den;
        }
        backwards = speed();
    }

    /// In units of `backwards`, rounded up.
    [[nodiscard]] std::uint64_t speed() const noexcept
    {
        return static_cast<std::uint64_t>(((uint128{num} << 20) + den - 1) / den);
    }

    [[nodiscard]] static std::uint64_t elapsed(std::int64_t from, std::int64_t to) noexcept
    {
        return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    }

    /// Units since `since`. Precondition: now >= since, and fewer than 2^63 units.
    [[nodiscard]] std::uint64_t units(std::int64_t now) const noexcept
    {
        auto const x = elapsed(since, now);
        // One multiplication instead of a division of 128 bits: the estimate is right or one too small, and the
        // remainder tells which (Granlund and Montgomery, Division by invariant integers, PLDI 1994).
        auto const estimate = static_cast<std::uint64_t>((uint128{x} * inverse) >> shift);
        return estimate + (x * num - estimate * den >= den ? 1 : 0);
    }
    /// Exact from `since` on; before, no later than the clock was.
    [[nodiscard]] std::uint64_t at(std::int64_t now) const noexcept
    {
        if (now >= since) [[likely]]
            return base + units(now);
        auto const ago = elapsed(now, since);
        return base - static_cast<std::uint64_t>((uint128{ago} * backwards) >> 20) - 1;
    }

    /// The first instant at which the clock shows `reading`, as far as this rate knows.
    [[nodiscard]] time_point when(std::uint64_t reading) const noexcept
    {
        auto const target = static_cast<std::int64_t>(reading - base);
        if (target <= 0) return time_point{duration{since}};
        auto const ns = (uint128{static_cast<std::uint64_t>(target)} * den + num - 1) / num;
        if (ns > uint128{INT64_MAX}) return never;
        return later(time_point{duration{since}}, duration{static_cast<std::int64_t>(ns)});
    }
    /// How long so many units take, rounded down.
    [[nodiscard]] std::int64_t nanoseconds(std::uint64_t of_units) const noexcept
    {
        return static_cast<std::int64_t>(std::min(uint128{of_units} * den / num, uint128{INT64_MAX}));
    }
    /// How many units come in so many nanoseconds, rounded down; any number of years.
    [[nodiscard]] std::uint64_t units_in(std::uint64_t ns) const noexcept
    {
        return static_cast<std::uint64_t>(std::min(uint128{ns} * num / den, uint128{INT64_MAX}));
    }

    /// Moves `since` up to `now`, or just before, and changes no reading. Precondition: now >= since, and nobody reads
    /// older ones any more.
    void advance(std::int64_t now) noexcept
    {
        auto const steps = elapsed(since, now) / den;  // after den nanoseconds, num units are whole
        since += static_cast<std::int64_t>(steps * den);
        base += steps * num;
        backwards = speed();
    }
};

/// A flow in shared memory, and the one before it, for any number of readers and one writer at a time. Nobody waits: a
/// writer fills a copy that is not in use, then bumps the version, and a reader whose copies were overwritten meanwhile
/// sees that they were.
class alignas(64) shared_flow {
public:
    [[nodiscard]] keyed_flow load() const noexcept
    {
        return consistent([this](std::uint64_t version) { return copies_[version % 4].load(); });
    }
    /// The flow, and the one before it.
    [[nodiscard]] std::pair<keyed_flow, keyed_flow> load_both() const noexcept
    {
        return consistent([this](std::uint64_t version) {
            return std::pair{copies_[version % 4].load(), copies_[(version - 1) % 4].load()};
        });
    }
    void store(keyed_flow const& f) noexcept
    {
        auto const next = version_.load(std::memory_order_relaxed) + 1;
        copies_[next % 4].store(f);
        version_.store(next, std::memory_order_release);
    }

private:
    /// What `read(version)` gives while that is the version.
    template <class Read>
    [[nodiscard]] auto consistent(Read const& read) const noexcept -> decltype(read(0))
    {
        for (auto version = version_.load(std::memory_order_acquire);;) {
            auto const r = read(version);
            auto const again = version_.load(std::memory_order_acquire);
            if (again == version) [[likely]]
                return r;
            version = again;
        }
    }

    // Release and acquire on every number: who meets one of a later version also sees that version.
    class copy {
    public:
        [[nodiscard]] keyed_flow load() const noexcept
        {
            auto const get = [](auto const& from) { return from.load(std::memory_order_acquire); };
            keyed_flow f;
            f.since = get(since_), f.base = get(base_), f.num = get(num_), f.den = get(den_);
            f.inverse = get(inverse_), f.shift = get(shift_), f.burst = get(burst_), f.backwards = get(backwards_);
            return f;
        }
        void store(keyed_flow const& f) noexcept
        {
            auto const put = [](auto& to, auto value) { to.store(value, std::memory_order_release); };
            put(since_, f.since), put(base_, f.base), put(num_, f.num), put(den_, f.den);
            put(inverse_, f.inverse), put(shift_, f.shift), put(burst_, f.burst), put(backwards_, f.backwards);
        }

    private:
        atomic<std::int64_t> since_{0};
        atomic<std::uint64_t> base_{0}, num_{1}, den_{1}, inverse_{1}, shift_{0}, burst_{0}, backwards_{0};
    };

    atomic<std::uint64_t> version_{0};
    copy copies_[4];
};

}  // namespace weir::detail
