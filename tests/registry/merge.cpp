// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/merge.hpp>

#include <weir/registry/concepts.hpp>

#include <registry/composed.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::registry::merge;
using weir::registry::origin;
using weir::testing::composed;
using weir::testing::ids;

static_assert(weir::registry::discovery<merge>);

TEST_CASE("merge: all instances of all, and of one id that of the earlier source")
{
    composed s;
    s.a.knows({"m", "c"});
    s.a->truth[0].address.port = 1;
    s.b.knows({"m", "a"});
    merge const registry(s.source(s.a), s.source(s.b));
    auto watch = registry.watch({"web"});
    s.world.run_for(1s);
    CHECK(ids(watch) == "a c m ");
    CHECK(watch.current()->instances->at(2).address.port == 1);
    CHECK(watch.current()->from == origin::live);
    s.b.knows({"z", "a"});
    s.world.run_for(2s);
    CHECK(ids(watch) == "a c m z ");
    s.a.knows({"c"});
    s.world.run_for(2s);
    CHECK(ids(watch) == "a c z ");
    CHECK(s.resolve(registry) == "a c z ");
}

TEST_CASE("merge: a part that is stale makes all of it stale, and keeps its place; one that never answered is left out")
{
    composed s;
    s.a.knows({"a"});
    s.b.knows({"b"});
    merge const registry(s.source(s.a), s.source(s.b));
    auto watch = registry.watch({"web"});
    s.world.run_for(20s);
    s.b.fail(boost::asio::error::connection_refused);
    s.world.run_for(20s);
    CHECK(ids(watch) == "a b ");
    CHECK(watch.current()->from == origin::stale);
    CHECK(s.resolve(registry) == "<Connection refused>");

    auto late = registry.watch({"other"});
    s.world.run_for(1900ms);
    CHECK_FALSE(late.current());
    s.world.run_for(200ms);
    CHECK(ids(late) == "a ");
    CHECK(late.current()->from == origin::stale);
    s.b.heal();
    s.world.run_for(2min);
    CHECK(ids(late) == "a b ");
    CHECK(late.current()->from == origin::live);
    CHECK(watch.current()->from == origin::live);
    CHECK_THROWS_AS(merge(std::vector<weir::registry::any_registry>{}), std::invalid_argument);
}
