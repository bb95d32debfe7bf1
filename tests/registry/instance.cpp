// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/instance.hpp>

#include <doctest/doctest.h>

using weir::registry::health;
using weir::registry::instance;
using weir::registry::query;

TEST_CASE("instance: a warning still serves, critical does not")
{
    instance i;
    CHECK(i.serves());
    i.state = health::warning;
    CHECK(i.serves());
    i.state = health::critical;
    CHECK_FALSE(i.serves());
    CHECK(to_string(health::passing) == "passing");
    CHECK(to_string(health::warning) == "warning");
    CHECK(to_string(health::critical) == "critical");
}

TEST_CASE("instance: a query matches by service, and by tag if it names one")
{
    instance const i{.address = {.id = "a", .host = "h", .port = 1}, .service = "web", .tags = {"blue", "v1"}};
    CHECK(query{"web"}.matches(i));
    CHECK_FALSE(query{"we"}.matches(i));
    CHECK(query{.service = "web", .tag = "v1"}.matches(i));
    CHECK_FALSE(query{.service = "web", .tag = "v2"}.matches(i));
    CHECK(query{.service = "web", .datacenter = "dc2"}.matches(i));  // an instance does not know where it was found
}
