// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::http {

/// Options of `http::server`.
struct server_options {
    std::string address = "127.0.0.1";  ///< where to listen: an IP address
    std::uint16_t port = 0;             ///< 0: the system chooses, `port()` tells
    bool share_port = false;            ///< other servers of this user may listen there too: one for each thread

    duration idle_timeout = std::chrono::seconds(75);     ///< a kept connection without a request is closed; 0: never
    duration request_timeout = std::chrono::seconds(10);  ///< limit of reading a request, and of writing an answer

    std::uint64_t max_body_bytes = 1024 * 1024;  ///< of a request; above it: 413
    std::uint32_t max_header_bytes = 8 * 1024;   ///< of a request's header, and again of its first line; above it: 431
    std::size_t max_connections = 10'000;        ///< at the limit no more are accepted until one ends; 0: no limit

    /// Throws std::invalid_argument naming the first field that is out of range.
    void check() const
    {
        using weir::detail::bad_option;
        if (idle_timeout < duration::zero()) bad_option("server_options.idle_timeout", "0 or more", idle_timeout);
        if (request_timeout < duration::zero())
            bad_option("server_options.request_timeout", "0 or more", request_timeout);
        if (max_header_bytes < 1024 || max_header_bytes > 1024 * 1024)
            bad_option("server_options.max_header_bytes", "1024 to 1048576", max_header_bytes);
    }
};

}  // namespace weir::http
