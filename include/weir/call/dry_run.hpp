// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/trial.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/gate.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

class attempt_timeout;
class deadline;
class enough_time;
class hedge;
class retry;

struct dry_run_options {
    /// Of a gate: share of the refusals, delays and faults that stand. Of a rule: share of the calls for which it acts.
    /// 0: none, a dry run. 1: all, as without.
    double enforce = 0.0;
};

namespace detail {

struct no_listener {};

template <class Rule>
concept enforceable_rule = std::same_as<Rule, deadline> || std::same_as<Rule, attempt_timeout> ||
                           std::same_as<Rule, enough_time> || std::same_as<Rule, retry> || std::same_as<Rule, hedge>;

[[nodiscard]] inline double checked_share(dry_run_options const& o)
{
    if (!(o.enforce >= 0.0 && o.enforce <= 1.0)) bad_option("dry_run_options.enforce", "from 0 to 1", o.enforce);
    return o.enforce;
}

}  // namespace detail

/// The token of a dry run: the gate's own, or, where it would have refused, one that says nothing to it.
template <token Token>
class [[nodiscard]] dry_run_permit {
public:
    explicit dry_run_permit(Token inner) noexcept : inner_(std::move(inner)) {}
    explicit dry_run_permit(time_point now) noexcept : asked_(now) {}
    /// The gate's own, without the delay or the fault that it imposes.
    dry_run_permit(Token inner, time_point now) noexcept : inner_(std::move(inner)), asked_(now), at_once_(true) {}

    /// Whether the gate admitted it.
    [[nodiscard]] bool real() const noexcept { return inner_.has_value(); }

    [[nodiscard]] time_point start_at() const noexcept
        requires requires(Token const& t) { t.start_at(); }
    {
        return inner_ && !at_once_ ? inner_->start_at() : asked_;
    }
    [[nodiscard]] std::error_code fault() const noexcept
        requires requires(Token const& t) { t.fault(); }
    {
        return inner_ && !at_once_ ? inner_->fault() : std::error_code{};
    }
    void record(outcome const& o, time_point now) noexcept
    {
        if (inner_) inner_->record(o, now);
    }
    bool cancel() noexcept
        requires requires(Token& t) { t.cancel(); }
    {
        return inner_ && inner_->cancel();
    }

private:
    std::optional<Token> inner_;
    time_point asked_{};
    bool at_once_ = false;
};

/// For bringing in a gate or a rule where traffic already flows: it decides as ever, but what it decides is not done,
/// and is counted. When the count is what was expected, `enforce` goes up in steps, under load, from 0 to 1.
///
///   weir::dry_run watched{breaker};                                     // any gate; by reference
///   weir::dry_run tried{weir::token_bucket{{...}}, {.enforce = 0.1}};   // owns it; one refusal in ten stands
///   weir::dry_run again{weir::retry({...}, budget), {.enforce = 0.25}}; // a rule: acts in one call of four
///   auto guarded = weir::pipeline(watched, again, ...);
///
/// A call that was let through against the gate takes nothing from it and reports nothing to it. One that the gate
/// admits is as without, but for a delay (leaky_bucket, `reserve`) or a fault (chaos): that is a decision, too, and is
/// imposed in the same share of cases. In the others the permit stays reserved, so that the gate goes on as if it had
/// been waited for, and nobody waits. A circuit_breaker has a dry run of its own, which goes on as if its refusals
/// stood.
///
/// `listener(rejection const&)` hears of every refusal that did not stand, on the thread that asked and without locks.
/// What it throws is dropped.
///
/// A balancer has no dry run: it refuses only when there is nowhere to send, and which endpoint another one would have
/// picked says nothing without sending there.
///
/// Refuses: as the gate, in that share of cases.
/// Throws:  constructor and reconfigure only, std::invalid_argument for enforce.
/// Threads: as the gate; the listener is called by several at once. Move it only before first use.
/// Cost:    the gate's; a random number for a refusal where enforce is neither 0 nor 1. Never allocates.
/// Seen in: examples/21_dry_run.cpp
template <class Gate, class Listener = detail::no_listener>
class dry_run {
    using inner_gate = std::remove_reference_t<Gate>;
    static_assert(!balancer<inner_gate>,
                  "weir::dry_run: a balancer refuses only when there is nowhere to send, so it has no dry run");
    static_assert(
        any_gate<inner_gate>,
        "weir::dry_run wraps a gate: it needs admit(now), see weir/core/gate.hpp; or, not const and without a "
        "listener (weir::observe hears of it), a rule: deadline, attempt_timeout, enough_time, retry, hedge");
    static_assert(std::same_as<Listener, detail::no_listener> || std::invocable<Listener const&, rejection const&>,
                  "weir::dry_run: the listener is called, const, with a weir::rejection const&");

public:
    using options = dry_run_options;
    using token = dry_run_permit<typename decltype(detail::some_answer(std::declval<inner_gate&>()))::token_type>;

    /// For whoever waits: of `try_acquire` and then `reserve`, each would draw.
    static constexpr bool asked_once = true;

    explicit dry_run(Gate&& g, options const& o = {}, Listener listener = {})
        : gate_(std::forward<Gate>(g)), listener_(std::move(listener)), enforce_(detail::checked_share(o))
    {
    }
    dry_run(dry_run&& other) noexcept
        : gate_(std::forward<Gate>(other.gate_)),
          listener_(std::move(other.listener_)),
          enforce_(other.enforce()),
          passed_(other.would_have_refused()),
          delayed_(other.would_have_delayed())
    {
    }

    admission<token> admit(time_point now) noexcept(noexcept(std::declval<inner_gate&>().admit(now)))
        requires gate<inner_gate>
    {
        return judge(gate_.admit(now), now, thread_random);
    }
    template <random_source Random>
    admission<token> admit(time_point now, Random& random) noexcept(noexcept(std::declval<inner_gate&>().admit(now)))
        requires gate<inner_gate>
    {
        return judge(gate_.admit(now), now, [&random]() -> Random& { return random; });
    }

    /// Of a gate that looks at the call (core/gate.hpp).
    admission<token> admit(call_facts const& of, time_point now) noexcept
        requires facts_gate<inner_gate>
    {
        return judge(gate_.admit(of, now), now, thread_random);
    }
    admission<token> admit(std::string_view key, time_point now) noexcept
        requires keyed_gate<inner_gate>
    {
        return judge(gate_.admit(key, now), now, thread_random);
    }
    admission<token> admit(request_priority p, time_point now) noexcept
        requires priority_gate<inner_gate>
    {
        return judge(gate_.admit(p, now), now, thread_random);
    }

    /// For gates that are asked for several at once. A refusal has no details here, and the listener is not told.
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept
        requires requires(inner_gate& g) { bool(g.try_acquire(n, now)); }
    {
        if (gate_.try_acquire(n, now)) return true;
        if (stands(thread_random)) return false;
        passed_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    /// For those who wait (async_acquire): a reservation ahead, without the wait where that does not stand.
    [[nodiscard]] auto reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
        requires requires(inner_gate& g) { g.reserve(n, max_wait, now); }
    {
        return judge(gate_.reserve(n, max_wait, now), now, thread_random);
    }
    [[nodiscard]] duration max_wait() const noexcept
        requires requires(inner_gate const& g) { g.max_wait(); }
    {
        return gate_.max_wait();
    }

    /// When the gate would let n pass; `now` where its refusal may not stand.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
        requires requires(inner_gate const& g) { g.retry_at(n, now); }
    {
        return enforce() >= 1.0 ? gate_.retry_at(n, now) : now;
    }
    void drain() noexcept
        requires requires(inner_gate& g) { g.drain(); }
    {
        gate_.drain();
    }
    void drain(time_point now) noexcept
        requires requires(inner_gate& g) { g.drain(now); }
    {
        gate_.drain(now);
    }
    [[nodiscard]] decltype(auto) name() const noexcept
        requires requires(inner_gate const& g) { g.name(); }
    {
        return gate_.name();
    }

    /// Of a gate at which a thread waits (concurrency_limit, shedding_queue): it does where the refusal stands.
    template <class How>
    admission<token> acquire(How const& how)
        requires gate<inner_gate> && requires(inner_gate& g) { g.acquire(how); }
    {
        auto const now = steady_clock::now();
        if (auto at_once = gate_.admit(now))
            return token{*std::move(at_once)};
        else if (lets_pass(at_once.refused()))
            return token{now};
        auto answer = gate_.acquire(how);
        if (answer) return token{*std::move(answer)};
        return answer.refused();
    }

    /// For drivers that wait in a way of their own: whether this refusal of the gate does not stand. Counts, and tells.
    [[nodiscard]] bool lets_pass(rejection const& refusal) noexcept { return lets_pass(refusal, thread_random); }

    /// Takes effect at once, for those who ask from now on.
    void reconfigure(options const& o) { enforce_.store(detail::checked_share(o), std::memory_order_relaxed); }

    [[nodiscard]] double enforce() const noexcept { return enforce_.load(std::memory_order_relaxed); }

    /// Refusals that did not stand.
    [[nodiscard]] std::uint64_t would_have_refused() const noexcept { return passed_.load(std::memory_order_relaxed); }

    /// Delays and faults that were not imposed.
    [[nodiscard]] std::uint64_t would_have_delayed() const noexcept { return delayed_.load(std::memory_order_relaxed); }

    [[nodiscard]] inner_gate& inner() noexcept { return gate_; }

private:
    // `random` gives a generator; it is asked only if the answer hangs on it.
    template <class Answer, std::invocable Random>
    auto judge(Answer&& answer, time_point now, Random const& random) noexcept
        -> admission<dry_run_permit<typename std::remove_cvref_t<Answer>::token_type>>
    {
        using permit = dry_run_permit<typename std::remove_cvref_t<Answer>::token_type>;
        if (answer) {
            if (!imposes(*answer, now) || stands(random)) return permit(*std::move(answer));
            delayed_.fetch_add(1, std::memory_order_relaxed);
            return permit(*std::move(answer), now);
        }
        if (lets_pass(answer.refused(), random)) return permit(now);
        return answer.refused();
    }

    template <class Token>
    [[nodiscard]] static bool imposes([[maybe_unused]] Token& t, [[maybe_unused]] time_point now) noexcept
    {
        bool something = false;
        if constexpr (requires { t.start_at(); }) something = t.start_at() > now;
        if constexpr (requires { t.fault(); }) something = something || t.fault();
        return something;
    }

    template <std::invocable Random>
    [[nodiscard]] bool lets_pass([[maybe_unused]] rejection const& refusal, Random const& random) noexcept
    {
        if (stands(random)) return false;
        passed_.fetch_add(1, std::memory_order_relaxed);
        if constexpr (!std::same_as<Listener, detail::no_listener>) {
            try {
                listener_(refusal);
            } catch (...) {  // NOLINT: a listener harms nobody
            }
        }
        return true;
    }

    template <std::invocable Random>
    [[nodiscard]] bool stands(Random const& random) noexcept
    {
        auto const share = enforce();
        return share > 0.0 && (share >= 1.0 || uniform_unit(random()) < share);
    }

    Gate gate_;
    [[no_unique_address]] Listener listener_;
    atomic<double> enforce_;
    atomic<std::uint64_t> passed_{0};
    atomic<std::uint64_t> delayed_{0};
};

/// The same for a rule. For each call one draw says whether the rule acts, the same for all its attempts. Where it does
/// not, the call is as without it, and `observe` hears what would have been done, when that shows:
///
///   retry        retry_suppressed(no_retry::dry_run), instead of the pause; the budget is not touched
///   hedge        hedge_suppressed(no_hedge::dry_run), when it is due; nor is its budget
///   deadline, attempt_timeout   not_enforced(errc) when a call, an attempt, that they would have cut off has ended.
///                Who hangs, hangs: that is what a dry run is
///   enough_time  not_enforced(errc::no_time_left) when an attempt is sent that it would have refused
///
/// It learns in every call: the quantile of a hedge is there when it is let loose.
///
/// Threads: any, as the rule. Move it only before the first call.
/// Cost:    a random number per call, and a few branches; nothing to rules that are in no dry_run.
/// Seen in: examples/21_dry_run.cpp
template <class Rule>
    requires detail::enforceable_rule<std::remove_reference_t<Rule>>
class dry_run<Rule, detail::no_listener> {
    using rule = std::remove_reference_t<Rule>;

public:
    using options = dry_run_options;
    using rule_on_trial = rule;  ///< for the pipeline: what it stands for

    explicit dry_run(Rule&& r, options const& o = {}) : rule_(std::forward<Rule>(r)), share_(detail::checked_share(o))
    {
    }
    dry_run(dry_run&& other) noexcept : rule_(std::forward<Rule>(other.rule_)), share_(other.enforce())
    {
        share_.passed_over.store(other.would_have_acted(), std::memory_order_relaxed);
    }

    /// For the calls that begin from now on, and for what those in flight have not yet come to.
    void reconfigure(options const& o) { share_.share.store(detail::checked_share(o), std::memory_order_relaxed); }

    [[nodiscard]] double enforce() const noexcept { return share_.share.load(std::memory_order_relaxed); }

    /// Retries, hedges, timeouts and refusals that were not made.
    [[nodiscard]] std::uint64_t would_have_acted() const noexcept
    {
        return share_.passed_over.load(std::memory_order_relaxed);
    }

    [[nodiscard]] rule& inner() noexcept { return rule_; }
    [[nodiscard]] rule const& inner() const noexcept { return rule_; }

    /// For the machine.
    [[nodiscard]] detail::trial<rule> on_trial() noexcept { return {&rule_, &share_}; }

private:
    Rule rule_;
    detail::enforced_share share_;
};

template <class Gate>
dry_run(Gate&&) -> dry_run<Gate>;
template <class Gate>
dry_run(Gate&&, dry_run_options) -> dry_run<Gate>;
template <class Gate, class Listener>
dry_run(Gate&&, dry_run_options, Listener) -> dry_run<Gate, Listener>;

}  // namespace weir
