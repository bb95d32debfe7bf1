// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/memory_store.hpp>

#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using weir::memory_store;
using weir::permit_grant;

static_assert(weir::limit_store<memory_store>);

namespace {

struct asker {
    weir::testing::virtual_time& world;
    memory_store& store;

    permit_grant operator()(std::string key, std::uint64_t want, std::error_code expected = {})
    {
        permit_grant got;
        bool inside = true;
        store.async_acquire({.key = std::move(key), .interval = 1ms, .tolerance = 100ms, .want = want, .hold = 50ms},
                            [&](boost::system::error_code ec, permit_grant g) {
                                CHECK_FALSE(inside);
                                CHECK(ec == boost::system::error_code(expected));
                                got = g;
                            });
        inside = false;
        world.poll();
        return got;
    }
};

}  // namespace

TEST_CASE("memory_store: each key has its own bucket, in the time of the context")
{
    weir::testing::virtual_time world;
    memory_store store(world.get_executor());
    asker ask{world, store};
    CHECK(ask("a", 200).permits == 100);
    CHECK(ask("b", 30).permits == 30);
    CHECK(ask("a", 1).retry_after == 1ms);
    world.run_for(10ms);
    CHECK(ask("a", 200).permits == 10);
}

TEST_CASE("memory_store: what comes back is there for the next")
{
    weir::testing::virtual_time world;
    memory_store store(world.get_executor());
    asker ask{world, store};
    auto const g = ask("a", 100);
    bool done = false;
    store.async_give_back({.key = "a", .interval = 1ms, .permits = 40, .stamp = g.stamp},
                          [&](boost::system::error_code ec) { done = !ec; });
    world.poll();
    CHECK(done);
    CHECK(ask("a", 100).permits == 40);
}

TEST_CASE("memory_store: keys are bounded; one that owes nothing makes room")
{
    weir::testing::virtual_time world;
    memory_store store(world.get_executor(), 2);
    asker ask{world, store};
    CHECK(ask("a", 10).permits == 10);
    CHECK(ask("b", 100).permits == 100);
    (void)ask("c", 1, weir::store_errc::unavailable);
    world.run_for(20ms);
    CHECK(ask("c", 1).permits == 1);
    CHECK(store.keys() == 2);
}
