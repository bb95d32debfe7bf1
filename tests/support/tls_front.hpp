// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <support/certificate.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::testing {

/// Speaks TLS to clients, of which it may want to see a certificate, and passes on what they say in clear to a server
/// on a port of the loopback.
class tls_front {
    using tcp = boost::asio::ip::tcp;
    using error_code = boost::system::error_code;

public:
    tls_front(boost::asio::io_context& io, certificate const& shown, std::uint16_t to,
              certificate const* clients_by = nullptr)
        : context_(boost::asio::ssl::context::tls_server), acceptor_(io, {loopback(), 0}), to_(to)
    {
        context_.use_certificate_chain(boost::asio::buffer(shown.pem()));
        context_.use_private_key(boost::asio::buffer(shown.key_pem()), boost::asio::ssl::context::pem);
        if (clients_by) {
            context_.add_certificate_authority(boost::asio::buffer(clients_by->pem()));
            context_.set_verify_mode(boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
        }
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    struct line : std::enable_shared_from_this<line> {
        line(tcp::socket c, boost::asio::ssl::context& context)
            : client(std::move(c), context), server(client.get_executor())
        {
        }
        void begin(std::uint16_t to)
        {
            client.async_handshake(boost::asio::ssl::stream_base::server,
                                   [self = shared_from_this(), to](error_code ec) {
                                       if (ec) return;
                                       self->server.async_connect({loopback(), to}, [self](error_code refused) {
                                           if (refused) return;
                                           self->pass(self->client, self->server, self->up);
                                           self->pass(self->server, self->client, self->down);
                                       });
                                   });
        }
        template <class From, class To>
        void pass(From& from, To& to, std::array<char, 4096>& buffer)
        {
            from.async_read_some(boost::asio::buffer(buffer),
                                 [&, self = shared_from_this()](error_code ec, std::size_t n) {
                                     if (ec) return close();
                                     boost::asio::async_write(to, boost::asio::buffer(buffer.data(), n),
                                                              [&, self](error_code lost, std::size_t) {
                                                                  if (lost) return close();
                                                                  pass(from, to, buffer);
                                                              });
                                 });
        }
        void close()
        {
            error_code ignored;
            server.close(ignored);
            client.lowest_layer().close(ignored);
        }
        boost::asio::ssl::stream<tcp::socket> client;
        tcp::socket server;
        std::array<char, 4096> up, down;
    };

    static boost::asio::ip::address loopback() { return boost::asio::ip::address_v4::loopback(); }

    void accept()
    {
        acceptor_.async_accept([this](error_code ec, tcp::socket s) {
            if (ec) return;
            std::make_shared<line>(std::move(s), context_)->begin(to_);
            accept();
        });
    }

    boost::asio::ssl::context context_;
    tcp::acceptor acceptor_;
    std::uint16_t to_;
};

}  // namespace weir::testing
