// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/memory.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/testing/virtual_time.hpp>

#include "registry/update_and_drain.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::listing;
using weir::registry::memory;
using weir::registry::query;
using weir::registry::registration;
using weir::registry::update;
namespace asio = boost::asio;

static_assert(weir::registry::service_registry<memory>);
static_assert(weir::registry::watch_backend<memory>);

namespace {

registration web(std::string id, std::uint16_t port = 80)
{
    return {
        .service = "web", .address = "10.0.0.1", .port = port, .id = std::move(id), .ttl = 9s, .deregister_after = 30s};
}

std::string states(weir::registry::snapshot const& s)
{
    std::string out;
    for (auto const& i : *s.instances) out += i.id() + std::string("+~-")[static_cast<std::size_t>(i.state)];
    return out;
}

}  // namespace

TEST_CASE("memory: what is registered is listed, sorted by id, with its weight, tags and zone")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    auto b = web("b");
    b.tags = {"z", "a"};
    b.meta = {{"zone", "north"}};
    b.weight = 7;
    CHECK(registry.add(b));
    CHECK(registry.add(web("a")));
    auto const all = registry.list({"web"});
    CHECK(states(*all) == "a+b+");
    auto const& i = all->instances->at(1);
    CHECK(i.address.weight == 7);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == std::vector<std::string>{"a", "z"});
    CHECK(states(*registry.list({.service = "web", .tag = "z"})) == "b+");
    CHECK(registry.list({"other"})->instances->empty());
}

TEST_CASE("memory: not heard of for its TTL an instance turns critical, and is removed later; a heartbeat revives it")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    registry.add(web("a"));
    registry.add(web("b"));
    world.run_for(8s);
    CHECK(registry.beat("b"));
    world.run_for(2s);
    CHECK(states(*registry.list({"web"})) == "a-b+");
    CHECK(registry.beat("a", health::warning));
    CHECK(states(*registry.list({"web"})) == "a~b+");
    world.run_for(20s);
    CHECK(states(*registry.list({"web"})) == "a-b-");
    world.run_for(20s);
    CHECK(registry.list({"web"})->instances->empty());
    CHECK_FALSE(registry.beat("a"));
    CHECK_FALSE(registry.remove("a"));
    CHECK(world.waiting() == 0);  // nothing left to wake for
}

TEST_CASE("memory: an instance with deregister_after 0 stays critical for ever")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    auto r = web("a");
    r.deregister_after = 0s;
    registry.add(r);
    world.run_for(100h);
    CHECK(states(*registry.list({"web"})) == "a-");
    CHECK(registry.beat("a"));
    CHECK(states(*registry.list({"web"})) == "a+");
}

TEST_CASE("memory: a watch tells of the changes of its own query only, and believes emptiness at once")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    registry.add(web("a"));
    auto watch = registry.watch({"web"});
    std::vector<update> told;
    std::function<void()> listen = [&] {
        watch.async_next([&](boost::system::error_code ec, update u) {
            if (ec) return;
            told.push_back(std::move(u));
            listen();
        });
    };
    listen();
    world.poll();
    registry.add({.service = "other", .address = "10.0.0.2", .port = 1});
    registry.add(web("a"));  // nothing new
    registry.beat("a");
    world.poll();
    CHECK(told.size() == 1);
    registry.add(web("b"));
    registry.remove("a");
    world.poll();
    REQUIRE(told.size() == 2);  // both at once: the newest set
    CHECK(states(*told[1].now) == "b+");
    registry.remove("b");
    world.poll();
    CHECK(told.back().now->instances->empty());
    CHECK(told.back().now->from == weir::registry::origin::live);
}

TEST_CASE("memory: an instance that moves to another service leaves the first")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    registry.add(web("a"));
    auto watch = registry.watch({"web"});
    auto moved = web("a");
    moved.service = "api";
    registry.add(moved);
    CHECK(registry.list({"web"})->instances->empty());
    CHECK(watch.current()->instances->empty());
    CHECK(states(*registry.list({"api"})) == "a+");
}

TEST_CASE("memory: await_change answers when the revision differs, at once or later, and again after a restart")
{
    weir::testing::virtual_time world;
    std::string seen;
    {
        memory registry(world.get_executor());
        registry.add(web("a"));
        std::optional<listing> got;
        auto const ask = [&] {
            got.reset();
            registry.async_await_change({"web"}, seen, [&](boost::system::error_code ec, listing l) {
                CHECK_FALSE(ec);
                seen = l.revision;
                got = std::move(l);
            });
            world.poll();
        };
        ask();
        REQUIRE(got);
        CHECK(got->instances.size() == 1);
        ask();
        CHECK_FALSE(got);
        registry.beat("a");
        registry.add({.service = "other", .address = "10.0.0.2", .port = 1});
        world.poll();
        CHECK_FALSE(got);
        registry.add(web("b"));
        world.poll();
        REQUIRE(got);
        CHECK(got->instances.size() == 2);
        registry.remove("a");  // between two questions
        ask();
        REQUIRE(got);
        CHECK(got->instances.size() == 1);
    }
    // The same history in another life is another revision.
    memory one(world.get_executor()), other(world.get_executor());
    one.add(web("a"));
    other.add(web("a"));
    CHECK(one.list({"web"})->revision != other.list({"web"})->revision);

    memory registry(world.get_executor());
    registry.add(web("a"));
    bool answered = false;
    registry.async_await_change({"web"}, seen, [&](boost::system::error_code ec, listing) { answered = !ec; });
    world.poll();
    CHECK(answered);
}

TEST_CASE("memory: a cancelled await_change ends; a destroyed registry ends its watches with errc::stopped")
{
    weir::testing::virtual_time world;
    auto registry = std::make_unique<memory>(world.get_executor());
    asio::cancellation_signal stop;
    boost::system::error_code cancelled, stopped;
    auto const now = registry->list({"web"})->revision;
    registry->async_await_change(
        {"web"}, now,
        asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code ec, listing) { cancelled = ec; }));
    auto watch = registry->watch({"web"});
    watch.skip_current();
    watch.async_next([&](boost::system::error_code ec, update const&) { stopped = ec; });
    world.poll();
    CHECK_FALSE(cancelled);
    stop.emit(asio::cancellation_type::total);
    world.poll();
    CHECK(cancelled == asio::error::operation_aborted);
    CHECK_FALSE(stopped);
    registry.reset();
    world.poll();
    CHECK(stopped == weir::errc::stopped);
}

TEST_CASE("memory: a lease keeps its instance passing; without it the TTL takes it away")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    std::optional<lease> held;
    registry.async_register(web("a"), [&](boost::system::error_code ec, lease l) {
        CHECK_FALSE(ec);
        held = std::move(l);
    });
    world.run_for(1h);
    CHECK(states(*registry.list({"web"})) == "a+");
    registry.remove("a");  // somebody else did: it comes back with the next heartbeat
    world.run_for(4s);
    CHECK(states(*registry.list({"web"})) == "a+");
    held.reset();
    world.run_for(10s);
    CHECK(states(*registry.list({"web"})) == "a-");
    world.run_for(1min);
    CHECK(registry.list({"web"})->instances->empty());
}

TEST_CASE("memory: a lease says something else, moves, is critical while it drains, and goes")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    weir::testing::check_update_and_drain(registry, 3s, [&](auto const& so) {
        for (int n = 0; n < 1000 && !so(); ++n) world.run_for(10ms);
        return so();
    });
}

TEST_CASE("memory: deregistering by lease and by id; resolving")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor());
    std::optional<lease> held;
    registry.async_register(web("a"), [&](boost::system::error_code, lease l) { held = std::move(l); });
    registry.add(web("b"));
    world.run_for(1s);
    std::size_t found = 0;
    registry.async_resolve({"web"}, [&](boost::system::error_code, auto s) { found = s->instances->size(); });
    world.run_for(1s);
    CHECK(found == 2);
    int done = 0;
    held->async_deregister([&](boost::system::error_code ec) { done += !ec; });
    registry.async_deregister("b", [&](boost::system::error_code ec) { done += !ec; });
    registry.async_deregister("nobody", [&](boost::system::error_code ec) { done += !ec; });
    world.run_for(1s);
    CHECK(done == 3);
    CHECK(registry.list({"web"})->instances->empty());
}

TEST_CASE("memory: options out of range are named")
{
    weir::testing::virtual_time world;
    CHECK_THROWS_WITH_AS(memory(world.get_executor(), {.max_instances = 0}),
                         doctest::Contains("memory_options.max_instances must be at least 1"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(memory(world.get_executor(), {.lease = {.timeout = 0s}}),
                         doctest::Contains("lease_options.timeout"), std::invalid_argument);
}

TEST_CASE("memory: a full table refuses, replaces all the same, and has room again")
{
    weir::testing::virtual_time world;
    memory registry(world.get_executor(), {.max_instances = 2});
    CHECK(registry.add(web("a")));
    CHECK(registry.add(web("b")));
    CHECK_FALSE(registry.add(web("c")));
    CHECK(registry.add(web("a", 81)));
    boost::system::error_code ec;
    registry.async_register(web("c"), [&](boost::system::error_code e, lease) { ec = e; });
    world.run_for(1s);
    CHECK(ec == weir::errc::registry_refused);
    registry.remove("b");
    CHECK(registry.add(web("c")));
}

TEST_CASE("memory: threads that register, beat, remove and watch at once agree in the end")
{
    asio::io_context io;
    auto const busy = asio::make_work_guard(io);
    memory registry(io.get_executor());
    std::atomic<int> told{0};
    auto watch = registry.watch({"web"});
    std::function<void()> listen = [&] {
        watch.async_next([&](boost::system::error_code ec, update u) {
            if (ec) return;
            ++told;
            if (u.now->instances->size() != 1 || u.now->instances->front().id() != "end") listen();
        });
    };
    listen();
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 2; ++t) threads.emplace_back([&] { io.run(); });
        {
            std::vector<std::jthread> writers;
            for (int t = 0; t < 3; ++t)
                writers.emplace_back([&registry, t] {
                    for (int n = 0; n < 300; ++n) {
                        auto const id = std::to_string((n * 7 + t) % 20);
                        if (n % 3 == 2)
                            registry.remove(id);
                        else if (!registry.beat(id, n % 2 ? health::passing : health::warning))
                            registry.add(web(id));
                    }
                });
        }
        for (int n = 0; n < 20; ++n) registry.remove(std::to_string(n));
        registry.add(web("end"));
        while (watch.current()->instances->size() != 1) std::this_thread::yield();
        io.stop();
    }
    CHECK(told > 0);
    CHECK(states(*watch.current()) == "end+");
}
