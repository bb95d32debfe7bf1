// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

/// The plain Beast that the processes of the shop have in common: serve, and ask once.
namespace shop {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;
using handler = std::function<asio::awaitable<response>(request const&)>;

/// An acceptor on the loopback interface; port 0 lets the system choose. Throws boost::system::system_error.
[[nodiscard]] tcp::acceptor listen(asio::any_io_executor executor, std::uint16_t port);

/// Serves until the acceptor is closed: one coroutine a connection, keep-alive. `answer` outlives it.
[[nodiscard]] asio::awaitable<void> serve(tcp::acceptor& acceptor, handler const& answer);

[[nodiscard]] response reply(request const& to, http::status status, std::string body);

/// One request on a connection of its own, as in Beast's client examples: connect, write, read, close. Throws
/// boost::system::system_error, with beast::error::timeout after `limit`. Any status is an answer.
[[nodiscard]] asio::awaitable<response> ask(http::verb verb, std::string host, std::uint16_t port, std::string target,
                                            std::chrono::milliseconds limit, std::string body = {});

}  // namespace shop
