// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/attempt_result.hpp>
#include <weir/async/timer.hpp>
#include <weir/call/chaos.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/result.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// `op`, troubled by `c`: the asynchronous form of `chaos::around`, with the same object. It is a function of the
/// attempt, for async_call, that returns what `op` returns: a deferred operation `void(error_code, T...)`, or an
/// `asio::awaitable<T>`. A delay waits on a weir::timer, so that it passes in virtual time, and blocks nothing.
///
///   guarded.async_call(chaos.async_around(op), token);
///   guarded.async_call(chaos.async_around(op, [] { return stale; }, [] { log("here it comes"); }), token);
///
/// `instead()` gives the value for an outcome of the test's: a T, a result<T>, a tuple of several, nothing where there
/// is none; `before()` is the behaviour. Without them these are not injected.
///
/// Signature:    as of `op`. A fault is its error code, for a coroutine a boost::system::system_error.
/// Cancellation: all types that the operation's handler passes on; a delay ends at once with operation_aborted, and
///               nothing is begun after it. A delayed coroutine obeys what its own cancellation state lets through.
/// Lifetimes:    `c`, the function returned and the attempt, until the operation that it gave has ended.
/// Cost:         off, one relaxed load. For an attempt in trouble: an allocation and a post or a wait.
/// Seen in:      examples/35_async_fallback.cpp
template <class Op, class Instead, class Before>
auto async_chaos(chaos& c, Op op, Instead instead, Before before);

namespace detail {

template <class Op, class Instead, class Before>
class troubled {
    using returned = std::invoke_result_t<Op&, attempt const&>;
    using shape = attempt_result<Op>;
    using values = typename shape::values;
    static constexpr bool has_instead = !std::same_as<Instead, no_chaos>;

public:
    troubled(chaos& c, Op&& op, Instead&& instead, Before&& before)
        : chaos_(c), op_(std::move(op)), instead_(std::move(instead)), before_(std::move(before))
    {
    }

    auto operator()(attempt const& a)
    {
        if constexpr (is_coroutine<returned>) {
            if (!chaos_.enabled()) return op_(a);
            return coroutine(a, static_cast<returned*>(nullptr));
        } else {
            // Fate is drawn when the operation begins: a deferred one may never do so.
            return asio::async_initiate<asio::deferred_t const, typename shape::signature>(
                [this, &a](auto handler) {
                    auto const v = chaos_.draw();
                    if (v.latency == duration::zero() && !v.fault && !v.behaviour && !(v.outcome && has_instead))
                        return shape::initiate(op_, a, nullptr, std::move(handler));
                    asio::async_compose<decltype(handler), typename shape::signature>(run{*this, v, a}, handler);
                },
                asio::deferred);
        }
    }

private:
    struct run {
        enum class step { first, waiting, running };

        run(troubled& t, chaos_verdict const& v, attempt const& a) : of(t), fate(v), which(a) {}

        template <class Self, class... Args>
        void operator()(Self& self, Args&&... args)
        {
            static_assert(!std::is_same_v<typename Self::executor_type, asio::system_executor>,
                          "weir::chaos::async_around: no executor for this operation; bind one to its completion token "
                          "with asio::bind_executor");
            if (now == step::first) return begin(self);
            if (now == step::waiting) {
                delay.reset();
                return act(self);
            }
            if constexpr (sizeof...(Args) == std::tuple_size_v<values>) self.complete(std::forward<Args>(args)...);
        }

        template <class Self>
        void begin(Self& self)
        {
            self.reset_cancellation_state(asio::enable_total_cancellation());
            now = step::waiting;
            if (fate.latency == duration::zero()) return asio::post(std::move(self));
            delay = std::make_shared<timer>(self.get_executor());
            auto& t = *delay;
            t.async_wait_for(fate.latency, std::move(self));
        }

        template <class Self>
        void act(Self& self)
        {
            std::optional<values> ending;
            std::optional<returned> begun;
            try {
                if (self.cancelled() != asio::cancellation_type::none) {
                    ending = shape::error(boost::system::error_code(asio::error::operation_aborted));
                } else {
                    if (fate.behaviour) of.before_();
                    if (fate.fault) ending = shape::error(boost::system::error_code(fate.fault));
                    if constexpr (has_instead)
                        if (!ending && fate.outcome) ending = of.instead_of_it();
                    if (!ending) begun.emplace(of.op_(which));
                }
            } catch (...) {
                ending = shape::thrown(std::current_exception());
            }
            if (ending) return std::apply([&](auto&&... v) { self.complete(std::move(v)...); }, *std::move(ending));
            now = step::running;
            (*std::move(begun))(std::move(self));
        }

        troubled& of;
        chaos_verdict fate;
        attempt const& which;
        step now = step::first;
        std::shared_ptr<timer> delay = nullptr;
    };

    template <class T, class Executor>
    asio::awaitable<T, Executor> coroutine(attempt const& a, asio::awaitable<T, Executor>*)
    {
        auto const fate = chaos_.draw();
        if (fate.latency > duration::zero()) {
            timer delay(co_await asio::this_coro::executor);
            co_await delay.async_wait_for(fate.latency, asio::deferred);
        }
        if (fate.behaviour) before_();
        if (fate.fault) throw boost::system::system_error(boost::system::error_code(fate.fault));
        if constexpr (has_instead) {
            if (fate.outcome) {
                if constexpr (std::is_void_v<T>) {
                    instead_();
                    co_return;
                } else {
                    co_return instead_();
                }
            }
        }
        co_return co_await op_(a);
    }

    /// The test's own ending, in the shape of the operation's.
    [[nodiscard]] values instead_of_it()
    {
        using given = std::invoke_result_t<Instead&>;
        boost::system::error_code const none;
        if constexpr (std::is_void_v<given>) {
            instead_();
            return values(none);
        } else {
            return told(none, instead_());
        }
    }
    template <class T>
    static values told(boost::system::error_code none, result<T> r)
    {
        if (!r) return shape::error(boost::system::error_code(r.error().code));
        if constexpr (std::is_void_v<T>)
            return values(none);
        else
            return told(none, *std::move(r));
    }
    template <class... T>
    static values told(boost::system::error_code none, std::tuple<T...> several)
    {
        return std::tuple_cat(std::tuple(none), std::move(several));
    }
    template <class T>
    static values told(boost::system::error_code none, T one)
    {
        return values(none, std::move(one));
    }

    chaos& chaos_;
    Op op_;
    Instead instead_;
    Before before_;
};

}  // namespace detail

template <class Op, class Instead, class Before>
auto async_chaos(chaos& c, Op op, Instead instead, Before before)
{
    static_assert(std::invocable<Op&, attempt const&>, "weir::chaos::async_around: op takes a weir::attempt const&");
    static_assert(std::invocable<Instead&> && std::invocable<Before&>,
                  "weir::chaos::async_around(op, instead, before): the two functions take no argument");
    return detail::troubled<Op, Instead, Before>(c, std::move(op), std::move(instead), std::move(before));
}

template <class Op, class... Functions>
auto chaos::async_around(Op op, Functions... instead_and_before)
{
    static_assert(sizeof...(Functions) == 0 || sizeof...(Functions) == 2,
                  "weir::chaos: async_around(op), or async_around(op, instead, before)");
    if constexpr (sizeof...(Functions) == 0)
        return async_chaos(*this, std::move(op), detail::no_chaos{}, detail::no_chaos{});
    else
        return async_chaos(*this, std::move(op), std::move(instead_and_before)...);
}

}  // namespace weir
