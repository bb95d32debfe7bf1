// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::consul against a real Consul, which it starts. WEIR_CONSUL names the Consul
// program (tests/registry/consul fetches one); without it everything here is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <registry/update_and_drain.hpp>
#include <support/consul_process.hpp>
#include <support/real_server.hpp>

#include <weir/http/client.hpp>
#include <weir/registry/consul.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/parse.hpp>

#include <signal.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::consul;
using weir::registry::consul_options;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::registration;
using weir::registry::secret;
using weir::registry::update;
using weir::testing::consul_process;
namespace asio = boost::asio;
namespace http = weir::http;

namespace {

// A server, a registry that talks to it, a consumer that writes down what it is told, and a lease.
struct scene {
    asio::io_context io;
    consul_process consul_server;
    http::client admin{io.get_executor(), {.idle_timeout = 0s}};
    std::optional<consul> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;
    boost::system::error_code registered;

    explicit scene(consul_process::kind k) : consul_server(k)
    {
        consul_server.start();
        auto const ready = [this] {
            auto const a = call(http::verb::get, "/v1/status/leader", "", consul_process::master);
            return a && a->result_int() == 200 && a->body().size() > 4;
        };
        if (!until(ready, 60s)) FAIL("Consul does not start:\n" << consul_server.log());
    }
    ~scene()
    {
        watch.reset();
        held.reset();
        registry.reset();
        io.restart();
        io.run_for(20ms);
    }

    consul_options options() const
    {
        consul_options o{.url = consul_server.url()};
        o.watch.hold = 3s;
        o.watch.pace = 100ms;
        return o;
    }
    void open(consul_options o) { registry.emplace(io.get_executor(), std::move(o)); }

    void follow()
    {
        watch.emplace(registry->watch({"web"}));
        listen();
    }
    void listen()
    {
        watch->async_next([this](boost::system::error_code ec, update u) {
            if (ec) return;
            told.push_back(std::move(u));
            listen();
        });
    }
    void keep(registration r)
    {
        registry->async_register(std::move(r), [this](boost::system::error_code ec, lease l) {
            registered = ec;
            held.emplace(std::move(l));
            await_event();
        });
        CHECK(until([&] { return held.has_value(); }));
    }
    void await_event()
    {
        held->async_wait_event([this](boost::system::error_code ec, lease_event const& e) {
            if (ec) return;
            events += std::string("GLRX")[static_cast<std::size_t>(e.what)];
            await_event();
        });
    }

    bool until(std::function<bool()> const& so, std::chrono::milliseconds limit = 20s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    void run_for(std::chrono::milliseconds d)
    {
        auto const end = std::chrono::steady_clock::now() + d;
        until([&] { return std::chrono::steady_clock::now() >= end; }, d + 1min);
    }

    std::optional<http::response> call(http::verb method, std::string const& target, std::string const& body,
                                       char const* token = nullptr)
    {
        auto r = http::make_request(method, target, body, "application/json");
        if (token) r.set("X-Consul-Token", token);
        std::optional<http::response> answer;
        bool done = false;
        admin.async_send(consul_server.endpoint(), std::move(r), weir::now(io.get_executor()) + 5s,
                         [&](boost::system::error_code ec, http::response a) {
                             done = true;
                             if (!ec) answer = std::move(a);
                         });
        CHECK(until([&] { return done; }));
        return answer;
    }

    // An instance somebody else registers, without a check.
    void register_directly(std::string const& id, char const* token = nullptr)
    {
        auto const a = call(http::verb::put, "/v1/agent/service/register",
                            R"({"ID":")" + id + R"(","Name":"web","Address":"10.0.0.2","Port":81})", token);
        REQUIRE(a);
        CHECK(a->result_int() == 200);
    }

    std::string set() const
    {
        std::string out;
        if (watch->current())
            for (auto const& i : *watch->current()->instances)
                out += i.id() + std::string("+~-")[static_cast<std::size_t>(i.state)];
        return out;
    }
    // The registry's word is this, and the consumer has been told.
    bool shows(std::string const& what, std::chrono::milliseconds limit = 20s)
    {
        return until(
            [&] {
                auto const now = watch->current();
                return now && now->from == origin::live && set() == what && !told.empty() &&
                       told.back().now->version == now->version;
            },
            limit);
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
    }
    void never_without(std::string const& id) const
    {
        for (auto const& u : told) {
            bool found = false;
            for (auto const& i : *u.now->instances) found |= i.id() == id && i.serves();
            CHECK(found);
        }
    }
};

registration web(std::string id)
{
    return {.service = "web",
            .address = "10.0.0.1",
            .port = 80,
            .id = std::move(id),
            .tags = {"v1"},
            .meta = {{"zone", "north"}},
            .weight = 10,
            .warning_weight = 2,
            .ttl = 3s};
}

weir::testing::needs_server const needs(
    "real consul:*", "there is no Consul: WEIR_CONSUL names its program (tests/registry/consul fetches one)",
    [] { return !consul_process::program().empty(); });

}  // namespace

TEST_CASE("real consul: register, beat, watch, change state, deregister")
{
    scene s(consul_process::kind::forgetful);
    s.open(s.options());
    s.follow();
    CHECK(s.shows(""));  // the first answer of all is believed
    s.keep(web("a"));
    CHECK(s.shows("a+"));
    CHECK_FALSE(s.registered);
    auto const& i = s.watch->current()->instances->front();
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 80);
    CHECK(i.address.weight == 10);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == std::vector<std::string>{"v1"});

    s.register_directly("b");
    CHECK(s.shows("a+b+"));
    s.held->set_state(health::warning);
    CHECK(s.shows("a~b+"));
    CHECK(s.watch->current()->instances->front().address.weight == 2);
    s.held->set_state(health::passing);
    CHECK(s.shows("a+b+"));

    auto const updates = s.told.size();
    s.run_for(7s);  // several heartbeats, longer than the TTL
    CHECK(s.set() == "a+b+");
    CHECK(s.told.size() == updates);  // which wake nobody
    CHECK(s.events == "");

    std::size_t found = 0;
    s.registry->async_resolve({"web"},
                              [&](boost::system::error_code, auto all) { found = all ? all->instances->size() : 0; });
    CHECK(s.until([&] { return found == 2; }));

    bool gone = false, unknown = false;
    s.held->async_deregister([&](boost::system::error_code ec) { gone = !ec; });
    CHECK(s.shows("b+"));
    CHECK(s.until([&] { return gone; }));
    s.registry->async_deregister("nobody", [&](boost::system::error_code ec) { unknown = !ec; });
    CHECK(s.until([&] { return unknown; }));
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("real consul: a lease says something else, moves, is critical while it drains, and goes")
{
    scene s(consul_process::kind::forgetful);
    auto o = s.options();
    o.watch.hold = 300ms;  // that the only instance does not serve any more is doubted for so long
    s.open(o);
    weir::testing::check_update_and_drain(*s.registry, 3s, [&](auto const& so) { return s.until(so); });
}

TEST_CASE("real consul: without heartbeats the TTL turns an instance critical")
{
    scene s(consul_process::kind::forgetful);
    s.open(s.options());
    s.register_directly("b");
    s.follow();
    s.keep(web("a"));
    CHECK(s.shows("a+b+"));
    s.held.reset();
    CHECK(s.shows("a-b+"));
    CHECK(weir::registry::to_endpoints(*s.watch->current()).size() == 1);
}

TEST_CASE("real consul: an instance that somebody else deregistered comes back with the next heartbeat")
{
    scene s(consul_process::kind::forgetful);
    s.open(s.options());
    s.keep(web("a"));
    s.register_directly("b");
    s.follow();
    CHECK(s.shows("a+b+"));
    CHECK(s.call(http::verb::put, "/v1/agent/service/deregister/a", "")->result_int() == 200);
    // The next heartbeat may come before the watch has seen the loss, so the lease is asked, not the watch.
    CHECK(s.until([&] { return s.events == "LR"; }));
    CHECK(s.shows("a+b+"));
}

TEST_CASE("real consul: killed mid-watch and restarted without its memory: the last good set stays, and all comes back")
{
    for (int const signal : {SIGKILL, SIGTERM}) {
        CAPTURE(signal);
        scene s(consul_process::kind::forgetful);
        auto o = s.options();
        o.watch.hold = 1min;
        s.open(o);
        for (auto const* id : {"b", "c", "d"})
            s.register_directly(id);  // so that the index is well above a young server's
        s.keep(web("a"));
        s.follow();
        CHECK(s.shows("a+b+c+d+"));
        s.told.clear();
        s.consul_server.stop(signal);
        CHECK(s.goes_stale());
        CHECK(s.set() == "a+b+c+d+");
        s.run_for(2s);
        CHECK(s.set() == "a+b+c+d+");
        s.consul_server.start();
        // It knows nothing: our lease puts `a` back, and that is doubted, being a loss of three of four, until the
        // hold. (A watch that came only when one of four was missing would believe that.)
        CHECK(s.until([&] { return s.events.find('R') != std::string::npos && s.watch->status().held > 0; }));
        CHECK(s.set() == "a+b+c+d+");
        for (auto const* id : {"b", "c", "d"}) s.register_directly(id);
        CHECK(s.shows("a+b+c+d+"));
        s.never_without("a");
        s.never_without("d");
        s.register_directly("e");  // and changes are heard again, at once
        CHECK(s.shows("a+b+c+d+e+", 3s));
        CHECK(s.watch->status().failures >= 1);
        CHECK(s.watch->status().resyncs >= 1);
    }
}

TEST_CASE("real consul: killed and restarted with its memory: nobody notices but the status")
{
    scene s(consul_process::kind::persistent);
    s.open(s.options());
    s.keep(web("a"));
    s.register_directly("b");
    s.follow();
    CHECK(s.shows("a+b+"));
    s.told.clear();
    s.consul_server.stop(SIGKILL);
    CHECK(s.goes_stale());
    s.consul_server.start();
    CHECK(s.shows("a+b+", 40s));
    s.register_directly("c");
    CHECK(s.shows("a+b+c+"));
    CHECK(s.until([&] { return s.held->registered(); }));
    for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
}

TEST_CASE("real consul: access control: what may not be seen is no empty set, and refusals are visible")
{
    scene s(consul_process::kind::guarded);
    // The server takes a while to have its access control ready after it has a leader.
    CHECK(s.until([&] {
        auto const a = s.call(
            http::verb::put, "/v1/acl/policy",
            R"({"Name":"web","Rules":"service \"web\" { policy = \"write\" } node_prefix \"\" { policy = \"read\" }"})",
            consul_process::master);
        return a && a->result_int() == 200;
    }));
    auto const made =
        s.call(http::verb::put, "/v1/acl/token", R"({"Policies":[{"Name":"web"}]})", consul_process::master);
    REQUIRE(made);
    auto const token = boost::json::parse(made->body()).as_object();
    auto const text = [&](char const* key) { return std::string(token.at(key).as_string()); };

    auto o = s.options();
    o.wait = 5s;  // Consul does not wake a query when its permissions change
    o.token = secret(text("SecretID"));
    s.open(o);
    s.keep(web("a"));
    s.register_directly("b", consul_process::master);
    s.follow();
    CHECK(s.shows("a+b+"));

    // The permission is taken away: the server says 200 and [].
    CHECK(s.call(http::verb::put, "/v1/acl/token/" + text("AccessorID"),
                 R"({"AccessorID":")" + text("AccessorID") + R"(","Policies":[]})", consul_process::master)
              ->result_int() == 200);
    CHECK(s.until([&] { return s.watch->status().last_error == weir::errc::registry_refused; }, 90s));
    s.run_for(7s);  // twice the hold
    CHECK(s.set() == "a+b+");
    CHECK(s.watch->current()->from == origin::stale);
    CHECK(s.watch->status().note == "permission denied: missing service:read on web");

    // It is given back: all is well.
    CHECK(s.call(http::verb::put, "/v1/acl/token/" + text("AccessorID"),
                 R"({"AccessorID":")" + text("AccessorID") + R"(","Policies":[{"Name":"web"}]})",
                 consul_process::master)
              ->result_int() == 200);
    CHECK(s.shows("a+b+", 60s));

    // A token that nobody has, and no token at all.
    o.token = secret("bbbbbbbb-0000-0000-0000-000000000001");
    s.held.reset();
    s.told.clear();
    s.open(o);
    s.follow();
    CHECK(s.until([&] { return s.watch->status().failures > 0; }));
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
    CHECK(s.watch->status().note == "403: ACL not found");
    CHECK(s.told.empty());
    s.keep(web("c"));
    CHECK(s.registered == weir::errc::registry_refused);
    CHECK_FALSE(s.held->registered());

    o.token = secret();
    s.open(o);
    boost::system::error_code anonymous;
    s.registry->async_resolve({"web"}, [&](boost::system::error_code ec, auto const&) { anonymous = ec; });
    CHECK(s.until([&] { return bool(anonymous); }));
    CHECK(anonymous == weir::errc::registry_refused);
}
