// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "support/fault_proxy.hpp"
#include "support/server_process.hpp"

#include <weir/registry/detail/network_registry.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::testing {

/// Never to be seen in what a registry client says of itself.
inline constexpr char const* canary = "canary-3f9c1a";

/// A registry under the fault matrix: a server, and clients that reach it through a proxy. The server begins with the
/// instances web-1 to web-4 of the service "web".
class subject {
public:
    using registry = weir::registry::detail::network_registry;

    virtual ~subject() = default;
    [[nodiscard]] virtual std::string name() const = 0;

    /// Where the server listens.
    [[nodiscard]] virtual boost::asio::ip::tcp::endpoint server() const = 0;

    /// A client of a server at this port of the loopback, with times short enough for a test, but a long patience with
    /// empty answers; `naive`: one that believes everything at once.
    [[nodiscard]] virtual registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) = 0;

    /// Puts a fifth instance there.
    virtual void grow() = 0;

    /// The faults for this kind of server.
    [[nodiscard]] virtual std::vector<fault> faults() const = 0;

    /// Answers that are well made and take away all, or three of the four: what a naive client falls for.
    [[nodiscard]] virtual std::vector<fault> losses() const = 0;
};

using subjects = std::vector<std::unique_ptr<subject>>;

/// Each adds what it has; a server that cannot be had is named in `missing`.
void add_consul(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_etcd(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_eureka(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_kubernetes(asio::io_context& io, subjects& all, std::vector<std::string>& missing);
void add_nacos(asio::io_context& io, subjects& all, std::vector<std::string>& missing);

/// What may happen to any connection.
[[nodiscard]] std::vector<fault> connection_faults();

/// And what may happen to one that speaks HTTP and JSON.
[[nodiscard]] std::vector<fault> http_faults();

/// A complete answer over HTTP.
[[nodiscard]] std::string http_answer(int status, std::string const& body, std::string const& headers = {});

/// Puts instance web-<number> of the service "web" there, and keeps it there.
class enrolment {
public:
    explicit enrolment(subject::registry where) : where_(std::move(where)) {}
    void add(int number);

private:
    subject::registry where_;
    std::vector<std::unique_ptr<weir::registry::lease>> held_;
};

/// The options of a watch under test.
[[nodiscard]] weir::registry::watch_options test_watch(bool naive);

}  // namespace weir::testing
