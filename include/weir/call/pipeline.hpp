// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>
#include <weir/call/operation.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/tsc_clock.hpp>

#include <tuple>
#include <utility>

namespace weir {

/// Gates and rules around a call, outermost first. What stands left of `retry` is asked once per call, what stands
/// right of it once per attempt:
///
///   auto guarded = weir::pipeline(
///       weir::deadline(2s),                                    // the whole call
///       bucket,                                                // a gate, once per call
///       weir::retry({.max_attempts = 3}, budget),
///       breaker, balancer,                                     // gates, once per attempt
///       weir::attempt_timeout(300ms));
///
/// Lvalues are shared by reference and must outlive the pipeline; rvalues move in. A stage is a gate or a balancer
/// (core/gate.hpp), `deadline`, `retry`, `hedge`, `attempt_timeout`, `enough_time`, `classify`, `observe`, or
/// `unchecked_order`. An order that cannot mean what it says does not compile, and the message says what to write
/// instead. What a single call has to say of itself (deadline, key, priority, whether it may run twice) is in its
/// `call_options` (core/call_options.hpp), or its operation says it: `with`, `until`, `hedgeable` (call/operation.hpp).
///
/// Every token that a gate gave is settled exactly once, in reverse order, with how the attempt (or the call) ended; a
/// call refused or cancelled before it was sent gives its tokens back.
///
/// Throws:  what the moves of rvalue stages throw.
/// Threads: any number of calls at once. Move it only before the first call, and keep it alive until the last has
///          ended.
/// Cost:    no allocation in the pipeline or in a blocking call; one for an asynchronous call, from its handler's
///          allocator.   Seen in: examples/04_pipeline.cpp
template <class... Stages>
class pipeline {
    static_assert(detail::check_stages<std::remove_cvref_t<Stages>...>());
    static_assert(
        ((std::is_lvalue_reference_v<Stages> || std::move_constructible<Stages>)&&...),
        "weir::pipeline: a stage given as a temporary moves in, and this one cannot move; name it, and pass the name");

public:
    static constexpr std::size_t size = sizeof...(Stages);

    /// The stages by type, references removed.
    using stages = detail::type_list<std::remove_cvref_t<Stages>...>;

    explicit pipeline(Stages&&... given) : stages_(std::forward<Stages>(given)...) {}

    /// Runs `op(attempt const&)` on this thread. `op` returns a value, a result<T>, an error code or nothing, or
    /// throws. Returns result<T>: the value, the last real error, or the refusal. What the last attempt threw is thrown
    /// on. `clock` tells the time and waits out pauses. No pipeline with a hedge: that needs async_call. Defined in
    /// call/call.hpp.
    template <class Op>
    auto call(Op&& op)
    {
        return call(std::forward<Op>(op), tsc_clock{});
    }
    template <class Op, clock Clock>
    auto call(Op&& op, Clock const& clock);

    /// The same for a call with something to say of itself:
    ///   guarded.call(op, {.deadline = until, .key = tenant, .priority = p, .idempotent = true});
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

    /// ([executor,] op, token): the same for an asynchronous operation and any completion token. Defined in
    /// async/async_call.hpp; include that.
    template <class... Args>
    auto async_call(Args&&... args);
    template <class Op, class Token>
    auto async_call(Op&& op, call_options said, Token&& token)
    {
        return async_call(weir::with(std::move(said), std::forward<Op>(op)), std::forward<Token>(token));
    }
    template <class Executor, class Op, class Token>
    auto async_call(Executor&& executor, Op&& op, call_options said, Token&& token)
    {
        return async_call(executor, weir::with(std::move(said), std::forward<Op>(op)), std::forward<Token>(token));
    }

    /// Stage `I`.
    template <std::size_t I>
    [[nodiscard]] auto& stage() noexcept
    {
        return std::get<I>(stages_);
    }

private:
    std::tuple<Stages...> stages_;
};

template <class... Stages>
pipeline(Stages&&...) -> pipeline<Stages...>;

}  // namespace weir

#include <weir/call/call.hpp>
