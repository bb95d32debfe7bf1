// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

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

struct dry_run_options {
    double enforce = 0.0;  ///< share of the refusals that stand; 0: none, a dry run. 1: all, as without
};

namespace detail {

struct no_listener {};

/// A gate's answer, by whatever it is asked with.
template <any_gate Gate>
[[nodiscard]] auto some_answer(Gate& g)
{
    if constexpr (gate<Gate>)
        return g.admit(time_point{});
    else if constexpr (facts_gate<Gate>)
        return g.admit(call_facts{}, time_point{});
    else if constexpr (keyed_gate<Gate>)
        return g.admit(std::string_view{}, time_point{});
    else
        return g.admit(request_priority{}, time_point{});
}

}  // namespace detail

/// The token of a dry run: the gate's own, or, where it would have refused, one that says nothing to it.
template <token Token>
class [[nodiscard]] dry_run_permit {
public:
    explicit dry_run_permit(Token inner) noexcept : inner_(std::move(inner)) {}
    explicit dry_run_permit(time_point now) noexcept : asked_(now) {}

    /// Whether the gate admitted it.
    [[nodiscard]] bool real() const noexcept { return inner_.has_value(); }

    [[nodiscard]] time_point start_at() const noexcept
        requires requires(Token const& t) { t.start_at(); }
    {
        return inner_ ? inner_->start_at() : asked_;
    }
    [[nodiscard]] std::error_code fault() const noexcept
        requires requires(Token const& t) { t.fault(); }
    {
        return inner_ ? inner_->fault() : std::error_code{};
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
};

/// For bringing in a gate where traffic already flows: it decides as ever, but a call that it refuses goes through,
/// and is counted. When the count is what was expected, `enforce` goes up in steps, under load, from 0 to 1.
///
///   weir::dry_run watched{breaker};                                     // any gate; by reference
///   weir::dry_run tried{weir::token_bucket{{...}}, {.enforce = 0.1}};   // owns it; one refusal in ten stands
///   auto guarded = weir::pipeline(watched, ...);
///
/// A call that was let through against the gate takes nothing from it and reports nothing to it. One that the gate
/// admits is as without: a leaky bucket still says when to start.
///
/// Rules have no dry run of this kind, for what they would do cannot be tried beside what is done; each shows it in
/// another way. `retry` and `hedge`: with a budget of nothing (`{.per_success = 0, .initial = 0}`) an observer's
/// retry_suppressed and hedge_suppressed say what would have been sent, and a growing per_success is the share
/// enforced. `deadline`, `attempt_timeout`: the latencies in attempt_ended and call_ended say how many would have been
/// cut off; without the cut an attempt that hangs would hang. `enough_time` lets pass what it has not seen. A
/// circuit_breaker has a dry run of its own, which goes on as if its refusals stood.
///
/// `listener(rejection const&)` hears of every refusal that did not stand, on the thread that asked and without locks.
/// What it throws is dropped.
///
/// Refuses: as the gate, in that share of cases.
/// Throws:  constructor and reconfigure only, std::invalid_argument for enforce.
/// Threads: as the gate; the listener is called by several at once. Move it only before first use.
/// Cost:    the gate's; a random number for a refusal where enforce is neither 0 nor 1. Never allocates.
/// Seen in: examples/21_dry_run.cpp
template <class Gate, class Listener = detail::no_listener>
class dry_run {
    using inner_gate = std::remove_reference_t<Gate>;
    static_assert(any_gate<inner_gate>, "weir::dry_run wraps a gate: it needs admit(now), see weir/core/gate.hpp");
    static_assert(std::same_as<Listener, detail::no_listener> || std::invocable<Listener const&, rejection const&>,
                  "weir::dry_run: the listener is called, const, with a weir::rejection const&");

public:
    using options = dry_run_options;
    using token = dry_run_permit<typename decltype(detail::some_answer(std::declval<inner_gate&>()))::token_type>;

    explicit dry_run(Gate&& g, options const& o = {}, Listener listener = {})
        : gate_(std::forward<Gate>(g)), listener_(std::move(listener)), enforce_(checked(o))
    {
    }
    dry_run(dry_run&& other) noexcept
        : gate_(std::forward<Gate>(other.gate_)),
          listener_(std::move(other.listener_)),
          enforce_(other.enforce()),
          passed_(other.would_have_refused())
    {
    }

    admission<token> admit(time_point now) noexcept
        requires gate<inner_gate>
    {
        return judge(gate_.admit(now), now, thread_random);
    }
    template <random_source Random>
    admission<token> admit(time_point now, Random& random) noexcept
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
        return gate_.try_acquire(n, now) || !stands(thread_random);
    }

    /// Takes effect at once, for those who ask from now on.
    void reconfigure(options const& o) { enforce_.store(checked(o), std::memory_order_relaxed); }

    [[nodiscard]] double enforce() const noexcept { return enforce_.load(std::memory_order_relaxed); }

    /// Refusals that did not stand.
    [[nodiscard]] std::uint64_t would_have_refused() const noexcept { return passed_.load(std::memory_order_relaxed); }

    [[nodiscard]] inner_gate& inner() noexcept { return gate_; }

private:
    static double checked(options const& o)
    {
        if (!(o.enforce >= 0.0 && o.enforce <= 1.0))
            detail::bad_option("dry_run_options.enforce", "from 0 to 1", o.enforce);
        return o.enforce;
    }

    // `random` gives a generator; it is asked only if the answer hangs on it.
    template <class Answer, std::invocable Random>
    admission<token> judge(Answer&& answer, time_point now, Random const& random) noexcept
    {
        if (answer) return token{*std::move(answer)};
        if (stands(random)) return answer.refused();
        if constexpr (!std::same_as<Listener, detail::no_listener>) {
            try {
                listener_(answer.refused());
            } catch (...) {  // NOLINT: a listener harms nobody
            }
        }
        return token{now};
    }

    template <std::invocable Random>
    [[nodiscard]] bool stands(Random const& random) noexcept
    {
        auto const share = enforce();
        if (share > 0.0 && (share >= 1.0 || uniform_unit(random()) < share)) return true;
        passed_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }

    Gate gate_;
    [[no_unique_address]] Listener listener_;
    atomic<double> enforce_;
    atomic<std::uint64_t> passed_{0};
};

template <class Gate>
dry_run(Gate&&) -> dry_run<Gate>;
template <class Gate>
dry_run(Gate&&, dry_run_options) -> dry_run<Gate>;
template <class Gate, class Listener>
dry_run(Gate&&, dry_run_options, Listener) -> dry_run<Gate, Listener>;

}  // namespace weir
