// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/inner_operation.hpp>
#include <weir/call/call.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/attempt.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// std's view of a transport's code, to be judged by. What Asio says in categories of its own, condition::transient
/// cannot know: the end of file, TLS's end without a goodbye, and a name server that did not answer.
[[nodiscard]] inline std::error_code to_std(boost::system::error_code ec)
{
    // By name and number: asio::ssl::error::stream_truncated would bring OpenSSL to all.
    auto const cut_short = [&] {
        return ec.value() == 1 && std::string_view(ec.category().name()) == "asio.ssl.stream";
    };
    if (ec == asio::error::eof || cut_short()) return make_error_code(errc::connection_closed);
    if (ec == asio::error::host_not_found_try_again)
        return std::make_error_code(std::errc::resource_unavailable_try_again);
    return static_cast<std::error_code>(ec);
}

template <class Pipeline, class... T>
[[nodiscard]] outcome classify_error_code(Pipeline& p, boost::system::error_code ec, T const&... values)
{
    return ec ? classify_by(p, to_std(ec)) : classify_by(p, values...);
}

template <class Signature>
struct error_code_values {
    static constexpr bool valid = false;
};
template <class... T>
struct error_code_values<void(boost::system::error_code, T...)> {
    static constexpr bool valid = true;
    using type = std::tuple<boost::system::error_code, std::decay_t<T>...>;
};

/// An operation without an argument, in the form that attempt_result knows.
template <class Op>
struct without_attempt {
    Op op;
    decltype(auto) operator()(attempt const&) { return op(); }
};

/// How an operation of a given shape is begun, what it ends with, and what that means. `Op` is what the user passed to
/// async_call; this is the shape of a deferred Asio operation.
template <class Op, class Returned = std::invoke_result_t<Op&, attempt const&>>
struct attempt_result {
    static_assert(
        requires { typename asio::completion_signature_of<Returned>::type; },
        "weir::async_call: the operation returns an asio::awaitable<T>, or a deferred Asio operation (pass "
        "asio::deferred as its completion token)");
    using signature = typename asio::completion_signature_of<Returned>::type;
    static_assert(error_code_values<signature>::valid,
                  "weir::async_call: a deferred operation completes with void(boost::system::error_code, T...)");
    using values = typename error_code_values<signature>::type;

    template <class Executor, class Handler>
    static void initiate(Op& op, attempt const& a, Executor const&, Handler&& handler)
    {
        op(a)(std::forward<Handler>(handler));
    }

    template <class Pipeline, class... T>
    [[nodiscard]] static outcome classify(Pipeline& p, boost::system::error_code ec, T const&... v)
    {
        return classify_error_code(p, ec, v...);
    }

    template <class Code>
    [[nodiscard]] static values error(Code code)
    {
        values v;
        std::get<0>(v) = code;
        return v;
    }

    [[nodiscard]] static values thrown(std::exception_ptr e) { return error(code_of(std::move(e))); }
};

/// The shape of a coroutine.
template <class Op, class T, class CoroutineExecutor>
struct attempt_result<Op, asio::awaitable<T, CoroutineExecutor>> {
    using signature = std::conditional_t<std::is_void_v<T>, void(std::exception_ptr),
                                         void(std::exception_ptr, std::conditional_t<std::is_void_v<T>, int, T>)>;
    using values = std::conditional_t<std::is_void_v<T>, std::tuple<std::exception_ptr>,
                                      std::tuple<std::exception_ptr, std::conditional_t<std::is_void_v<T>, int, T>>>;

    template <class Executor, class Handler>
    static void initiate(Op& op, attempt const& a, Executor const& executor, Handler&& handler)
    {
        asio::co_spawn(executor, op(a), std::forward<Handler>(handler));
    }

    template <class Pipeline, class... V>
    [[nodiscard]] static outcome classify(Pipeline& p, std::exception_ptr const& e, V const&... v)
    {
        if (e) {
            try {
                std::rethrow_exception(e);
            } catch (boost::system::system_error const& known) {
                return classify_by(p, to_std(known.code()));
            } catch (std::system_error const& known) {
                return classify_by(p, known.code());
            } catch (...) {
                return classify_by(p, e);
            }
        }
        return classify_by(p, v...);
    }

    template <class Code>
    [[nodiscard]] static values error(Code code)
    {
        return thrown(std::make_exception_ptr(boost::system::system_error(boost::system::error_code(code))));
    }

    [[nodiscard]] static values thrown(std::exception_ptr e)
    {
        values v;
        std::get<0>(v) = std::move(e);
        return v;
    }
};

}  // namespace detail
}  // namespace weir
