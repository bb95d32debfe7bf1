// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>
#include <weir/http/validate.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace weir::http {

/// Options of `http::client`.
struct client_options {
    /// Limit of a call that brings no deadline of its own; 0: none.
    duration timeout = std::chrono::seconds(30);
    /// Limit of looking up the name, connecting and the TLS handshake together, ending with std::errc::timed_out; 0:
    /// only the call's deadline. Long enough for one lost packet.
    duration connect_timeout = std::chrono::seconds(3);
    /// A connection idle for longer is not used again, and is closed while anything of weir waits in the context: a
    /// call, a timer, a watch. Where nothing does, it stays until then, or until `close_idle()`: a wait for it alone would
    /// keep an event loop running that has nothing else to do. Keep it below the servers' own limit, which is often 5 s;
    /// 0: no connection is used twice.
    duration idle_timeout = std::chrono::seconds(4);
    std::size_t max_idle_per_endpoint = 64;          ///< connections kept for later; 0: none
    std::size_t max_idle = 1024;                     ///< the same, over all endpoints; 0: none
    std::size_t max_connections_per_endpoint = 0;    ///< calls above it: errc::too_many_calls; 0: no limit
    std::uint64_t max_body_bytes = 8 * 1024 * 1024;  ///< of an answer; above it: errc::body_too_large; 0: none may come
    std::uint32_t max_header_bytes = 8 * 1024;       ///< of an answer's header, and of its status line; 1 KiB to 1 MiB
    std::string host_header = {};                    ///< sent as Host; empty: the endpoint's host and port
    std::string user_agent = "weir";                 ///< empty: none is sent
    /// Tells the peer how much time is left of the call's deadline, in a header of this name ("grpc-timeout"; see
    /// deadline_header.hpp), in place of what the request has there. Empty: it is not told.
    std::string deadline_header = {};
    /// Tells the peer how important the call is, where the attempt that sends it has a priority (call_options), in a
    /// header of this name, in place of what the request has there. Empty: it is not told.
    std::string priority_header = std::string(weir::priority_header);

    /// Throws std::invalid_argument naming the first field that is out of range.
    void check() const
    {
        using weir::detail::bad_option;
        auto const zero = duration::zero();
        if (timeout < zero) bad_option("client_options.timeout", "0 or more", timeout);
        if (connect_timeout < zero) bad_option("client_options.connect_timeout", "0 or more", connect_timeout);
        if (idle_timeout < zero) bad_option("client_options.idle_timeout", "0 or more", idle_timeout);
        if (max_header_bytes < 1024 || max_header_bytes > 1024 * 1024)
            bad_option("client_options.max_header_bytes", "1024 to 1048576", max_header_bytes);
        if (!valid_field_value(host_header))
            throw std::invalid_argument("weir: client_options.host_header must be without control characters");
        if (!valid_field_value(user_agent))
            throw std::invalid_argument("weir: client_options.user_agent must be without control characters");
        if (!deadline_header.empty() && !valid_token(deadline_header))
            throw std::invalid_argument("weir: client_options.deadline_header must be the name of a header");
        if (!priority_header.empty() && !valid_token(priority_header))
            throw std::invalid_argument("weir: client_options.priority_header must be the name of a header");
    }
};

}  // namespace weir::http
