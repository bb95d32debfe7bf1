// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/source.hpp>

#include <doctest/doctest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <string>

namespace {

struct talk {
    template <class Token>
    void async_load(Token);
    template <class Token>
    void async_await_change(std::string const&, Token);
};
struct good {
    talk open(boost::asio::any_io_executor) const;
};

struct deaf_talk {
    template <class Token>
    void async_load(Token);
};
struct deaf {
    deaf_talk open(boost::asio::any_io_executor) const;
};

}  // namespace

TEST_CASE("source: needs a conversation that reads and waits")
{
    static_assert(weir::config::source<good>);
    static_assert(!weir::config::source<deaf>);
    static_assert(!weir::config::source<int>);
    CHECK_NOTHROW(weir::config::follow_options{}.check());
}
