// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/follow.hpp>

#include <weir/registry/memory.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct sink {
    std::string ids;
    int updates = 0;
    void update(std::vector<weir::endpoint> const& all)
    {
        ++updates;
        ids.clear();
        for (auto const& e : all) ids += e.id;
    }
};

weir::registry::registration web(std::string id)
{
    return {.service = "web", .address = "10.0.0.1", .port = 80, .id = std::move(id), .ttl = 10s};
}

}  // namespace

TEST_CASE("follow: the set is what the watch says, serving instances only, until it is destroyed")
{
    weir::testing::virtual_time world;
    weir::registry::memory registry(world.get_executor());
    registry.add(web("a"));
    sink set;
    std::optional following(weir::registry::follow(registry.watch({"web"}), set));
    world.poll();
    CHECK(set.ids == "a");
    registry.add(web("b"));
    world.poll();
    CHECK(set.ids == "ab");
    CHECK(following->source().current()->instances->size() == 2);
    registry.beat("a", weir::registry::health::critical);
    world.poll();
    CHECK(set.ids == "b");
    CHECK(set.updates == 3);
    following.reset();
    registry.remove("b");
    world.poll();
    CHECK(set.ids == "b");
}

TEST_CASE("follow: an update may destroy what brought it, and is the last")
{
    weir::testing::virtual_time world;
    weir::registry::memory registry(world.get_executor());
    struct : sink {
        std::optional<weir::registry::following> source;
        void update(std::vector<weir::endpoint> const& all)
        {
            sink::update(all);
            if (!all.empty()) source.reset();
        }
    } set;
    set.source.emplace(weir::registry::follow(registry.watch({"web"}), set));
    world.poll();
    CHECK(set.updates == 1);
    registry.add(web("a"));
    world.poll();
    CHECK(set.updates == 2);
    CHECK_FALSE(set.source);
    registry.add(web("b"));
    world.run_for(1s);
    CHECK(set.ids == "a");
    CHECK(set.updates == 2);
}

TEST_CASE("follow: an empty registry gives an empty set; destroying it with news on the way is safe")
{
    weir::testing::virtual_time world;
    weir::registry::memory registry(world.get_executor());
    sink set;
    {
        auto const following = weir::registry::follow(registry.watch({"web"}), set);
        world.poll();
        CHECK(set.updates == 1);
        registry.add(web("a"));
    }
    world.run_for(1s);
    CHECK(set.updates == 1);
}
