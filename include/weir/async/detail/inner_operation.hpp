// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

template <class Returned>
inline constexpr bool is_coroutine = false;
template <class T, class Executor>
inline constexpr bool is_coroutine<asio::awaitable<T, Executor>> = true;

/// Begins an operation within another one, `self`, which is called at its end.
template <class Self, class Operation>
void begin_within(Self& self, Operation&& operation)
{
    if constexpr (is_coroutine<std::remove_cvref_t<Operation>>) {
        auto const executor = self.get_executor();
        asio::co_spawn(executor, std::move(operation), std::move(self));
    } else {
        std::move(operation)(std::move(self));
    }
}

/// The code of what was thrown; errc::operation_threw if it carried none.
[[nodiscard]] inline boost::system::error_code code_of(std::exception_ptr thrown)
{
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (boost::system::system_error const& known) {
        return known.code();
    } catch (std::system_error const& known) {
        return boost::system::error_code(known.code());
    } catch (...) {
        return make_error_code(errc::operation_threw);
    }
}

}  // namespace detail
}  // namespace weir
