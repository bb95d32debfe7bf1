// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/client.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/stream_traits.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

/// Options of `http::tls_client`. The defaults verify everything: the chain up to an authority of the system, the
/// dates, and that the certificate is for the endpoint's host. TLS 1.2 or newer.
struct tls_options {
    std::string authorities_file = {};  ///< PEM, trusted instead of the system's; empty: the system's
    std::string authorities_pem = {};   ///< the same, as text
    std::string certificate_file = {};  ///< PEM chain to show to the server; empty: none
    std::string key_file = {};          ///< PEM, the key to it
    std::string expected_name = {};     ///< the name to ask for and verify; empty: the endpoint's host
    bool accept_any_certificate_and_be_open_to_attack = false;
};

/// HTTP over TLS, for `basic_client`: the one header of http/ that needs OpenSSL.
///
///   weir::http::tls_client client(io.get_executor(), {}, weir::http::tls_transport({.authorities_file = "ca.pem"}));
///
/// A server that cannot be verified ends the call in the handshake, with OpenSSL's own error: nothing of the request
/// has been written. A connection that ends without TLS's own goodbye never completes an answer.
/// Throws:    the constructor: std::invalid_argument naming the option whose file or text cannot be used.
/// Threads:   copies share one ssl::context and may be used from several.
/// Seen in:   examples/38_tls.cpp
class tls_transport {
public:
    template <class Executor>
    using stream = asio::ssl::stream<asio::basic_stream_socket<asio::ip::tcp, Executor>>;

    using options = tls_options;
    static constexpr bool handshakes = true;

    tls_transport() : tls_transport(tls_options{}) {}
    explicit tls_transport(tls_options o);

    /// For what the options cannot say. Verification is this context's from here on.
    [[nodiscard]] asio::ssl::context& context() noexcept { return *context_; }

    template <class Executor>
    [[nodiscard]] stream<Executor> open(Executor const& executor, std::string_view host) const;

    template <class Stream, class Token>
    auto async_handshake(Stream& s, Token&& token) const
    {
        return s.async_handshake(asio::ssl::stream_base::client, std::forward<Token>(token));
    }

private:
    std::shared_ptr<asio::ssl::context> context_;
    std::string expected_name_;
    bool verify_;
};

template <class Executor = asio::any_io_executor>
using basic_tls_client = basic_client<Executor, tls_transport>;
using tls_client = basic_tls_client<>;

// Bodies

inline tls_transport::tls_transport(tls_options o)
    : context_(std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client)),
      expected_name_(std::move(o.expected_name)),
      verify_(!o.accept_any_certificate_and_be_open_to_attack)
{
    // Asio's context verifies nothing and allows TLS 1.0 as it comes.
    auto& c = *context_;
    SSL_CTX_set_min_proto_version(c.native_handle(), TLS1_2_VERSION);
    c.set_verify_mode(verify_ ? asio::ssl::verify_peer : asio::ssl::verify_none);

    auto const use = [](std::string_view field, auto load) {
        boost::system::error_code ec;
        load(ec);
        if (ec)
            throw std::invalid_argument("weir: tls_options." + std::string(field) + " cannot be used: " + ec.message());
    };
    if (!o.authorities_file.empty())
        use("authorities_file", [&](auto& ec) { c.load_verify_file(o.authorities_file, ec); });
    if (!o.authorities_pem.empty())
        use("authorities_pem", [&](auto& ec) { c.add_certificate_authority(asio::buffer(o.authorities_pem), ec); });
    if (o.authorities_file.empty() && o.authorities_pem.empty()) c.set_default_verify_paths();
    if (o.certificate_file.empty() != o.key_file.empty())
        throw std::invalid_argument("weir: tls_options.certificate_file and key_file must be given together");
    if (!o.certificate_file.empty()) {
        use("certificate_file", [&](auto& ec) { c.use_certificate_chain_file(o.certificate_file, ec); });
        use("key_file", [&](auto& ec) { c.use_private_key_file(o.key_file, asio::ssl::context::pem, ec); });
    }
}

template <class Executor>
tls_transport::stream<Executor> tls_transport::open(Executor const& executor, std::string_view host) const
{
    stream<Executor> s(executor, *context_);
    std::string const name(expected_name_.empty() ? host : std::string_view(expected_name_));
    if (verify_) s.set_verify_callback(asio::ssl::host_name_verification(name));
    // The server name extension is for names only (RFC 6066, 3).
    boost::system::error_code not_an_address;
    asio::ip::make_address(name, not_an_address);
    if (not_an_address) SSL_set_tlsext_host_name(s.native_handle(), name.c_str());
    return s;
}

}  // namespace weir::http
