// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/etcd_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::etcd_options;
using weir::registry::secret;

TEST_CASE("etcd_options: the URL names members, account, prefix and wait, and wins over the fields")
{
    etcd_options const plain;
    CHECK(plain.checked().address().servers.at(0).id == "127.0.0.1:2379");
    etcd_options const o{.url = "etcd://me:p%40ss@a,[::1]:1/shop/services/?wait=30s&tls=true", .user = "x"};
    auto const c = o.checked();
    CHECK(c.user == "me");
    CHECK(c.password.reveal() == "p@ss");
    CHECK(c.prefix == "/shop/services");
    CHECK(c.wait == 30s);
    auto const u = c.address();
    CHECK(u.tls);
    REQUIRE(u.servers.size() == 2);
    CHECK(u.servers[0].port == 2379);
    CHECK(u.servers[1].id == "[::1]:1");
}

TEST_CASE("etcd_options: what cannot be used is named, with what would be right and without the password")
{
    auto const check = [](etcd_options o) { (void)o.checked(); };
    CHECK_THROWS_WITH_AS(check({.url = "127.0.0.1:2379"}),
                         "weir: bad URL \"127.0.0.1:2379\": it must start with etcd://, as in etcd://127.0.0.1:2379",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "etcd://me:hush@a:0"}),
                         "weir: bad URL \"etcd://***@a:0\": the port must be a number from 1 to 65535, as in "
                         "etcd://127.0.0.1:2379",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.password = secret("x")}), doctest::Contains("etcd_options.user"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.prefix = "/a/"}), doctest::Contains("etcd_options.prefix"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.wait = 1ms}), doctest::Contains("etcd_options.wait"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.timeout = 0ms}), doctest::Contains("etcd_options.timeout"), std::invalid_argument);
}
