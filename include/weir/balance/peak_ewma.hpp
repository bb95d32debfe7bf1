// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/lease.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

struct peak_ewma_options {
    duration decay = std::chrono::seconds{10};           ///< a peak fades by a factor e in this time; 1 ms to 1 day
    duration failure_penalty = std::chrono::seconds{1};  ///< a failure is at least this slow; up to 1 day, 0: as it was
    std::string name = "peak_ewma";                      ///< the gate name in refusals; fixed at construction
};

/// Draws two endpoints at random and picks the one with the lower (latency, sensitive to peaks) x (calls in flight + 1)
/// / weight: the power of two choices over Finagle's peak EWMA. Slow, stalled and failing endpoints lose within a few
/// calls and are tried again as their latency fades; no endpoint draws more than 2/N of the calls because it looks
/// good. One that has not answered yet is taken to be as fast as the one it is compared with: calls in flight decide,
/// so a new endpoint neither starves nor draws a burst; it wins against one whose latest call failed. A retry avoids
/// the endpoint it has just used, if there is another.
///
/// Refuses: errc::no_endpoint when no endpoint has a weight; retry_at is `now`: only an update of the set helps.
/// Throws:  constructor and reconfigure only, std::invalid_argument for decay or failure_penalty.
/// Threads: everything, from any thread. Lifetimes: the set outlives it, it outlives its leases.
/// Cost:    one snapshot, one random number, two exponentials, whatever the size; never allocates.
/// Seen in: examples/07_balance.cpp
class peak_ewma {
public:
    using options = peak_ewma_options;

    explicit peak_ewma(endpoint_set const& set, options o = {}) : set_(&set), name_(std::move(o.name))
    {
        reconfigure(o);
    }
    peak_ewma(peak_ewma&& other) noexcept : set_(other.set_), name_(std::move(other.name_))
    {
        rule_.decay = other.rule_.decay.load();
        rule_.failure_penalty = other.rule_.failure_penalty.load();
    }

    admission<lease> pick(time_point now, random_engine& random, endpoint const* avoid = nullptr) noexcept
    {
        auto snapshot = set_->snapshot();
        auto const n = snapshot->pickable().size();
        if (n == 0) return rejection{errc::no_endpoint, now, name_};
        auto const choose = [&](member const& m) {
            return admission<lease>(std::in_place, std::move(snapshot), m, &rule_);
        };
        if (n == 1) return choose(snapshot->pickable_member(0));
        // One number is drawn: its halves, as fractions of 2^32, choose the two. The bias is below n / 2^32.
        auto const drawn = random();
        auto const a = static_cast<std::size_t>((drawn >> 32) * n >> 32);
        auto b = static_cast<std::size_t>((drawn & 0xffff'ffff) * (n - 1) >> 32);
        b += b >= a ? 1 : 0;
        auto const& first = snapshot->pickable_member(a);
        auto const& second = snapshot->pickable_member(b);
        bool const take_second = avoid != nullptr && first.endpoint.id == avoid->id    ? true
                                 : avoid != nullptr && second.endpoint.id == avoid->id ? false
                                                                                       : better(second, first, now);
        return choose(take_second ? second : first);
    }

    /// Takes effect with the next call. What was measured stays.
    void reconfigure(options const& o);

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    using member = endpoint_snapshot::member;

    [[nodiscard]] bool better(member const& x, member const& y, time_point now) const noexcept
    {
        auto const decay = rule_.decay.load(std::memory_order_relaxed);
        auto latency_x = x.state->latency(now, decay);
        auto latency_y = y.state->latency(now, decay);
        if (latency_x == 0 || latency_y == 0) {
            // Nothing is known of one of them. Finagle, and Envoy after it, try such a one first, and while that call
            // is in flight count it as slower than anything; tower gives it a latency of the user's that fades. All
            // three let an endpoint win that fails at once and so never has a call in flight. Of an endpoint that
            // failed we know better than to take others to be like it.
            if (bool const failing = y.state->failing(); failing != x.state->failing()) return failing;
            latency_x = latency_y = 1;
        }
        auto const turn = [](member const& m) { return static_cast<float>(m.state->in_flight() + 1); };
        // latency * (in flight + 1) / weight, both sides multiplied by both weights.
        return latency_x * turn(x) * static_cast<float>(y.endpoint.weight) <
               latency_y * turn(y) * static_cast<float>(x.endpoint.weight);
    }

    endpoint_set const* set_;
    detail::latency_rule rule_;
    std::string name_;
};

inline void peak_ewma::reconfigure(options const& o)
{
    using namespace std::chrono_literals;
    if (o.decay < 1ms || o.decay > 24h) detail::bad_option("peak_ewma_options.decay", "from 1 ms to 1 day", o.decay);
    if (o.failure_penalty < 0ns || o.failure_penalty > 24h)
        detail::bad_option("peak_ewma_options.failure_penalty", "from 0 to 1 day", o.failure_penalty);
    rule_.decay.store(o.decay, std::memory_order_relaxed);
    rule_.failure_penalty.store(o.failure_penalty, std::memory_order_relaxed);
}

}  // namespace weir
