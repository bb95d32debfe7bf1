// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <support/certificate.hpp>
#include <weir/async/async_call.hpp>
#include <weir/call/classify.hpp>
#include <weir/http/answer_stream.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/tls.hpp>
#include <weir/retry/retry.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::testing::answer_handler;
using weir::testing::certificate;
using tcp = asio::ip::tcp;

namespace {

certificate const& authority()
{
    static certificate const a({}, nullptr);
    return a;
}

// How a server is killed: without TLS's goodbye.
enum class dies { never, in_the_handshake, before_the_answer, within_the_answer, after_it };

// Answers every request with "hello", over TLS as it is told to.
struct tls_server {
    tls_server(asio::io_context& io, certificate const& c, int max_version = TLS1_3_VERSION, bool cut = false)
        : context(asio::ssl::context::tls_server), acceptor(io, {asio::ip::address_v4::loopback(), 0}), truncate(cut)
    {
        context.use_certificate_chain(asio::buffer(c.pem()));
        context.use_private_key(asio::buffer(c.key_pem()), asio::ssl::context::pem);
        if (max_version < TLS1_2_VERSION) SSL_CTX_set_security_level(context.native_handle(), 0);
        SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context.native_handle(), max_version);
        SSL_CTX_set_tlsext_servername_callback(
            context.native_handle(), +[](SSL* s, int*, void* self) {
                auto const* name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
                static_cast<tls_server*>(self)->asked_for = name ? name : "";
                return SSL_TLSEXT_ERR_OK;
            });
        SSL_CTX_set_tlsext_servername_arg(context.native_handle(), this);
        accept();
    }

    struct session : std::enable_shared_from_this<session> {
        session(tls_server& s, tcp::socket c) : server(s), stream(std::move(c), s.context) {}
        void serve()
        {
            asio::async_read_until(stream, asio::dynamic_buffer(received), "\r\n\r\n",
                                   [self = shared_from_this()](error_code ec, std::size_t n) {
                                       if (ec) return;
                                       self->received.erase(0, n);
                                       ++self->server.requests;
                                       self->answer();
                                   });
        }
        void answer()
        {
            static std::string const whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
            static std::string const open_ended = "HTTP/1.1 200 OK\r\n\r\nhel";
            bool const last = server.truncate || server.dying();
            asio::const_buffer text = asio::buffer(server.truncate ? open_ended : whole);
            if (last && server.death == dies::before_the_answer) return stream.lowest_layer().close();
            if (last && server.death == dies::within_the_answer) text = asio::buffer(text, text.size() - 1);
            asio::async_write(stream, text, [self = shared_from_this(), last](error_code ec, std::size_t) {
                if (ec) return;
                if (last)
                    self->stream.lowest_layer().close();
                else
                    self->serve();
            });
        }
        tls_server& server;
        asio::ssl::stream<tcp::socket> stream;
        std::string received;
    };

    void accept()
    {
        acceptor.async_accept([this](error_code ec, tcp::socket c) {
            if (ec) return;
            ++connections;
            auto s = std::make_shared<session>(*this, std::move(c));
            if (death == dies::in_the_handshake && dying()) {
                // What is left unread would be answered with a reset, which all know to be passing.
                s->received.resize(4096);
                s->stream.next_layer().async_read_some(asio::buffer(s->received), [s](error_code, std::size_t) {});
                return accept();
            }
            s->stream.async_handshake(asio::ssl::stream_base::server, [s](error_code e) {
                if (!e) s->serve();
            });
            accept();
        });
    }

    weir::endpoint endpoint(std::string host = "127.0.0.1") const
    {
        return {"", host, acceptor.local_endpoint().port()};
    }

    bool dying() { return deaths > 0 && deaths-- > 0; }

    asio::ssl::context context;
    tcp::acceptor acceptor;
    bool truncate;
    dies death = dies::never;
    int deaths = 0;
    std::string asked_for;
    int requests = 0, connections = 0;
};

struct ended {
    error_code ec;
    std::string body;
};

ended get(asio::io_context& io, http::tls_client& client, weir::endpoint const& to)
{
    std::optional<ended> e;
    client.async_get(to, "/", answer_handler([&](error_code ec, http::response const& r) { e = {ec, r.body()}; }));
    io.restart();
    while (!e && io.run_one() != 0) {}
    REQUIRE(e);
    return *e;
}

ended once(certificate const& c, http::tls_options o, std::string const& host = "127.0.0.1",
           int version = TLS1_3_VERSION, int* requests = nullptr)
{
    asio::io_context io;
    tls_server server(io, c, version);
    http::tls_client client(io.get_executor(), {.timeout = 10s}, http::tls_transport(std::move(o)));
    auto const e = get(io, client, server.endpoint(host));
    if (requests) *requests = server.requests;
    return e;
}

}  // namespace

TEST_CASE("tls: a certificate for the host by a trusted authority is accepted, by name and by address")
{
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        http::tls_options const o{.authorities_pem = authority().pem()};
        auto const by_address = once(certificate({"IP:127.0.0.1"}, &authority()), o, "127.0.0.1", version);
        CHECK_MESSAGE(!by_address.ec, by_address.ec.message());
        CHECK(by_address.body == "hello");
        CHECK(once(certificate({"DNS:localhost"}, &authority()), o, "localhost", version).body == "hello");
    }
}

TEST_CASE("tls: every certificate that does not prove who the server is ends the call before a byte of the request")
{
    certificate const other({}, nullptr);
    http::tls_options const trusting{.authorities_pem = authority().pem()};
    struct row {
        char const* what;
        certificate shown;
        http::tls_options options;
        std::string host;
    };
    for (auto const& [what, shown, options, host] :
         {row{"expired", certificate({"IP:127.0.0.1", -7200, -3600}, &authority()), trusting, "127.0.0.1"},
          row{"not yet valid", certificate({"IP:127.0.0.1", 3600, 7200}, &authority()), trusting, "127.0.0.1"},
          row{"another address", certificate({"IP:127.0.0.2"}, &authority()), trusting, "127.0.0.1"},
          row{"another name", certificate({"DNS:example.org"}, &authority()), trusting, "localhost"},
          row{"a name instead of the address", certificate({"DNS:localhost"}, &authority()), trusting, "127.0.0.1"},
          row{"an unknown authority", certificate({"IP:127.0.0.1"}, &other), trusting, "127.0.0.1"},
          row{"signed by itself", certificate({"IP:127.0.0.1"}, nullptr), trusting, "127.0.0.1"},
          row{"for another purpose", certificate({"IP:127.0.0.1", -3600, 3600, false}, &authority()), trusting,
              "127.0.0.1"},
          row{"the system's authorities", certificate({"IP:127.0.0.1"}, &authority()), {}, "127.0.0.1"},
          row{"not the expected name",
              certificate({"IP:127.0.0.1"}, &authority()),
              {.authorities_pem = authority().pem(), .expected_name = "shop.internal"},
              "127.0.0.1"}}) {
        int requests = 0;
        auto const e = once(shown, options, host, TLS1_3_VERSION, &requests);
        CAPTURE(what);
        CHECK(e.ec);
        CHECK(std::string(e.ec.category().name()) == "asio.ssl");
        CHECK(requests == 0);
    }
}

TEST_CASE("tls: nothing older than TLS 1.2 is spoken")
{
    http::tls_options const o{.authorities_pem = authority().pem()};
    for (int const version : {TLS1_VERSION, TLS1_1_VERSION})
        CHECK(once(certificate({"IP:127.0.0.1"}, &authority()), o, "127.0.0.1", version).ec);
}

TEST_CASE("tls: verification can be turned off only by its long name")
{
    certificate const wrong({"DNS:example.org", -7200, -3600}, nullptr);
    CHECK(once(wrong, {.accept_any_certificate_and_be_open_to_attack = true}).body == "hello");
}

TEST_CASE("tls: the server name is sent for names, and not for addresses")
{
    certificate const c({"DNS:localhost,DNS:shop.internal,IP:127.0.0.1"}, &authority());
    for (auto const& [host, expected, asked] : {std::tuple{"localhost", "", "localhost"},
                                                {"127.0.0.1", "", ""},
                                                {"127.0.0.1", "shop.internal", "shop.internal"}}) {
        asio::io_context io;
        tls_server server(io, c);
        http::tls_client client(io.get_executor(), {},
                                http::tls_transport({.authorities_pem = authority().pem(), .expected_name = expected}));
        CHECK(get(io, client, server.endpoint(host)).body == "hello");
        CHECK(server.asked_for == asked);
    }
}

TEST_CASE("tls: connections are kept, and one handshake serves many calls")
{
    asio::io_context io;
    tls_server server(io, certificate({"IP:127.0.0.1"}, &authority()));
    http::tls_client client(io.get_executor(), {}, http::tls_transport({.authorities_pem = authority().pem()}));
    for (int i = 0; i < 3; ++i) CHECK(get(io, client, server.endpoint()).body == "hello");
    CHECK(server.requests == 3);
    CHECK(server.connections == 1);
}

TEST_CASE("tls: an answer that ends without TLS's goodbye is cut short, and an error")
{
    asio::io_context io;
    tls_server server(io, certificate({"IP:127.0.0.1"}, &authority()), TLS1_3_VERSION, true);
    http::tls_client client(io.get_executor(), {}, http::tls_transport({.authorities_pem = authority().pem()}));
    auto const e = get(io, client, server.endpoint());
    CHECK(e.ec == asio::ssl::error::stream_truncated);
    CHECK(e.body.empty());
}

TEST_CASE("tls: a peer killed in the handshake, before, within or after an answer is tried again, as it is in clear")
{
    for (auto const when : {dies::in_the_handshake, dies::before_the_answer, dies::within_the_answer, dies::after_it}) {
        CAPTURE(static_cast<int>(when));
        asio::io_context io;
        tls_server server(io, certificate({"IP:127.0.0.1"}, &authority()));
        server.death = when;
        server.deaths = 2;
        http::tls_client client(io.get_executor(), {}, http::tls_transport({.authorities_pem = authority().pem()}));
        auto const once = weir::constant(1ms);
        auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = once}),
                                weir::classify(http::classifier(http::verb::get)));
        for (int call = 0; call < 3; ++call) {
            std::optional<error_code> ended;
            p.async_call(
                io.get_executor(),
                [&](weir::attempt const&) {
                    return asio::async_initiate<asio::deferred_t const, void(error_code, http::response)>(
                        [&](auto handler) {
                            auto const h = std::make_shared<decltype(handler)>(std::move(handler));
                            client.async_get(server.endpoint(), "/",
                                             answer_handler([h](error_code ec, http::response r) {
                                                 std::move (*h)(ec, std::move(r));
                                             }));
                        },
                        asio::deferred);
                },
                [&](error_code ec, http::response const& r) {
                    ended = ec;
                    CHECK(r.body() == "hello");
                });
            io.restart();
            while (!ended && io.run_one() != 0) {}
            REQUIRE(ended);
            CHECK_MESSAGE(!ended->failed(), ended->message());
        }
        CHECK(server.connections == 3);
        CHECK(server.deaths == 0);
    }
}

TEST_CASE("tls: the deadline covers a handshake that is never answered")
{
    asio::io_context io;
    tcp::acceptor silent(io, {asio::ip::address_v4::loopback(), 0});
    http::tls_client client(io.get_executor(), {.timeout = 30ms}, http::tls_transport());
    CHECK(get(io, client, {"", "127.0.0.1", silent.local_endpoint().port()}).ec == weir::errc::attempt_timed_out);
}

TEST_CASE("tls: a streamed answer comes as in clear, its end has to be said, and none comes from whom nobody trusts")
{
    certificate const good({"IP:127.0.0.1"}, &authority()), other({}, nullptr);
    auto const streamed = [&](certificate const& trusted, bool cut) {
        asio::io_context io;
        tls_server const server(io, good, TLS1_3_VERSION, cut);
        http::basic_answer_stream<asio::any_io_executor, http::tls_transport> stream(
            io.get_executor(), {}, http::tls_transport({.authorities_pem = trusted.pem()}));
        std::optional<ended> e;
        std::string all;
        std::function<void(error_code, std::string)> const piece = [&](error_code ec, std::string const& text) {
            all += text;
            if (ec)
                e = {ec, all};
            else
                stream.async_read(piece);
        };
        stream.async_open(server.endpoint(), http::get("/"), weir::now(io.get_executor()) + 10s,
                          [&](error_code ec, http::response const&) {
                              if (ec)
                                  e = {ec, ""};
                              else
                                  stream.async_read(piece);
                          });
        while (!e && io.run_one() != 0) {}
        REQUIRE(e);
        CHECK(server.requests == (&trusted == &authority() ? 1 : 0));
        return *e;
    };
    auto const whole = streamed(authority(), false);
    CHECK(whole.body == "hello");
    CHECK(whole.ec == asio::error::eof);
    auto const cut = streamed(authority(), true);
    CHECK(cut.body == "hel");
    CHECK(cut.ec != asio::error::eof);
    CHECK(streamed(other, false).ec.message().find("verify failed") != std::string::npos);
}

TEST_CASE("tls: options that cannot be used are named")
{
    auto const message = [](http::tls_options o) -> std::string {
        try {
            http::tls_transport t(std::move(o));
        } catch (std::invalid_argument const& e) {
            return e.what();
        }
        return "";
    };
    CHECK(message({}) == "");
    CHECK(message({.authorities_file = "/nowhere"}).find("tls_options.authorities_file") != std::string::npos);
    CHECK(message({.authorities_pem = "x"}).find("tls_options.authorities_pem") != std::string::npos);
    CHECK(message({.certificate_file = "/nowhere"}).find("must be given together") != std::string::npos);
    CHECK(message({.certificate_file = "/nowhere", .key_file = "/nowhere"}).find("tls_options.certificate_file") !=
          std::string::npos);
}
