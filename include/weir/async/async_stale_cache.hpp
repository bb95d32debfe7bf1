// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/attempt_result.hpp>
#include <weir/async/detail/completion.hpp>
#include <weir/async/detail/inner_operation.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/call/stale_cache.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// Serves the fresh value of `key`; else runs `op`, and keeps what it gives; else, when `op` has failed, serves the
/// stale value: the asynchronous form of `stale_cache::call`, with the same object.
///
///   weir::stale_cache<std::string, price> prices{{.fresh_for = 5s, .stale_for = 1h}};
///   auto p = co_await prices.async_call("tea", [&] { return guarded.async_call(fetch_price, asio::deferred); },
///                                       asio::use_awaitable);
///   show(*p, p.stale);
///
/// `op()` is called only where nothing is fresh. It returns a deferred operation `void(error_code, Value)` or an
/// `asio::awaitable<Value>`. Through `judged_by(classifier)`, a value may be a failure, as in stale_cache::call.
/// Callers of one key at one moment each run theirs; let `op` be that of a single_flight to join them.
///
/// Signature:    void(boost::system::error_code, cached<Value>) or void(std::exception_ptr, cached<Value>), as of `op`.
/// Fails:        as `op`, where there is no stale value. Otherwise the failure is the value's `error`, an exception by
///               the code that it carries, or as errc::operation_threw.
/// Cancellation: all types, passed on to `op`. Once the caller has cancelled, no stale value is served.
/// Executor:     everything runs on the handler's associated executor, and `executor` is that of a handler without one.
///               Its clock is the cache's, so time may be virtual.
/// Completion:   once, never inside this function (if `op` keeps to that); the handler is destroyed uncalled if the
///               context goes down first.
/// Lifetimes:    the cache until completion; the classifier is copied; `op` is moved in, and gone before the handler is
///               called.
/// Cost:         one allocation where the value is fresh; else one more, from the handler's allocator, one for a
///               coroutine, and what the cache needs.
/// Seen in:      examples/35_async_fallback.cpp
template <class Executor, class Cache, class Judge, class Op, class Token>
auto async_stale_cache(Executor const& executor, detail::judged_cache<Cache, Judge> const& cache,
                       typename Cache::key_type key, Op&& op, Token&& token);

namespace detail {

template <class Cache, class Op>
class async_stale_cache_op {
    using shape = attempt_result<without_attempt<Op>>;
    using values = typename shape::values;
    using how = std::tuple_element_t<0, values>;
    using Key = typename Cache::key_type;
    using Value = typename Cache::value_type;
    static_assert(std::is_same_v<std::tuple_element_t<std::tuple_size_v<values> - 1, values>, Value>,
                  "weir::stale_cache::async_call: the operation completes with the Value of the cache");

public:
    using signature = void(how, cached<Value>);

    async_stale_cache_op(Cache const& cache, Key&& key, Op&& op)
        : cache_(cache), key_(std::move(key)), op_(std::move(op))
    {
    }

    /// Begins; then goes on, with what was fresh, or if `op` threw instead of beginning.
    template <class Self>
    void operator()(Self& self)
    {
        static_assert(
            !std::is_same_v<typename Self::executor_type, asio::system_executor>,
            "weir::stale_cache::async_call: no executor for this operation. Pass one as the first argument, or "
            "bind one to the completion token with asio::bind_executor");
        if (state_) return failed(self, std::get<0>(shape::thrown(std::move(state_->thrown))));
        if (kept_) return self.complete(how(), *std::move(kept_));
        self.reset_cancellation_state(asio::enable_total_cancellation());
        asked_ = weir::now(self.get_executor());
        kept_ = cache_.find(key_, asked_);
        if (kept_ && !kept_->stale) return asio::post(std::move(self));
        state_ = std::allocate_shared<state>(asio::get_associated_allocator(self), std::move(op_));
        std::optional<std::invoke_result_t<Op&>> begun;
        try {
            begun.emplace(state_->op());
        } catch (...) {
            state_->thrown = std::current_exception();
            return asio::post(std::move(self));
        }
        begin_within(self, *std::move(begun));
    }

    /// `op` has ended.
    template <class Self, class Given>
    void operator()(Self& self, how h, Given&& given)
    {
        if (h) return failed(self, std::move(h));
        if (self.cancelled() != asio::cancellation_type::none) kept_.reset();
        std::optional<cached<Value>> answer;
        try {
            answer.emplace(cache_.loaded(key_, Value(std::forward<Given>(given)), asked_, kept_));
        } catch (...) {
            h = std::get<0>(shape::thrown(std::current_exception()));
        }
        if (!answer) return failed(self, std::move(h));
        complete(self, how(), *std::move(answer));
    }

private:
    /// Stays where it is, for a coroutine may live in the captures of `op`.
    struct state {
        explicit state(Op&& o) : op(std::move(o)) {}
        Op op;
        std::exception_ptr thrown;
    };

    template <class Self>
    void failed(Self& self, how h)
    {
        if (!kept_ || self.cancelled() != asio::cancellation_type::none) return complete(self, std::move(h), {});
        kept_->error = error(code(h));
        complete(self, how(), *std::move(kept_));
    }

    [[nodiscard]] static std::error_code code(boost::system::error_code ec) { return to_std(ec); }
    [[nodiscard]] static std::error_code code(std::exception_ptr const& e) { return to_std(code_of(e)); }

    template <class Self>
    void complete(Self& self, how h, cached<Value> answer)
    {
        state_.reset();  // memory goes back before the upcall
        self.complete(std::move(h), std::move(answer));
    }

    Cache cache_;
    Key key_;
    Op op_;  // until it begins
    time_point asked_{};
    std::optional<cached<Value>> kept_ = std::nullopt;
    std::shared_ptr<state> state_ = nullptr;
};

}  // namespace detail

template <class Executor, class Cache, class Judge, class Op, class Token>
auto async_stale_cache(Executor const& executor, detail::judged_cache<Cache, Judge> const& cache,
                       typename Cache::key_type key, Op&& op, Token&& token)
{
    using op_type = std::decay_t<Op>;
    static_assert(std::invocable<op_type&>, "weir::stale_cache::async_call: op takes no argument");
    using impl = detail::async_stale_cache_op<detail::judged_cache<Cache, Judge>, op_type>;
    impl i(cache, std::move(key), op_type(std::forward<Op>(op)));
    if constexpr (std::is_same_v<Executor, detail::of_handler>)
        return asio::async_compose<Token, typename impl::signature>(std::move(i), token);
    else
        return asio::async_compose<Token, typename impl::signature>(std::move(i), token, executor);
}

template <class Cache, class Judge>
template <class... Args>
auto detail::judged_cache<Cache, Judge>::async_call(Args&&... args) const
{
    static_assert(sizeof...(Args) == 3 || sizeof...(Args) == 4,
                  "weir::stale_cache: async_call([executor,] key, operation, completion_token)");
    if constexpr (sizeof...(Args) == 3)
        return async_stale_cache(of_handler{}, *this, std::forward<Args>(args)...);
    else
        return [this]<class Ex, class... Rest>(Ex const& executor, Rest&&... rest) {
            return async_stale_cache(executor, *this, std::forward<Rest>(rest)...);
        }(std::forward<Args>(args)...);
}

template <class Key, class Value, class Hash, class Equal>
template <class... Args>
auto stale_cache<Key, Value, Hash, Equal>::async_call(Args&&... args)
{
    return judged_by(detail::no_judge{}).async_call(std::forward<Args>(args)...);
}

}  // namespace weir
