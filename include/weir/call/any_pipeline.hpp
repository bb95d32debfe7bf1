// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/any_stage.hpp>
#include <weir/call/call.hpp>
#include <weir/call/detail/any_plan.hpp>
#include <weir/call/operation.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/atomic.hpp>

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

/// A pipeline of one type whatever is in it: to assemble at run time, or to keep in a member.
///
///   weir::any_pipeline guarded(weir::pipeline(weir::deadline(2s), bucket, breaker));   // of a typed one
///   weir::any_pipeline guarded({weir::deadline(2s), bucket, std::make_shared<weir::circuit_breaker>(options)});
///   auto r = guarded.call(op);                                                         // or async_call, as ever
///
/// It means what a `pipeline` of the same stages means: the same machine decides. What is found out there by the
/// compiler is found out here at construction (the order), or is a matter of the call: an operation that can run once
/// only does not compile, and a `hedge` sends copies only of operations that are `hedgeable` or come with
/// call_options::idempotent; a blocking call passes it over. `default` constructed, it lets everything pass.
///
/// `replace` puts other stages in their place, in one step: a call goes on by what it began with, and the next one by
/// the new. A stage that is in both keeps its state. From a document: config/pipeline.hpp.
///
/// Throws:  construction and `replace`, std::invalid_argument with the sentence of the compiler's message; nothing has
///          changed then.
/// Threads: any number of calls at once, and `replace` beside them. Move it only before the first call. Calls in flight
///          keep what they need of it; what was given by reference outlives them.
/// Cost:    for each gate two virtual or indirect calls (to admit, to settle) and a move of its token; per call a short
///          lock and a reference count, and a few branches for what is not there. Nothing allocates in a blocking call
///          as long as the tokens of a row of gates, those left of retry, those before and those behind the balancer,
///          fit into 128 bytes, and a lease into 64. With five policies 100 ns more than the typed
///          pipeline, 200 in place of 100 (benchmarks/call/any_pipeline.cpp).
/// Seen in: examples/30_any_pipeline.cpp
class any_pipeline {
public:
    any_pipeline() : any_pipeline(std::vector<any_stage>()) {}
    explicit any_pipeline(std::vector<any_stage> stages)
        : now_(std::make_unique<current>(std::make_shared<detail::any_plan>(std::move(stages))))
    {
    }

    /// Of a typed pipeline: what moved in there moves on, what was given by reference stays shared. The types of values
    /// are for a `classify` that does not tell (any_stage).
    template <class... Stages, class... Values>
    any_pipeline(pipeline<Stages...>&& typed, value_types<Values...> values = {})
        : any_pipeline(stages_of(typed, values, std::index_sequence_for<Stages...>{}))
    {
    }

    /// As pipeline::call.
    template <class Op>
    auto call(Op&& op)
    {
        return call(std::forward<Op>(op), tsc_clock{});
    }
    template <class Op, clock Clock>
    auto call(Op&& op, Clock const& clock)
    {
        static_assert(detail::check_operation<detail::any_plan::stages, Op>());
        auto const plan = pin();
        return detail::run_call(*plan, op, clock);
    }
    template <class Op>
    auto call(Op&& op, call_options said)
    {
        return call(std::forward<Op>(op), std::move(said), tsc_clock{});
    }
    template <class Op, clock Clock>
    auto call(Op&& op, call_options said, Clock const& clock)
    {
        return call(detail::with_options(std::move(said), std::forward<Op>(op)), clock);
    }

    /// ([executor,] op, token), as pipeline::async_call. Defined in async/any_pipeline.hpp; include that.
    template <class... Args>
    auto async_call(Args&&... args);
    template <class Op, class Token>
    auto async_call(Op&& op, call_options said, Token&& token)
    {
        return async_call(weir::with(std::move(said), std::forward<Op>(op)), std::forward<Token>(token));
    }
    template <class Executor, class Op, class Token>
    auto async_call(Executor const& executor, Op&& op, call_options said, Token&& token)
    {
        return async_call(executor, weir::with(std::move(said), std::forward<Op>(op)), std::forward<Token>(token));
    }

    /// For the calls from now on.
    void replace(std::vector<any_stage> stages)
    {
        auto next = std::make_shared<detail::any_plan>(std::move(stages));
        std::scoped_lock const lock(now_->changing);
        now_->plan.swap(next);
    }  // the last call through the old one, or we, drop it; not under the lock

    /// For drivers: what a call that begins now goes by.
    [[nodiscard]] std::shared_ptr<detail::any_plan> pin() const
    {
        std::scoped_lock const lock(now_->changing);
        return now_->plan;
    }

    /// For `describe`.
    [[nodiscard]] std::vector<detail::stage_picture> pictures() const { return pin()->pictures(); }

private:
    struct current {
        explicit current(std::shared_ptr<detail::any_plan> p) noexcept : plan(std::move(p)) {}
        mutex changing;
        std::shared_ptr<detail::any_plan> plan;
    };

    template <class... Stages, class Values, std::size_t... I>
    static std::vector<any_stage> stages_of(pipeline<Stages...>& typed, Values values, std::index_sequence<I...>)
    {
        std::vector<any_stage> all;
        all.reserve(sizeof...(Stages));
        (all.emplace_back(static_cast<Stages&&>(typed.template stage<I>()), values), ...);
        return all;
    }

    std::unique_ptr<current> now_;
};

}  // namespace weir
