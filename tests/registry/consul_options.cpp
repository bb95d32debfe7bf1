// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/consul_options.hpp>

#include <weir/registry/consul.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::consul;
using weir::registry::consul_options;
using weir::registry::lease;
namespace asio = boost::asio;

TEST_CASE("consul_options: what cannot be used is named, with what would be right")
{
    asio::io_context io;
    auto const made = [&](consul_options o) { consul(io.get_executor(), std::move(o)); };
    auto const url = [&](std::string u) {
        consul_options const o{.url = std::move(u)};
        auto const a = o.address();
        std::string servers;
        for (auto const& e : a.servers) servers += e.host + " " + std::to_string(e.port) + " ";
        return servers + a.path;
    };
    CHECK(url("consul://127.0.0.1:8501") == "127.0.0.1 8501 ");
    CHECK(url("consul://registry.local") == "registry.local 8500 ");
    CHECK(url("consul://[::1]") == "::1 8500 ");
    CHECK(url("consul://[::1]:80") == "::1 80 ");
    CHECK(url("http://10.0.0.1/consul/") == "10.0.0.1 80 /consul");
    CHECK(url("consul://a,b:1/x") == "a 8500 b 1 /x");
    consul_options const all{.url = "consul://a?token=t%3D1&dc=dc2&wait=30s&token_file=/run/t"};
    CHECK(all.checked().token.reveal() == "t=1");
    CHECK(all.checked().datacenter == "dc2");
    CHECK(all.checked().wait == 30s);
    CHECK(all.checked().token_file == "/run/t");
    CHECK_THROWS_WITH_AS(url("consul://a?dc2=x"), doctest::Contains("it knows token, token_file, dc, wait, tls"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.url = "consul://a?wait=1ms"}), doctest::Contains("consul_options.wait"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.url = "consul://a?tls=true"}), doctest::Contains("needs a TLS transport"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(url("consul://10.0.0.1:99999"),
                         "weir: bad URL \"consul://10.0.0.1:99999\": the port must be a number from 1 to 65535, as in "
                         "consul://127.0.0.1:8500",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(
        url("127.0.0.1:8500"),
        "weir: bad URL \"127.0.0.1:8500\": it must start with consul://, as in consul://127.0.0.1:8500",
        std::invalid_argument);
    CHECK_THROWS_WITH_AS(url("consul://user:pw@host"), doctest::Contains("must carry no user name or password"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.url = "https://127.0.0.1"}), doctest::Contains("needs a TLS transport"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.token = weir::registry::secret("a\r\nb")}),
                         "weir: consul_options.token must be without control characters", std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.wait = 1ms}), doctest::Contains("consul_options.wait"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(made({.timeout = 0ms}), doctest::Contains("consul_options.timeout"), std::invalid_argument);
    CHECK_THROWS_WITH_AS((void)consul_options{.lease = {.timeout = -1s}}.checked(),
                         doctest::Contains("lease_options.timeout"), std::invalid_argument);
    consul registry(io.get_executor(), {});
    CHECK_THROWS_WITH_AS(
        registry.async_register({.service = "web", .address = "a"},
                                std::function<void(boost::system::error_code, lease)>([](auto, auto const&) {})),
        doctest::Contains("registration.port"), std::invalid_argument);
}
