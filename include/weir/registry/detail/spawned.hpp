// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/erased_handler.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>

#include <exception>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// What a coroutine ends with: an error, and a value.
template <class Value>
using spawned_answer = std::tuple<boost::system::error_code, Value>;

/// Runs `work` on `strand` and hands its answer to `done`. Cancellation (all types) ends what `work` waits for; the
/// answer that it then gives is delivered.
template <class Value>
void spawn_for(asio::any_io_executor const& strand, asio::awaitable<spawned_answer<Value>> work,
               erased_handler<Value> done);

// Bodies

template <class Value>
struct spawned_end {
    using executor_type = asio::any_io_executor;
    using cancellation_slot_type = asio::cancellation_slot;

    erased_handler<Value> done;

    [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return done.get_cancellation_slot(); }

    void operator()(std::exception_ptr e, spawned_answer<Value> answer)
    {
        // Cancelled before it began, or out of memory.
        if (e) std::get<0>(answer) = asio::error::operation_aborted;
        done(std::get<0>(answer), std::move(std::get<1>(answer)));
    }
};

template <class Value>
asio::awaitable<spawned_answer<Value>> heeding_cancellation(asio::awaitable<spawned_answer<Value>> work)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await std::move(work);
}

template <class Value>
void spawn_for(asio::any_io_executor const& strand, asio::awaitable<spawned_answer<Value>> work,
               erased_handler<Value> done)
{
    asio::co_spawn(strand, heeding_cancellation<Value>(std::move(work)), spawned_end<Value>{std::move(done)});
}

}  // namespace weir::registry::detail
