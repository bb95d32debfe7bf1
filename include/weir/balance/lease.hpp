// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_snapshot.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace weir {

namespace detail {

/// How a balancer turns outcomes into latencies.
struct latency_rule {
    atomic<duration> decay;
    atomic<duration> failure_penalty;
};

}  // namespace detail

/// A balancer's choice: the endpoint to send to, counted as in flight there until the lease is settled or destroyed.
/// The endpoint stays valid as long as the lease, whatever happens to the set meanwhile.
/// Threads: one at a time. Lifetimes: the balancer outlives it.
class [[nodiscard]] lease {
public:
    lease(lease&& other) noexcept
        : snapshot_(std::move(other.snapshot_)),
          member_(other.member_),
          rule_(other.rule_),
          open_(std::exchange(other.open_, false))
    {
    }
    lease& operator=(lease&& other) noexcept
    {
        if (this == &other) return *this;
        close();
        snapshot_ = std::move(other.snapshot_);
        member_ = other.member_;
        rule_ = other.rule_;
        open_ = std::exchange(other.open_, false);
        return *this;
    }
    ~lease() { close(); }

    [[nodiscard]] weir::endpoint const& endpoint() const noexcept { return member_->endpoint; }

    /// How the call ended. A success counts with its latency, a failure with at least the balancer's penalty: else an
    /// endpoint that fails at once would look like the fastest. Without a penalty it is a call like others. Ignored
    /// leaves the latency alone.
    void record(outcome const& o, time_point now) noexcept
    {
        if (open_ && rule_ != nullptr && o.what != outcome::kind::ignored) {
            auto const least = o.failed() ? rule_->failure_penalty.load(std::memory_order_relaxed) : duration::zero();
            member_->state->observe(std::max(o.latency, least), now, rule_->decay.load(std::memory_order_relaxed),
                                    least > duration::zero());
        }
        close();
    }

    /// For balancers: a member of `snapshot`, or its `position`-th pickable one. Without a rule only calls in flight
    /// are counted.
    lease(std::shared_ptr<endpoint_snapshot const> snapshot, endpoint_snapshot::member const& chosen,
          detail::latency_rule const* rule = nullptr) noexcept
        : snapshot_(std::move(snapshot)), member_(&chosen), rule_(rule)
    {
        member_->state->enter();
    }
    lease(std::shared_ptr<endpoint_snapshot const> snapshot, std::size_t position,
          detail::latency_rule const* rule = nullptr) noexcept
        : snapshot_(std::move(snapshot)), member_(&snapshot_->pickable_member(position)), rule_(rule)
    {
        member_->state->enter();
    }

private:
    void close() noexcept
    {
        if (std::exchange(open_, false)) member_->state->leave();
    }

    std::shared_ptr<endpoint_snapshot const> snapshot_;
    endpoint_snapshot::member const* member_;
    detail::latency_rule const* rule_;
    bool open_ = true;
};

}  // namespace weir
