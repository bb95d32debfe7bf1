// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::etcd against a real etcd, which it starts. WEIR_ETCD names the program, or
// it is on the PATH (Debian's etcd-server); without it everything here is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <registry/update_and_drain.hpp>
#include <support/etcd_process.hpp>
#include <support/real_server.hpp>

#include <weir/http/client.hpp>
#include <weir/registry/etcd.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/parse.hpp>

#include <signal.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::etcd;
using weir::registry::etcd_options;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::registration;
using weir::registry::secret;
using weir::registry::update;
namespace asio = boost::asio;
namespace detail = weir::registry::detail;
namespace http = weir::http;
namespace json = boost::json;

namespace {

// A server, a registry that talks to it, a consumer that writes down what it is told, and a lease.
struct scene {
    asio::io_context io;
    weir::testing::etcd_process etcd_server;
    http::client admin{io.get_executor(), {.idle_timeout = 0s}};
    std::string token;
    std::optional<etcd> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;
    boost::system::error_code registered;

    scene()
    {
        etcd_server.start();
        await_server();
    }
    ~scene()
    {
        watch.reset();
        held.reset();
        registry.reset();
        io.restart();
        io.run_for(20ms);
    }
    void await_server()
    {
        auto const ready = [this] { return try_call("/v3/kv/range", detail::write_etcd_range("x", "")).has_value(); };
        if (!until(ready, 60s)) FAIL("etcd does not start:\n" << etcd_server.log());
    }

    etcd_options options() const
    {
        etcd_options o{.url = etcd_server.url()};
        o.watch.hold = 3s;
        o.watch.backoff = weir::exponential(50ms, 500ms);
        o.wait = 1s;
        return o;
    }
    void open(etcd_options o) { registry.emplace(io.get_executor(), std::move(o)); }

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

    // What etcd says to somebody who is not the registry.
    std::optional<std::string> try_call(std::string const& target, std::string body)
    {
        auto r = http::post(target, std::move(body));
        if (!token.empty()) r.set("Authorization", token);
        std::optional<std::string> answer;
        bool done = false;
        admin.async_send(etcd_server.endpoint(), std::move(r), weir::now(io.get_executor()) + 5s,
                         [&](boost::system::error_code ec, http::response a) {
                             done = true;
                             if (!ec && a.result_int() == 200) answer = std::move(a.body());
                         });
        CHECK(until([&] { return done; }));
        return answer;
    }
    std::string call(std::string const& target, std::string body)
    {
        auto const a = try_call(target, std::move(body));
        REQUIRE_MESSAGE(a, target);
        return *a;
    }

    static std::string key(std::string const& id) { return "/weir/services/web/" + id; }
    void put(std::string const& id, std::string const& value = R"({"address":"10.0.0.2","port":81})")
    {
        call("/v3/kv/put", detail::write_etcd_put(key(id), value, 0));
    }
    void erase(std::string const& id) { call("/v3/kv/deleterange", detail::write_etcd_delete(key(id))); }

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
            .ttl = 2s};
}

weir::testing::needs_server const needs("real etcd:*",
                                        "there is no etcd: name the program in WEIR_ETCD, or install etcd-server",
                                        [] { return !weir::testing::etcd_process::program().empty(); });

}  // namespace

TEST_CASE("real etcd: register, beat, watch, change state, deregister")
{
    scene s;
    s.open(s.options());
    s.follow();
    CHECK(s.shows(""));  // the first answer of all is believed
    s.keep(web("a/1"));
    CHECK(s.shows("a/1+"));
    CHECK_FALSE(s.registered);
    auto const& i = s.watch->current()->instances->front();
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 80);
    CHECK(i.address.weight == 10);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == std::vector<std::string>{"v1"});

    s.put("b");
    CHECK(s.shows("a/1+b+", 1s));
    s.held->set_state(health::warning);
    CHECK(s.shows("a/1~b+", 1s));
    CHECK(s.watch->current()->instances->front().address.weight == 2);
    s.held->set_state(health::passing);
    CHECK(s.shows("a/1+b+", 1s));

    auto const updates = s.told.size();
    s.run_for(5s);  // several heartbeats, longer than the TTL; and several watches, one after the other
    CHECK(s.set() == "a/1+b+");
    CHECK(s.told.size() == updates);
    CHECK(s.events == "");

    std::size_t found = 0;
    s.registry->async_resolve({"web"},
                              [&](boost::system::error_code, auto all) { found = all ? all->instances->size() : 0; });
    CHECK(s.until([&] { return found == 2; }));

    int gone = 0;
    auto const note = [&](boost::system::error_code ec) { gone += !ec; };
    s.held->async_deregister(note);
    CHECK(s.shows("b+", 1s));
    CHECK(s.until([&] { return gone == 1; }));
    s.registry->async_deregister("nobody", note);
    CHECK(s.until([&] { return gone == 2; }));
    s.put("c/d");
    s.put("c%2Fd");
    s.registry->async_deregister("c/d", note);
    CHECK(s.until([&] { return gone == 3; }));
    CHECK(s.shows("b+"));
    CHECK(s.watch->status().skipped == 1);  // the one with a slash
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("real etcd: a lease says something else, moves, is critical while it drains, and goes")
{
    scene s;
    auto o = s.options();
    o.watch.hold = 300ms;  // that the only instance does not serve any more is doubted for so long
    s.open(o);
    weir::testing::check_update_and_drain(*s.registry, 3s, [&](auto const& so) { return s.until(so); });
}

TEST_CASE("real etcd: without heartbeats the instance goes with its lease")
{
    scene s;
    s.open(s.options());
    s.put("b");
    s.follow();
    s.keep(web("a"));
    CHECK(s.shows("a+b+"));
    s.held.reset();
    CHECK(s.shows("b+"));
}

TEST_CASE("real etcd: a lease that somebody revoked and a key that somebody deleted come back with the next heartbeat")
{
    scene s;
    s.open(s.options());
    s.put("b");
    s.follow();
    s.keep(web("a"));
    CHECK(s.shows("a+b+"));
    auto const lease = [&] {
        std::string why;
        return detail::read_etcd_range(s.call("/v3/kv/range", detail::write_etcd_range(scene::key("a"), "")), why)
            ->pairs.at(0)
            .lease;
    };
    auto const first = lease();
    s.call("/v3/lease/revoke", detail::write_etcd_lease(first));
    CHECK(s.until([&] { return s.events == "LR"; }));
    CHECK(s.shows("a+b+"));
    auto const second = lease();
    CHECK(second != first);
    s.erase("a");
    CHECK(s.until([&] { return s.events == "LRLR"; }));
    CHECK(s.shows("a+b+"));
    CHECK(lease() == second);
}

TEST_CASE("real etcd: killed mid-watch and restarted: the last good set stays, and changes are heard again")
{
    for (int const signal : {SIGKILL, SIGTERM}) {
        CAPTURE(signal);
        scene s;
        s.open(s.options());
        for (auto const* id : {"b", "c", "d"}) s.put(id);
        s.keep(web("a"));
        s.follow();
        CHECK(s.shows("a+b+c+d+"));
        s.told.clear();
        s.etcd_server.stop(signal);
        CHECK(s.goes_stale());
        s.run_for(1s);
        CHECK(s.set() == "a+b+c+d+");
        s.etcd_server.start();
        CHECK(s.shows("a+b+c+d+"));
        s.await_server();
        s.put("e");
        CHECK(s.shows("a+b+c+d+e+", 3s));
        for (auto const* id : {"a", "b", "c", "d"}) s.never_without(id);
        CHECK(s.watch->status().failures >= 1);
        CHECK(s.watch->status().resyncs >= 1);
    }
}

TEST_CASE("real etcd: restarted without its memory: the last good set stays until the hold, and all comes back")
{
    scene s;
    auto o = s.options();
    o.watch.hold = 1min;
    s.open(o);
    for (auto const* id : {"b", "c", "d"}) s.put(id);
    s.keep(web("a"));
    s.follow();
    CHECK(s.shows("a+b+c+d+"));
    s.told.clear();
    s.etcd_server.stop(SIGKILL);
    s.etcd_server.forget();
    s.etcd_server.start();
    // It knows nothing: our lease puts `a` back, and that is doubted, being a loss of three of four. (A watch that came
    // only when one of four was missing would believe that.)
    CHECK(s.until([&] { return s.events.find('R') != std::string::npos && s.watch->status().held > 0; }));
    CHECK(s.set() == "a+b+c+d+");
    for (auto const* id : {"b", "c", "d"}) s.put(id);
    CHECK(s.shows("a+b+c+d+"));
    for (auto const* id : {"a", "b", "c", "d"}) s.never_without(id);
}

TEST_CASE("real etcd: where the history was compacted, everything is read again")
{
    scene s;
    auto o = s.options();
    s.open(o);
    s.put("a");
    s.follow();
    CHECK(s.shows("a+"));
    // Elsewhere, so that the watch hears nothing of it, and then the past is dropped.
    for (int n = 0; n < 10; ++n) s.call("/v3/kv/put", detail::write_etcd_put("elsewhere", "x", 0));
    s.call("/v3/kv/compaction", json::serialize(json::object{{"revision", "11"}, {"physical", true}}));
    CHECK(s.until([&] { return s.watch->status().resyncs == 1; }));  // when the silent watch is opened anew
    s.put("b");
    CHECK(s.shows("a+b+", 1s));
    CHECK(s.watch->status().failures == 0);
    s.never_without("a");
}

TEST_CASE("real etcd: a value of 100 kB arrives whole; 500 changes at once are heard as few")
{
    scene s;
    s.open(s.options());
    s.put("a");
    s.follow();
    CHECK(s.shows("a+"));
    auto const big = std::string(100'000, 'x');
    s.put("big", json::serialize(json::object{{"address", "a"}, {"port", 1}, {"meta", {{"big", big}}}}));
    CHECK(s.shows("a+big+", 2s));
    CHECK(s.watch->current()->instances->at(1).address.metadata.at("big") == big);
    s.put("big", R"({"address":"a","port":2})");
    CHECK(s.until([&] { return s.watch->current()->instances->at(1).address.port == 2; }));

    // In transactions of 100, of which each is one revision.
    auto const before = s.told.size();
    for (int t = 0; t < 5; ++t) {
        json::array puts;
        for (int n = 0; n < 100; ++n)
            puts.push_back(json::object{
                {"request_put", json::parse(detail::write_etcd_put(scene::key(std::to_string(t * 100 + n)),
                                                                   R"({"address":"10.0.0.2","port":81})", 0))}});
        s.call("/v3/kv/txn", json::serialize(json::object{{"success", puts}}));
    }
    CHECK(s.until([&] { return s.watch->current()->instances->size() == 502; }));
    CHECK(s.told.size() - before <= 6);
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("real etcd: with accounts: a right password is enough, tokens are renewed, refusals are visible")
{
    scene s;
    s.put("b");
    s.call("/v3/auth/user/add", R"({"name":"root","password":"pw"})");
    s.call("/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    s.call("/v3/auth/user/add", R"({"name":"guest","password":"pw"})");
    s.call("/v3/auth/enable", "{}");
    auto o = s.options();
    o.user = "root";
    o.password = secret("pw");
    s.open(o);
    s.keep(web("a"));
    s.follow();
    CHECK(s.shows("a+b+"));
    // A restarted server knows none of the tokens it gave.
    s.etcd_server.stop(SIGKILL);
    CHECK(s.goes_stale());
    s.etcd_server.start();
    CHECK(s.shows("a+b+"));
    std::string why;
    std::optional<std::string> token;
    CHECK(s.until([&] {
        auto const a = s.try_call("/v3/auth/authenticate", detail::write_etcd_credentials("root", "pw"));
        if (a) token = detail::read_etcd_token(*a, why);
        return token.has_value();
    }));
    s.token = *token;
    s.put("c");
    CHECK(s.shows("a+b+c+", 3s));
    s.run_for(3s);  // longer than the TTL: the lease is being kept
    CHECK(s.set() == "a+b+c+");

    for (auto const& [user, password, words] : {std::tuple("guest", "pw", "permission denied"),
                                                {"root", "no", "authentication failed"},
                                                {"", "", "user name is empty"}}) {
        CAPTURE(words);
        auto refused = s.options();
        refused.user = user;
        refused.password = secret(password);
        etcd other(s.io.get_executor(), refused);
        auto const watch = other.watch({"web"});
        CHECK(s.until([&] { return watch.status().failures >= 1; }));
        CHECK(watch.status().last_error == weir::errc::registry_refused);
        CHECK(watch.status().note.find(words) != std::string::npos);
        CHECK(watch.current() == nullptr);
    }
}
