// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// HTTP over TLS. A client verifies as it comes, with no option set: who vouches for the certificate, its dates, and
// that it is for the host that was asked for. Whoever cannot prove who he is gets nothing, not even the request. The
// server here has a certificate made on the spot, for the name shop.internal.
//
// Expected output:
//   an authority that nobody knows   certificate verify failed
//   the wrong name                   certificate verify failed
//   all as it should be              200 three apples
//   and once more                    200 three apples
//   the server shook hands 1 time, and saw 2 requests

#include <weir/http/tls.hpp>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace http = weir::http;
using asio::use_awaitable;
using asio::ip::tcp;

// What `openssl req -x509 -addext subjectAltName=DNS:shop.internal` makes: it vouches for itself.
struct certificate {
    std::shared_ptr<EVP_PKEY> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    std::shared_ptr<X509> x{X509_new(), X509_free};

    explicit certificate(char const* alternative_name)
    {
        X509_set_version(x.get(), 2);
        X509_gmtime_adj(X509_getm_notBefore(x.get()), -60);
        X509_gmtime_adj(X509_getm_notAfter(x.get()), 60);
        X509_set_pubkey(x.get(), key.get());
        auto* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name);
        X509_add_ext(x.get(), extension, -1);
        X509_EXTENSION_free(extension);
        X509_sign(x.get(), key.get(), EVP_sha256());
    }

    std::string pem() const
    {
        std::shared_ptr<BIO> const text(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_X509(text.get(), x.get());
        char const* data = nullptr;
        auto const size = BIO_get_mem_data(text.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }
};

constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthree apples";

struct server {
    asio::ssl::context tls{asio::ssl::context::tls_server};
    tcp::acceptor acceptor;
    int handshakes = 0, requests = 0;

    server(asio::io_context& io, certificate const& c) : acceptor(io, {asio::ip::address_v4::loopback(), 0})
    {
        SSL_CTX_use_certificate(tls.native_handle(), c.x.get());
        SSL_CTX_use_PrivateKey(tls.native_handle(), c.key.get());
        asio::co_spawn(io, accept(), asio::detached);
    }

    asio::awaitable<void> accept()
    {
        for (;;) {
            auto socket = co_await acceptor.async_accept(use_awaitable);
            asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
        }
    }

    asio::awaitable<void> serve(tcp::socket socket)  // ends with an exception when the peer goes
    {
        asio::ssl::stream<tcp::socket> s(std::move(socket), tls);
        co_await s.async_handshake(asio::ssl::stream_base::server, use_awaitable);
        ++handshakes;
        for (std::string asked;;) {
            asked.erase(0, co_await asio::async_read_until(s, asio::dynamic_buffer(asked), "\r\n\r\n", use_awaitable));
            ++requests;
            co_await asio::async_write(s, asio::buffer(answer), use_awaitable);
        }
    }
};

int main()
{
    asio::io_context io;
    certificate const made("DNS:shop.internal");
    server shop(io, made);
    weir::endpoint const where{.id = "shop-1", .host = "127.0.0.1", .port = shop.acceptor.local_endpoint().port()};

    auto const get = [&](char const* what, http::tls_client& client) -> asio::awaitable<void> {
        auto const [ec, r] = co_await client.async_get(where, "/orders/42", asio::as_tuple(use_awaitable));
        auto const why = ec.message();
        auto const said = ec ? why.substr(0, why.find(" (")) : std::to_string(r.result_int()) + ' ' + r.body();
        std::printf("%-32s %s\n", what, said.c_str());
    };
    auto const all = [&]() -> asio::awaitable<void> {
        http::tls_client careful(io.get_executor());
        co_await get("an authority that nobody knows", careful);

        http::tls_options mine{.authorities_pem = made.pem()};  // or a file
        http::tls_client by_address(io.get_executor(), {}, http::tls_transport(mine));
        co_await get("the wrong name", by_address);

        mine.expected_name = "shop.internal";  // else the endpoint's host, which is an address here
        http::tls_client good(io.get_executor(), {}, http::tls_transport(mine));
        co_await get("all as it should be", good);
        co_await get("and once more", good);
        std::printf("the server shook hands %d time, and saw %d requests\n", shop.handshakes, shop.requests);
        io.stop();
    };
    asio::co_spawn(io, all(), asio::detached);
    io.run();
}
