// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/outcome.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace weir {

/// Why a failed attempt was not tried again.
enum class no_retry : std::uint8_t {
    permanent,       ///< another try would only repeat it
    attempts,        ///< retry_options::max_attempts are used up
    budget,          ///< the retry budget is spent
    deadline,        ///< the deadline leaves no room for the wait
    too_long,        ///< the peer asked for a longer wait than retry_options::max_retry_after
    elapsed,         ///< it would begin later than retry_options::max_elapsed
    pushback,        ///< the peer asked for no more tries, or retry_options::delay_from said so
    not_idempotent,  ///< it was sent, and call_options::idempotent says that once is enough
    dry_run,         ///< it would have been, but the rule is on trial, and not for this call (dry_run)
};

/// Why a hedge that was due was not sent.
enum class no_hedge : std::uint8_t {
    budget,   ///< the retry budget is spent
    refused,  ///< by a gate
    dry_run,  ///< it was due, but the rule is on trial, and not for this call (dry_run)
};

/// How a call ended.
struct call_report {
    unsigned attempts = 0;   ///< sent
    outcome last;            ///< of the attempt that decided; `ignored` when none was sent
    bool refused = false;    ///< by one of weir's own gates, nothing having been answered
    bool cancelled = false;  ///< by the caller
    duration elapsed{};      ///< from the start of the call, waits included
    unsigned hedges = 0;     ///< of the attempts, those sent beside another
    bool hedge_won = false;  ///< the answer is a hedge's
};

namespace detail {

struct every_hook {
    void attempt_started() {}
    void attempt_ended() {}
    void refused() {}
    void retry_scheduled() {}
    void retry_suppressed() {}
    void hedge_started() {}
    void hedge_suppressed() {}
    void not_enforced() {}
    void call_ended() {}
};

/// Here the name of a hook is ambiguous if the observer has it too, be it private, overloaded or a template, where
/// asking the observer itself would only say that there is none. A final class can only be asked itself.
template <class Observer>
struct without_hooks : Observer, every_hook {};
template <class Observer>
    requires std::is_final_v<Observer>
struct without_hooks<Observer> : every_hook {};

}  // namespace detail

/// The rule of a pipeline that reports what happens, from one place: the call machine. `Observer` has any of
///
///   void attempt_started(weir::attempt const&);
///   void attempt_ended(weir::attempt const&, weir::outcome const&);
///   void refused(weir::rejection const&);                             // by any gate
///   void retry_scheduled(unsigned attempts_so_far, weir::duration wait);
///   void retry_suppressed(weir::no_retry);
///   void hedge_started(weir::attempt const&);                         // then attempt_started of the same
///   void hedge_suppressed(weir::no_hedge);
///   void not_enforced(weir::errc);  // by a rule on trial (dry_run): what an attempt or the call would have ended with
///   void call_ended(weir::call_report const&);
///
/// A hook with the right name and another signature, or a private one, does not compile. An lvalue is shared by
/// reference.
/// Threads: hooks run on the thread of the call they belong to, under no lock; what they throw is swallowed.
/// Cost:    none for a hook that is absent.   Seen in: examples/12_observe.cpp
template <class Observer>
class observe {
public:
    explicit observe(Observer&& o) : observer_(std::forward<Observer>(o))
    {
        // Only some pipelines call these, and a wrong signature must not compile in any.
        [[maybe_unused]] auto const never_called = [this] {
            hedge_started(attempt());
            hedge_suppressed({});
            not_enforced({});
        };
    }

    void attempt_started(attempt const& a) noexcept;
    void attempt_ended(attempt const& a, outcome const& o) noexcept;
    void refused(rejection const& r) noexcept;
    void retry_scheduled(unsigned attempts_so_far, duration wait) noexcept;
    void retry_suppressed(no_retry why) noexcept;
    void hedge_started(attempt const& a) noexcept;
    void hedge_suppressed(no_hedge why) noexcept;
    void not_enforced(errc ending) noexcept;
    void call_ended(call_report const& report) noexcept;

private:
    template <class Hook>
    static void harmless(Hook hook) noexcept
    {
        try {
            hook();
        } catch (...) {  // an observer's trouble is not the call's
        }
    }

    Observer observer_;
};

template <class Observer>
observe(Observer&&) -> observe<Observer>;

// Bodies. One macro would be shorter than all of these; it would also be a macro.

template <class Observer>
void observe<Observer>::attempt_started(attempt const& a) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.attempt_started(a); })
        harmless([&] { observer_.attempt_started(a); });
    else
        static_assert(
            !requires { &O::attempt_started; } && requires { &detail::without_hooks<O>::attempt_started; },
            "weir::observe: the hook is a public void attempt_started(weir::attempt const&)");
}

template <class Observer>
void observe<Observer>::attempt_ended(attempt const& a, outcome const& o) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.attempt_ended(a, o); })
        harmless([&] { observer_.attempt_ended(a, o); });
    else
        static_assert(
            !requires { &O::attempt_ended; } && requires { &detail::without_hooks<O>::attempt_ended; },
            "weir::observe: the hook is a public void attempt_ended(weir::attempt const&, weir::outcome const&)");
}

template <class Observer>
void observe<Observer>::refused(rejection const& r) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.refused(r); })
        harmless([&] { observer_.refused(r); });
    else
        static_assert(
            !requires { &O::refused; } && requires { &detail::without_hooks<O>::refused; },
            "weir::observe: the hook is a public void refused(weir::rejection const&)");
}

template <class Observer>
void observe<Observer>::retry_scheduled(unsigned attempts_so_far, duration wait) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.retry_scheduled(attempts_so_far, wait); })
        harmless([&] { observer_.retry_scheduled(attempts_so_far, wait); });
    else
        static_assert(
            !requires { &O::retry_scheduled; } && requires { &detail::without_hooks<O>::retry_scheduled; },
            "weir::observe: the hook is a public void retry_scheduled(unsigned, weir::duration)");
}

template <class Observer>
void observe<Observer>::retry_suppressed(no_retry why) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.retry_suppressed(why); })
        harmless([&] { observer_.retry_suppressed(why); });
    else
        static_assert(
            !requires { &O::retry_suppressed; } && requires { &detail::without_hooks<O>::retry_suppressed; },
            "weir::observe: the hook is a public void retry_suppressed(weir::no_retry)");
}

template <class Observer>
void observe<Observer>::hedge_started(attempt const& a) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.hedge_started(a); })
        harmless([&] { observer_.hedge_started(a); });
    else
        static_assert(
            !requires { &O::hedge_started; } && requires { &detail::without_hooks<O>::hedge_started; },
            "weir::observe: the hook is a public void hedge_started(weir::attempt const&)");
}

template <class Observer>
void observe<Observer>::hedge_suppressed(no_hedge why) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.hedge_suppressed(why); })
        harmless([&] { observer_.hedge_suppressed(why); });
    else
        static_assert(
            !requires { &O::hedge_suppressed; } && requires { &detail::without_hooks<O>::hedge_suppressed; },
            "weir::observe: the hook is a public void hedge_suppressed(weir::no_hedge)");
}

template <class Observer>
void observe<Observer>::not_enforced(errc ending) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.not_enforced(ending); })
        harmless([&] { observer_.not_enforced(ending); });
    else
        static_assert(
            !requires { &O::not_enforced; } && requires { &detail::without_hooks<O>::not_enforced; },
            "weir::observe: the hook is a public void not_enforced(weir::errc)");
}

template <class Observer>
void observe<Observer>::call_ended(call_report const& report) noexcept
{
    using O = std::remove_cvref_t<Observer>;
    if constexpr (requires { observer_.call_ended(report); })
        harmless([&] { observer_.call_ended(report); });
    else
        static_assert(
            !requires { &O::call_ended; } && requires { &detail::without_hooks<O>::call_ended; },
            "weir::observe: the hook is a public void call_ended(weir::call_report const&)");
}

}  // namespace weir
