// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/snapshot.hpp>

#include <weir/core/random.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>

using weir::registry::difference;
using weir::registry::health;
using weir::registry::instance;
using weir::registry::snapshot;

namespace {

instance make(std::string id, std::uint16_t port = 80, health state = health::passing)
{
    return {.address = {.id = std::move(id), .host = "10.0.0.1", .port = port},
            .service = "web",
            .tags = {},
            .state = state};
}

}  // namespace

TEST_CASE("snapshot: the difference names what was added, changed and removed, each sorted by id")
{
    auto const d =
        difference({make("a"), make("c"), make("d"), make("f")}, {make("b"), make("c", 81), make("d"), make("g")});
    REQUIRE(d.added.size() == 2);
    CHECK(d.added[0].id() == "b");
    CHECK(d.added[1].id() == "g");
    REQUIRE(d.changed.size() == 1);
    CHECK(d.changed[0].address.port == 81);
    CHECK(d.removed == std::vector<std::string>{"a", "f"});
    CHECK(difference({make("a")}, {make("a")}).empty());
    CHECK(difference({}, {}).empty());
}

TEST_CASE("snapshot: a difference applied to the one list gives the other")
{
    weir::random_engine random(5);
    auto const some = [&] {
        snapshot::list l;
        for (char c = 'a'; c < 'k'; ++c)
            if (weir::uniform_below(random, 2))
                l.push_back(make(std::string(1, c), static_cast<std::uint16_t>(1 + weir::uniform_below(random, 2))));
        return l;
    };
    for (int n = 0; n < 500; ++n) {
        auto const before = some(), after = some();
        std::map<std::string, instance> replay;
        for (auto const& i : before) replay[i.id()] = i;
        auto const d = difference(before, after);
        for (auto const& id : d.removed) CHECK(replay.erase(id) == 1);
        for (auto const& i : d.changed) replay.at(i.id()) = i;
        for (auto const& i : d.added) CHECK(replay.emplace(i.id(), i).second);
        snapshot::list result;
        for (auto const& [id, i] : replay) result.push_back(i);
        CHECK(result == after);
    }
}

TEST_CASE("snapshot: endpoints are those that serve and can be reached")
{
    snapshot s;
    s.instances = std::make_shared<snapshot::list const>(snapshot::list{
        make(""), make("a"), make("b", 80, health::warning), make("c", 80, health::critical), make("d", 0)});
    auto const endpoints = to_endpoints(s);
    REQUIRE(endpoints.size() == 2);
    CHECK(endpoints[0].id == "a");
    CHECK(endpoints[1].id == "b");
    CHECK(count_serving(*s.instances) == 4);
}

TEST_CASE("snapshot: normalizing sorts by id, keeps the first of equal ids and sorts the tags")
{
    auto first = make("b", 1);
    first.tags = {"z", "a"};
    snapshot::list l{first, make("a"), make("b", 2)};
    weir::registry::normalize(l);
    REQUIRE(l.size() == 2);
    CHECK(l[0].id() == "a");
    CHECK(l[1].address.port == 1);
    CHECK(l[1].tags == std::vector<std::string>{"a", "z"});
}
