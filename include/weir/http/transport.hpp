// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <string_view>

namespace weir {

namespace asio = boost::asio;

}  // namespace weir

namespace weir::http {

/// What lies under HTTP: bare TCP. `http/tls.hpp` has the other one; a client takes either as its type, so a program
/// that does not include that header links no OpenSSL.
///
/// A transport offers `stream<Executor>` (read and written by Beast, with a TCP socket as its lowest layer), `open`,
/// which makes one that is to be connected to `host`, and, where `handshakes` is true, `async_handshake` for after
/// connecting.
struct plain_transport {
    template <class Executor>
    using stream = asio::basic_stream_socket<asio::ip::tcp, Executor>;

    static constexpr bool handshakes = false;

    template <class Executor>
    [[nodiscard]] stream<Executor> open(Executor const& executor, std::string_view /*host*/) const
    {
        return stream<Executor>(executor);
    }
};

}  // namespace weir::http
