// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <tuple>
#include <utility>

namespace weir::registry::detail {

namespace asio = boost::asio;

/// Completes with what `find()` returns, a tuple of error code and values. It is called when the operation completes,
/// which is never inside this function.
template <class... Values, class Find, class Token>
auto async_answer(asio::any_io_executor executor, Find find, Token&& token)
{
    return asio::async_compose<Token, void(boost::system::error_code, Values...)>(
        [find = std::move(find), started = false](auto& self) mutable {
            if (!std::exchange(started, true)) return asio::post(std::move(self));
            std::tuple<boost::system::error_code, Values...> found = find();
            std::apply([&](auto&... values) { self.complete(std::move(values)...); }, found);
        },
        token, executor);
}

}  // namespace weir::registry::detail
