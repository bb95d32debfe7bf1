// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/shared/limit_store.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace weir::detail {

/// The generic cell rate algorithm (ITU-T I.371) as a store keeps it for one key: grants of many permits at once, and
/// permits that come back. `detail/redis_script.hpp` is the same, line by line, in Lua. Times are microseconds of the
/// store's clock, whole ones when read.
///
/// Grants: the debt is tat - now. A grant of n adds n*T and leaves debt <= tau, so granted - given back <= B + r*t in
/// every window t.
///
/// Give-backs. Were n*T simply taken off, permits would be minted: what was idle time without the grant has paid for it
/// by now, and somebody may have been granted permits on that account. What may be taken off is n*T, but no more than
/// the debt was at any moment since the grant: then the word is exactly what it were had those n never been granted.
/// (Let D be the difference of the two words, n*T at the grant. It shrinks only when the other one, without the grant,
/// falls idle, which is when the debt here is below D; and then D becomes that debt. Hence D = min(n*T, least debt).)
/// So whatever is given back, the permits that are used were granted within B + r*t, in every window t.
///
/// The least debt is known since two instants, one of the last `hold` and one of the `hold` before that; a grant older
/// than both gets nothing back.
struct shared_gcra {
    double tat = 0;
    double since = 0, low = 0;    ///< the least debt since then
    double before = 0, deep = 0;  ///< the same, since an earlier instant

    /// Nobody owes anything: as good as never seen.
    [[nodiscard]] bool idle(double now) const noexcept { return tat <= now; }

    [[nodiscard]] permit_grant acquire(permit_request const& r, double now) noexcept
    {
        if (since > now) step_back(now);
        auto const T = r.interval.count(), tau = r.tolerance.count();
        auto const debt = std::clamp(tat - now, 0.0, tau);  // above tau: a lower limit than that of those grants
        auto const free = std::floor((tau - debt) / T + 1e-9);
        auto const least = static_cast<double>(r.least);
        if (free < least) {
            auto const wait = std::ceil(least * T - (tau - debt));
            return {0, std::chrono::duration_cast<duration>(micros(std::min(wait, 1e12))), 0};
        }
        auto const n = std::max(least, std::min(static_cast<double>(r.want), std::floor(free * r.share)));
        auto const owed = debt + n * T;
        if (tat <= now) {  // idle: nothing was granted that could come back
            since = before = now;
            low = deep = owed;
        } else {
            low = std::min(low, debt);
            if (now - since >= micros(r.hold).count()) {
                before = since;
                deep = low;
                since = now;
                low = debt;
            }
        }
        tat = now + owed;
        return {static_cast<std::uint64_t>(n), {}, static_cast<std::uint64_t>(now)};
    }

    // The store's clock went back, by at least `since - now`: what is owed is owed as it was at `since`, or the debt
    // would last until the clock has caught up. What was granted before has stamps that compare with nothing: it stays.
    void step_back(double now) noexcept
    {
        tat -= since - now;
        since = before = now;
        low = deep = 0;
    }

    void give_back(permit_return const& r, double now) noexcept
    {
        auto const stamp = static_cast<double>(r.stamp);
        low = std::min(low, tat - now);
        auto const least = stamp >= since ? low : stamp >= before ? std::min(low, deep) : 0;
        auto const back = std::min(static_cast<double>(r.permits) * r.interval.count(), least);
        if (back <= 0) return;
        tat -= back;
        low -= back;
        deep -= back;
    }
};

}  // namespace weir::detail
