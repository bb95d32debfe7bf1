// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/async_call.hpp>
#include <weir/call/any_pipeline.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace weir {

/// `async_call` through an any_pipeline: all that async/async_call.hpp says, and
///
///   order o = co_await guarded.async_call(op, {.key = tenant, .idempotent = true}, asio::use_awaitable);
///
/// A `hedge` sends copies only of operations that are `weir::hedgeable`, or whose options say idempotent. The call
/// keeps what the pipeline was when it began; the any_pipeline itself may be gone before it ends.
/// Seen in: tests/async/any_pipeline.cpp
template <class Executor, class Op, class Token>
auto async_call(Executor const& executor, any_pipeline& guarded, Op&& op, Token&& token)
{
    using plan = detail::any_plan;
    using given_type = std::decay_t<Op>;
    static_assert(detail::check_operation<plan::stages, given_type>());
    using op_type = detail::kept_operation<given_type>;
    return asio::async_initiate<Token, typename detail::attempt_result<op_type>::signature>(
        [executor, &guarded](auto handler, op_type o) {
            auto const runs_on = detail::operation_executor(executor, handler);
            using call_op =
                detail::async_call_op<plan, op_type, decltype(handler), std::remove_cv_t<decltype(runs_on)>>;
            auto const allocator = asio::get_associated_allocator(handler);
            call_op::start(
                std::allocate_shared<call_op>(allocator, guarded.pin(), std::move(o), std::move(handler), runs_on));
        },
        token, op_type{std::forward<Op>(op)});
}

template <class... Args>
auto any_pipeline::async_call(Args&&... args)
{
    static_assert(sizeof...(Args) == 2 || sizeof...(Args) == 3,
                  "weir: async_call([executor,] operation, completion_token)");
    if constexpr (sizeof...(Args) == 2) {
        return [this]<class Op, class Token>(Op&& op, Token&& token) {
            return weir::async_call(detail::of_handler{}, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    } else {
        return [this]<class Ex, class Op, class Token>(Ex const& executor, Op&& op, Token&& token) {
            return weir::async_call(executor, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    }
}

}  // namespace weir
