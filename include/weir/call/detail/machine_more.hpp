// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

// The bodies of weir::machine that send more than the first attempt: retries and hedges, and what they cost.

#include <weir/call/machine.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace weir {

// An own refusal is no failure of the peer. It is asked again if it will be over within the pause that this try would
// have had anyway; a circuit open for longer fails fast. The caller then gets the last real error, and the refusal only
// if there is none.
template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::on_refused(time_point now, random_engine& random)
{
    observers([&](auto& o) { o.refused(refusal_); });
    if (verdict_ == verdict::none) verdict_ = verdict::refused;
    if (refusal_.code == errc::no_time_left || !refusal_.possible_later()) {
        drop_retry();
        return;
    }
    auto o = outcome::failure();
    o.retry_after = between(now, std::max(now, refusal_.retry_at));
    try_again(o, false, now, random);
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::try_again([[maybe_unused]] outcome const& ended, [[maybe_unused]] bool was_sent,
                                            [[maybe_unused]] time_point now, [[maybe_unused]] random_engine& random)
{
    if constexpr (has_retry_) {
        auto const* const there = rule();
        if (there == nullptr) return;
        auto const& rule = *there;
        auto const give_up = [&](no_retry why) {
            observers([&](auto& obs) { obs.retry_suppressed(why); });
            drop_retry();
        };
        if (sent_ > 0 && said_ && said_->idempotent == false) return give_up(no_retry::not_idempotent);
        auto o = ended;
        o.retry_after = detail::longer_wish(o.retry_after, std::exchange(wish_, std::nullopt));
        auto const plan = detail::plan_retry(rule, o, was_sent, tries_, previous_delay_, random);
        if (plan.why_not) return give_up(*plan.why_not);
        auto const at = later(now, plan.wait);
        rejection unused;
        if (!time_for_an_attempt(at, now, unused)) return give_up(no_retry::deadline);
        if (between(started_, at) > rule.get_options().max_elapsed) return give_up(no_retry::elapsed);
        if (!detail::acts_in(pipeline_.template stage<retry_>(), fate_of(retry_))) return give_up(no_retry::dry_run);
        // Charged before the wait, so that those who sleep count. A try that was refused has not been sent: what was
        // charged for it is still there, and a first one owes nothing.
        if (was_sent && rule.budget()) {
            if (!rule.budget()->try_withdraw(now)) return give_up(no_retry::budget);
            paid_ = true;
        }
        launch_at_ = at;
        observers([&](auto& obs) { obs.retry_scheduled(sent_, plan.wait); });
    }
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::drop_retry() noexcept
{
    launch_at_ = never;
    if (!std::exchange(paid_, false)) return;
    if (auto const* r = rule()) r->budget()->refund();
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::give_back(slot& s, time_point now) noexcept
{
    s.held.settle(nullptr, now);
    s.state = phase::idle;
    s.extra = false;
    if constexpr (hedges_)
        if (std::exchange(s.owes, false)) hedging()->budget().refund();
}

// Nothing new starts, and what has not been sent will not be. Those in flight are cancelled by `next`.
template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::stop(time_point now) noexcept
{
    stopping_ = true;
    hedge_at_ = never;
    drop_retry();
    for (auto& s : slots_)
        if (s.state == phase::held) give_back(s, now);
}

// Once per call, however many copies succeeded.
template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::credit(time_point now) noexcept
{
    auto const* const r = rule();
    retry_budget* const of_retry = r ? r->budget() : nullptr;
    if (of_retry) of_retry->deposit(now);
    if (auto const* const h = hedging(); h && &h->budget() != of_retry) h->budget().deposit(now);
}

template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::plan_hedge([[maybe_unused]] time_point now) noexcept
{
    if constexpr (hedges_) {
        hedge_at_ = never;
        if (!hedging() || (said_ && !said_->idempotent.value_or(false))) return;
        if (extras_ >= hedging()->get_options().max_extra) return;
        if (auto const delay = hedging()->delay(now)) hedge_at_ = later(now, *delay);
        if (hedge_at_ >= call_deadline_) hedge_at_ = never;
    }
}

// A hedge is a guest: without a token, an endpoint of its own or the gates' leave it does not come, and nobody minds.
template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::begin_hedge([[maybe_unused]] time_point now, [[maybe_unused]] random_engine& random)
{
    if constexpr (hedges_) {
        hedge_at_ = never;
        auto* const free = find_slot(phase::idle);
        // All being cancelled already: they are late for another reason.
        auto const* const awaited = find_slot(phase::sent);
        rejection refusal;
        if (free == nullptr || awaited == nullptr || !time_for_an_attempt(now, now, refusal)) return;
        auto const none = [&](no_hedge why) { observers([&](auto& o) { o.hedge_suppressed(why); }); };
        if (!detail::acts_in(pipeline_.template stage<hedge_>(), fate_of(hedge_))) return none(no_hedge::dry_run);
        if (!hedging()->budget().try_withdraw(now)) return none(no_hedge::budget);
        auto& s = *free;
        avoid_ = awaited->held.target();  // not what the lease of `free` still names
        s.extra = s.owes = true;          // abandon() gives it back if a gate throws
        [[maybe_unused]] auto const before = s.held.take_lease();
        detail::avoid_all<InFlight> taken;
        for (auto& other : slots_)
            if (other.state != phase::idle) taken.add(other.held.target());
        auto start_at = now;
        if (s.held.admit(pipeline_, who_asks(), now, &random, taken, start_at, refusal) &&
            time_for_an_attempt(start_at, now, refusal)) {
            s.state = phase::held;
            s.hold_until = start_at;
            return;
        }
        give_back(s, now);
        observers([&](auto& o) { o.refused(refusal); });
        none(no_hedge::refused);
    }
}

// A hedge's delay is a quantile of how long first copies take. One that a hedge overtook took at least as long as it
// had.
template <class Pipeline, std::size_t InFlight>
void machine<Pipeline, InFlight>::learn([[maybe_unused]] bool extra, [[maybe_unused]] reason why,
                                        [[maybe_unused]] outcome const& o, [[maybe_unused]] time_point now) noexcept
{
    if constexpr (hedges_)
        if (hedging() && !extra && (o.ok() || (why == reason::superseded && !cancelled_)))
            hedging()->record(o.latency, now);
    detail::each_stage<Pipeline>([&](auto i) {
        if constexpr (roles_[i] == detail::role::enough_time)
            if (o.ok()) detail::record_in(pipeline_.template stage<i>(), o.latency, now);
    });
}

}  // namespace weir
