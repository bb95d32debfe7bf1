// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/held_tokens.hpp>
#include <weir/call/detail/stage_text.hpp>
#include <weir/call/detail/stages.hpp>
#include <weir/call/detail/trial.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace weir::detail {

/// A stage of a pipeline behind virtual functions. It is used by any number of calls at once, as the stage is.
struct erased_stage {
    explicit erased_stage(role r) noexcept : what(r) {}
    erased_stage(erased_stage const&) = delete;
    virtual ~erased_stage() = default;
    [[nodiscard]] virtual std::string text() const = 0;

    role const what;
};

/// A rule: the machine knows its type by its role.
template <class Rule>
struct erased_rule : erased_stage {
    explicit erased_rule(trial<Rule> const& r) noexcept : erased_stage(role_of<Rule>()), rule(r) {}

    trial<Rule> const rule;
};

template <class Stage>
[[nodiscard]] auto trial_in(Stage& s) noexcept
{
    if constexpr (requires { s.on_trial(); })
        return s.on_trial();
    else
        return trial<Stage>{&s};
}

/// `Stage`: a rule, or a dry_run of one.
template <class Stage>
struct erased_rule_of final : erased_rule<typename decltype(trial_in(std::declval<Stage&>()))::rule_type> {
    explicit erased_rule_of(std::shared_ptr<Stage> s) noexcept
        : erased_rule<typename decltype(trial_in(*s))::rule_type>(trial_in(*s)), stage(std::move(s))
    {
    }
    [[nodiscard]] std::string text() const override { return stage_text(*stage); }

    std::shared_ptr<Stage> const stage;
};

/// What can be done to a token of an unknown type, in the room of its call.
struct token_verbs {
    std::size_t size, alignment;
    void (*record)(void* token, outcome const& o, time_point now) noexcept;
    void (*destroy)(void* token) noexcept;
    void (*move)(void* from, void* to) noexcept;  // and destroys the one moved from
};

template <class Token>
inline constexpr token_verbs verbs_of{
    sizeof(Token), alignof(Token),
    [](void* t, outcome const& o, time_point now) noexcept { static_cast<Token*>(t)->record(o, now); },
    [](void* t) noexcept { static_cast<Token*>(t)->~Token(); },
    [](void* from, void* to) noexcept {
        ::new (to) Token(std::move(*static_cast<Token*>(from)));
        static_cast<Token*>(from)->~Token();
    }};

/// What a token says of the attempt.
struct token_says {
    time_point start_at;
    std::error_code fault{};

    template <class Token>
    void also(Token const& t) noexcept
    {
        if constexpr (requires { t.start_at(); }) start_at = std::max(start_at, t.start_at());
        if constexpr (requires { t.fault(); })
            if (!fault) fault = t.fault();
    }
};

struct erased_gate : erased_stage {
    explicit erased_gate(token_verbs const& v) noexcept : erased_stage(role::gate), tokens(v) {}

    /// True: there is a token at `place` now. False: `refusal` says why not.
    [[nodiscard]] virtual bool admit(void* place, asking_call const& of, time_point now, token_says& says,
                                     rejection& refusal) = 0;

    token_verbs const& tokens;
};

template <any_gate Gate>
struct erased_gate_of final : erased_gate {
    using token = typename decltype(ask(std::declval<Gate&>(), asking_call{}, time_point{}))::token_type;

    explicit erased_gate_of(std::shared_ptr<Gate> g) noexcept : erased_gate(verbs_of<token>), gate(std::move(g)) {}
    [[nodiscard]] std::string text() const override { return stage_text(*gate); }

    [[nodiscard]] bool admit(void* place, asking_call const& of, time_point now, token_says& says,
                             rejection& refusal) override
    {
        auto answer = ask(*gate, of, now);
        if (!answer) {
            refusal = answer.refused();
            return false;
        }
        says.also(*::new (place) token(*std::move(answer)));
        return true;
    }

    std::shared_ptr<Gate> const gate;
};

struct erased_balancer : erased_stage {
    explicit erased_balancer(token_verbs const& v) noexcept : erased_stage(role::balancer), tokens(v) {}

    /// The endpoint, which lives as long as the lease at `place`. Null: refused.
    [[nodiscard]] virtual endpoint const* pick(void* place, time_point now, random_engine& random,
                                               endpoint const* avoid, rejection& refusal) = 0;

    token_verbs const& tokens;
};

template <balancer Balancer>
struct erased_balancer_of final : erased_balancer {
    using answer_type = decltype(std::declval<Balancer&>().pick(time_point{}, std::declval<random_engine&>(), nullptr));
    using token = typename answer_type::token_type;

    explicit erased_balancer_of(std::shared_ptr<Balancer> b) noexcept
        : erased_balancer(verbs_of<token>), balancer(std::move(b))
    {
    }
    [[nodiscard]] std::string text() const override { return stage_text(*balancer); }

    [[nodiscard]] endpoint const* pick(void* place, time_point now, random_engine& random, endpoint const* avoid,
                                       rejection& refusal) override
    {
        auto answer = balancer->pick(now, random, avoid);
        if (answer) return &(::new (place) token(*std::move(answer)))->endpoint();
        refusal = answer.refused();
        return nullptr;
    }

    std::shared_ptr<Balancer> const balancer;
};

struct erased_classifier : erased_stage {
    erased_classifier() noexcept : erased_stage(role::classify) {}
    [[nodiscard]] std::string text() const override { return "classify"; }

    [[nodiscard]] virtual outcome nothing() const = 0;
    [[nodiscard]] virtual outcome code(std::error_code const& ec) const = 0;
    [[nodiscard]] virtual outcome thrown(std::exception_ptr const& e) const = 0;
    /// `at`: one pointer for each element of the tuple type `values`. Nothing: it does not look at these.
    [[nodiscard]] virtual std::optional<outcome> result(std::type_info const& values, void const* const* at) const = 0;
};

/// `Values`: tuples of what the rule's function takes.
template <class Classify, class... Values>
struct erased_classifier_of final : erased_classifier {
    explicit erased_classifier_of(std::shared_ptr<Classify> c) noexcept : rule(std::move(c)) {}

    [[nodiscard]] outcome nothing() const override { return std::as_const(*rule)(); }
    [[nodiscard]] outcome code(std::error_code const& ec) const override { return std::as_const(*rule)(ec); }
    [[nodiscard]] outcome thrown(std::exception_ptr const& e) const override { return std::as_const(*rule)(e); }
    [[nodiscard]] std::optional<outcome> result(std::type_info const& values, void const* const* at) const override
    {
        std::optional<outcome> o;
        (void)(one(type_list<Values>{}, values, at, o) || ...);
        return o;
    }

    template <class... T>
    [[nodiscard]] bool one(type_list<std::tuple<T...>>, std::type_info const& values, void const* const* at,
                           std::optional<outcome>& o) const
    {
        if (values != typeid(std::tuple<T...>)) return false;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            o = std::as_const(*rule)(*static_cast<T const*>(at[I])...);
        }(std::index_sequence_for<T...>{});
        return true;
    }

    std::shared_ptr<Classify> const rule;
};

/// What the function of a classify rule takes, where that can be told: one call operator, no template.
template <class F>
struct taken_by {
    static constexpr bool known = false;
};
template <class... A>
struct taken_by<outcome (*)(A...)> {
    static constexpr bool known = true;
    using values = std::tuple<std::remove_cvref_t<A>...>;
};
template <class... A>
struct taken_by<outcome (*)(A...) noexcept> : taken_by<outcome (*)(A...)> {};
template <class C, class... A>
struct taken_by<outcome (C::*)(A...) const> : taken_by<outcome (*)(A...)> {};
template <class C, class... A>
struct taken_by<outcome (C::*)(A...) const noexcept> : taken_by<outcome (*)(A...)> {};
template <class F>
    requires requires { &F::operator(); }
struct taken_by<F> : taken_by<decltype(&F::operator())> {};

struct erased_observer : erased_stage {
    erased_observer() noexcept : erased_stage(role::observe) {}
    [[nodiscard]] std::string text() const override { return "observe"; }

    virtual void attempt_started(attempt const& a) noexcept = 0;
    virtual void attempt_ended(attempt const& a, outcome const& o) noexcept = 0;
    virtual void refused(rejection const& r) noexcept = 0;
    virtual void retry_scheduled(unsigned attempts_so_far, duration wait) noexcept = 0;
    virtual void retry_suppressed(no_retry why) noexcept = 0;
    virtual void hedge_started(attempt const& a) noexcept = 0;
    virtual void hedge_suppressed(no_hedge why) noexcept = 0;
    virtual void not_enforced(errc ending) noexcept = 0;
    virtual void call_ended(call_report const& report) noexcept = 0;
};

template <class Observe>
struct erased_observer_of final : erased_observer {
    explicit erased_observer_of(std::shared_ptr<Observe> o) noexcept : rule(std::move(o)) {}

    void attempt_started(attempt const& a) noexcept override { rule->attempt_started(a); }
    void attempt_ended(attempt const& a, outcome const& o) noexcept override { rule->attempt_ended(a, o); }
    void refused(rejection const& r) noexcept override { rule->refused(r); }
    void retry_scheduled(unsigned n, duration wait) noexcept override { rule->retry_scheduled(n, wait); }
    void retry_suppressed(no_retry why) noexcept override { rule->retry_suppressed(why); }
    void hedge_started(attempt const& a) noexcept override { rule->hedge_started(a); }
    void hedge_suppressed(no_hedge why) noexcept override { rule->hedge_suppressed(why); }
    void not_enforced(errc ending) noexcept override { rule->not_enforced(ending); }
    void call_ended(call_report const& report) noexcept override { rule->call_ended(report); }

    std::shared_ptr<Observe> const rule;
};

}  // namespace weir::detail
