// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/message.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <string>

/// What the processes of the shop have in common: to answer in JSON, and to ask once, in plain Beast.
namespace shop {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

using weir::http::request;   // Beast's, with the body in a string
using weir::http::response;

/// An acceptor on the loopback interface; port 0 lets the system choose. Throws boost::system::system_error.
[[nodiscard]] tcp::acceptor listen(asio::any_io_executor executor, std::uint16_t port);

/// "host", or "[host]" for an address of IPv6.
[[nodiscard]] std::string in_url(std::string const& host);

[[nodiscard]] response reply(http::status status, std::string body);

/// One request on a connection of its own, as in Beast's client examples: connect, write, read, close. Throws
/// boost::system::system_error, with beast::error::timeout after `limit`. Any status is an answer.
[[nodiscard]] asio::awaitable<response> ask(http::verb verb, std::string host, std::uint16_t port, std::string target,
                                            std::chrono::milliseconds limit, std::string body = {});

}  // namespace shop
