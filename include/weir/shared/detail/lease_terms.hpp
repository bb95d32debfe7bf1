// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/detail/gcra_rate.hpp>
#include <weir/shared/shared_limit_options.hpp>

#include <algorithm>
#include <cstdint>

namespace weir::detail {

/// What follows from the options, in the units of decisions. Immutable: a change of options makes another.
struct lease_terms {
    explicit lease_terms(shared_limit_options const& given) : options((given.check(), given))
    {
        interval = micros(given.rate.per) / static_cast<double>(given.rate.permits);
        tolerance = interval * static_cast<double>(given.burst_in_store());
        lease = std::min<std::uint64_t>(given.permits_held(), given.burst_in_store());
        // As slow as a rate can be told: 365 days for a permit.
        auto const most = duration(std::chrono::hours(24 * 365)).count() / given.rate.per.count();
        auto const parts = std::min<std::uint64_t>(given.nodes, static_cast<std::uint64_t>(most));
        local = gcra_rate({given.rate.permits, given.rate.per * static_cast<duration::rep>(parts)},
                          std::max<std::uint64_t>(given.burst / given.nodes, 1), "shared_limit_options");
    }

    shared_limit_options options;
    micros interval{};
    micros tolerance{};
    std::uint64_t lease = 1;
    gcra_rate local;
};

}  // namespace weir::detail
