// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/eureka_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::eureka_options;

TEST_CASE("eureka_options: the URL's words win, and what cannot be used is named")
{
    eureka_options const o{.url = "eureka://me:p@10.0.0.1,b:1/eureka/v2?poll=5s&host_names=true&secure=true",
                           .user = "you"};
    auto const c = o.checked();
    CHECK(c.user == "me");
    CHECK(c.password.reveal() == "p");
    CHECK(c.poll == 5s);
    CHECK(c.host_names);
    CHECK(c.secure);
    CHECK(o.address().path == "/eureka/v2");
    CHECK(o.address().servers.at(0).port == 8761);
    CHECK(o.address().servers.at(1).port == 1);

    auto const bad = [](eureka_options const& what) { (void)what.checked(); };
    CHECK_THROWS_WITH_AS(bad({.poll = 1ms}), doctest::Contains("eureka_options.poll"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.url = "eureka://a?poll=2h"}), doctest::Contains("eureka_options.poll"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.timeout = 0ms}), doctest::Contains("eureka_options.timeout"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.user = "a:b"}), doctest::Contains("eureka_options.user"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.password = weir::registry::secret("x")}), doctest::Contains("eureka_options.user"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad({.url = "eureka://a?pol=1s"}), doctest::Contains("it knows poll"), std::invalid_argument);
}
