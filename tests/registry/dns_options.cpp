// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/dns_options.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::dns_options;
using weir::registry::dns_type;
using weir::registry::detail::dns_server;
using weir::registry::detail::read_dns_server;
using weir::registry::detail::read_resolv_conf;

TEST_CASE("dns_options: bad values are refused with the field's name")
{
    auto const refusal = [](std::function<void(dns_options&)> const& change) {
        dns_options o;
        change(o);
        try {
            o.check();
            return std::string("taken");
        } catch (std::invalid_argument const& e) {
            return std::string(e.what());
        }
    };
    CHECK(refusal([](dns_options&) {}) == "taken");
    CHECK(refusal([](dns_options& o) { o.name = "{tag}.{service}.service.{datacenter}.consul"; }) == "taken");
    CHECK(refusal([](dns_options& o) { o.type = dns_type::address, o.port = 80; }) == "taken");
    CHECK(refusal([](dns_options& o) {
              o.servers = {"127.0.0.1", "a b"};
          }) == "weir: dns_options.servers must be like 127.0.0.1, 127.0.0.1:8600 or [::1]:53");
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

TEST_CASE("dns_options: servers as people write them")
{
    CHECK(read_dns_server("127.0.0.1") == dns_server{"127.0.0.1", 53});
    CHECK(read_dns_server("127.0.0.1:8600") == dns_server{"127.0.0.1", 8600});
    CHECK(read_dns_server("consul:8600") == dns_server{"consul", 8600});
    CHECK(read_dns_server("::1") == dns_server{"::1", 53});
    CHECK(read_dns_server("[::1]") == dns_server{"::1", 53});
    CHECK(read_dns_server("[::1]:5353") == dns_server{"::1", 5353});
    for (auto const* const bad :
         {"", ":53", "a:", "a:0", "a:65536", "a:5x", "a b", "[::1", "[::1]53", "[a]:53", "a/b", "a:1:2"})
        CHECK_MESSAGE(!read_dns_server(bad), bad);
    CHECK(to_string(dns_server{"::1", 5353}) == "[::1]:5353");
    CHECK(to_string(dns_server{"10.0.0.1", 53}) == "10.0.0.1:53");
}

TEST_CASE("dns_options: the nameserver lines of a resolv.conf, and this machine without them")
{
    auto const found = read_resolv_conf(
        "# by hand\nsearch a.test b.test\nnameserver 10.0.0.1\nnameserver\t::1  # second\r\n"
        "nameserverx 10.0.0.9\nnameserver\nnameserver not.an.address\noptions edns0\n"
        "nameserver 10.0.0.2");
    CHECK(found == std::vector<dns_server>{{"10.0.0.1", 53}, {"::1", 53}, {"10.0.0.2", 53}});
    CHECK(read_resolv_conf("") == std::vector<dns_server>{{"127.0.0.1", 53}});
}
