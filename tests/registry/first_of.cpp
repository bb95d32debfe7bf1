// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/first_of.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/registry/static_list.hpp>

#include <registry/composed.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::registry::any_registry;
using weir::registry::first_of;
using weir::registry::origin;
using weir::testing::composed;
using weir::testing::ids;

static_assert(weir::registry::discovery<first_of>);

TEST_CASE("first_of: the first that has instances counts; the next one stands in while it has none")
{
    composed s;
    s.a.knows({"a1", "a2"});
    s.b.knows({"b1"});
    first_of const registry(s.source(s.a), s.source(s.b));
    auto watch = registry.watch({"web"});
    s.world.run_for(1s);
    CHECK(ids(watch) == "a1 a2 ");

    // Gone for good, twice said: the second. Back: the first.
    s.a.knows({});
    s.world.run_for(30s);
    CHECK(ids(watch) == "b1 ");
    CHECK(watch.current()->from == origin::live);
    s.a.knows({"a1"});
    s.world.run_for(2s);
    CHECK(ids(watch) == "a1 ");

    // Not there: the last good set of the first stays.
    s.a.fail(boost::asio::error::connection_refused);
    s.world.run_for(1h);
    CHECK(ids(watch) == "a1 ");
    CHECK(watch.current()->from == origin::stale);
    CHECK(watch.status().failures > 10);
    CHECK(watch.status().connected);  // the second is
}

TEST_CASE("first_of: a first that never answers is waited for shortly, one that answers late takes its place")
{
    composed s;
    s.a.knows({"a1"});
    s.a->silent = true;
    s.b.knows({"b1"});
    first_of const registry(s.source(s.a), s.source(s.b));
    auto watch = registry.watch({"web"});
    s.world.run_for(1900ms);
    CHECK_FALSE(watch.current());
    s.world.run_for(200ms);
    CHECK(ids(watch) == "b1 ");
    s.a->silent = false;
    s.world.run_for(1min);
    CHECK(ids(watch) == "a1 ");
}

TEST_CASE("first_of: where nobody has any the set is empty, and a lone delta tells of a change of source")
{
    composed s;
    s.a.knows({});
    s.b.knows({});
    first_of const registry(s.source(s.a), s.source(s.b));
    auto watch = registry.watch({"web"});
    std::vector<weir::registry::update> told;
    s.listen(watch, told);
    s.world.run_for(5s);
    REQUIRE(watch.current());
    CHECK(ids(watch).empty());
    s.b.knows({"x", "y"});
    s.world.run_for(5s);
    s.a.knows({"x", "z"});
    s.world.run_for(5s);
    REQUIRE(told.size() == 3);
    CHECK(told[2].diff.added.size() == 1);
    CHECK(told[2].diff.removed == std::vector<std::string>{"y"});
    CHECK(told[2].now->version > told[1].now->version);
}

TEST_CASE("first_of: resolving asks in order, over failures and emptiness")
{
    composed s;
    auto const resolve = [&] { return s.resolve(first_of(s.source(s.a), s.source(s.b))); };
    s.a.knows({"a1"});
    s.b.knows({"b1"});
    CHECK(resolve() == "a1 ");
    s.a.knows({});
    CHECK(resolve() == "b1 ");
    s.a.fail(boost::asio::error::connection_refused);
    CHECK(resolve() == "b1 ");
    s.b.knows({});
    CHECK(resolve().empty());
    s.b.fail(boost::asio::error::connection_reset);
    CHECK(resolve() == "<Connection refused>");
    CHECK_THROWS_AS(first_of(std::vector<any_registry>{}), std::invalid_argument);
}

TEST_CASE("first_of: ends with its sources, and its watches go before it quietly")
{
    composed s;
    auto watch = std::make_unique<weir::registry::watch>(
        first_of(weir::registry::static_list(s.world.get_executor(), {.url = "static://a:1"}), s.source(s.b))
            .watch({"web"}));
    s.world.run_for(1s);
    CHECK(ids(*watch) == "a:1 ");
    watch.reset();
    s.world.run_for(2min);
    CHECK(s.world.waiting() == 0);
}
