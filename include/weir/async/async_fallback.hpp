// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/detail/inner_operation.hpp>
#include <weir/call/fallback.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/error_code.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// Runs `op`, and asks `f` when it has failed: the asynchronous form of `fallback::call`, with the same object.
///
///   weir::fallback spare{[&](weir::error const&) { return mirror.async_call(fetch, asio::deferred); }};
///   auto r = co_await spare.async_call([&] { return guarded.async_call(fetch, asio::deferred); },
///                                      asio::use_awaitable);
///   if (r) use(*r, r.degraded());
///
/// `op()` returns a deferred operation `void(error_code, T...)`, an `asio::awaitable<T>`, or what another fallback's
/// async_call gives with asio::deferred. What stands in for it is a value, a function that returns a value or a result,
/// or a function that returns an asynchronous operation of one of these shapes. What a function is called with, the
/// failure and the value that was judged so, is there until it has ended.
///
/// Signature:    void(fallback_result<T>) for a deferred operation; T is void if it has no value, and a tuple if it has
///               several. There is no error code beside it: many a token would make an exception of it, and what else
///               there is to say would be lost. void(std::exception_ptr, fallback_result<T>) for an awaitable:
///               an exception only where `when` does not answer for the one that `op` threw.
/// Fails:        when both have failed: the result is the original one, and `report().own` that of the fallback.
/// Cancellation: all types, passed on to what is in flight. Once the caller has cancelled, the fallback is not asked.
/// Executor:     everything runs on the handler's associated executor, and `executor` is that of a handler without one,
///               as in Asio's own composed operations. (A bare asio::use_future has one: a pool of threads.)
/// Completion:   once, never inside this function (if `op` keeps to that); the handler is destroyed uncalled if the
///               context goes down first.
/// Lifetimes:    the fallback until completion; `op` is moved in, and gone before the handler is called.
/// Cost:         one allocation, from the handler's associated allocator; one more for a coroutine.
/// Seen in:      examples/35_async_fallback.cpp
template <class Executor, class Instead, class When, class Judge, class Op, class Token>
auto async_fallback(Executor const& executor, fallback<Instead, When, Judge> const& f, Op&& op, Token&& token);

namespace detail {

[[nodiscard]] inline failure_cause async_cause_of(std::exception_ptr thrown)
{
    auto const code = static_cast<std::error_code>(code_of(thrown));
    return {error(code), std::move(thrown)};
}

/// An ending: the value, or why there is none.
template <class T>
struct fallback_ending {
    using value_type = T;
    result<T> value;
    std::exception_ptr thrown = nullptr;
};

template <class... V>
struct all_values {
    using type = std::tuple<std::decay_t<V>...>;
};
template <class V>
struct all_values<V> {
    using type = std::decay_t<V>;
};
template <>
struct all_values<> {
    using type = void;
};

/// The shapes that an operation may have: its value, and how its ending becomes a result. A classifier is shown several
/// values as they came, not in a tuple.
template <class Signature>
struct fallback_signature {
    static constexpr bool known = false;
};
template <class... V>
struct fallback_signature<void(boost::system::error_code, V...)> {
    static constexpr bool known = true;
    static constexpr bool gives_several = sizeof...(V) > 1;
    using value = typename all_values<V...>::type;
    using ending = fallback_ending<value>;

    template <class... Given>
    static ending made(boost::system::error_code ec, Given&&... v)
    {
        if (ec) return {error(static_cast<std::error_code>(ec))};
        if constexpr (std::is_void_v<value>)
            return {result<value>()};
        else
            return {result<value>(value(std::forward<Given>(v)...))};
    }
};
template <class R>
    requires(!std::is_same_v<R, typename plain_result<R>::type::value_type>)  // a result, ours or a fallback's
struct fallback_signature<void(R)> {
    static constexpr bool known = true;
    static constexpr bool gives_several = false;
    using value = typename R::value_type;
    using ending = fallback_ending<value>;

    static ending made(R r) { return {static_cast<result<value>&&>(r)}; }
};

template <class Returned>
struct fallback_shape {
    static constexpr bool is_async = false;
    static constexpr bool is_coroutine = false;
};
template <class Returned>
    requires asio::is_deferred<Returned>::value
struct fallback_shape<Returned> : fallback_signature<typename asio::completion_signature_of<Returned>::type> {
    static constexpr bool is_async = true;
    static constexpr bool is_coroutine = false;
    static_assert(fallback_shape::known,
                  "weir::fallback: a deferred operation completes with void(boost::system::error_code, T...)");
};
template <class U, class CoroutineExecutor>
struct fallback_shape<asio::awaitable<U, CoroutineExecutor>> {
    static constexpr bool is_async = true;
    static constexpr bool is_coroutine = true;
    static constexpr bool gives_several = false;
    using value = U;
    using ending = fallback_ending<value>;

    template <class... Given>
    static ending made(std::exception_ptr e, Given&&... v)
    {
        if (e) {
            auto cause = async_cause_of(std::move(e));
            return {cause.error, std::move(cause.thrown)};
        }
        return {result<value>(std::forward<Given>(v)...)};
    }
};

/// What a fallback for a T gives: of a value, the value.
template <class T, class Instead>
struct fallback_gives {
    using type = Instead;
};
template <class T, class Instead>
    requires takes_judged<Instead, T>
struct fallback_gives<T, Instead> {
    using type = std::invoke_result_t<Instead const&, error const&, typename result<T>::stored const*>;
};
template <class T, class Instead>
    requires(!takes_judged<Instead, T> && std::invocable<Instead const&, error const&>)
struct fallback_gives<T, Instead> {
    using type = std::invoke_result_t<Instead const&, error const&>;
};
template <class T, class Instead>
    requires(!takes_judged<Instead, T> && !std::invocable<Instead const&, error const&> &&
             std::invocable<Instead const&>)
struct fallback_gives<T, Instead> {
    using type = std::invoke_result_t<Instead const&>;
};

template <class Instead, class When, class Judge, class Op>
class async_fallback_op {
    using first = fallback_shape<std::invoke_result_t<Op&>>;
    using T = typename first::value;
    using second = fallback_shape<typename fallback_gives<T, Instead>::type>;

public:
    using signature =
        std::conditional_t<first::is_coroutine, void(std::exception_ptr, fallback_result<T>), void(fallback_result<T>)>;

    async_fallback_op(fallback<Instead, When, Judge> const& f, Op&& op) : fallback_(f), op_(std::move(op)) {}

    /// Begins; then goes on, if `op` threw instead of beginning.
    template <class Self>
    void operator()(Self& self)
    {
        static_assert(!std::is_same_v<typename Self::executor_type, asio::system_executor>,
                      "weir::fallback::async_call: no executor for this operation. Pass one as the first argument, or "
                      "bind one to the completion token with asio::bind_executor");
        if (state_) {
            auto cause = async_cause_of(std::move(state_->thrown));
            return first_ended(self, {cause.error, std::move(cause.thrown)});
        }
        self.reset_cancellation_state(asio::enable_total_cancellation());
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

    /// One of the two has ended.
    template <class Self, class How, class... Given>
    void operator()(Self& self, How how, Given&&... given)
    {
        if constexpr (second::is_async) {
            if constexpr (requires { second::made(std::move(how), std::forward<Given>(given)...); })
                if (state_->why.original)
                    return second_ended(self, second::made(std::move(how), std::forward<Given>(given)...));
        }
        if constexpr (requires { first::made(std::move(how), std::forward<Given>(given)...); })
            first_ended(self, first::made(std::move(how), std::forward<Given>(given)...));
    }

private:
    using ending = fallback_ending<T>;

    /// Stays where it is, for a coroutine may live in the captures of `op`, and hold the failure that the fallback got.
    struct state {
        explicit state(Op&& o) : op(std::move(o)) {}
        Op op;
        fallback_report why;
        std::exception_ptr thrown;       // by `op`, where it did not begin
        std::optional<ending> original;  // once it has failed
    };

    template <class Self>
    void first_ended(Self& self, ending e)
    {
        auto& why = state_->why;
        if (!failed(e.value, why)) return complete(self, std::move(e.value));
        if (self.cancelled() != asio::cancellation_type::none) return passed(self, std::move(e));
        why.original->thrown = e.thrown;
        auto& original = state_->original.emplace(std::move(e));
        if constexpr (second::is_async) {
            std::optional<typename fallback_gives<T, Instead>::type> begun;
            try {
                if (!fallback_.when()(why.original->error)) return passed(self, std::move(original));
                begun.emplace(instead());
            } catch (...) {
                why.own = async_cause_of(std::current_exception());
            }
            if (begun) return begin_within(self, *std::move(begun));
        } else {
            if (auto own = fallback_.template answer<T>(why, value_of(original)))
                return complete(self, *std::move(own));
            if (!why.original) return passed(self, std::move(original));
        }
        complete(self, std::move(original.value));
    }

    template <class Self, class Second>
    void second_ended(Self& self, Second e)
    {
        static_assert(std::is_same_v<typename Second::value_type, T>,
                      "weir::fallback: the operation of the fallback completes with the values of the first one");
        if (e.value) return complete(self, std::move(e.value));
        state_->why.own = failure_cause{e.value.error(), std::move(e.thrown)};
        complete(self, std::move(state_->original->value));
    }

    [[nodiscard]] bool failed(result<T> const& value, fallback_report& why) const
    {
        if constexpr (first::gives_several && !std::is_same_v<Judge, no_judge>)
            return blame([&](T const& v) { return std::apply(fallback_.judge(), v); }, value, why);
        else
            return blame(fallback_.judge(), value, why);
    }

    [[nodiscard]] static auto const* value_of(ending const& e) { return e.value ? &*e.value : nullptr; }

    /// The other operation.
    [[nodiscard]] auto instead() const
    {
        auto const& f = fallback_.instead_of();
        auto const& failure = state_->why.original->error;
        if constexpr (takes_judged<Instead, T>)
            return f(failure, value_of(*state_->original));
        else if constexpr (std::invocable<Instead const&, error const&>)
            return f(failure);
        else
            return f();
    }

    /// What the fallback does not answer for.
    template <class Self>
    void passed(Self& self, ending e)
    {
        state_->why.original.reset();
        complete(self, std::move(e.value), std::move(e.thrown));
    }

    template <class Self>
    void complete(Self& self, result<T> r, std::exception_ptr thrown = nullptr)
    {
        fallback_result<T> answer(std::move(r), std::move(state_->why));
        state_.reset();  // memory goes back before the upcall
        if constexpr (first::is_coroutine)
            self.complete(std::move(thrown), std::move(answer));
        else
            self.complete(std::move(answer));
    }

    fallback<Instead, When, Judge> const& fallback_;
    Op op_;  // until it begins
    std::shared_ptr<state> state_;
};

}  // namespace detail

template <class Executor, class Instead, class When, class Judge, class Op, class Token>
auto async_fallback(Executor const& executor, fallback<Instead, When, Judge> const& f, Op&& op, Token&& token)
{
    using op_type = std::decay_t<Op>;
    static_assert(std::invocable<op_type&>, "weir::fallback::async_call: op takes no argument");
    static_assert(detail::fallback_shape<std::invoke_result_t<op_type&>>::is_async,
                  "weir::fallback::async_call: op returns an asio::awaitable<T>, or a deferred Asio operation (pass "
                  "asio::deferred as its completion token)");
    using impl = detail::async_fallback_op<Instead, When, Judge, op_type>;
    impl i(f, op_type(std::forward<Op>(op)));
    if constexpr (std::is_same_v<Executor, detail::of_handler>)
        return asio::async_compose<Token, typename impl::signature>(std::move(i), token);
    else
        return asio::async_compose<Token, typename impl::signature>(std::move(i), token, executor);
}

template <class Instead, std::predicate<error const&> When, class Judge>
template <class... Args>
auto fallback<Instead, When, Judge>::async_call(Args&&... args) const
{
    static_assert(sizeof...(Args) == 2 || sizeof...(Args) == 3,
                  "weir::fallback: async_call([executor,] operation, completion_token)");
    if constexpr (sizeof...(Args) == 2) {
        return [this]<class Op, class Token>(Op&& op, Token&& token) {
            return async_fallback(detail::of_handler{}, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    } else {
        return [this]<class Ex, class Op, class Token>(Ex const& executor, Op&& op, Token&& token) {
            return async_fallback(executor, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    }
}

}  // namespace weir
