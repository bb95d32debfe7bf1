// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/any_registry.hpp>

#include <weir/registry/memory.hpp>
#include <weir/registry/static_list.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <string>

using namespace std::chrono_literals;
using weir::registry::any_registry;
using weir::registry::lease;
using weir::registry::memory;
using weir::registry::query;
using weir::registry::registration;
using weir::registry::snapshot;
namespace asio = boost::asio;

static_assert(weir::registry::service_registry<any_registry>);

namespace {

// Finds, and takes no registrations.
struct finder {
    memory const* from;
    [[nodiscard]] asio::any_io_executor get_executor() const { return from->get_executor(); }
    template <class Token>
    auto async_resolve(query q, Token&& token)
    {
        return from->async_resolve(std::move(q), std::forward<Token>(token));
    }
    [[nodiscard]] weir::registry::watch watch(query const& q) { return from->watch(q); }
};
static_assert(!weir::registry::registrar<finder>);

registration web(std::string id) { return {.service = "web", .address = "10.0.0.1", .port = 80, .id = std::move(id)}; }

}  // namespace

TEST_CASE("any_registry: registers, finds, watches and takes out, whatever is inside")
{
    weir::testing::virtual_time world;
    any_registry const registry = memory(world.get_executor());
    CHECK(registry.registers());
    CHECK(registry.get_executor() == asio::any_io_executor(world.get_executor()));
    auto const copy = registry;

    lease held;
    registry.async_register(web("a"), [&](boost::system::error_code ec, lease l) {
        CHECK_FALSE(ec);
        held = std::move(l);
    });
    world.run_for(1s);
    CHECK(held.registered());
    auto const watch = copy.watch({"web"});
    std::size_t found = 0;
    copy.async_resolve({"web"}, [&](boost::system::error_code ec, std::shared_ptr<snapshot const> const& s) {
        CHECK_FALSE(ec);
        found = s->instances->size();
    });
    world.run_for(1s);
    CHECK(found == 1);
    CHECK(watch.current()->instances->size() == 1);
    int gone = 0;
    registry.async_deregister("a", [&](boost::system::error_code ec) { gone += !ec; });
    registry.async_deregister(web("b"), [&](boost::system::error_code ec) { gone += !ec; });
    world.run_for(1ms);
    CHECK(gone == 2);
    CHECK_THROWS_AS(registry.async_register({}, [](boost::system::error_code, lease const&) {}), std::invalid_argument);

    auto future = copy.async_resolve({"web"}, asio::bind_executor(world.get_executor(), asio::use_future));
    world.run_for(1s);
    CHECK(future.get());
}

TEST_CASE("any_registry: what takes no registrations says so, and finds all the same")
{
    weir::testing::virtual_time world;
    memory const inside(world.get_executor());
    inside.add(web("a"));
    for (any_registry const& registry :
         {any_registry(finder{&inside}),
          any_registry(weir::registry::static_list(world.get_executor(), {.url = "static://10.0.0.1:80"}))}) {
        CHECK_FALSE(registry.registers());
        boost::system::error_code registered, gone;
        registry.async_register(web("b"), [&](boost::system::error_code ec, lease const& l) {
            registered = ec;
            CHECK_FALSE(l);
        });
        registry.async_deregister("a", [&](boost::system::error_code ec) { gone = ec; });
        CHECK_FALSE(registered);
        world.run_for(1ms);
        CHECK(registered == std::errc::operation_not_supported);
        CHECK(gone == std::errc::operation_not_supported);
        auto const watch = registry.watch({"web"});
        world.run_for(1ms);
        CHECK(watch.current()->instances->size() == 1);
    }
}
