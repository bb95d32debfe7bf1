// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract, not a live server: see nacos_contract.hpp.
#include <weir/registry/nacos.hpp>

#include <weir/registry/concepts.hpp>
#include "registry/nacos_contract.hpp"
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
using weir::registry::health;
using weir::registry::lease;
using weir::registry::nacos;
using weir::registry::nacos_api;
using weir::registry::nacos_options;
using weir::registry::origin;
namespace asio = boost::asio;

static_assert(weir::registry::service_registry<nacos>);

namespace {

struct scene {
    asio::io_context io;
    weir::testing::nacos_contract contract;
    weir::testing::contract_server server{io, [this](std::string const& request) { return contract(request); }};
    std::optional<lease> held;
    boost::system::error_code ec;
    bool done = false;

    nacos_options options()
    {
        nacos_options o{.url = "nacos://127.0.0.1:" + std::to_string(server.endpoint().port()), .poll = 100ms};
        o.watch.pace = 0ms;
        o.watch.hold = 100ms;
        o.watch.backoff = weir::constant(10ms);
        o.lease.backoff = weir::constant(10ms);
        return o;
    }
    static weir::registry::registration web()
    {
        return {.service = "web", .address = "10.0.0.1", .port = 80, .id = "a", .ttl = 300ms};
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
    bool enroll(nacos const& registry, weir::registry::registration r)
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
    bool take_out(nacos const& registry, weir::registry::registration r)
    {
        done = false;
        std::function<void(boost::system::error_code)> heard = [&](boost::system::error_code e) {
            ec = e;
            done = true;
        };
        registry.async_deregister(std::move(r), heard);
        return until([&] { return done; });
    }
    auto asked(std::string const& line, std::string const& parameter = "") const
    {
        std::ptrdiff_t n = 0;
        for (std::size_t i = 0; i < contract.asked.size(); ++i)
            n += contract.asked[i] == line && (parameter.empty() || contract.told[i].count(parameter) != 0);
        return n;
    }
    bool enabled() const
    {
        auto const i = contract.instances.find("10.0.0.1:80");
        return i != contract.instances.end() && i->second.at("enabled").as_bool();
    }
    static std::string set(weir::registry::watch const& w)
    {
        std::string ids;
        if (auto const s = w.current())
            for (auto const& i : *s->instances) ids += i.address.host + (i.serves() ? " " : "- ");
        return ids;
    }
    ~scene()
    {
        held.reset();
        io.restart();
        io.run_for(20ms);
    }
};

constexpr auto put3 = "POST /nacos/v3/client/ns/instance", put1 = "POST /nacos/v1/ns/instance",
               beat1 = "PUT /nacos/v1/ns/instance/beat", list3 = "GET /nacos/v3/client/ns/instance/list",
               list1 = "GET /nacos/v1/ns/instance/list";

}  // namespace

TEST_CASE("nacos: v3 registers, beats, lists and takes out")
{
    scene s;
    nacos const registry(s.io.get_executor(), s.options());
    auto r = s.web();
    r.weight = 3;
    r.tags = {"blue"};
    REQUIRE(s.enroll(registry, r));
    CHECK_FALSE(s.ec);
    auto const w = registry.watch({"web", "blue"});
    REQUIRE(s.until([&] { return s.set(w) == "10.0.0.1 "; }));
    CHECK((*w.current()->instances)[0].address.weight == 3);
    CHECK((*w.current()->instances)[0].address.metadata.at("id") == "a");
    CHECK(s.until([&] { return s.asked(put3, "heartBeat") >= 3; }));
    CHECK(s.asked(put3, "weight") == 1);
    CHECK(s.asked(list1) + s.asked(put1) == 0);

    s.held.reset();
    REQUIRE(s.take_out(registry, r));
    CHECK_FALSE(s.ec);
    CHECK(s.contract.instances.empty());
    REQUIRE(s.until([&] { return w.status().held == 1; }));
    CHECK(s.until([&] { return s.set(w).empty(); }));
    REQUIRE(s.take_out(registry, {.service = "web", .address = "", .id = "a"}));
    CHECK(s.ec == std::errc::invalid_argument);
}

TEST_CASE("nacos: where there is no v3, v1 is found, and found again to be gone")
{
    for (bool const gone : {false, true}) {
        scene s;
        s.contract.v3 = false;
        s.contract.gone = gone;
        nacos const registry(s.io.get_executor(), s.options());
        REQUIRE(s.enroll(registry, s.web()));
        CHECK_FALSE(s.ec);
        auto const w = registry.watch({"web"});
        REQUIRE(s.until([&] { return s.set(w) == "10.0.0.1 " && s.asked(list1) >= 3; }));
        CHECK(s.asked(list3) <= 1);

        s.contract.v3 = true;  // the server was replaced by a newer one
        s.contract.v1 = false;
        auto const answers = w.status().answers;
        CHECK(s.until([&] { return w.status().answers > answers + 2; }));
        CHECK(s.asked(list3) >= 2);
        CHECK(w.current()->from == origin::live);
        CHECK(s.until([&] { return s.asked(put3, "heartBeat") >= 2; }));
    }
}

TEST_CASE("nacos: v1 beats say what the instance is until the server takes light ones")
{
    scene s;
    auto o = s.options();
    o.api = nacos_api::v1;
    nacos const registry(s.io.get_executor(), o);
    REQUIRE(s.enroll(registry, s.web()));
    REQUIRE(s.until([&] { return s.asked(beat1) >= 4; }));
    CHECK(s.asked(beat1, "beat") == 1);
    CHECK(s.asked(put3) == 0);
    CHECK(s.contract.instances["10.0.0.1:80"]["metadata"].as_object()["preserved.heart.beat.interval"] == "100");
}

TEST_CASE("nacos: a server that wants beats more rarely gets every second one")
{
    scene s;
    auto o = s.options();
    o.api = nacos_api::v1;
    s.contract.beat_interval = 3'600'000;
    nacos const registry(s.io.get_executor(), o);
    REQUIRE(s.enroll(registry, s.web()));
    REQUIRE(s.until([&] { return s.held->status().beats >= 7; }));
    CHECK(s.asked(beat1) >= 3);
    CHECK(s.asked(beat1) <= 5);
}

TEST_CASE("nacos: an instance that the server forgot is registered again, in both interfaces")
{
    for (auto const api : {nacos_api::v1, nacos_api::v3}) {
        scene s;
        auto o = s.options();
        o.api = api;
        nacos const registry(s.io.get_executor(), o);
        REQUIRE(s.enroll(registry, s.web()));
        REQUIRE(s.until([&] { return s.held->status().beats >= 2; }));
        s.contract.instances.clear();
        CHECK(s.until([&] { return s.held->status().lost == 1 && s.enabled(); }));
    }
}

TEST_CASE("nacos: a critical lease is disabled, stays so when it is registered again, and comes back")
{
    scene s;
    auto o = s.options();
    o.api = nacos_api::v1;
    nacos const registry(s.io.get_executor(), o);
    REQUIRE(s.enroll(registry, s.web()));
    auto const w = registry.watch({"web"});
    s.held->set_state(health::critical);
    CHECK(s.until([&] { return !s.enabled() && s.set(w) == "10.0.0.1- "; }));
    s.contract.instances.clear();
    CHECK(s.until([&] { return s.contract.instances.size() == 1; }));
    CHECK_FALSE(s.enabled());
    s.held->set_state(health::passing);
    CHECK(s.until([&] { return s.enabled() && s.set(w) == "10.0.0.1 "; }));
}

TEST_CASE("nacos: a lease says something else, moves to another address without leaving the old one, drains and goes")
{
    for (bool const third : {true, false}) {
        CAPTURE(third);
        scene s;
        s.contract.v3 = third;
        nacos const registry(s.io.get_executor(), s.options());
        weir::testing::check_update_and_drain(
            registry, 300ms, [&](auto const& so) { return s.until(so); }, 800ms, third);
        CHECK(s.contract.instances.empty());
    }
}

TEST_CASE("nacos: an old address that could not be taken out at once is taken out later")
{
    scene s;
    nacos const registry(s.io.get_executor(), s.options());
    auto r = s.web();
    REQUIRE(s.enroll(registry, r));
    s.contract.refuse_removals = true;
    r.address = "10.0.0.9";
    s.held->update(r);
    REQUIRE(s.until([&] { return s.contract.instances.size() == 2; }));
    REQUIRE(s.until([&] { return s.asked("DELETE /nacos/v3/client/ns/instance") >= 2; }));
    s.contract.refuse_removals = false;
    CHECK(s.until([&] { return s.contract.instances.size() == 1; }));
    CHECK(s.contract.instances.count("10.0.0.9:80") == 1);
    CHECK(s.held->registered());
}

TEST_CASE("nacos: signs in once, again when the token is not taken any more, and before it ends")
{
    for (auto const api : {nacos_api::v1, nacos_api::v3}) {
        scene s;
        s.contract.user = "me";
        s.contract.password = "a&b=c";
        auto o = s.options();
        o.api = api;
        o.user = "me";
        o.password = weir::registry::secret("a&b=c");
        nacos const registry(s.io.get_executor(), o);
        REQUIRE(s.enroll(registry, s.web()));
        CHECK_FALSE(s.ec);
        auto const w = registry.watch({"web"});
        REQUIRE(s.until([&] { return s.set(w) == "10.0.0.1 " && w.status().answers >= 3; }));
        auto const path = std::string("POST /nacos/") + (api == nacos_api::v1 ? "v1/auth/login" : "v3/auth/user/login");
        CHECK(s.asked(path) == 1);

        s.contract.token = "t2";
        auto const answers = w.status().answers;
        REQUIRE(s.until([&] { return w.status().answers > answers + 2; }));
        CHECK(w.status().failures == 0);
        CHECK(s.asked(path) >= 2);
        CHECK(s.held->status().failures == 0);

        s.contract.token = "t3";
        s.contract.token_ttl = 1;
        REQUIRE(s.until([&] { return s.asked(path) >= 5; }));
        CHECK(w.status().failures == 0);
    }
}

TEST_CASE("nacos: who may not sign in is refused, with what the server said and without the password")
{
    scene s;
    s.contract.user = "me";
    s.contract.password = "right";
    auto o = s.options();
    o.user = "me";
    o.password = weir::registry::secret("wrong-3f9c1a");
    nacos const registry(s.io.get_executor(), o);
    auto const w = registry.watch({"web"});
    REQUIRE(s.until([&] { return w.status().failures > 0; }));
    CHECK(w.status().last_error == weir::errc::registry_refused);
    CHECK(w.status().note == "signing in: 403: unknown user!");
}

TEST_CASE("nacos: a degraded answer is remarked on, and bad registrations are refused in the server's words")
{
    scene s;
    auto o = s.options();
    o.api = nacos_api::v1;
    nacos const registry(s.io.get_executor(), o);
    auto r = s.web();
    r.weight = 20'000;
    REQUIRE(s.enroll(registry, r));
    CHECK(s.ec == weir::errc::registry_refused);
    s.held.reset();
    REQUIRE(s.enroll(registry, s.web()));
    auto const w = registry.watch({"web"});
    REQUIRE(s.until([&] { return w.status().answers >= 1; }));
    CHECK(w.status().remark.empty());
    s.contract.degraded = true;
    CHECK(s.until([&] { return w.status().remark.rfind("degraded", 0) == 0; }));
}
