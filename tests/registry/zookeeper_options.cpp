// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/zookeeper_options.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::secret;
using weir::registry::zookeeper_options;

TEST_CASE("zookeeper_options: bad values are refused with the field's name")
{
    auto const refusal = [](std::function<void(zookeeper_options&)> const& change) {
        zookeeper_options o;
        change(o);
        try {
            (void)o.checked();
            return std::string("taken");
        } catch (std::invalid_argument const& e) {
            return std::string(e.what());
        }
    };
    CHECK(refusal([](zookeeper_options&) {}) == "taken");
    for (auto const* const bad : {"", "weir", "/", "/weir/", "/a//b", "/a/./b", "/a/.."})
        CHECK(refusal([&](zookeeper_options& o) { o.root = bad; }) ==
              "weir: zookeeper_options.root must be a path like /weir/services");
    CHECK(refusal([](zookeeper_options& o) { o.user = "a:b"; }) ==
          "weir: zookeeper_options.user must be without a colon");
    CHECK(refusal([](zookeeper_options& o) { o.private_nodes = true; }) ==
          "weir: zookeeper_options.user must not be empty with a password or private_nodes");
    CHECK(refusal([](zookeeper_options& o) { o.session = 50ms; }) ==
          "weir: zookeeper_options.session must be in [100, 3600000] ms, and is 50 ms");
    CHECK(refusal([](zookeeper_options& o) { o.wait = 0s; }).starts_with("weir: zookeeper_options.wait must be"));
    CHECK(refusal([](zookeeper_options& o) {
              o.connect_timeout = 0s;
          }).starts_with("weir: zookeeper_options.connect_timeout must be"));
    CHECK(refusal([](zookeeper_options& o) { o.timeout = 0s; }).starts_with("weir: zookeeper_options.timeout must be"));
}

TEST_CASE("zookeeper_options: what the URL says wins, and its password is quoted nowhere")
{
    zookeeper_options o;
    o.url = "zk://me:s3cret@10.0.0.1,[::1]:2182/services?session=4s&wait=30s";
    auto const servers = o.address().servers;
    REQUIRE(servers.size() == 2);
    CHECK(servers[0].id == "10.0.0.1:2181");
    CHECK(servers[1].id == "[::1]:2182");
    auto const c = o.checked();
    CHECK(c.root == "/services");
    CHECK(c.user == "me");
    CHECK(c.password.reveal() == "s3cret");
    CHECK(c.session == 4s);
    CHECK(c.wait == 30s);
    CHECK_FALSE(o.address().tls);
    CHECK(zookeeper_options{.url = "zk://a:2281?tls=true"}.address().tls);
    CHECK_FALSE(zookeeper_options{.url = "zk://a?tls=false"}.address().tls);
    CHECK_THROWS_AS((void)zookeeper_options{.url = "https://a"}.address(), std::invalid_argument);
    o.url = "zk://me:s3cret@10.0.0.1?x=1";
    try {
        (void)o.checked();
        FAIL("taken");
    } catch (std::invalid_argument const& e) {
        CHECK(std::string(e.what()).find("s3cret") == std::string::npos);
        CHECK(std::string(e.what()).find("as in zk://127.0.0.1:2181") != std::string::npos);
    }
}
