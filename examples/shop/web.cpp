// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "web.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace shop {

using asio::use_awaitable;

tcp::acceptor listen(asio::any_io_executor executor, std::uint16_t port)
{
    tcp::endpoint const where{asio::ip::address_v4::loopback(), port};
    tcp::acceptor acceptor{std::move(executor), where.protocol()};
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(where);
    acceptor.listen();
    return acceptor;
}

std::string in_url(std::string const& host)
{
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

response reply(http::status status, std::string body)
{
    return weir::http::reply(status, std::move(body), "application/json");
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
    asked.set(http::field::host, in_url(host) + ":" + std::to_string(port));
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
