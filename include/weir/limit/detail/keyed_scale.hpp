// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/limit/detail/gcra_rate.hpp>
#include <weir/limit/keyed_limiter_options.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace weir::detail {

/// Into how many parts a permit is divided (2^scale), so that a TAT has room for what is asked of it: a sixteenth of
/// its range holds every burst and four seconds of every rate, and where there is room for it, 32 times as much. Within
/// that, the parts are as small as it takes to round nothing, and not smaller, for a later change of rates.
template <class Bucket>
struct keyed_scale {
    static constexpr std::uint64_t room = std::uint64_t{1} << (Bucket::tat_bits - 4);

    /// Throws: std::invalid_argument, naming keyed_limiter_options.
    static unsigned of(keyed_limiter_options const& o)
    {
        if (o.quotas.empty() || o.quotas.size() > 8)
            bad_option("keyed_limiter_options.quotas.size", "from 1 to 8", o.quotas.size());
        if (o.capacity == 0 || o.capacity > std::uint64_t{1} << 40)
            bad_option("keyed_limiter_options.capacity", "from 1 to 2^40", o.capacity);
        auto most = std::uint64_t{1};
        auto wanted = Bucket::usual_scale;
        for (std::size_t i = 0; i < o.quotas.size(); ++i) {
            most = std::max(most, needed(o.quotas[i], i));
            wanted = std::max(wanted, exact_for(o.quotas[i].rate));
        }
        auto const headroom = 32 * most;
        auto const possible = headroom >= room ? 0 : static_cast<unsigned>(std::bit_width(room / headroom)) - 1;
        return std::min({wanted, possible, Bucket::max_scale});
    }

    /// The quotas that take the place of `count` others. Throws: std::invalid_argument.
    static void check(std::vector<keyed_quota> const& quotas, std::size_t count, unsigned scale)
    {
        if (quotas.size() != count)
            bad_option("keyed_limiter_options.quotas.size", "as at construction, " + std::to_string(count),
                       quotas.size());
        for (std::size_t i = 0; i < quotas.size(); ++i)
            if (needed(quotas[i], i) > room >> scale)
                bad_option(name(i),
                           "of burst, or of permits in 4 s, at most " + std::to_string(room >> scale) +
                               " here: 32 times the largest at construction is always possible",
                           needed(quotas[i], i));
    }

private:
    /// The scale from which on nothing is rounded; see keyed_flow.
    static unsigned exact_for(rate const& r) noexcept
    {
        auto const per = static_cast<std::uint64_t>(r.per.count());
        return static_cast<unsigned>(std::bit_width(per / std::gcd(r.permits, per) - 1));
    }
    static std::string name(std::size_t i) { return "keyed_limiter_options.quotas[" + std::to_string(i) + "]"; }

    static std::uint64_t needed(keyed_quota const& q, std::size_t i)
    {
        (void)gcra_rate{q.rate, q.burst, name(i)};  // checks both
        auto const per = static_cast<int128>(q.rate.per.count());
        auto const in_four_seconds = (static_cast<int128>(q.rate.permits) * 4'000'000'000 + per - 1) / per;
        return std::max({q.burst, static_cast<std::uint64_t>(in_four_seconds), std::uint64_t{1}});
    }
};

}  // namespace weir::detail
