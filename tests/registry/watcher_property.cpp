// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/watcher.hpp>

#include <weir/testing/virtual_time.hpp>

#include <registry/fake_registry.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::testing::fake_registry;

namespace {

struct verdict {
    int losses_unproved = 0;  // the set became empty, or lost more than half, on less than two answers
    int losses = 0;           // and in all
    bool converged = false;   // calm again, the set became what the registry says
};

// Twenty minutes of a registry that forgets, fails, restarts empty, goes silent and loses its history.
verdict storm(std::uint64_t seed, weir::registry::watch_options options)
{
    weir::testing::virtual_time world;
    fake_registry registry(world.get_executor());
    weir::random_engine random(seed);
    auto const pick = [&](std::uint64_t n) { return weir::uniform_below(random, n); };
    auto const some = [&](std::uint64_t n) {
        std::vector<std::string> ids;
        for (char c = 'a'; c < 'a' + 8; ++c)
            if (pick(8) < n) ids.emplace_back(1, c);
        return ids;
    };
    registry.knows(some(7));
    weir::registry::watcher watcher(world.get_executor(), registry, weir::registry::query{"web"}, options,
                                    weir::random_engine{seed});
    auto watch = watcher.subscribe();

    verdict v;
    std::size_t before = 0;
    auto const look = [&] {
        auto const set = watch.current();
        if (!set) return;
        auto const now = weir::registry::count_serving(*set->instances);
        if (now < before && (now == 0 || 2 * now < before)) {
            ++v.losses;
            // All answers of the last ten seconds say so, and the first of them is that old.
            auto const& replies = registry->replies;
            std::size_t said_so = 0;
            auto first = weir::never;
            for (auto r = replies.rbegin(); r != replies.rend(); ++r) {
                if (!r->ok || !(r->serving == 0 || 2 * r->serving < before)) break;
                ++said_so;
                first = r->at;
            }
            if (said_so < 2 || world.now() - first < 10s) ++v.losses_unproved;
        }
        before = now;
    };

    auto const end = world.now() + 20min;
    while (world.now() < end) {
        switch (pick(8)) {
            case 0: registry.fail(boost::asio::error::connection_reset); break;
            case 1: registry.heal(); break;
            case 2:
                registry->silent = !registry->silent;
                registry.changed();
                break;
            case 3: registry.knows({}); break;
            case 4:
                registry->forgets = !registry->forgets;
                registry.changed();
                break;
            case 5: registry.knows(some(1)); break;
            default: registry.knows(some(7)); break;
        }
        auto const until = world.now() + std::chrono::milliseconds(10 + pick(20'000));
        while (world.step(until)) look();
        world.run_until(until);
    }
    registry.heal();
    registry->silent = registry->forgets = false;
    registry.knows({"p", "q"});
    world.run_for(2min);
    v.converged = weir::registry::to_endpoints(*watch.current()).size() == 2 &&
                  watch.current()->instances->front().id() == "p" &&
                  watch.current()->from == weir::registry::origin::live;
    return v;
}

}  // namespace

TEST_CASE("watcher: the set never becomes empty or loses more than half unless the registry said so twice")
{
    int losses = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        auto const v = storm(seed, {});
        CHECK(v.losses_unproved == 0);
        CHECK(v.converged);
        losses += v.losses;
    }
    CHECK(losses > 50);  // true losses are delivered: the rule is not a wall
}

TEST_CASE("watcher: the same storm breaks a client that believes every answer")
{
    int unproved = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed)
        unproved += storm(seed, {.on_empty = weir::registry::empty_answer::accept, .max_loss = 1}).losses_unproved;
    CHECK(unproved > 100);
}
