// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What benchmarks/registry/coalescing.cpp measures, as a test: counts in virtual time, and a bound of real time that no
// machine should miss.
#include <weir/registry/follow.hpp>
#include <weir/registry/watcher.hpp>

#include <weir/balance/endpoint_set.hpp>
#include <weir/testing/virtual_time.hpp>

#include <registry/fake_registry.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using weir::testing::fake_registry;

TEST_CASE("watcher: 10,000 events cost a few answers and one more set for a slow consumer, and none of them is lost")
{
    weir::testing::virtual_time world;
    fake_registry registry(world.get_executor());
    std::vector<std::string> ids;
    for (int n = 10'000; n < 20'000; ++n) ids.push_back("i" + std::to_string(n));
    registry.knows(ids);
    weir::registry::watcher const watcher(world.get_executor(), registry, weir::registry::query{"web"}, {.pace = 10ms});
    weir::endpoint_set set;
    auto const following = weir::registry::follow(watcher.subscribe(), set);
    auto slow = watcher.subscribe();
    world.run_for(1s);
    REQUIRE(set.snapshot()->members().size() == 10'000);

    auto const asked = registry->lists.size() + registry->awaits.size();
    auto const begun = std::chrono::steady_clock::now();
    for (std::size_t n = 0; n < registry->truth.size(); ++n) {
        registry->truth[n].address.weight = 7;
        registry.changed();
        if (n % 100 == 0) world.run_for(100us);
    }
    world.run_for(50ms);
    for (auto const& m : set.snapshot()->members()) CHECK(m.endpoint.weight == 7);
    CHECK(registry->lists.size() + registry->awaits.size() - asked <= 10);
    CHECK(std::chrono::steady_clock::now() - begun < 5s);

    int deliveries = 0;
    slow.async_next([&](boost::system::error_code ec, weir::registry::update const& u) {
        deliveries += !ec;
        CHECK(u.now->instances->front().address.weight == 7);
    });
    world.run_for(1s);
    CHECK(deliveries == 1);
}
