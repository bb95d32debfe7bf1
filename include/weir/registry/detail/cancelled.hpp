// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace weir::registry::detail {

namespace asio = boost::asio;

/// For sessions that are coroutines: errors are values, and a cancellation too.
inline constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// Whether this coroutine has been cancelled. To be asked before each operation: a cancellation that comes between two
/// of them ends neither.
inline asio::awaitable<bool> cancelled()
{
    auto const state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace weir::registry::detail
