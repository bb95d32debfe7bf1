// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/static_list.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::snapshot;
using weir::registry::static_list;
using weir::registry::static_list_options;

static_assert(weir::registry::discovery<static_list>);

namespace {

std::string names(snapshot const& s)
{
    std::string out;
    for (auto const& i : *s.instances) out += i.id() + " " + i.service + " ";
    return out;
}

}  // namespace

TEST_CASE("static_list: the endpoints of the URL are there at once, stay, and wake nobody")
{
    weir::testing::virtual_time world;
    static_list const registry(world.get_executor(), {.url = "static://10.0.0.8:80,10.0.0.7:81"});
    CHECK_FALSE(registry.registers());
    auto watch = registry.watch({"web"});
    int news = 0;
    watch.async_next([&](boost::system::error_code ec, weir::registry::update const&) { news += !ec; });
    world.run_for(1s);
    CHECK(news == 1);
    REQUIRE(watch.current());
    CHECK(names(*watch.current()) == "10.0.0.7:81 web 10.0.0.8:80 web ");
    CHECK(weir::registry::to_endpoints(*watch.current())[0].port == 81);
    watch.async_next([&](boost::system::error_code ec, weir::registry::update const&) { news += !ec; });
    world.run_for(24h);
    CHECK(news == 1);
    CHECK(watch.status().connected);
    CHECK(watch.status().failures == 0);
    CHECK(watch.current()->from == weir::registry::origin::live);

    std::string found;
    registry.async_resolve({"web"}, [&](boost::system::error_code ec, std::shared_ptr<snapshot const> const& s) {
        found = ec ? "E" : names(*s);
    });
    boost::system::error_code refused;
    registry.async_register({.service = "web", .address = "a", .port = 1},
                            [&](boost::system::error_code ec, weir::registry::lease const& l) {
                                refused = ec;
                                CHECK_FALSE(l);
                            });
    world.run_for(1s);
    CHECK(found == names(*watch.current()));
    CHECK(refused == std::errc::operation_not_supported);
}

TEST_CASE("static_list: with a service named, others have no instances; what is no list is refused")
{
    weir::testing::virtual_time world;
    static_list const registry(world.get_executor(), {.url = "static://a:1?service=web"});
    auto const web = registry.watch({"web"}), other = registry.watch({"other"}), tagged = registry.watch({"web", "x"});
    world.run_for(1s);
    CHECK(names(*web.current()) == "a:1 web ");
    CHECK(other.current()->instances->empty());
    CHECK(tagged.current()->instances->empty());

    auto const bad = [](char const* url) { return static_list_options{.url = url}.checked(); };
    CHECK_THROWS_WITH_AS(bad("static://a"), doctest::Contains("each host needs a port, as in static://10.0.0.7:8080"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad("static://a:1/x"), doctest::Contains("it must have no path"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(((void)static_list_options{.endpoints = {{"a", "", 1}}}.checked()),
                         doctest::Contains("static_list_options.endpoints"), std::invalid_argument);
}
