// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract, not a live server: see eureka_contract.hpp.
#include <weir/registry/eureka.hpp>

#include <weir/registry/concepts.hpp>
#include "registry/eureka_contract.hpp"
#include "registry/update_and_drain.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weir::registry::eureka;
using weir::registry::eureka_options;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::origin;
namespace asio = boost::asio;

static_assert(weir::registry::service_registry<eureka>);

namespace {

struct scene {
    asio::io_context io;
    weir::testing::eureka_contract contract;
    weir::testing::contract_server server{io, [this](std::string const& request) { return contract(request); }};
    std::optional<lease> held;
    boost::system::error_code ec;
    bool done = false;

    eureka_options options(std::string const& prefix = "")
    {
        eureka_options o{.url = "eureka://127.0.0.1:" + std::to_string(server.endpoint().port()) + prefix,
                         .poll = 100ms};
        o.watch.pace = 0ms;
        o.watch.hold = 100ms;
        o.watch.backoff = weir::constant(10ms);
        o.lease.backoff = weir::constant(10ms);
        return o;
    }
    static weir::registry::registration web(std::string id = "a")
    {
        return {.service = "web", .address = "10.0.0.1", .port = 80, .id = std::move(id), .ttl = 300ms};
    }
    bool until(std::function<bool()> const& so, std::chrono::milliseconds limit = 10s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    bool enroll(eureka const& registry, weir::registry::registration r)
    {
        done = false;
        std::function<void(boost::system::error_code, lease)> heard = [&](boost::system::error_code e, lease l) {
            ec = e;
            held.emplace(std::move(l));
            done = true;
        };
        registry.async_register(std::move(r), heard);
        return until([&] { return done; });
    }
    bool take_out(eureka const& registry, weir::registry::registration r)
    {
        done = false;
        std::function<void(boost::system::error_code)> heard = [&](boost::system::error_code e) {
            ec = e;
            done = true;
        };
        registry.async_deregister(std::move(r), heard);
        return until([&] { return done; });
    }
    auto asked(std::string const& part) const
    {
        return std::count_if(contract.asked.begin(), contract.asked.end(),
                             [&](auto const& line) { return line.find(part) != line.npos; });
    }
    std::string status(std::string const& id)
    {
        auto const i = contract.instances.find(id);
        return i == contract.instances.end() ? "" : std::string(i->second["status"].as_string());
    }
    static std::string set(weir::registry::watch const& w)
    {
        std::string ids;
        if (auto const s = w.current())
            for (auto const& i : *s->instances) ids += i.id() + (i.serves() ? "" : "-");
        return ids;
    }
    ~scene()
    {
        held.reset();
        io.restart();
        io.run_for(20ms);
    }
};

}  // namespace

TEST_CASE("eureka: a registered instance is renewed, and seen by those who read again and again")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    auto r = s.web();
    r.tags = {"blue", "v1"};
    r.weight = 7;
    r.meta = {{"zone", "north"}};
    REQUIRE(s.enroll(registry, r));
    CHECK_FALSE(s.ec);
    auto const w = registry.watch({"web"});
    REQUIRE(s.until([&] { return s.set(w) == "a"; }));
    auto const& i = (*w.current()->instances)[0];
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 80);
    CHECK(i.address.weight == 7);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == r.tags);
    CHECK(s.until([&] { return s.asked("PUT /eureka/apps/WEB/a HTTP") >= 3; }));
    CHECK(s.asked("POST") == 1);

    s.contract.instances["b"] = s.contract.instances["a"];
    s.contract.instances["b"]["instanceId"] = "b";
    CHECK(s.until([&] { return s.set(w) == "ab"; }));
}

TEST_CASE("eureka: an instance that the server forgot is registered again")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    REQUIRE(s.enroll(registry, s.web()));
    s.contract.forget("a");
    CHECK(s.until([&] { return s.asked("POST") == 2 && s.status("a") == "UP"; }));
    CHECK(s.held->status().lost == 1);
}

TEST_CASE("eureka: a critical lease is out of service, stays so when it is registered again, and comes back")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    REQUIRE(s.enroll(registry, s.web()));
    s.held->set_state(health::critical);
    CHECK(s.until([&] { return s.status("a") == "OUT_OF_SERVICE"; }));
    auto const w = registry.watch({"web"});
    CHECK(s.until([&] { return s.set(w) == "a-"; }));

    s.contract.forget("a");
    CHECK(s.until([&] { return s.status("a") == "OUT_OF_SERVICE"; }));
    REQUIRE(s.contract.bodies.size() == 2);
    CHECK(s.contract.bodies[1].find(R"("status":"STARTING")") != std::string::npos);  // never UP in between

    s.held->set_state(health::passing);
    CHECK(s.until([&] { return s.status("a") == "UP" && s.set(w) == "a"; }));
    s.held->set_state(health::warning);
    auto const beats = s.held->status().beats;
    CHECK(s.until([&] { return s.held->status().beats > beats + 1; }));
    CHECK(s.status("a") == "UP");
}

TEST_CASE("eureka: a lease says something else, moves, is out of service while it drains, and goes")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    weir::testing::check_update_and_drain(registry, 1s, [&](auto const& so) { return s.until(so); });
    CHECK(s.contract.instances.empty());
}

TEST_CASE("eureka: a status left behind by an earlier life of the instance is put right")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    REQUIRE(s.enroll(registry, s.web()));
    s.held->set_state(health::critical);
    REQUIRE(s.until([&] { return s.status("a") == "OUT_OF_SERVICE"; }));
    s.held.reset();
    REQUIRE(s.enroll(registry, s.web()));
    CHECK(s.until([&] { return s.status("a") == "UP"; }));
}

TEST_CASE("eureka: deregistering needs the service, and takes no offence at what is not there")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    REQUIRE(s.enroll(registry, s.web()));
    s.held.reset();
    REQUIRE(s.take_out(registry, {.service = "web", .address = "", .id = "a"}));
    CHECK_FALSE(s.ec);
    CHECK(s.contract.instances.empty());
    REQUIRE(s.take_out(registry, {.service = "web", .address = "", .id = "a"}));
    CHECK_FALSE(s.ec);
    REQUIRE(s.take_out(registry, {.service = "", .address = "", .id = "a"}));
    CHECK(s.ec == std::errc::invalid_argument);
}

TEST_CASE("eureka: a server that is starting, and an application that is gone, take nothing away at once")
{
    scene s;
    eureka const registry(s.io.get_executor(), s.options());
    REQUIRE(s.enroll(registry, s.web()));
    s.held.reset();
    auto const w = registry.watch({"web"});
    REQUIRE(s.until([&] { return s.set(w) == "a"; }));
    s.contract.starting = true;
    REQUIRE(s.until([&] { return w.status().failures >= 2; }));
    CHECK(w.status().last_error == weir::errc::registry_unavailable);
    CHECK(s.set(w) == "a");
    s.contract.starting = false;
    REQUIRE(s.until([&] { return w.current()->from == origin::live; }));

    s.contract.forget("a");
    REQUIRE(s.until([&] { return w.status().held == 1; }));
    CHECK(s.set(w) == "a");
    CHECK(s.until([&] { return s.set(w).empty(); }));  // but it is believed when it stays so
}

TEST_CASE("eureka: user, password and prefix are the URL's, and a lone instance is one without its array")
{
    scene s;
    s.contract.prefix = "/eureka/v2";
    s.contract.lone_object = true;
    auto o = s.options("/eureka/v2");
    o.url.insert(9, "me:s%20t@");
    eureka const registry(s.io.get_executor(), o);
    REQUIRE(s.enroll(registry, s.web("web-1")));
    CHECK_FALSE(s.ec);
    auto const w = registry.watch({"Web"});  // a name is written in capitals
    CHECK(s.until([&] { return s.set(w) == "web-1"; }));
    CHECK(s.asked("POST /eureka/v2/apps/WEB HTTP/1.1 | Authorization: Basic bWU6cyB0") == 1);
}
