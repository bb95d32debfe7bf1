// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/secret.hpp>
#include <weir/retry/backoff.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir {

struct redis_server {
    std::string host = "127.0.0.1";  ///< an address, or a name for the resolver
    std::uint16_t port = 6379;

    friend bool operator==(redis_server const&, redis_server const&) = default;
};

/// Options of redis_store, and of a redis_link to one of its servers.
struct redis_options {
    /// A key lives on one of them, chosen by its name: all processes must have the same list, in any order.
    std::vector<redis_server> servers = {{}};
    std::string user = {};                               ///< for AUTH; empty: the default user
    registry::secret password = {};                      ///< for AUTH; empty: none is sent
    std::string password_file = {};                      ///< it is in this file, which is read for each connection
    unsigned database = 0;                               ///< for SELECT
    std::string prefix = "weir:";                        ///< of every key
    duration connect_timeout = std::chrono::seconds(1);  ///< name, connection, TLS and greeting together
    duration timeout = std::chrono::seconds(1);  ///< a reply overdue by that ends the connection, and all that waits
    std::size_t max_pending = 4096;              ///< commands without a reply, for a connection; more are refused
    std::size_t max_reply_bytes = 65'536;        ///< of one reply; at least 1024
    weir::backoff reconnect =                    ///< between connections that failed
        exponential(std::chrono::milliseconds(50), std::chrono::seconds(2)).with(jitter::decorrelated);

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const
    {
        using namespace std::chrono_literals;
        using detail::bad_option;
        if (servers.empty()) throw std::invalid_argument("weir: redis_options.servers must name at least one");
        for (auto const& s : servers)
            if (s.host.empty() || s.port == 0)
                throw std::invalid_argument("weir: redis_options.servers must have a host and a port each");
        if (!user.empty() && password.empty() && password_file.empty())
            throw std::invalid_argument("weir: redis_options.password must be given where there is a user");
        if (!password.empty() && !password_file.empty())
            throw std::invalid_argument("weir: redis_options.password must be empty when there is a password_file");
        if (connect_timeout <= 0ms) bad_option("redis_options.connect_timeout", "above 0 ms", connect_timeout);
        if (timeout <= 0ms) bad_option("redis_options.timeout", "above 0 ms", timeout);
        if (max_pending == 0) bad_option("redis_options.max_pending", "at least 1", max_pending);
        if (max_reply_bytes < 1024) bad_option("redis_options.max_reply_bytes", "at least 1024", max_reply_bytes);
    }
};

}  // namespace weir
