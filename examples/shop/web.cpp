// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "web.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace shop {

namespace {

using asio::use_awaitable;

asio::awaitable<void> converse(tcp::socket socket, handler const& answer)
{
    boost::beast::flat_buffer buffer;
    socket.set_option(tcp::no_delay(true));
    try {
        for (;;) {
            request asked;
            co_await http::async_read(socket, buffer, asked, use_awaitable);
            auto answered = co_await answer(asked);
            answered.keep_alive(asked.keep_alive());
            answered.prepare_payload();
            co_await http::async_write(socket, answered, use_awaitable);
            if (!asked.keep_alive()) break;
        }
    }
    catch (boost::system::system_error const&) {
        // The peer went away. There is nobody left to tell.
    }
}

}  // namespace

tcp::acceptor listen(asio::any_io_executor executor, std::uint16_t port)
{
    tcp::endpoint const where{asio::ip::address_v4::loopback(), port};
    tcp::acceptor acceptor{std::move(executor), where.protocol()};
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(where);
    acceptor.listen();
    return acceptor;
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, handler const& answer)
{
    while (acceptor.is_open()) {
        try {
            auto socket = co_await acceptor.async_accept(use_awaitable);
            co_spawn(acceptor.get_executor(), converse(std::move(socket), answer), asio::detached);
            continue;
        }
        catch (boost::system::system_error const& e) {
            if (!acceptor.is_open() || e.code() == asio::error::operation_aborted) co_return;
        }
        // Out of descriptors, most likely: there will be some when the present connections have ended.
        asio::steady_timer pause{acceptor.get_executor(), std::chrono::milliseconds(20)};
        co_await pause.async_wait(use_awaitable);
    }
}

response reply(request const& to, http::status status, std::string body)
{
    response r{status, to.version()};
    r.set(http::field::content_type, "application/json");
    r.body() = std::move(body);
    return r;
}

asio::awaitable<response> ask(http::verb verb, std::string host, std::uint16_t port, std::string target,
                              std::chrono::milliseconds limit, std::string body)
{
    auto const executor = co_await asio::this_coro::executor;
    boost::beast::tcp_stream stream{executor};
    stream.expires_after(limit);

    tcp::resolver resolver{executor};
    auto const found = co_await resolver.async_resolve(host, std::to_string(port), use_awaitable);
    co_await stream.async_connect(found, use_awaitable);

    request asked{verb, target, 11};
    asked.set(http::field::host, host + ":" + std::to_string(port));
    asked.set(http::field::connection, "close");
    asked.body() = std::move(body);
    asked.prepare_payload();
    co_await http::async_write(stream, asked, use_awaitable);

    boost::beast::flat_buffer buffer;
    response answered;
    co_await http::async_read(stream, buffer, answered, use_awaitable);
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
    co_return answered;
}

}  // namespace shop
