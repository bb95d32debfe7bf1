// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/hop.hpp>
#include <weir/async/detail/work_guard.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/system_executor.hpp>

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// Keeps the contexts of an operation and of its handler running. An operation runs on `Executor`; its handler is
/// called on its own associated executor, which is `Executor` unless it says otherwise. One guard is enough if they are
/// the same.
template <class Handler, class Executor>
struct completion_work {
    using handler_executor = asio::associated_executor_t<Handler, Executor>;

    completion_work(Handler const& handler, Executor const& executor)
        : caller(asio::get_associated_executor(handler, executor))
    {
        if constexpr (std::is_same_v<handler_executor, Executor>)
            if (caller.get_executor() == executor) return;
        operation.emplace(executor);
    }

    [[nodiscard]] Executor runs_on() const noexcept { return runs_on(caller, operation); }
    [[nodiscard]] static Executor runs_on(auto const& caller, auto const& operation) noexcept
    {
        if constexpr (std::is_same_v<handler_executor, Executor>)
            if (!operation) return caller.get_executor();
        return operation->get_executor();
    }

    work_guard<handler_executor> caller;
    std::optional<work_guard<Executor>> operation;  // none: the handler's executor is the operation's
};

/// The end of an operation, cut loose from its memory: a handler and what it is called with; its context runs until
/// then.
template <class Handler, class Executor, class Values>
class completion {
    using work = completion_work<Handler, Executor>;

public:
    /// `ending`: the values, or what they are made of.
    template <class... Ending>
    completion(Handler&& handler, work&& w, Ending&&... ending)
        : handler_(std::move(handler)), work_(std::move(w)), values_(std::forward<Ending>(ending)...)
    {
    }

    /// From a handler that runs on the operation's executor: an upcall, or a hop to the handler's own executor.
    void deliver() &&
    {
        if (!work_.operation) return call();
        // Nothing of the operation's context may go along to the handler's, which may outlive it.
        work_.operation.reset();
        auto const target = work_.caller.get_executor();
        dispatch_to(target, std::move(*this));
    }

    /// From anywhere else: first on to the operation's executor.
    void post() &&
    {
        auto const executor = work_.runs_on();
        post_to(executor, std::move(*this));
    }

    /// Arrived. One type makes both hops, because each that is posted costs a user forty functions to compile.
    void operator()() { std::move(*this).deliver(); }

private:
    /// On the handler's executor, the only place where its cancellation slot may be touched.
    void call()
    {
        if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
        auto const keep_running = std::move(work_.caller);
        std::apply(std::move(handler_), std::move(values_));
    }

    Handler handler_;
    work work_;
    Values values_;
};

/// In place of an executor: the handler's own.
struct of_handler {};

/// Where an operation runs: on the executor given, or on the handler's own.
template <class Executor, class Handler>
[[nodiscard]] auto operation_executor(Executor const& executor, Handler const& handler)
{
    if constexpr (std::is_same_v<Executor, of_handler>) {
        using found = asio::associated_executor_t<Handler>;
        static_assert(
            !std::is_same_v<found, asio::system_executor>,
            "weir: no executor for this operation. Pass one as the first argument, or bind one to the completion "
            "token with asio::bind_executor");
        return asio::get_associated_executor(handler);
    } else {
        return executor;
    }
}

}  // namespace detail
}  // namespace weir
