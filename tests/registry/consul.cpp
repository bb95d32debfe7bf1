// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/consul.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::consul;
using weir::registry::consul_options;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::snapshot;
using weir::registry::update;
using weir::testing::script;
using weir::testing::scripted_server;
namespace asio = boost::asio;

static_assert(weir::registry::service_registry<consul>);

namespace {

std::string health(std::string const& ids)
{
    std::string body;
    for (char c : ids)
        body += std::string(body.empty() ? "[" : ",") +
                R"({"Node":{"Node":"n1","Address":"127.0.0.1"},"Service":{"ID":")" + c +
                R"(","Service":"web","Address":"10.0.0.1","Port":80},"Checks":[{"Status":"passing"}]})";
    return body.empty() ? "[]" : body + "]";
}
std::string index(int n) { return "X-Consul-Index: " + std::to_string(n) + "\r\n"; }

constexpr auto list = "GET /v1/health/service/web HTTP/1.1\r\n";
std::string from(int n)
{
    return "GET /v1/health/service/web?index=" + std::to_string(n) + "&wait=55000ms HTTP/1.1\r\n";
}

// Everything patient made impatient, so that a test in real time takes milliseconds.
consul_options quick(scripted_server const& server)
{
    consul_options o{.url = "consul://127.0.0.1:" + std::to_string(server.port())};
    o.watch.pace = 0ms;
    o.watch.hold = 100ms;
    o.watch.backoff = weir::constant(10ms);
    o.lease.backoff = weir::constant(10ms);
    return o;
}

weir::registry::registration web()
{
    return {.service = "web", .address = "10.0.0.1", .port = 80, .id = "a", .ttl = 300ms};
}

struct scene {
    asio::io_context io;
    scripted_server server{io.get_executor()};
    std::optional<consul> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;
    std::vector<lease_event> all_events;

    void open(std::function<void(consul_options&)> change = [](consul_options&) {})
    {
        auto o = quick(server);
        change(o);
        registry.emplace(io.get_executor(), o);
    }
    void follow(std::function<void(consul_options&)> change = [](consul_options&) {})
    {
        open(change);
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
    void hold(lease l)
    {
        held.emplace(std::move(l));
        await_event();
    }
    // One instantiation for all: a test compiles in seconds, not in minutes.
    void enroll(std::function<void(boost::system::error_code, lease)> done)
    {
        registry->async_register(web(), std::move(done));
    }
    void await_event()
    {
        held->async_wait_event([this](boost::system::error_code ec, lease_event e) {
            if (ec) return;
            events += std::string("GLRX")[static_cast<std::size_t>(e.what)];
            all_events.push_back(std::move(e));
            await_event();
        });
    }
    // Runs until it is so; fails when that takes too long.
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
    // How many connections brought a request with this in it.
    int asked(std::string const& part) const
    {
        int n = 0;
        for (std::size_t c = 0; c < server.connections(); ++c) n += server.received(c).find(part) != std::string::npos;
        return n;
    }
    void run_for(std::chrono::milliseconds d)
    {
        auto const end = std::chrono::steady_clock::now() + d;
        until([&] { return std::chrono::steady_clock::now() >= end; });
    }
    std::string set() const
    {
        std::string ids;
        if (auto const s = watch->current())
            for (auto const& i : *s->instances) ids += i.id();
        return ids;
    }
    origin trust() const { return watch->current()->from; }
    bool shows(std::string const& ids)
    {
        return until([&] { return watch->current() && set() == ids && trust() == origin::live; });
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && trust() == origin::stale; });
    }
    void check_scripts() const
    {
        for (auto const& f : server.failures()) FAIL_CHECK(f);
    }
    ~scene()
    {
        watch.reset();
        held.reset();
        registry.reset();
        server.stop();
        io.restart();
        io.run_for(50ms);
    }
};

}  // namespace

TEST_CASE("consul: a watch reads all, then waits from the index; token, tag and data centre go along")
{
    scene s;
    s.server.next(script().expect("X-Consul-Token: s3cret\r\n").answer(200, health("ab"), index(7)));
    s.server.next(
        script().expect("GET /v1/health/service/web?index=7&wait=30000ms&tag=x%26y&dc=dc2 HTTP/1.1\r\n").hang());
    s.open([](consul_options& o) {
        o.token = weir::registry::secret("s3cret");
        o.wait = 30s;
        o.datacenter = "dc2";
    });
    s.watch.emplace(s.registry->watch({.service = "web", .tag = "x&y"}));
    CHECK(s.until([&] { return s.asked("index=7") == 1; }));
    CHECK(s.asked("X-Consul-Token: s3cret") == 2);
    s.check_scripts();

    scene t;
    t.server.next(script().expect(list).answer(200, health("ab"), index(7)));
    t.server.next(script().expect(from(7)).answer(200, health("abc"), index(9)));
    t.server.next(script().expect(from(9)).hang());
    t.follow();
    CHECK(t.shows("abc"));
    CHECK(t.until([&] { return t.told.size() == 2; }));
    CHECK(t.told.back().diff.added.size() == 1);
    CHECK(t.watch->current()->revision == "9");
    CHECK(t.until([&] { return t.asked(from(9)) == 1; }));
    t.check_scripts();
}

TEST_CASE("consul: an unchanged list at a higher index wakes nobody")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("a"), index(7)));
    s.server.next(script().expect(from(7)).answer(200, health("a"), index(8)));
    s.server.next(script().expect(from(8)).hang());
    s.follow();
    CHECK(s.until([&] { return s.watch->status().answers == 2; }));
    s.run_for(20ms);
    CHECK(s.told.size() == 1);
    CHECK(s.watch->current()->revision == "8");
    s.check_scripts();
}

TEST_CASE("consul: after any failure the last good set stays, and everything is read again without an index")
{
    struct fault {
        char const* name;
        script what;
    };
    auto const asked = [] { return script().expect(from(7)); };
    auto const body = health("abc");
    auto const full =
        "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    for (auto const& f : {
             fault{"closed without an answer", asked().close()},
             fault{"reset", asked().reset()},
             fault{"cut in the head", asked().send_cut(full, 20).close()},
             fault{"cut in the body", asked().send_cut(full, full.size() - 30).close()},
             fault{"cut on an entry's edge", asked().send_cut(full, full.find(",{\"Node")).close()},
             fault{"garbage for JSON", asked().answer(200, "<html>Bad gateway</html>", index(9))},
             fault{"garbage for HTTP", asked().send("\x16\x03\x01 hello").close()},
             fault{"an object for an array", asked().answer(200, "{}", index(9))},
             fault{"all entries bad", asked().answer(200, "[{},{}]", index(9))},
             fault{"an answer of 500", asked().answer(500, "No cluster leader")},
             fault{"an answer of 429", asked().answer(429, "")},
             fault{"an answer of 403", asked().answer(403, "ACL not found")},
             fault{"a redirection", asked().answer(301, "", "Location: /ui\r\n")},
         }) {
        CAPTURE(f.name);
        scene s;
        s.server.next(script().expect(list).answer(200, health("ab"), index(7)));
        s.server.next(f.what);
        for (int i = 0; i < 3; ++i) s.server.next(script().expect(list).close());  // gone for a while
        s.server.next(script().expect(list).answer(200, health("abd"), index(3)));
        s.server.next(script().expect(from(3)).hang());
        s.follow();
        CHECK(s.shows("ab"));
        CHECK(s.goes_stale());
        CHECK(s.set() == "ab");
        CHECK(s.watch->status().failures >= 1);
        CHECK(s.shows("abd"));
        CHECK(s.until([&] { return s.watch->current()->revision == "3"; }));
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
    }
}

TEST_CASE("consul: an index that goes backwards, or is 0 or missing, is another history: read again from the start")
{
    for (std::string const& header : {index(3), index(0), std::string(), std::string("X-Consul-Index: soon\r\n")}) {
        CAPTURE(header);
        scene s;
        s.server.next(script().expect(list).answer(200, health("ab"), index(7)));
        s.server.next(script().expect(from(7)).answer(200, health("ab"), header));
        s.server.next(script().expect(list).answer(200, health("abc"), index(4)));
        s.server.next(script().expect(from(4)).hang());
        s.follow();
        CHECK(s.shows("abc"));
        CHECK(s.watch->status().failures == 0);
        CHECK(s.watch->status().resyncs == 1);
        CHECK(s.until([&] { return s.asked(from(4)) == 1; }));
        s.check_scripts();
    }
}

TEST_CASE("consul: a wait that dies with its connection is not repeated with an index that may be of another life")
{
    scene s;
    s.server.next(
        script().expect(list).answer(200, health("ab"), index(86)).read_request().reset());  // it could be kept
    s.server.always(script().read_request().reset());
    s.follow();
    CHECK(s.goes_stale());
    CHECK(s.until([&] { return s.asked(list) >= 3; }));
    CHECK(s.asked(from(86)) == 1);
    CHECK(s.set() == "ab");
}

TEST_CASE("consul: 200 and an empty list from a server that has just restarted empties nothing")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("ab"), index(86)));
    s.server.next(script().expect(from(86)).reset());
    s.server.next(script().expect(list).answer(200, "[]", index(5)));
    s.server.next(script().expect("POST /v1/internal/acl/authorize").answer(401, "ACL support disabled"));
    s.server.next(script().expect(from(5)).answer(200, health("ab"), index(20)));
    s.server.next(script().expect(from(20)).hang());
    s.follow([](consul_options& o) { o.watch.hold = 5s; });
    CHECK(s.until(
        [&] { return s.watch->current() && s.watch->current()->revision == "20" && s.trust() == origin::live; }));
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
    CHECK(s.watch->status().held == 1);
    s.check_scripts();
}

TEST_CASE("consul: an empty list that lasts is believed after the hold, unless the token may not see the service")
{
    auto const authorize = [](int status, std::string const& answer) {
        return script().expect(R"([{"Resource":"service","Segment":"web","Access":"read"}])").answer(status, answer);
    };
    auto const begin = [](scene& s) {
        s.server.next(script().expect(list).answer(200, health("ab"), index(7)));
        s.server.next(script().expect(from(7)).answer(200, "[]", index(8)));
    };
    auto const allowed = R"([{"Resource":"service","Segment":"web","Access":"read","Allow":true}])";
    auto const denied = R"([{"Resource":"service","Segment":"web","Access":"read","Allow":false}])";

    for (auto const& [status, answer] :
         {std::pair(200, allowed), {401, "ACL support disabled"}, {404, ""}, {405, ""}}) {
        CAPTURE(status);
        scene s;
        begin(s);
        s.server.next(authorize(status, answer));
        s.server.next(script().expect(from(8)).hang());
        s.server.next(script().expect(list).answer(200, "[]", index(8)));
        s.server.next(authorize(status, answer));
        s.server.next(script().expect(from(8)).hang());
        s.follow();
        CHECK(s.goes_stale());
        CHECK(s.set() == "ab");
        CHECK(s.shows(""));
        s.check_scripts();
    }
    scene s;
    begin(s);
    for (int i = 0; i < 500; ++i) {
        s.server.next(authorize(200, denied));
        s.server.next(script().expect(list).answer(200, "[]", index(8)));
    }
    s.follow();
    CHECK(s.goes_stale());
    s.run_for(500ms);  // five times the hold
    CHECK(s.set() == "ab");
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
    CHECK(s.watch->status().note == "permission denied: missing service:read on web");
    s.check_scripts();
}

TEST_CASE("consul: an answer that the server filtered by permissions is refused")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("ab"), index(7)));
    s.server.next(
        script().expect(from(7)).answer(200, health("a"), index(8) + "X-Consul-Results-Filtered-By-ACLs: true\r\n"));
    s.server.always(script().hang());
    s.follow();
    CHECK(s.goes_stale());
    CHECK(s.set() == "ab");
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
}

TEST_CASE("consul: a wrong token is visible, and nothing is lost by it")
{
    scene s;
    s.server.always(script().expect(list).answer(403, "ACL not found\r\n"));
    s.follow();
    CHECK(s.until([&] { return s.watch->status().failures >= 2; }));
    CHECK(s.watch->current() == nullptr);
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
    CHECK(s.watch->status().note == "403: ACL not found??");
}

TEST_CASE("consul: bad entries are skipped and counted, an answer over the size limit is refused")
{
    scene s;
    auto mixed = health("ab");
    mixed.insert(1, "{\"Service\":7},");
    s.server.next(script().expect(list).answer(200, mixed, index(7)));
    s.server.next(script().expect(from(7)).answer(200, "[" + std::string(5000, ' ') + "]", index(8)));
    s.server.always(script().hang());
    s.follow([](consul_options& o) { o.connection.max_body_bytes = 4096; });
    CHECK(s.shows("ab"));
    CHECK(s.watch->status().skipped == 1);
    CHECK(s.goes_stale());
    CHECK(s.set() == "ab");
    CHECK(s.watch->status().last_error == weir::errc::body_too_large);
}

TEST_CASE(
    "consul: of several agents the next is asked when one fails, and the status says which; no status has the token")
{
    scene s;
    scripted_server other(s.io.get_executor());
    auto const name = [](scripted_server const& x) { return "127.0.0.1:" + std::to_string(x.port()); };
    s.server.next(script().expect(list).answer(200, health("ab"), index(7)));
    s.server.next(script().expect(from(7)).answer(500, "canary: No cluster leader"));
    other.next(script().expect(list).answer(200, health("abc"), index(5)));
    other.next(script().expect(from(5)).hang());
    s.follow([&](consul_options& o) { o.url = "consul://" + name(s.server) + "," + name(other) + "?token=s3cret"; });
    CHECK(s.shows("ab"));
    CHECK(s.shows("abc"));
    CHECK(s.until([&] { return other.connections() == 2; }));
    auto const status = s.watch->status();
    CHECK(status.server == name(other));
    CHECK(status.rotations == 1);
    CHECK(status.failures == 1);
    CHECK(status.age(weir::now(s.io.get_executor())) < 5s);
    CHECK(status.note.find("No cluster leader") != std::string::npos);
    CHECK(status.note.find("s3cret") == std::string::npos);
    CHECK(other.received(0).find("X-Consul-Token: s3cret") != std::string::npos);
    s.check_scripts();
    s.watch.reset();
    other.stop();
}

TEST_CASE("consul: watches of one query share one conversation, which ends with the last of them")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("a"), index(7)));
    s.server.next(script().expect(from(7)).hang());
    s.follow();
    std::optional<weir::registry::watch> second(s.registry->watch({"web"}));
    CHECK(s.shows("a"));
    CHECK(second->current()->instances->size() == 1);
    s.watch.reset();
    s.run_for(20ms);
    CHECK(s.server.connections() == 2);
    CHECK_FALSE(s.server.finished(1));
    second.reset();
    CHECK(s.until([&] { return s.server.finished(1); }));
    s.check_scripts();
    // A new one starts afresh.
    s.server.next(script().expect(list).answer(200, health("ab"), index(9)));
    s.server.always(script().hang());
    s.watch.emplace(s.registry->watch({"web"}));
    CHECK(s.shows("ab"));
}

TEST_CASE("consul: a watch goes on when the registry object is gone")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("a"), index(7)));
    s.server.next(script().expect(from(7)).wait(50ms).answer(200, health("ab"), index(8)));
    s.server.always(script().hang());
    s.follow();
    s.registry.reset();
    CHECK(s.shows("ab"));
}

TEST_CASE("consul: registering sends the instance with a TTL check, and a heartbeat at once")
{
    scene s;
    s.server.next(
        script().expect("PUT /v1/agent/service/register?replace-existing-checks=true HTTP/1.1\r\n").answer(200, ""));
    s.server.next(script().expect("PUT /v1/agent/check/update/service%3Aa HTTP/1.1\r\n").answer(200, ""));
    s.server.next(script().expect(R"({"Status":"passing","Output":"weir"})").answer(200, ""));
    s.server.always(script().expect(R"(","Output":"weir"})").answer(200, ""));
    s.open();
    s.enroll([&](boost::system::error_code ec, lease l) {
        CHECK_FALSE(ec);
        s.hold(std::move(l));
    });
    CHECK(s.until([&] { return s.asked("passing\",\"Output") >= 2; }));
    REQUIRE(s.held);
    CHECK(s.asked(R"("Check":{"CheckID":"service:a","TTL":"300ms")") == 1);
    CHECK(s.asked("Content-Type: application/json\r\n") >= 3);
    s.held->set_state(weir::registry::health::critical);
    CHECK(s.until([&] { return s.asked("critical\",\"Output") >= 1; }));
    s.check_scripts();
}

TEST_CASE("consul: told that the check is not known, by 500 or by 404, it registers again at once")
{
    for (auto const& [status, text] : {std::pair(500, "CheckID \"service:a\" does not have associated TTL"),
                                       {404, "Unknown check ID \"service:a\". Ensure that the check ID is passed"}}) {
        CAPTURE(status);
        scene s;
        s.server.next(script().expect("/register").answer(200, ""));
        s.server.next(script().expect("/check/update/").answer(200, ""));
        s.server.next(script().expect("/check/update/").answer(status, text));
        s.server.next(script().expect("/register").answer(200, ""));
        s.server.always(script().expect("/check/update/").answer(200, ""));
        s.open();
        s.enroll([&](boost::system::error_code, lease l) { s.hold(std::move(l)); });
        CHECK(s.until([&] { return s.events == "LR"; }));
        CHECK(s.all_events[0].note.find(text) != std::string::npos);
        CHECK(s.held->registered());
        s.check_scripts();
    }
}

TEST_CASE("consul: other failures of a heartbeat are retried without registering again")
{
    scene s;
    s.server.next(script().expect("/register").answer(200, ""));
    s.server.next(script().expect("/check/update/").answer(200, ""));
    s.server.next(script().expect("/check/update/").answer(500, "No cluster leader"));
    s.server.next(script().expect("/check/update/").answer(200, ""));
    s.server.next(script().expect("/check/update/").reset());
    s.server.always(script().expect("/check/update/").answer(200, ""));
    s.open();
    s.enroll([&](boost::system::error_code, lease l) { s.hold(std::move(l)); });
    CHECK(s.until([&] { return s.asked("/check/update/") == 6; }));
    CHECK(s.asked("/register") == 1);
    CHECK(s.events == "");
    s.check_scripts();
}

TEST_CASE("consul: a registration that is refused completes with the refusal, and tells what Consul said")
{
    for (int const status : {400, 403}) {
        scene s;
        s.server.always(script().expect("/register").answer(status, "Permission denied: Missing service:write on web"));
        s.open();
        boost::system::error_code refused;
        s.enroll([&](boost::system::error_code ec, lease l) {
            refused = ec;
            s.hold(std::move(l));
        });
        CHECK(s.until([&] { return s.held.has_value(); }));
        CHECK(refused == weir::errc::registry_refused);
        CHECK_FALSE(s.held->registered());
    }
}

TEST_CASE("consul: a server that is not there yet is waited for")
{
    scene s;
    for (int i = 0; i < 5; ++i) s.server.next(script().reset());
    s.server.next(script().expect("/register").answer(500, "No cluster leader"));
    s.server.next(script().expect("/register").answer(200, ""));
    s.server.always(script().expect("/check/update/").answer(200, ""));
    s.open();
    s.enroll([&](boost::system::error_code ec, lease l) {
        CHECK_FALSE(ec);
        s.hold(std::move(l));
    });
    CHECK(s.until([&] { return s.held.has_value(); }));
    s.check_scripts();
}

TEST_CASE("consul: deregistering by lease and by id; an unknown id is no error")
{
    scene s;
    s.server.next(script().expect("/register").answer(200, ""));
    s.server.next(script().expect("/check/update/").answer(200, ""));
    s.server.next(script().expect("PUT /v1/agent/service/deregister/a HTTP/1.1\r\n").answer(200, ""));
    s.server.next(
        script().expect("PUT /v1/agent/service/deregister/b%2Fc HTTP/1.1\r\n").answer(404, "Unknown service ID"));
    s.server.next(script().expect("/deregister/").answer(403, "Permission denied"));
    s.open();
    s.enroll([&](boost::system::error_code, lease l) { s.hold(std::move(l)); });
    CHECK(s.until([&] { return s.held && s.asked("Output") == 1; }));
    s.run_for(20ms);
    std::vector<boost::system::error_code> done;
    auto const note = [&](boost::system::error_code ec) { done.push_back(ec); };
    s.held->async_deregister(note);
    CHECK(s.until([&] { return done.size() == 1; }));
    s.registry->async_deregister("b/c", note);
    CHECK(s.until([&] { return done.size() == 2; }));
    s.registry->async_deregister("d", note);
    CHECK(s.until([&] { return done.size() == 3; }));
    CHECK_FALSE(done[0]);
    CHECK_FALSE(done[1]);
    CHECK(done[2] == weir::errc::registry_refused);
    s.check_scripts();
}

TEST_CASE("consul: resolving is one read; its failure is told, its time limited, and it can be cancelled")
{
    scene s;
    s.server.next(script().expect(list).answer(200, health("ba"), index(7)));
    s.server.next(script().expect(list).answer(403, "ACL not found"));
    s.server.next(script().expect(list).hang());
    s.server.next(script().expect(list).hang());
    s.open([](consul_options& o) { o.timeout = 100ms; });
    std::vector<boost::system::error_code> done;
    std::shared_ptr<snapshot const> found;
    std::function<void(boost::system::error_code, std::shared_ptr<snapshot const>)> const note =
        [&](boost::system::error_code ec, std::shared_ptr<snapshot const> sn) {
            done.push_back(ec);
            if (sn) found = sn;
        };
    s.registry->async_resolve({"web"}, note);
    CHECK(s.until([&] { return done.size() == 1; }));
    REQUIRE(found);
    CHECK(found->instances->at(0).id() == "a");
    CHECK(found->revision == "7");
    s.registry->async_resolve({"web"}, note);
    CHECK(s.until([&] { return done.size() == 2; }));
    CHECK(done[1] == weir::errc::registry_refused);
    s.registry->async_resolve({"web"}, note);
    CHECK(s.until([&] { return done.size() == 3; }));
    CHECK(done[2] == weir::errc::attempt_timed_out);

    asio::cancellation_signal stop;
    s.open();
    s.registry->async_resolve({"web"}, asio::bind_cancellation_slot(stop.slot(), note));
    CHECK(s.until([&] { return s.server.connections() == 4 && !s.server.received(3).empty(); }));
    stop.emit(asio::cancellation_type::total);
    CHECK(s.until([&] { return done.size() == 4; }));
    CHECK(done[3] == asio::error::operation_aborted);
    CHECK(s.until([&] { return s.server.finished(3); }));
}

TEST_CASE("consul: destroying everything with questions pending ends quietly")
{
    asio::io_context io;
    {
        scripted_server server(io.get_executor());
        server.always(script().hang());
        consul registry(io.get_executor(), quick(server));
        auto watch = registry.watch({"web"});
        bool called = false;
        watch.async_next([&](boost::system::error_code, update const&) { called = true; });
        registry.async_register(web(), std::function<void(boost::system::error_code, lease)>([](auto, auto const&) {}));
        registry.async_resolve({"web"}, std::function<void(boost::system::error_code, std::shared_ptr<snapshot const>)>(
                                            [](auto, auto const&) {}));
        for (int i = 0; i < 50; ++i) io.run_one_for(2ms);
        CHECK_FALSE(called);
    }
    // Some of it goes down with the context.
}

TEST_CASE("consul: on a context with several threads, with watches, leases and questions coming, going and cancelled")
{
    asio::io_context server_io;
    scripted_server server(server_io.get_executor());
    server.always(script().read_request().answer(200, health("ab"), index(7)).close());
    std::jthread const serving([&] { server_io.run(); });

    std::atomic<int> resolved{0}, cancelled{0}, registered{0}, told{0};
    {
        asio::thread_pool pool(3);
        auto const options = quick(server);
        consul registry(pool.get_executor(), options);
        auto const held = registry.watch({"web"});
        for (int round = 0; round < 15; ++round) {
            auto watch = registry.watch({"web"});
            watch.async_next(std::function<void(boost::system::error_code, update)>(
                [&](boost::system::error_code ec, update const&) { told += !ec; }));
            std::optional<lease> kept;
            std::atomic<bool> done{false};
            registry.async_register(web(), std::function<void(boost::system::error_code, lease)>(
                                               [&](boost::system::error_code ec, lease l) {
                                                   registered += !ec;
                                                   kept = std::move(l);
                                                   done = true;
                                               }));
            // Cancellations are emitted where the handler runs, which is not where the question is worked on.
            auto const strand = asio::make_strand(pool);
            asio::cancellation_signal stop;
            std::atomic<int> ended{0};
            for (int n = 0; n < 2; ++n)
                asio::dispatch(strand, [&, n] {
                    registry.async_resolve(
                        {"web"},
                        asio::bind_executor(
                            strand, asio::bind_cancellation_slot(
                                        n ? stop.slot() : asio::cancellation_slot(),
                                        std::function<void(boost::system::error_code, std::shared_ptr<snapshot const>)>(
                                            [&](boost::system::error_code ec, auto const&) {
                                                ++(ec ? cancelled : resolved);
                                                ++ended;
                                            }))));
                    if (n) asio::post(strand, [&] { stop.emit(asio::cancellation_type::total); });
                });
            while (ended < 2 || !done) std::this_thread::yield();
        }
        while (!held.current()) std::this_thread::yield();
        CHECK(held.current()->instances->size() == 2);
        pool.stop();
    }
    server_io.stop();
    CHECK(registered == 15);
    CHECK(resolved >= 15);
    CHECK(resolved + cancelled == 30);
}
