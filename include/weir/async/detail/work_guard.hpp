// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/prefer.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// Keeps the context of `Executor` running until it goes, is moved from or is reset.
///
/// Not asio::executor_work_guard: in Boost 1.81 that one takes every executor with the members of the old executor
/// model for one of that model. A strand has them whatever is inside it, but they do not compile where the inner one,
/// such as any_io_executor, has none.
template <class Executor>
class tracked_work {
public:
    explicit tracked_work(Executor const& executor) noexcept
        : executor_(executor), work_(asio::prefer(executor, asio::execution::outstanding_work.tracked))
    {
    }
    tracked_work(tracked_work&& other) noexcept : executor_(other.executor_), work_(std::move(other.work_))
    {
        other.work_.reset();
    }
    tracked_work& operator=(tracked_work&&) = delete;

    [[nodiscard]] Executor get_executor() const noexcept { return executor_; }
    void reset() noexcept { work_.reset(); }

private:
    Executor executor_;
    std::optional<std::decay_t<decltype(asio::prefer(std::declval<Executor const&>(),
                                                     asio::execution::outstanding_work.tracked))>>
        work_;
};

/// What keeps the context of `Executor` running, of whatever model it is.
template <class Executor>
using work_guard = std::conditional_t<asio::execution::is_executor<Executor>::value, tracked_work<Executor>,
                                      asio::executor_work_guard<Executor>>;

}  // namespace detail
}  // namespace weir
