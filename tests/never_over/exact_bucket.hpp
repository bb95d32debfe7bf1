// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "never_over/history.hpp"

#include <weir/limit/rate.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace never_over {

/// The token bucket as the textbook has it, in fractions that are never rounded and never overflow: the debt is a whole
/// number of parts of a permit, and a nanosecond earns a whole number of them.
class exact_bucket {
public:
    exact_bucket(weir::rate r, std::uint64_t burst) : burst_(burst)
    {
        auto const divisor = std::gcd(r.permits, static_cast<std::uint64_t>(r.per.count()));
        earns_ = r.permits / divisor;
        permit_ = static_cast<std::uint64_t>(r.per.count()) / divisor;
    }

    /// In parts; negative: so much longer than needed it has been full.
    [[nodiscard]] int128 debt(std::int64_t now) const { return used_ ? full_at_ - earned(now) : -(int128{1} << 100); }
    [[nodiscard]] int128 debt_with(std::uint64_t n, std::int64_t now) const
    {
        return std::max(debt(now), int128{0}) + int128{n} * permit_;
    }
    [[nodiscard]] bool fits(std::uint64_t n, std::int64_t now, std::int64_t wait = 0) const
    {
        return n == 0 || (n <= burst_ && debt_with(n, now) <= full() + int128{wait} * earns_);
    }
    void take(std::uint64_t n, std::int64_t now)
    {
        if (n == 0) return;
        full_at_ = debt_with(n, now) + earned(now);
        used_ = true;
    }
    /// The first nanosecond at which what has been taken is paid for.
    [[nodiscard]] int128 start(std::int64_t now) const { return std::max(int128{now}, up(full_at_ - full(), earns_)); }
    /// The first nanosecond at which n pass, if they may wait so long from then.
    [[nodiscard]] int128 retry_at(std::uint64_t n, std::int64_t now, std::int64_t wait = 0) const
    {
        return up(debt_with(n, now) + earned(now) - full() - int128{wait} * earns_, earns_);
    }
    [[nodiscard]] std::uint64_t available(std::int64_t now) const
    {
        return static_cast<std::uint64_t>(std::max((full() - std::max(debt(now), int128{0})) / permit_, int128{0}));
    }
    void drain(std::int64_t now)
    {
        full_at_ = std::max(debt(now), full()) + earned(now);
        used_ = true;
    }
    void reconfigure(weir::rate r, std::uint64_t burst, std::int64_t now)
    {
        exact_bucket next{r, burst};
        if (used_) {
            // Full for longer than can be written in the new parts is as good as never used.
            auto const owed = debt(now);
            next.used_ = owed > -(int128{1} << 125) / next.permit_;
            if (next.used_) next.full_at_ = up(owed * next.permit_, permit_) + next.earned(now);
        }
        *this = next;
    }

    [[nodiscard]] int128 full() const { return int128{burst_} * permit_; }
    [[nodiscard]] std::uint64_t burst() const { return burst_; }
    [[nodiscard]] std::int64_t permit() const { return static_cast<std::int64_t>(permit_); }
    [[nodiscard]] std::int64_t earns() const { return static_cast<std::int64_t>(earns_); }

private:
    [[nodiscard]] int128 earned(std::int64_t now) const { return int128{now} * earns_; }
    static int128 up(int128 a, int128 b) { return a / b + (a % b > 0 ? 1 : 0); }

    std::uint64_t burst_;
    int128 earns_ = 1;
    int128 permit_ = 1;
    int128 full_at_ = 0;
    bool used_ = false;
};

}  // namespace never_over
