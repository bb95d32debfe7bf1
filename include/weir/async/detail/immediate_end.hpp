// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/hop.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/errc.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/system/error_code.hpp>

#include <optional>
#include <tuple>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// A handler to be told of success. It carries no code along: storing one in parts and moving it in whole words, once a
/// stage, was a third of the cost of the post.
template <class Handler, class... Values>
struct success_of {
    Handler handler;
    [[no_unique_address]] std::tuple<Values...> values;

    void operator()()
    {
        std::apply([this](Values&... v) { std::move(handler)(boost::system::error_code{}, std::move(v)...); }, values);
    }
};

template <class Handler, class... Values>
struct refusal_of {
    Handler handler;
    errc why;

    void operator()() { std::move(handler)(boost::system::error_code(make_error_code(why)), Values{}...); }
};

/// The end of an operation that need not wait. What is posted is the handler and what it is told, so it costs what
/// posting the handler costs, on its own executor and with its own allocator.
template <class Executor, class Handler, class... Values>
void post_success(Executor const& executor, Handler&& handler, Values... values)
{
    auto const target = asio::get_associated_executor(handler, executor);
    auto const allocator = asio::get_associated_allocator(handler);
    post_to(target, success_of<Handler, Values...>{std::move(handler), {std::move(values)...}}, allocator);
}

template <class... Values, class Executor, class Handler>
void post_refusal(Executor const& executor, Handler&& handler, errc why)
{
    auto const target = asio::get_associated_executor(handler, executor);
    auto const allocator = asio::get_associated_allocator(handler);
    post_to(target, refusal_of<Handler, Values...>{std::move(handler), why}, allocator);
}

/// The code of a refusal; the rest of it for whom wants to know.
[[nodiscard]] inline errc told(rejection const& why, std::optional<rejection>* refused) noexcept
{
    if (refused) *refused = why;
    return why.code;
}

}  // namespace detail
}  // namespace weir
