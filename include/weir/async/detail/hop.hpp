// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>

#include <memory>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

// What asio::post and asio::dispatch come down to for a function that names no executor of its own. They take any
// completion token, too, and for every type of function a user's compiler pays for that. The executor comes
// by value, for the function may be over, and what holds the executor gone, before these return.

template <class Executor, class Function, class Allocator = std::allocator<void>>
void post_to(Executor executor, Function&& function, Allocator const& allocator = {})
{
    namespace ex = asio::execution;
    if constexpr (ex::is_executor<Executor>::value)
        asio::prefer(asio::require(executor, ex::blocking.never), ex::relationship.fork, ex::allocator(allocator))
            .execute(std::forward<Function>(function));
    else  // of Asio's older model
        executor.post(std::forward<Function>(function), allocator);
}

template <class Executor, class Function, class Allocator = std::allocator<void>>
void dispatch_to(Executor executor, Function&& function, Allocator const& allocator = {})
{
    namespace ex = asio::execution;
    if constexpr (ex::is_executor<Executor>::value)
        asio::prefer(executor, ex::blocking.possibly, ex::allocator(allocator))
            .execute(std::forward<Function>(function));
    else
        executor.dispatch(std::forward<Function>(function), allocator);
}

}  // namespace detail
}  // namespace weir
