// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/nacos_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::nacos_api;
using weir::registry::nacos_options;
using weir::registry::secret;

TEST_CASE("nacos_options: the URL's words win, and what cannot be used is named")
{
    nacos_options const o{.url = "nacos://me:p@10.0.0.1,b:1/base?namespace=n-1&group=shop&cluster=north&api=v1&poll=5s",
                          .user = "you"};
    auto const c = o.checked();
    CHECK(c.user == "me");
    CHECK(c.password.reveal() == "p");
    CHECK(c.name_space == "n-1");
    CHECK(c.group == "shop");
    CHECK(c.cluster == "north");
    CHECK(c.api == nacos_api::v1);
    CHECK(c.poll == 5s);
    CHECK(o.address().path == "/base");
    CHECK(o.address().servers.at(0).port == 8848);
    CHECK(nacos_options{.url = "nacos://a?token=t&api=v3"}.checked().token.reveal() == "t");

    auto const bad = [](nacos_options const& what) { (void)what.checked(); };
    CHECK_THROWS_WITH_AS(bad({.url = "nacos://a?api=v2"}), doctest::Contains("api must be v1 or v3"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.group = "a@@b"}), doctest::Contains("nacos_options.group"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.name_space = ""}), doctest::Contains("nacos_options.name_space"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.poll = 1ms}), doctest::Contains("nacos_options.poll"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.timeout = 0ms}), doctest::Contains("nacos_options.timeout"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.password = secret("x")}), doctest::Contains("nacos_options.user"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.user = "u", .token = secret("x")}), doctest::Contains("nacos_options.token"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.token = secret("a\r\nb")}), doctest::Contains("nacos_options.token"),
                         std::invalid_argument);
}
