// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/etcd.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::etcd;
using weir::registry::etcd_options;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::update;
using weir::testing::script;
using weir::testing::scripted_server;
namespace asio = boost::asio;
namespace detail = weir::registry::detail;

static_assert(weir::registry::service_registry<etcd>);

namespace {

// What etcd writes. One letter is an instance, and a capital one a key whose value is none.

std::string header(int revision, std::string const& cluster = "7")
{
    return R"("header":{"cluster_id":")" + cluster + R"(","member_id":"1","revision":")" + std::to_string(revision) +
           R"(","raft_term":"2"})";
}
std::string pair(char id, int revision)
{
    bool const bad = id < 'a';
    auto const key = "/weir/services/web/" + std::string(1, id);
    auto const value = bad ? "?" : R"({"address":"10.0.0.1","port":80})";
    return R"({"key":")" + detail::to_base64(key) + R"(","mod_revision":")" + std::to_string(revision) +
           R"(","value":")" + detail::to_base64(value) + "\"}";
}
std::string all(std::string const& ids, int revision, std::string const& cluster = "7")
{
    std::string kvs;
    for (char const c : ids) kvs += (kvs.empty() ? "" : ",") + pair(c, 1);
    if (ids.empty()) return "{" + header(revision, cluster) + "}";
    return "{" + header(revision, cluster) + R"(,"kvs":[)" + kvs + R"(],"count":")" + std::to_string(ids.size()) +
           "\"}";
}
std::string frame(std::string const& inside) { return "{\"result\":{" + inside + "}}\n"; }
std::string created(int revision, std::string const& cluster = "7")
{
    return frame(header(revision, cluster) + R"(,"created":true)");
}
std::string put(char id, int revision) { return R"({"kv":)" + pair(id, revision) + "}"; }
std::string gone(char id, int revision)
{
    return R"({"type":"DELETE","kv":{"key":")" + detail::to_base64("/weir/services/web/" + std::string(1, id)) +
           R"(","mod_revision":")" + std::to_string(revision) + "\"}}";
}
std::string events(int revision, std::string const& list)
{
    return frame(header(revision) + R"(,"events":[)" + list + "]");
}

std::string chunk(std::string const& bytes)
{
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + bytes + "\r\n";
}
constexpr auto end_of_chunks = "0\r\n\r\n";
std::string const stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

constexpr auto range = "POST /v3/kv/range HTTP/1.1\r\n";
constexpr auto watching = "POST /v3/watch HTTP/1.1\r\n";
std::string from(int revision) { return R"("start_revision":")" + std::to_string(revision) + "\""; }

script reads(std::string const& ids, int revision) { return script().expect(range).answer(200, all(ids, revision)); }
// A watch from `revision`, which begins with these frames.
script watches(int revision, std::string const& frames)
{
    return script().expect(from(revision)).send(stream_head + chunk(frames));
}

// Everything patient made impatient, so that a test in real time takes milliseconds.
etcd_options quick(scripted_server const& server)
{
    etcd_options o{.url = "etcd://127.0.0.1:" + std::to_string(server.port())};
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
    std::optional<etcd> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;
    std::vector<lease_event> all_events;

    void open(std::function<void(etcd_options&)> const& change = {})
    {
        auto o = quick(server);
        if (change) change(o);
        registry.emplace(io.get_executor(), o);
    }
    void follow(std::function<void(etcd_options&)> const& change = {})
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
    void enroll()
    {
        open();
        registry->async_register(web(), [this](boost::system::error_code, lease l) {
            held.emplace(std::move(l));
            await_event();
        });
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
    bool at(std::string const& revision)
    {
        return until([&] { return watch->current() && watch->current()->revision == revision; });
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
        io.run_for(5s);  // until all that was begun has ended
    }
};

}  // namespace

TEST_CASE("etcd: a watch reads all, then hears every change over one stream that stays open")
{
    scene s;
    s.server.next(script()
                      .expect(R"({"key":"L3dlaXIvc2VydmljZXMvd2ViLw==","range_end":"L3dlaXIvc2VydmljZXMvd2ViMA=="})")
                      .answer(200, all("ab", 7)));
    s.server.next(script()
                      .expect("Grpc-Metadata-hasleader: true\r\n")
                      .send(stream_head + chunk(created(7)))
                      .send(chunk(events(8, put('c', 8))))
                      .wait(20ms)
                      .send(chunk(events(9, gone('a', 9))))
                      .hang());
    s.follow();
    CHECK(s.shows("bc"));
    CHECK(s.asked(watching) == 1);
    CHECK(s.asked(from(8)) == 1);
    CHECK(s.at("9"));
    CHECK(s.until([&] { return s.told.size() == 3; }));
    CHECK(s.told[1].diff.added.size() == 1);
    CHECK(s.told[2].diff.removed == std::vector<std::string>{"a"});
    CHECK(s.watch->status().failures == 0);
    s.check_scripts();
}

TEST_CASE("etcd: a change is heard whole, in whatever pieces it comes, and many that are there at once are one")
{
    scene s;
    s.server.next(reads("a", 7));
    auto const burst = events(8, put('b', 8)) + events(9, put('c', 9)) + events(10, gone('b', 10) + "," + put('d', 10));
    s.server.next(watches(8, created(7)).wait(20ms).send(chunk(burst)).hang());
    s.follow();
    CHECK(s.shows("acd"));
    CHECK(s.until([&] { return s.told.size() == 2; }));
    CHECK(s.told[1].diff.added.size() == 2);
    s.check_scripts();

    scene t;
    t.server.next(reads("a", 7));
    auto const bytes = stream_head + chunk(created(7)) + chunk(burst.substr(0, 100)) + chunk(burst.substr(100));
    t.server.next(script().expect(from(8)).send_in_pieces(bytes, 3).hang());
    t.follow();
    CHECK(t.shows("acd"));
    CHECK(t.watch->status().failures == 0);
    t.check_scripts();
}

TEST_CASE("etcd: after any failure the last good set stays, and everything is read again")
{
    struct fault {
        char const* name;
        script what;
    };
    auto const w = [] { return watches(8, created(7)); };
    auto const more = chunk(events(8, put('c', 8)));
    for (auto const& f : {
             fault{"closed without an answer", script().expect(from(8)).close()},
             fault{"reset without an answer", script().expect(from(8)).reset()},
             fault{"reset in the stream", w().wait(5ms).reset()},
             fault{"cut in a chunk", w().send_cut(more, 40).close()},
             fault{"ended within a frame", w().send(chunk("{\"result\":{") + end_of_chunks).close()},
             fault{"the server stops",
                   w().send(chunk(R"({"error":{"grpc_code":14,"message":"server stopped"}})") + end_of_chunks)},
             fault{"garbage in the stream", w().send(chunk("<html>"))},
             fault{"a frame that is none", w().send(chunk("{\"result\":{\"events\":7}}"))},
             fault{"a frame over the limit", w().send(chunk("{\"x\":\"" + std::string(5000, 'x')))},
             fault{"garbage for HTTP", script().expect(from(8)).send("\x16\x03\x01 hello").close()},
             fault{"an answer of 503", script().expect(from(8)).answer(503, R"({"code":14,"message":"no leader"})")},
             fault{"an answer of 404", script().expect(from(8)).answer(404, "404 page not found")},
             fault{"a redirection", script().expect(from(8)).answer(301, "", "Location: /ui\r\n")},
             fault{"a watch that is over at once", script().expect(from(8)).send(stream_head + end_of_chunks)},
         }) {
        CAPTURE(f.name);
        scene s;
        s.server.next(reads("ab", 7));
        s.server.next(f.what);
        for (int i = 0; i < 3; ++i) s.server.next(script().expect(range).close());  // gone for a while
        s.server.next(reads("abd", 9));
        s.server.next(watches(10, created(9)).hang());
        s.follow([](etcd_options& o) { o.connection.max_body_bytes = 4096; });
        CHECK(s.shows("ab"));
        CHECK(s.goes_stale());
        CHECK(s.set() == "ab");
        CHECK(s.watch->status().failures >= 1);
        CHECK(s.shows("abd"));
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
    }
}

TEST_CASE("etcd: a range that fails, or is not whole, changes nothing")
{
    for (auto const& bad :
         {script().expect(range).close(), script().expect(range).answer(200, "<html>"),
          script().expect(range).answer(200, "{" + header(9) + R"(,"kvs":[],"more":true})"),
          script().expect(range).answer(503, R"({"code":14,"message":"etcdserver: request timed out"})"),
          script().expect(range).answer(200, all("XY", 9))}) {
        scene s;
        s.server.next(reads("ab", 7));
        s.server.next(watches(8, created(7)).reset());
        s.server.next(bad);
        s.server.next(reads("abd", 9));
        s.server.next(watches(10, created(9)).hang());
        s.follow();
        CHECK(s.shows("abd"));
        CHECK(s.watch->status().failures == 2);
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
        s.check_scripts();
    }
}

TEST_CASE("etcd: history that was compacted, another cluster, an older revision: all is read again, and nothing fails")
{
    auto const compacted = frame(R"("header":{"cluster_id":"7"},"canceled":true,"compact_revision":"11")");
    for (auto const& frames : {created(12) + compacted, created(12, "8"), created(5),
                               created(7) + frame(header(8, "8") + R"(,"events":[)" + put('x', 8) + "]")}) {
        scene s;
        s.server.next(reads("ab", 7));
        s.server.next(watches(8, frames).hang());
        s.server.next(reads("abc", 12));
        s.server.next(watches(13, created(12)).hang());
        s.follow();
        CHECK(s.shows("abc"));
        CHECK(s.at("12"));
        CHECK(s.watch->status().failures == 0);
        CHECK(s.watch->status().resyncs == 1);
        CHECK(s.until([&] { return s.asked(from(13)) == 1; }));
        CHECK(s.told.back().why == weir::registry::cause::resync);
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
        s.check_scripts();
    }
}

TEST_CASE("etcd: a watch that ends in order, or is silent for long, is opened anew from where we are")
{
    scene s;
    s.server.next(reads("a", 7));
    s.server.next(watches(8, created(7)).send(chunk(events(8, put('b', 8))) + end_of_chunks));
    s.server.next(watches(9, created(8)).send(chunk(frame(header(20)))).wait(20ms).send(end_of_chunks));
    s.server.next(watches(21, created(20)).send(chunk(events(21, put('c', 21)))).hang());
    s.follow();
    CHECK(s.shows("abc"));
    CHECK(s.asked(range) == 1);
    CHECK(s.watch->status().failures == 0);
    s.check_scripts();

    scene t;
    t.server.next(reads("a", 7));
    t.server.next(watches(8, created(7)).hang());
    t.server.next(watches(8, created(7)).send(chunk(events(8, put('b', 8)))).hang());
    t.follow([](etcd_options& o) { o.wait = 1s; });
    CHECK(t.shows("ab"));
    CHECK(t.asked(range) == 1);
    CHECK(t.watch->status().failures == 0);
    t.check_scripts();
}

TEST_CASE("etcd: a watch that is never answered is a failure")
{
    scene s;
    s.server.next(reads("ab", 7));
    s.server.next(script().expect(from(8)).hang());
    s.server.always(reads("ab", 7).close());
    s.follow([](etcd_options& o) { o.timeout = 50ms; });
    CHECK(s.goes_stale());
    CHECK(s.watch->status().last_error == weir::errc::registry_unavailable);
    CHECK(s.watch->status().note == "no answer to a watch");
}

TEST_CASE("etcd: an answer that empties the set is held, and the stream is left open while it is")
{
    scene s;
    s.server.next(reads("ab", 7));
    s.server.next(watches(8, created(7))
                      .send(chunk(events(8, gone('a', 8) + "," + gone('b', 8))))
                      .wait(30ms)
                      .send(chunk(events(9, put('a', 9) + "," + put('b', 9))))
                      .hang());
    s.follow([](etcd_options& o) { o.watch.hold = 5s; });
    CHECK(s.goes_stale());
    CHECK(s.shows("ab"));
    CHECK(s.watch->status().held == 1);
    CHECK(s.asked(watching) == 1);
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
    s.check_scripts();

    scene t;
    t.server.next(reads("ab", 7));
    t.server.next(watches(8, created(7)).send(chunk(events(8, gone('a', 8) + "," + gone('b', 8)))).hang());
    t.server.next(reads("", 8));  // asked again after the hold, and it is so
    t.server.next(watches(9, created(8)).hang());
    t.follow();
    CHECK(t.goes_stale());
    CHECK(t.shows(""));
    t.check_scripts();
}

TEST_CASE("etcd: keys that are no instances are skipped and counted, and may become some")
{
    scene s;
    s.server.next(reads("aX", 7));
    s.server.next(watches(8, created(7)).send(chunk(events(8, put('b', 8)))).hang());
    s.follow();
    CHECK(s.shows("ab"));
    CHECK(s.watch->status().skipped == 1);
    s.check_scripts();
}

TEST_CASE("etcd: a watch that may not see the keys says so, and nothing is lost by it")
{
    scene s;
    s.server.next(reads("ab", 7));
    s.server.next(watches(8, frame(header(7) + R"(,"watch_id":"-1","created":true,"canceled":true,"cancel_reason":)" +
                                   R"("rpc error: code = PermissionDenied desc = etcdserver: permission denied")"))
                      .hang());
    s.server.always(script().expect(range).answer(403, R"({"code":7,"message":"etcdserver: permission denied"})"));
    s.follow();
    CHECK(s.goes_stale());
    CHECK(s.set() == "ab");
    CHECK(s.until([&] { return s.watch->status().failures >= 2; }));
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
    CHECK(s.watch->status().note == "403: etcdserver: permission denied");
}

TEST_CASE("etcd: signs in before the first question, and once more when the token is not taken any more")
{
    auto const token = [](std::string const& t) {
        return script()
            .expect(R"({"name":"root","password":"pw"})")
            .answer(200, "{" + header(1) + R"(, "token":")" + t + "\"}");
    };
    auto const login = [](etcd_options& o) {
        o.user = "root";
        o.password = weir::registry::secret("pw");
    };
    scene s;
    s.server.next(token("t1"));
    s.server.next(script().expect("Authorization: t1\r\n").answer(200, all("a", 7)));
    s.server.next(
        script()
            .expect("Authorization: t1\r\n")
            .send(stream_head +
                  chunk(frame(header(7) +
                              R"(,"created":true,"canceled":true,"cancel_reason":"etcdserver: invalid auth token")"))));
    s.server.next(token("t2"));
    s.server.next(script().expect("Authorization: t2\r\n").send(stream_head + chunk(created(7))).wait(5ms).reset());
    s.server.next(
        script().expect("Authorization: t2\r\n").answer(401, R"({"code":16,"message":"invalid auth token"})"));
    s.server.next(token("t3"));
    s.server.next(script().expect("Authorization: t3\r\n").answer(200, all("ab", 8)));
    s.server.next(script().expect("Authorization: t3\r\n").send(stream_head + chunk(created(8))).hang());
    s.follow(login);
    CHECK(s.shows("ab"));
    CHECK(s.watch->status().failures == 1);  // the reset
    for (std::size_t c = 0; c < s.server.connections(); ++c)
        CHECK((s.server.received(c).find("authenticate") == std::string::npos) !=
              (s.server.received(c).find("Authorization") == std::string::npos));
    s.check_scripts();

    // Renewed once a question, not for ever.
    scene t;
    t.server.next(token("t1"));
    t.server.next(script().expect(range).answer(401, R"({"code":16,"message":"invalid auth token"})"));
    t.server.next(token("t2"));
    t.server.next(script().expect(range).answer(401, R"({"code":16,"message":"invalid auth token"})"));
    t.server.always(script().hang());
    t.follow(login);
    CHECK(t.until([&] { return t.watch->status().failures == 1; }));
    CHECK(t.watch->status().last_error == weir::errc::registry_refused);
    t.check_scripts();

    // A wrong password is visible; a cluster without accounts needs none.
    scene u;
    u.server.always(
        script()
            .expect("/v3/auth/authenticate")
            .answer(400, R"({"code":3, "message":"etcdserver: authentication failed, invalid user ID or password"})"));
    u.follow(login);
    CHECK(u.until([&] { return u.watch->status().failures >= 2; }));
    CHECK(u.watch->status().last_error == weir::errc::registry_refused);
    CHECK(u.watch->status().note.find("pw") == std::string::npos);
    scene v;
    v.server.next(script()
                      .expect("/v3/auth/authenticate")
                      .answer(400, R"({"code":9,"message":"etcdserver: authentication is not enabled"})"));
    v.server.next(reads("a", 7));
    v.server.next(watches(8, created(7)).hang());
    v.follow(login);
    CHECK(v.shows("a"));
    v.check_scripts();
}

TEST_CASE("etcd: of several members, the next is asked when one does not answer, and says which")
{
    scene s;
    scripted_server other(s.io.get_executor());
    s.server.always(script().reset());
    other.next(reads("ab", 7));
    other.next(watches(8, created(7)).send(chunk(events(8, put('c', 8)))).hang());
    s.follow([&](etcd_options& o) { o.url += ",127.0.0.1:" + std::to_string(other.port()); });
    CHECK(s.shows("abc"));
    CHECK(s.server.connections() == 1);
    CHECK(s.watch->status().failures == 1);
    for (auto const& f : other.failures()) FAIL_CHECK(f);
    s.watch.reset();
    other.stop();
}

namespace {

constexpr auto grant = "POST /v3/lease/grant HTTP/1.1\r\n";
constexpr auto store = "POST /v3/kv/put HTTP/1.1\r\n";
constexpr auto keepalive = "POST /v3/lease/keepalive HTTP/1.1\r\n";

script grants(int id)
{
    return script()
        .expect(R"({"TTL":"1"})")
        .answer(200, "{" + header(1) + R"(,"ID":")" + std::to_string(id) + R"(","TTL":"2"})");
}
script stores(std::string const& part) { return script().expect(part).answer(200, "{" + header(2) + "}"); }
script beats(int id, std::string const& ttl = R"(,"TTL":"2")")
{
    return script()
        .expect(R"({"ID":")" + std::to_string(id) + "\"}")
        .send(stream_head + chunk(frame(header(2) + R"(,"ID":")" + std::to_string(id) + "\"" + ttl)) + end_of_chunks);
}
script looks(std::string const& lease)
{
    auto const kv = R"({"key":"L3dlaXIvc2VydmljZXMvd2ViL2E=","mod_revision":"2")" +
                    (lease.empty() ? "" : R"(,"lease":")" + lease + "\"") + "}";
    return script()
        .expect(R"({"key":"L3dlaXIvc2VydmljZXMvd2ViL2E=","keys_only":true})")
        .answer(200, "{" + header(2) + R"(,"kvs":[)" + kv + R"(],"count":"1"})");
}

}  // namespace

TEST_CASE("etcd: registering takes a lease, puts the key with it, and keeps the lease alive")
{
    scene s;
    s.server.next(grants(77));
    s.server.next(stores(R"("lease":"77")"));
    s.server.next(beats(77));
    s.server.next(looks("77"));
    s.server.next(beats(77));
    s.server.always(looks("77"));
    s.enroll();
    CHECK(s.until([&] { return s.asked(keepalive) == 2 && s.asked("keys_only") == 2; }));
    CHECK(s.asked(grant) == 1);
    CHECK(s.asked(store) == 1);
    CHECK(s.asked(R"("key":"L3dlaXIvc2VydmljZXMvd2ViL2E=")") == 3);
    CHECK(s.asked(detail::to_base64(
              R"({"address":"10.0.0.1","port":80,"weight":1,"state":"passing","tags":[],"meta":{}})")) == 1);
    CHECK(s.events == "");
    CHECK(s.held->registered());
    s.check_scripts();
}

TEST_CASE("etcd: a lease that ran out, a key that was deleted or written over: registered again at once")
{
    scene s;
    s.server.next(grants(77));
    s.server.next(stores(R"("lease":"77")"));
    s.server.next(beats(77));
    s.server.next(looks("77"));
    s.server.next(beats(77, ""));  // without a TTL: there is no such lease
    s.server.next(grants(78));
    s.server.next(stores(R"("lease":"78")"));
    s.server.next(beats(78));
    s.server.next(script().expect("keys_only").answer(200, "{" + header(2) + "}"));  // deleted
    s.server.next(stores(R"("lease":"78")"));
    s.server.next(beats(78));
    s.server.next(looks(""));  // written over, without a lease
    s.server.next(stores(R"("lease":"78")"));
    s.server.next(beats(78));
    s.server.next(looks("99"));  // somebody else's now: it stays theirs
    s.server.next(beats(78));
    s.server.next(looks("99"));
    s.server.always(script().hang());
    s.enroll();
    CHECK(s.until([&] { return s.asked("keys_only") == 5; }));
    CHECK(s.events == "LRLRLR");
    REQUIRE(s.all_events.size() == 6);
    CHECK(s.all_events[0].note == "the lease ran out");
    CHECK(s.all_events[2].note == "the key was deleted");
    CHECK(s.all_events[4].note == "the key was written over");
    CHECK(s.asked(grant) == 2);
    CHECK(s.asked(store) == 4);
    s.check_scripts();
}

TEST_CASE("etcd: a put whose lease is gone takes a new one; a changed state is put at once")
{
    scene s;
    s.server.next(grants(77));
    s.server.next(
        script().expect(R"("lease":"77")").answer(404, R"({"code":5,"message":"requested lease not found"})"));
    s.server.next(grants(78));
    s.server.next(stores(R"("lease":"78")"));
    s.server.next(beats(78));
    s.server.next(looks("78"));
    s.enroll();
    CHECK(s.until([&] { return s.asked("keys_only") == 1; }));
    s.server.next(beats(78));
    s.server.next(stores(
        detail::to_base64(R"({"address":"10.0.0.1","port":80,"weight":1,"state":"critical","tags":[])").substr(0, 92)));
    s.server.always(script().hang());
    s.run_for(5ms);
    s.held->set_state(health::critical);
    CHECK(s.until([&] { return s.asked(store) == 3; }));
    CHECK(s.asked(keepalive) == 2);
    CHECK(s.events == "");
    s.check_scripts();
}

TEST_CASE("etcd: deregistering: a lease is revoked; by id all keys of that id are deleted, whatever their service")
{
    scene s;
    s.server.next(grants(77));
    s.server.next(stores(R"("lease":"77")"));
    s.server.next(beats(77));
    s.server.next(looks("77"));
    s.server.next(script().expect("POST /v3/lease/revoke").answer(200, "{" + header(3) + "}"));
    s.enroll();
    CHECK(s.until([&] { return s.asked("keys_only") == 1; }));
    s.run_for(5ms);
    std::vector<boost::system::error_code> done;
    auto const note = [&](boost::system::error_code ec) { done.push_back(ec); };
    s.held->async_deregister(note);
    CHECK(s.until([&] { return done.size() == 1; }));

    auto const key = [](std::string const& k) {
        return R"({"key":")" + detail::to_base64(k) + R"(","mod_revision":"1"})";
    };
    s.server.next(script()
                      .expect(R"({"key":"L3dlaXIvc2VydmljZXMv","range_end":"L3dlaXIvc2VydmljZXMw","keys_only":true})")
                      .answer(200, "{" + header(3) + R"(,"kvs":[)" + key("/weir/services/web/b%2Fc") + "," +
                                       key("/weir/services/web/xb%2Fc") + R"(],"count":"2"})"));
    s.server.next(
        script().expect(detail::write_etcd_delete("/weir/services/web/b%2Fc")).answer(200, "{" + header(4) + "}"));
    s.registry->async_deregister("b/c", note);
    CHECK(s.until([&] { return done.size() == 2; }));
    s.server.next(script().expect(detail::write_etcd_delete("/weir/services/web/d")).answer(403, R"({"code":7})"));
    s.registry->async_deregister({.service = "web", .address = {}, .id = "d"}, note);
    CHECK(s.until([&] { return done.size() == 3; }));
    CHECK_FALSE(done[0]);
    CHECK_FALSE(done[1]);
    CHECK(done[2] == weir::errc::registry_refused);
    s.check_scripts();
}

TEST_CASE("etcd: destroying everything with questions and a watch pending ends quietly")
{
    asio::io_context io;
    {
        scripted_server server(io.get_executor());
        server.next(reads("a", 7));
        server.next(watches(8, created(7)).hang());
        server.always(script().hang());
        etcd registry(io.get_executor(), quick(server));
        auto watch = registry.watch({"web"});
        registry.async_register(web(), [](boost::system::error_code, lease const&) {});
        for (int i = 0; i < 50; ++i) io.run_one_for(2ms);
        CHECK(watch.current() != nullptr);
    }
    // Some of it goes down with the context.
}
