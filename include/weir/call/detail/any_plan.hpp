// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/any_stage.hpp>
#include <weir/call/call.hpp>
#include <weir/call/describe.hpp>
#include <weir/call/detail/gate_row.hpp>
#include <weir/call/detail/order.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

namespace weir::detail {

/// The smallest of the limits that were given; none: no limit. Those on trial apart, for each call has its own of them.
template <class Rule>
struct shortest {
    static constexpr role stands_for = role_of<Rule>();
    duration limit = duration::max();
    std::vector<trial<Rule>> trials;
    [[nodiscard]] duration span() const noexcept { return limit; }
};

struct enough_row {
    static constexpr role stands_for = role::enough_time;
    std::vector<trial<enough_time>> trials;
};

struct observer_row {
    static constexpr role stands_for = role::observe;
    std::vector<erased_observer*> all;

    void attempt_started(attempt const& a) noexcept { tell(&erased_observer::attempt_started, a); }
    void attempt_ended(attempt const& a, outcome const& o) noexcept { tell(&erased_observer::attempt_ended, a, o); }
    void refused(rejection const& r) noexcept { tell(&erased_observer::refused, r); }
    void retry_scheduled(unsigned n, duration wait) noexcept { tell(&erased_observer::retry_scheduled, n, wait); }
    void retry_suppressed(no_retry why) noexcept { tell(&erased_observer::retry_suppressed, why); }
    void hedge_started(attempt const& a) noexcept { tell(&erased_observer::hedge_started, a); }
    void hedge_suppressed(no_hedge why) noexcept { tell(&erased_observer::hedge_suppressed, why); }
    void not_enforced(errc ending) noexcept { tell(&erased_observer::not_enforced, ending); }
    void call_ended(call_report const& report) noexcept { tell(&erased_observer::call_ended, report); }

private:
    template <class Hook, class... Args>
    void tell(Hook hook, Args const&... args) noexcept
    {
        for (auto* o : all) (o->*hook)(args...);
    }
};

/// What an any_pipeline does, for the calls that began while it did that: a pipeline of always the same stages, each
/// with room for any number of what it stands for. So the machine is one type, whatever is in the pipeline.
class any_plan {
    std::tuple<shortest<deadline>, gate_row, optional_rule<retry>, optional_rule<hedge>, gate_row, optional_balancer,
               gate_row, enough_row, shortest<attempt_timeout>, observer_row>
        stages_;
    enum : std::size_t { total, per_call, again, copies, before, target, behind, enough, each, observers };

public:
    using stages = type_list<shortest<deadline>, gate_row, optional_rule<retry>, optional_rule<hedge>, gate_row,
                             optional_balancer, gate_row, enough_row, shortest<attempt_timeout>, observer_row>;
    using held_by = std::shared_ptr<any_plan>;  // a call keeps the plan it began with
    static constexpr std::size_t size = std::tuple_size_v<decltype(stages_)>;

    /// Throws: std::invalid_argument for an order that cannot mean what it says.
    explicit any_plan(std::vector<any_stage> given) : given_(std::move(given))
    {
        std::vector<role> roles;
        for (auto const& s : given_) roles.push_back(s.erased()->what);
        if (auto const* fault = order_fault(roles)) throw std::invalid_argument(fault);

        // Gates left of retry are asked once per call. Without a retry or a hedge all belong to the one attempt.
        auto const rule = std::min(find(roles, role::retry), find(roles, role::hedge));
        auto const first = find(roles, role::retry) != nowhere ? find(roles, role::retry) : rule;
        bool picked = false;
        for (std::size_t i = 0; i < given_.size(); ++i) {
            auto& s = *given_[i].erased();
            switch (s.what) {
                case role::deadline: shorten<total, deadline>(s); break;
                case role::attempt_timeout: shorten<each, attempt_timeout>(s); break;
                case role::retry: std::get<again>(stages_).held = rule_of<retry>(s); break;
                case role::hedge: std::get<copies>(stages_).held = rule_of<hedge>(s); break;
                case role::enough_time: std::get<enough>(stages_).trials.push_back(rule_of<enough_time>(s)); break;
                case role::observe:
                    std::get<observers>(stages_).all.push_back(&static_cast<erased_observer&>(s));
                    break;
                case role::classify: classifier_ = &static_cast<erased_classifier&>(s); break;
                case role::balancer:
                    std::get<target>(stages_).balancer = &static_cast<erased_balancer&>(s);
                    picked = true;
                    break;
                case role::gate: {
                    auto& row = first != nowhere && i < first ? std::get<per_call>(stages_)
                                : picked                      ? std::get<behind>(stages_)
                                                              : std::get<before>(stages_);
                    row.add(static_cast<erased_gate&>(s));
                    break;
                }
                case role::unchecked:
                case role::none: break;
            }
        }
    }
    any_plan(any_plan const&) = delete;

    template <std::size_t I>
    [[nodiscard]] auto& stage() noexcept
    {
        return std::get<I>(stages_);
    }

    [[nodiscard]] erased_classifier const* classifier() const noexcept { return classifier_; }

    /// Whether a rule acts for a share of the calls.
    [[nodiscard]] bool has_trials() const noexcept { return has_trials_; }

    [[nodiscard]] std::vector<stage_picture> pictures() const
    {
        std::vector<stage_picture> all;
        for (auto const& s : given_) all.push_back({s.erased()->what, s.text()});
        return all;
    }

private:
    template <class Rule>
    [[nodiscard]] trial<Rule> const& rule_of(erased_stage& s) noexcept
    {
        auto const& t = static_cast<erased_rule<Rule>&>(s).rule;
        has_trials_ = has_trials_ || t.enforced != nullptr;
        return t;
    }
    template <std::size_t I, class Rule>
    void shorten(erased_stage& s)
    {
        auto const& t = rule_of<Rule>(s);
        auto& row = std::get<I>(stages_);
        if (t.enforced != nullptr)
            row.trials.push_back(t);
        else
            row.limit = std::min(row.limit, t.rule->span());
    }

    std::vector<any_stage> given_;
    erased_classifier* classifier_ = nullptr;
    bool has_trials_ = false;
};

/// The same as for a pipeline of types, asked by type at run time.
template <class... Ending>
[[nodiscard]] outcome classify_by(any_plan& plan, Ending const&... ending)
{
    using given = std::tuple<Ending...>;
    if (auto const* rule = plan.classifier()) {
        if constexpr (sizeof...(Ending) == 0) {
            return rule->nothing();
        } else if constexpr (std::same_as<given, std::tuple<std::error_code>>) {
            return rule->code(ending...);
        } else if constexpr (std::same_as<given, std::tuple<std::exception_ptr>>) {
            return rule->thrown(ending...);
        } else {
            void const* const at[] = {std::addressof(ending)...};
            if (auto const o = rule->result(typeid(given), at)) return *o;
        }
    }
    if constexpr (std::invocable<default_classifier, Ending const&...>)
        return default_classifier{}(ending...);
    else
        return outcome::success();
}

}  // namespace weir::detail
