// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/flights.hpp>
#include <weir/core/bad_option.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

struct single_flight_options {
    std::size_t max_in_flight = 1024;  ///< operations at once, one a key; at least 1
};

/// Callers who want the same thing at the same time share one operation: of a thousand that miss a cache together, one
/// asks the origin, and all get its answer.
///
///   weir::single_flight<std::string, price> joined(executor);
///   price p = co_await joined.async_call("tea", [&] { return guarded.async_call(fetch_price, asio::deferred); },
///                                        asio::use_awaitable);
///
/// `op()` is called only if nothing is in flight for the key, once, on a strand of `executor`. It returns a deferred
/// operation `void(error_code, Value)` or an `asio::awaitable<Value>`; it is kept until that has ended.
///
/// Signature:    void(boost::system::error_code, Value) or void(std::exception_ptr, Value), as of `op`. Everybody gets
///               a copy of the value, of the error, or the exception itself; for a large value share a pointer.
/// Fails:        as the operation; asio::error::operation_aborted when this caller cancelled; errc::too_many_calls for
///               a new key above max_in_flight; errc::stopped when this object or its context is destroyed.
/// Cancellation: all types, and only for the caller who asks: it leaves at once and the others wait on. When the last
///               one has left, the operation is cancelled (terminal); who comes after that begins a new one.
/// Executor:     a handler is called on its associated executor, by default the one given here; never inside this
///               function, and once.
/// Lifetimes:    the destructor ends all waits and cancels what is in flight, but does not wait for it: what `op`
///               refers to must live until then.
/// Throws:       constructor, std::invalid_argument for max_in_flight; what the key's hash and memory throw.
/// Threads:      any. Under a lock run only the key's equality, for keys of one hash; it must not come back here.
/// Cost:         to join, one allocation from the handler's allocator and a short lock; to begin, five or so more.
/// Seen in:      examples/26_single_flight.cpp
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class single_flight {
    using core = detail::flights<Key, Value, Hash, Equal>;

public:
    using options = single_flight_options;
    using executor_type = asio::any_io_executor;

    explicit single_flight(executor_type executor, options const& o = {}, Hash hash = {}, Equal equal = {})
        : executor_(std::move(executor)),
          core_(std::make_shared<core>(executor_, checked(o).max_in_flight, std::move(hash), std::move(equal)))
    {
    }
    single_flight(single_flight const&) = delete;
    single_flight& operator=(single_flight const&) = delete;
    ~single_flight() { core_->shutdown(); }

    template <class Op, class Token>
    auto async_call(Key key, Op&& op, Token&& token)
    {
        using op_type = std::decay_t<Op>;
        using shape = detail::attempt_result<detail::without_attempt<op_type>>;
        static_assert(
            std::is_same_v<std::tuple_element_t<std::tuple_size_v<typename shape::values> - 1, typename shape::values>,
                           Value>,
            "weir::single_flight: the operation completes with the Value of this single_flight");
        return asio::async_initiate<Token, typename shape::signature>(
            [executor = executor_, core = core_](auto handler, Key k, op_type o) {
                using listener = detail::flight_listener<decltype(handler), shape, Value>;
                using waiter = detail::flight_waiter<single_flight::core, listener>;
                auto const own = asio::get_associated_executor(handler, executor);
                auto w = waiter::make(listener{std::move(handler)}, own, core);
                w->listen_for_cancel();
                core->template join<shape>(std::move(k), *w.get(), std::move(o));
                (void)w.release();  // it is the core's, and may be gone
            },
            token, std::move(key), std::forward<Op>(op));
    }

    /// Operations that have not ended, those without callers included.
    [[nodiscard]] std::size_t in_flight() const { return core_->running(); }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

private:
    static options const& checked(options const& o)
    {
        if (o.max_in_flight == 0)
            detail::bad_option("single_flight_options.max_in_flight", "at least 1", o.max_in_flight);
        return o;
    }

    executor_type const executor_;
    std::shared_ptr<core> const core_;
};

}  // namespace weir
