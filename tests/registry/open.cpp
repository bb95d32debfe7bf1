// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/open.hpp>

#include <support/temporary_directory.hpp>
#include <support/tls_front.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using weir::registry::open;
using weir::testing::certificate;
using weir::testing::script;
using weir::testing::tls_front;
namespace asio = boost::asio;

TEST_CASE("open: every scheme opens its registry, over TLS where the URL asks for it")
{
    asio::io_context io;
    CHECK(open(io.get_executor(), "consul://127.0.0.1,127.0.0.2:1?dc=x").registers());
    CHECK(open(io.get_executor(), "consul://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "etcd://127.0.0.1/services").registers());
    CHECK(open(io.get_executor(), "etcd://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "nacos://127.0.0.1?group=shop").registers());
    CHECK(open(io.get_executor(), "nacos://127.0.0.1?tls=true").registers());
    CHECK(open(io.get_executor(), "eureka://127.0.0.1,127.0.0.2:1/eureka/v2").registers());
    CHECK(open(io.get_executor(), "eureka://127.0.0.1?tls=true").registers());
    CHECK_FALSE(open(io.get_executor(), "k8s://127.0.0.1/default").registers());
    CHECK_FALSE(open(io.get_executor(), "dns://127.0.0.1").registers());
    CHECK(open(io.get_executor(), "zk://127.0.0.1/services").registers());
    CHECK(open(io.get_executor(), "zk://127.0.0.1:2281/services?tls=true").registers());
    CHECK_FALSE(open(io.get_executor(), "static://127.0.0.1:80").registers());
    CHECK_FALSE(open(io.get_executor(), "file:///nowhere.json").registers());
}

TEST_CASE("open: whom to trust, whom to expect and what to show over TLS are parameters of the URL")
{
    certificate const authority({}, nullptr), other({}, nullptr), mine({"DNS:me"}, &authority);
    weir::testing::temporary_directory const files;
    auto const ca = "&ca_file=" + files.write("ca.pem", authority.pem());
    auto const wrong_ca = "&ca_file=" + files.write("other.pem", other.pem());
    auto const shown =
        "&cert_file=" + files.write("me.pem", mine.pem()) + "&key_file=" + files.write("me.key", mine.key_pem());
    auto const outcome = [&](tls_front const& front, asio::io_context& io, std::string const& rest) {
        auto const registry =
            open(io.get_executor(), "consul://127.0.0.1:" + std::to_string(front.port()) + "?tls=true" + rest);
        std::optional<boost::system::error_code> ended;
        std::function<void(boost::system::error_code, std::shared_ptr<weir::registry::snapshot const>)> const heard =
            [&](boost::system::error_code ec, auto const&) { ended = ec; };
        registry.async_resolve({"web"}, heard);
        io.restart();
        while (!ended && io.run_one() != 0) {}
        REQUIRE(ended);
        return ended->message();
    };
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    server.always(script().read_request().answer(200, "[]", "X-Consul-Index: 5\r\n"));
    {
        tls_front const front(io, certificate({"IP:127.0.0.1"}, &authority), server.port());
        CHECK(outcome(front, io, ca) == "Success");
        CHECK(outcome(front, io, "").find("verify failed") != std::string::npos);
        CHECK(outcome(front, io, wrong_ca).find("verify failed") != std::string::npos);
        CHECK(outcome(front, io, ca + "&server_name=registry.local").find("verify failed") != std::string::npos);
    }
    {
        tls_front const front(io, certificate({"DNS:registry.local"}, &authority), server.port());
        CHECK(outcome(front, io, ca).find("verify failed") != std::string::npos);
        CHECK(outcome(front, io, ca + "&server_name=registry.local") == "Success");
    }
    {
        tls_front const front(io, certificate({"IP:127.0.0.1"}, &authority), server.port(), &authority);
        CHECK(outcome(front, io, ca + shown) == "Success");
        CHECK(outcome(front, io, ca) != "Success");
    }
}

TEST_CASE("open: a file of TLS that cannot be used is named with its parameter")
{
    certificate const authority({}, nullptr), mine({"DNS:me"}, &authority), foreign({"DNS:x"}, &authority);
    weir::testing::temporary_directory const files;
    auto const text = files.write("text", "hello"), cert = files.write("me.pem", mine.pem()),
               key = files.write("foreign.key", foreign.key_pem());
    asio::io_context io;
    auto const why = [&](std::string const& url) {
        try {
            (void)open(io.get_executor(), url);
            return std::string("taken");
        } catch (std::invalid_argument const& e) {
            return std::string(e.what());
        }
    };
    for (auto const* const scheme : {"consul", "etcd", "nacos", "eureka", "zk", "k8s"}) {
        auto const begin = std::string(scheme) + "://127.0.0.1?tls=true&";
        CAPTURE(scheme);
        CHECK(why(begin + "ca_file=/no/ca.pem")
                  .find("the file /no/ca.pem of the parameter ca_file cannot be read, as in ") != std::string::npos);
        CHECK(why(begin + "ca_file=" + text).find("the file " + text + " of the parameter ca_file cannot be used: ") !=
              std::string::npos);
        CHECK(why(begin + "cert_file=" + text + "&key_file=" + key)
                  .find("the file " + text + " of the parameter cert_file cannot be used: ") != std::string::npos);
        CHECK(why(begin + "cert_file=" + cert + "&key_file=" + key)
                  .find("the file " + key + " of the parameter key_file cannot be used: ") != std::string::npos);
        CHECK(why(begin + "server_name=x") == "taken");
    }
    CHECK(why("consul://a?ca_file=/x").find("ca_file needs https:// or tls=true") != std::string::npos);
    CHECK_THROWS_WITH_AS(
        weir::registry::basic_consul<weir::http::tls_transport>(
            io.get_executor(), {.url = "consul://a?tls=true&server_name=x"}, weir::http::tls_transport()),
        doctest::Contains("for a transport is given"), std::invalid_argument);
}
