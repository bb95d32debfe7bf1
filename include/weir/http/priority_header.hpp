// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/call_options.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/http/message.hpp>

#include <iterator>
#include <optional>
#include <string_view>

namespace weir::http {

/// How important the caller says this request is. Nothing, if it does not say, says it twice, or not in weir's form
/// (core/priority.hpp). For requests from within the system: at its edge a priority is chosen, not believed.
[[nodiscard]] inline std::optional<request_priority> priority_of(request const& r,
                                                                 std::string_view header = priority_header) noexcept
{
    auto const [first, last] = r.equal_range(beast::string_view(header.data(), header.size()));
    if (first == last || std::next(first) != last) return std::nullopt;
    return parse_priority(std::string_view(first->value().data(), first->value().size()));
}

/// What a request hands on to the calls that it causes: its deadline and its priority. With it, every service of a call
/// tree sheds the same requests, and none works on after the one at the top has given up:
///
///   asio::awaitable<http::response> handler(http::request r)
///   {
///       auto stock = co_await guarded.async_call(ask_the_stock, http::carried_by(r, weir::now(executor)),
///                                                asio::use_awaitable);
///
/// `http::client` sends both on, for an attempt: see client_options.deadline_header and .priority_header.
/// Seen in: examples/42_passed_on.cpp
[[nodiscard]] inline call_options carried_by(request const& r, time_point now) noexcept
{
    return {.deadline = deadline_of(r, now), .priority = priority_of(r)};
}

}  // namespace weir::http
