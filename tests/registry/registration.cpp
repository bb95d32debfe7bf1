// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/registration.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::checked;
using weir::registry::health;
using weir::registry::registration;

TEST_CASE("registration: without an id it gets one of service, address and port")
{
    CHECK(checked({.service = "web", .address = "10.0.0.1", .port = 80}).id == "web-10.0.0.1-80");
    CHECK(checked({.service = "web", .address = "10.0.0.1", .port = 80, .id = "mine"}).id == "mine");
}

TEST_CASE("registration: a bad one names the field, the range and what was given")
{
    registration const good{.service = "web", .address = "a", .port = 1};
    auto const refuses = [&](auto change, char const* text) {
        auto r = good;
        change(r);
        CHECK_THROWS_WITH_AS((void)checked(r), text, std::invalid_argument);
    };
    refuses([](auto& r) { r.service = ""; }, "weir: registration.service must not be empty");
    refuses([](auto& r) { r.address = ""; }, "weir: registration.address must not be empty");
    refuses([](auto& r) { r.port = 0; }, "weir: registration.port must be in [1, 65535], and is 0");
    refuses([](auto& r) { r.ttl = 99ms; }, "weir: registration.ttl must be at least 100 ms, and is 99 ms");
    refuses([](auto& r) { r.deregister_after = -1s; },
            "weir: registration.deregister_after must be at least 0 ms, and is -1000 ms");
    CHECK_NOTHROW((void)checked(good));
}

TEST_CASE("registration: as an instance it has the weight of its state, sorted tags and the zone of its meta")
{
    registration r{
        .service = "web", .address = "a", .port = 1, .id = "x", .tags = {"b", "a"}, .meta = {{"zone", "north"}}};
    r.weight = 10;
    r.warning_weight = 2;
    auto const i = to_instance(r, health::passing);
    CHECK(i.id() == "x");
    CHECK(i.service == "web");
    CHECK(i.address.weight == 10);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == std::vector<std::string>{"a", "b"});
    CHECK(to_instance(r, health::warning).address.weight == 2);
    CHECK(to_instance(r, health::critical).state == health::critical);
}
