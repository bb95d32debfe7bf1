// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>

#include <boost/asio/append.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <optional>
#include <tuple>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// A handler to be told of success. Unlike asio::append it does not carry the error code along: storing one in parts
/// and moving it in whole words, once a stage, was a third of the cost of the post.
template <class Handler, class... Values>
struct success_of {
    Handler handler;
    [[no_unique_address]] std::tuple<Values...> values;

    void operator()()
    {
        std::apply([this](Values&... v) { std::move(handler)(boost::system::error_code{}, std::move(v)...); }, values);
    }
};

/// The end of an operation that need not wait. What is posted is the handler and what it is told, so it costs what
/// posting the handler costs, on its own executor and with its own allocator.
template <class Executor, class Handler, class... Values>
void post_success(Executor const& executor, Handler&& handler, Values... values)
{
    asio::post(executor, success_of<Handler, Values...>{std::move(handler), {std::move(values)...}});
}

template <class Executor, class Handler, class... Values>
void post_failure(Executor const& executor, Handler&& handler, boost::system::error_code ec, Values... values)
{
    asio::post(executor, asio::append(std::move(handler), ec, std::move(values)...));
}

/// The code of a refusal; the rest of it for whom wants to know.
[[nodiscard]] inline boost::system::error_code told(rejection const& why, std::optional<rejection>* refused) noexcept
{
    if (refused) *refused = why;
    return make_error_code(why.code);
}

}  // namespace detail
}  // namespace weir

template <template <class, class> class Associator, class Handler, class... Values, class Default>
struct boost::asio::associator<Associator, weir::detail::success_of<Handler, Values...>, Default>
    : Associator<Handler, Default> {
    using type = typename Associator<Handler, Default>::type;

    static auto get(weir::detail::success_of<Handler, Values...> const& of) noexcept
    {
        return Associator<Handler, Default>::get(of.handler);
    }
    static auto get(weir::detail::success_of<Handler, Values...> const& of, Default const& otherwise) noexcept
    {
        return Associator<Handler, Default>::get(of.handler, otherwise);
    }
};
