// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/resolv_conf.hpp>
#include <weir/registry/dns_options.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::dns_options;
using weir::registry::dns_type;
using weir::registry::detail::dns_server;
using weir::registry::detail::read_resolv_conf;

TEST_CASE("dns_options: bad values are refused with the field's name")
{
    auto const refusal = [](std::function<void(dns_options&)> const& change) {
        dns_options o;
        change(o);
        try {
            (void)o.checked();
            return std::string("taken");
        } catch (std::invalid_argument const& e) {
            return std::string(e.what());
        }
    };
    CHECK(refusal([](dns_options&) {}) == "taken");
    CHECK(refusal([](dns_options& o) { o.name = "{tag}.{service}.service.{datacenter}.consul"; }) == "taken");
    CHECK(refusal([](dns_options& o) { o.type = dns_type::address, o.port = 80; }) == "taken");
    CHECK(
        refusal([](dns_options& o) { o.name = "a..b c"; }).starts_with("weir: dns_options.name must make a DNS name"));
    CHECK(refusal([](dns_options& o) { o.name = ""; }).starts_with("weir: dns_options.name must make a DNS name"));
    CHECK(refusal([](dns_options& o) { o.type = dns_type::address; }) ==
          "weir: dns_options.port must be in [1, 65535] with dns_type::address, and is 0");
    CHECK(refusal([](dns_options& o) { o.try_timeout = 0s; }) ==
          "weir: dns_options.try_timeout must be above 0 ms, and is 0 ms");
    CHECK(refusal([](dns_options& o) { o.rounds = 0; }) == "weir: dns_options.rounds must be in [1, 100], and is 0");
    CHECK(refusal([](dns_options& o) { o.timeout = 0s; }).starts_with("weir: dns_options.timeout must be"));
    CHECK(refusal([](dns_options& o) { o.min_ttl = 0s; }) ==
          "weir: dns_options.min_ttl must be above 0 ms, and is 0 ms");
    CHECK(refusal([](dns_options& o) { o.max_ttl = 500ms; }) ==
          "weir: dns_options.max_ttl must be from min_ttl to 24 hours, and is 500 ms");
}

TEST_CASE("dns_options: what the URL says wins, and what it cannot say is refused with what would be right")
{
    auto const o = dns_options{.url =
                                   "dns://10.0.0.1,[::1]:5353/{service}.service.consul?type=address&port=80&tcp=true&"
                                   "min_ttl=2s&max_ttl=5m",
                               .name = "other"};
    auto const servers = o.address().servers;
    REQUIRE(servers.size() == 2);
    CHECK(servers[0].id == "10.0.0.1:53");
    CHECK(servers[1].host == "::1");
    CHECK(servers[1].port == 5353);
    auto const c = o.checked();
    CHECK(c.name == "{service}.service.consul");
    CHECK(c.type == dns_type::address);
    CHECK(c.port == 80);
    CHECK(c.tcp);
    CHECK(c.min_ttl == 2s);
    CHECK(c.max_ttl == 5min);
    CHECK(dns_options{.url = "dns:///_web._tcp.example.org"}.checked().name == "_web._tcp.example.org");
    CHECK(dns_options{}.address().servers.empty());
    CHECK_THROWS_WITH_AS((void)dns_options{.url = "dns://a?type=mx"}.checked(),
                         "weir: bad URL \"dns://a?type=***\": the parameter type must be srv or address, as in "
                         "dns://127.0.0.1:53/_web._tcp.example.org",
                         std::invalid_argument);
    CHECK_THROWS_AS((void)dns_options{.url = "consul://a"}.checked(), std::invalid_argument);
}

TEST_CASE("dns_options: the nameserver lines of a resolv.conf, and this machine without them")
{
    auto const found = read_resolv_conf(
        "# by hand\nsearch a.test b.test\nnameserver 10.0.0.1\nnameserver\t::1  # second\r\n"
        "nameserverx 10.0.0.9\nnameserver\nnameserver not.an.address\noptions edns0\n"
        "nameserver 10.0.0.2");
    CHECK(found == std::vector{dns_server("10.0.0.1"), dns_server("::1"), dns_server("10.0.0.2")});
    CHECK(found[1].id == "[::1]:53");
    CHECK(read_resolv_conf("") == std::vector{dns_server("127.0.0.1")});
}
