// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/erased_stage.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// Names the values that a `classify` rule looks at, for an any_pipeline: its function is called with one of these.
template <class... T>
struct value_types {};

namespace detail {

template <class T>
inline constexpr bool is_shared = false;
template <class T>
inline constexpr bool is_shared<std::shared_ptr<T>> = true;

}  // namespace detail

/// A stage of a pipeline that is assembled at run time: a gate, a balancer or a rule, whichever it is. A copy is the
/// same stage.
///
///   std::vector<weir::any_stage> stages{weir::deadline(2s), bucket};          // by value, by reference
///   if (with_breaker) stages.emplace_back(std::make_shared<weir::circuit_breaker>(options));
///   weir::any_pipeline guarded(std::move(stages));
///
/// An lvalue is shared by reference and must outlive every pipeline that it is in, and their calls; an rvalue moves in;
/// a shared pointer shares. Of what is const, there is a copy.
///
/// A `classify` rule is called with values whose types are not known here. A function that takes one set of values, as
/// most lambdas do, says itself which; one that is a template or overloaded needs to be told:
/// `any_stage(rule, value_types<reply, page>{})`. Of other values, success is the outcome.
///
/// Throws:  std::bad_alloc.   Cost: one allocation, two where an rvalue moves in.
/// Seen in: examples/30_any_pipeline.cpp
class any_stage {
public:
    template <class Stage, class... Values>
        requires(!std::same_as<std::remove_cvref_t<Stage>, any_stage>)
    any_stage(Stage&& stage, value_types<Values...> = {})
        : erased_(erase<std::tuple<Values>...>(shared(std::forward<Stage>(stage))))
    {
    }

    /// As `describe` shows it.
    [[nodiscard]] std::string text() const { return erased_->text(); }

    [[nodiscard]] std::shared_ptr<detail::erased_stage> const& erased() const noexcept { return erased_; }

private:
    template <class Stage>
    static auto shared(Stage&& stage)
    {
        using own = std::remove_cvref_t<Stage>;
        if constexpr (detail::is_shared<own>) {
            return own(std::forward<Stage>(stage));
        } else if constexpr (std::is_lvalue_reference_v<Stage> && !std::is_const_v<std::remove_reference_t<Stage>>) {
            return std::shared_ptr<own>(std::shared_ptr<void>(), std::addressof(stage));
        } else {
            static_assert(std::constructible_from<own, Stage>,
                          "weir::any_stage: a stage given as a temporary moves in, and this one cannot move; name it, "
                          "and pass the name, or a std::shared_ptr");
            return std::make_shared<own>(std::forward<Stage>(stage));
        }
    }

    template <class... Values, class Stage>
    static std::shared_ptr<detail::erased_stage> erase(std::shared_ptr<Stage> s)
    {
        using detail::role;
        constexpr auto what = detail::role_of<Stage>();
        static_assert(what != role::none,
                      "weir::any_stage: this is neither a gate (it needs admit(now), see weir/core/gate.hpp), nor a "
                      "balancer, nor one of the rules deadline, retry, hedge, attempt_timeout, enough_time, classify, "
                      "observe");
        if constexpr (what == role::gate)
            return std::make_shared<detail::erased_gate_of<Stage>>(std::move(s));
        else if constexpr (what == role::balancer)
            return std::make_shared<detail::erased_balancer_of<Stage>>(std::move(s));
        else if constexpr (what == role::observe)
            return std::make_shared<detail::erased_observer_of<Stage>>(std::move(s));
        else if constexpr (what == role::classify)
            return erase_classify<Values...>(std::move(s));
        else
            return std::make_shared<detail::erased_rule_of<Stage>>(std::move(s));
    }

    template <class... Values, class F>
    static std::shared_ptr<detail::erased_stage> erase_classify(std::shared_ptr<classify<F>> s)
    {
        if constexpr (sizeof...(Values) > 0) {
            return std::make_shared<detail::erased_classifier_of<classify<F>, Values...>>(std::move(s));
        } else {
            static_assert(detail::taken_by<F>::known,
                          "weir::any_stage: this classify takes values of any type, or of several, which a pipeline "
                          "assembled at run time cannot find out; name them: weir::value_types<reply, page>{}");
            return std::make_shared<detail::erased_classifier_of<classify<F>, typename detail::taken_by<F>::values>>(
                std::move(s));
        }
    }

    std::shared_ptr<detail::erased_stage> erased_;
};

}  // namespace weir
