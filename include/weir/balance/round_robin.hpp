// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/lease.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

struct round_robin_options {
    std::string name = "round_robin";  ///< the gate name in refusals
};

/// Picks the endpoints of a set in turn, each as often as its weight says, and spreads the turns of a heavy one evenly.
/// A retry avoids the endpoint it has just used, if there is another.
///
/// Refuses: errc::no_endpoint when no endpoint has a weight; retry_at is `now`: only an update of the set helps.
/// Threads: everything, from any thread. Lifetimes: the set outlives it, it outlives its leases.
/// Cost:    one snapshot and one shared counter, whatever the size; never allocates.
/// Seen in: examples/07_balance.cpp
class round_robin {
public:
    using options = round_robin_options;

    explicit round_robin(endpoint_set const& set, options o = {}) : set_(&set), name_(std::move(o.name)) {}
    round_robin(round_robin&& other) noexcept : set_(other.set_), name_(std::move(other.name_)) {}

    admission<lease> pick(time_point now, random_engine&, endpoint const* avoid = nullptr) noexcept
    {
        auto snapshot = set_->snapshot();
        auto const& turns = snapshot->turns();
        if (turns.empty()) return rejection{errc::no_endpoint, now, name_};
        auto const turn = turn_.fetch_add(1, std::memory_order_relaxed);
        std::size_t position = turns[turn % turns.size()];
        auto const others = snapshot->pickable().size() - 1;
        if (avoid != nullptr && others > 0 && snapshot->pickable_member(position).endpoint.id == avoid->id)
            position = (position + 1 + turn % others) % (others + 1);  // not all on the same neighbour
        return lease{std::move(snapshot), position};
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    endpoint_set const* set_;
    atomic<std::uint64_t> turn_{0};
    std::string name_;
};

}  // namespace weir
