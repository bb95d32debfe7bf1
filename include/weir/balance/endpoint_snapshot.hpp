// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_state.hpp>
#include <weir/core/endpoint.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace weir {

/// One version of an endpoint set: never changes, so pickers read it without locks. The live counters behind `state`
/// are shared with the versions before and after.
class endpoint_snapshot {
public:
    struct member {
        weir::endpoint endpoint;
        std::shared_ptr<endpoint_state> state;
    };

    endpoint_snapshot() = default;
    endpoint_snapshot(std::uint64_t version, std::vector<member> members)
        : version_(version), members_(std::move(members))
    {
        for (std::uint32_t i = 0; i < members_.size(); ++i)
            if (members_[i].endpoint.weight > 0) pickable_.push_back(i);
        spread();
    }

    /// Counts the changes of the set, from 0.
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
    [[nodiscard]] std::vector<member> const& members() const noexcept { return members_; }

    /// The members with a weight, as indices.
    [[nodiscard]] std::vector<std::uint32_t> const& pickable() const noexcept { return pickable_; }

    /// One round of weighted turns: positions in `pickable()`, each as often as its weight says, evenly spread.
    [[nodiscard]] std::vector<std::uint32_t> const& turns() const noexcept { return turns_; }

    [[nodiscard]] member const& pickable_member(std::size_t position) const noexcept
    {
        return members_[pickable_[position]];
    }

private:
    void spread();

    std::uint64_t version_ = 0;
    std::vector<member> members_;
    std::vector<std::uint32_t> pickable_;
    std::vector<std::uint32_t> turns_;
};

/// The k-th of w turns of a member stands at (k + phase) / w of the round, each member with a phase of its own. A round
/// is the sum of the weights in lowest terms; where that is very long, weights are rounded to fit, and nobody falls
/// below one.
inline void endpoint_snapshot::spread()
{
    std::uint64_t divisor = 0;
    std::uint64_t total = 0;
    for (auto i : pickable_) {
        divisor = std::gcd(divisor, std::uint64_t{members_[i].endpoint.weight});
        total += members_[i].endpoint.weight;
    }
    if (total == 0) return;
    auto const longest = static_cast<double>(std::max<std::size_t>(4096, 8 * pickable_.size()));
    auto const scale = std::min(1.0 / static_cast<double>(divisor), longest / static_cast<double>(total));

    std::vector<std::pair<double, std::uint32_t>> places;
    for (std::uint32_t p = 0; p < pickable_.size(); ++p) {
        auto const share = std::round(static_cast<double>(pickable_member(p).endpoint.weight) * scale);
        auto const phase = (p + 0.5) / static_cast<double>(pickable_.size());
        auto const w = std::max(share, 1.0);
        for (double k = 0; k < w; ++k) places.emplace_back((k + phase) / w, p);
    }
    std::sort(places.begin(), places.end());
    turns_.reserve(places.size());
    for (auto const& [place, p] : places) turns_.push_back(p);
}

}  // namespace weir
