// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The contract: what a real kube-apiserver 1.20.2 was seen to answer, played by a scripted server. The same checks run
// against a real one in tests/registry/kubernetes/.
#include <weir/registry/kubernetes.hpp>

#include <weir/registry/concepts.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::kubernetes_options;
using weir::registry::origin;
using weir::registry::update;
using weir::testing::script;
using weir::testing::scripted_server;
using kubernetes = weir::registry::basic_kubernetes<weir::http::plain_transport>;
namespace asio = boost::asio;

static_assert(weir::registry::discovery<kubernetes>);

namespace {

// A slice whose pods are letters: ready in lower case, terminating in upper case.
std::string slice(std::string const& name, std::string const& pods, std::string const& revision)
{
    std::string endpoints;
    for (char const c : pods) {
        bool const ready = c >= 'a';
        endpoints += (endpoints.empty() ? "" : ",") +
                     std::string(R"({"addresses":["10.0.0.1"],"conditions":{"ready":)") + (ready ? "true" : "false") +
                     R"(,"serving":true,"terminating":)" + (ready ? "false" : "true") +
                     R"(},"targetRef":{"kind":"Pod","name":")" + static_cast<char>(ready ? c : c - 'A' + 'a') + "\"}}";
    }
    return R"({"kind":"EndpointSlice","metadata":{"name":")" + name + R"(","resourceVersion":")" + revision +
           R"("},"addressType":"IPv4","endpoints":)" + (pods.empty() ? "null" : "[" + endpoints + "]") +
           R"(,"ports":)" + (pods.empty() ? "null" : R"([{"name":"http","protocol":"TCP","port":80}])") + "}";
}
std::string list(std::string const& slices, std::string const& revision)
{
    return R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":")" + revision + R"("},"items":[)" + slices +
           "]}";
}
std::string event(std::string const& type, std::string const& object)
{
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}
std::string status(int code, std::string const& message)
{
    return R"({"kind":"Status","metadata":{},"status":"Failure","message":")" + message + R"(","code":)" +
           std::to_string(code) + "}";
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

std::string const path = "/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dweb";
std::string const listing = "GET /apis/discovery.k8s.io/v1" + path + " HTTP/1.1\r\n";
std::string from(std::string const& revision)
{
    return "GET /apis/discovery.k8s.io/v1" + path + "&watch=true&allowWatchBookmarks=true&resourceVersion=" + revision +
           "&timeoutSeconds=";
}
script lists(std::string const& pods, std::string const& revision)
{
    return script().expect(listing).answer(200, list(slice("web-1", pods, revision), revision));
}
script watches(std::string const& revision, std::string const& frames = "")
{
    return script().expect(from(revision)).send(stream_head + (frames.empty() ? "" : chunk(frames)));
}

struct scene {
    asio::io_context io;
    scripted_server server{io.get_executor()};
    std::optional<kubernetes> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;

    kubernetes_options options() const
    {
        kubernetes_options o{.url = "http://127.0.0.1:" + std::to_string(server.port()), .account = "/nowhere"};
        o.watch.pace = 0ms;
        o.watch.hold = 100ms;
        o.watch.backoff = weir::constant(10ms);
        return o;
    }
    void follow(kubernetes_options const& o, std::string const& service = "web")
    {
        registry.emplace(io.get_executor(), o);
        watch.emplace(registry->watch({service}));
        listen();
    }
    void follow() { follow(options()); }
    void listen()
    {
        watch->async_next([this](boost::system::error_code ec, update u) {
            if (ec) return;
            told.push_back(std::move(u));
            listen();
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
    int asked(std::string const& part) const
    {
        int n = 0;
        for (std::size_t c = 0; c < server.connections(); ++c) n += server.received(c).find(part) != std::string::npos;
        return n;
    }
    std::string set() const
    {
        std::string ids;
        if (auto const s = watch->current())
            for (auto const& i : *s->instances) ids += i.id() + (i.serves() ? "" : "-");
        return ids;
    }
    bool shows(std::string const& ids)
    {
        return until([&] { return watch->current() && set() == ids && watch->current()->from == origin::live; });
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
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
        registry.reset();
        server.stop();
        io.restart();
        io.run_for(5s);  // until all that was begun has ended
    }
};

}  // namespace

TEST_CASE("kubernetes: lists the slices of a service, then hears their changes over one watch")
{
    scene s;
    s.server.next(lists("ab", "261"));
    s.server.next(watches("261", event("MODIFIED", slice("web-1", "aB", "263")))
                      .send(chunk(event("ADDED", slice("web-2", "c", "264"))))
                      .wait(20ms)
                      .send(chunk(event("DELETED", slice("web-1", "aB", "265"))))
                      .hang());
    s.follow();
    CHECK(s.shows("c"));
    CHECK(s.at("265"));
    CHECK(s.asked("watch=true") == 1);
    bool terminating = false;
    for (auto const& u : s.told)
        for (auto const& i : *u.now->instances)
            terminating = terminating || (!i.serves() && i.address.metadata.count("terminating") == 1);
    CHECK(terminating);
    CHECK(s.watch->status().failures == 0);
    s.check_scripts();
}

TEST_CASE("kubernetes: a service that is replaced gets a new slice before the old one goes: nothing is lost between")
{
    scene s;
    s.server.next(lists("ab", "261"));
    s.server.next(watches("261", event("ADDED", slice("web-9", "ab", "277")))
                      .wait(20ms)
                      .send(chunk(event("DELETED", slice("web-1", "ab", "278"))))
                      .hang());
    s.follow();
    CHECK(s.at("278"));
    CHECK(s.set() == "ab");
    CHECK(s.told.size() == 1);
    s.check_scripts();
}

TEST_CASE("kubernetes: a server that has only v1beta1 is spoken to in it")
{
    scene s;
    auto const beta = [](std::string const& rest) { return "GET /apis/discovery.k8s.io/v1beta1" + path + rest; };
    s.server.next(
        script().expect(listing).answer(404, status(404, "the server could not find the requested resource")));
    s.server.next(script().expect(beta(" HTTP/1.1\r\n")).answer(200, list(slice("web-1", "ab", "7"), "7")));
    s.server.next(script().expect(beta("&watch=true")).send(stream_head).wait(5ms).reset());
    s.server.next(script().expect(beta(" HTTP/1.1\r\n")).answer(200, list(slice("web-1", "abc", "8"), "8")));
    s.server.next(script().expect(beta("&watch=true")).send(stream_head).hang());
    s.follow();
    CHECK(s.shows("abc"));
    s.check_scripts();

    // Upgraded while we look: back to v1. And one that has neither is no Kubernetes of use.
    scene t;
    t.server.next(script().expect(listing).answer(404, ""));
    t.server.next(script().expect(beta(" HTTP/1.1\r\n")).answer(200, list(slice("web-1", "ab", "7"), "7")));
    t.server.next(script().expect(beta("&watch=true")).answer(404, ""));
    t.server.next(script().expect(beta(" HTTP/1.1\r\n")).answer(404, ""));
    t.server.next(lists("abc", "9"));
    t.server.next(watches("9").hang());
    t.follow();
    CHECK(t.shows("abc"));
    t.check_scripts();
    scene u;
    u.server.always(script().read_request().answer(404, "404 page not found"));
    u.follow();
    CHECK(u.until([&] { return u.watch->status().failures >= 1; }));
    CHECK(u.watch->status().last_error == weir::errc::registry_refused);
    CHECK(u.watch->status().note == "404: 404 page not found");
}

TEST_CASE("kubernetes: a revision that is too old, in the stream or as an answer: all is listed again, nothing cleared")
{
    auto const gone = event("ERROR", status(410, "too old resource version: 261 (698)"));
    for (auto const& old :
         {watches("261", gone).close(), script().expect(from("261")).answer(410, status(410, "too old"))}) {
        scene s;
        s.server.next(lists("ab", "261"));
        s.server.next(old);
        s.server.next(lists("abc", "700"));
        s.server.next(watches("700").hang());
        s.follow();
        CHECK(s.shows("abc"));
        CHECK(s.watch->status().failures == 0);
        CHECK(s.watch->status().resyncs == 1);
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
        s.check_scripts();
    }
}

TEST_CASE("kubernetes: a watch that the server ends is opened again from the last bookmark")
{
    scene s;
    s.server.next(lists("ab", "261"));
    s.server.next(watches("261", event("BOOKMARK", R"({"kind":"EndpointSlice","metadata":{"resourceVersion":"300",)"
                                                   R"("creationTimestamp":null},"endpoints":null,"ports":null})"))
                      .send(end_of_chunks));
    s.server.next(watches("300", event("MODIFIED", slice("web-1", "abc", "301"))).hang());
    s.follow();
    CHECK(s.shows("abc"));
    CHECK(s.watch->status().failures == 0);
    CHECK(s.asked(listing) == 1);
    s.check_scripts();
}

TEST_CASE("kubernetes: every watch has a limit of time, and one that outlives it is a failure")
{
    scene s;
    s.server.next(lists("ab", "261"));
    s.server.next(watches("261").hang());
    auto o = s.options();
    o.wait = 20s;
    s.follow(o);
    CHECK(s.until([&] { return s.server.connections() == 2 && s.server.received(1).ends_with("\r\n\r\n"); }));
    auto const& request = s.server.received(1);
    auto const at = request.find("&timeoutSeconds=");
    REQUIRE(at != request.npos);
    auto const seconds = std::atoi(request.c_str() + at + 16);
    CHECK(seconds >= 18);
    CHECK(seconds <= 20);
    s.check_scripts();
}

TEST_CASE("kubernetes: after any failure the last good set stays, and everything is listed again")
{
    struct fault {
        char const* name;
        script what;
    };
    auto const w = [] { return watches("7", event("MODIFIED", slice("web-1", "ab", "8"))); };
    for (auto const& f : {
             fault{"closed without an answer", script().expect(from("7")).close()},
             fault{"reset in the stream", w().wait(5ms).reset()},
             fault{"cut within a chunk", w().send("40\r\n{\"type\":").close()},
             fault{"cut within an event", w().send(chunk("{\"type\":\"ADD") + end_of_chunks)},
             fault{"an error in the stream", w().send(chunk(event("ERROR", status(500, "etcd is away"))))},
             fault{"garbage in the stream", w().send(chunk("<html>"))},
             fault{"an event that is none", w().send(chunk(R"({"type":"ADDED","object":7})"))},
             fault{"an event over the limit", w().send(chunk("{\"x\":\"" + std::string(5000, 'x')))},
             fault{"a watch that is over at once", script().expect(from("7")).send(stream_head + end_of_chunks)},
             fault{"an answer of 429", script().expect(from("7")).answer(429, "")},
             fault{"an answer of 403", script().expect(from("7")).answer(403, status(403, "cannot watch"))},
             fault{"a redirection", script().expect(from("7")).answer(301, "", "Location: /ui\r\n")},
         }) {
        CAPTURE(f.name);
        scene s;
        s.server.next(lists("ab", "7"));
        s.server.next(f.what);
        s.server.next(script().expect(listing).answer(200, "<html>"));
        s.server.next(script().expect(listing).answer(504, status(504, "Too large resource version")));
        s.server.next(script().expect(listing).answer(200, list("7", "8")));
        s.server.next(lists("abd", "9"));
        s.server.next(watches("9").hang());
        auto o = s.options();
        o.connection.max_body_bytes = 4096;
        s.follow(o);
        CHECK(s.shows("ab"));
        CHECK(s.goes_stale());
        CHECK(s.set() == "ab");
        CHECK(s.shows("abd"));
        CHECK(s.watch->status().failures == 4);
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= 2);
        s.check_scripts();
    }
}

TEST_CASE("kubernetes: a service scaled to nothing is believed after the hold; one never seen is empty at once")
{
    scene s;
    s.server.next(lists("ab", "7"));
    s.server.next(watches("7", event("MODIFIED", slice("web-1", "", "8"))).hang());
    s.server.next(lists("", "8"));
    s.server.next(watches("8").hang());
    s.follow();
    CHECK(s.goes_stale());
    CHECK(s.set() == "ab");
    CHECK(s.shows(""));
    s.check_scripts();
    scene t;
    t.server.next(script().expect(listing).answer(200, list("", "5")));
    t.server.next(watches("5").hang());
    t.follow();
    CHECK(t.shows(""));
    t.check_scripts();
}

TEST_CASE("kubernetes: what is not allowed says so in Kubernetes' own words")
{
    auto const words = "endpointslices.discovery.k8s.io is forbidden: User cannot list resource";
    scene s;
    s.server.always(script().expect(listing).answer(403, status(403, words)));
    s.follow();
    CHECK(s.until([&] { return s.watch->status().failures >= 2; }));
    CHECK(s.watch->status().last_error == weir::errc::registry_refused);
    CHECK(s.watch->status().note == "403: " + std::string(words));
}

TEST_CASE("kubernetes: a service is name[.namespace][:port]; a tag, or something else, is refused before it is sent")
{
    scene s;
    s.server.next(script()
                      .expect("/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dweb ")
                      .answer(200, list(slice("web-1", "ab", "7"), "7")));
    s.server.next(script().expect("/namespaces/shop/").send(stream_head).hang());
    s.follow(s.options(), "web.shop:http");
    CHECK(s.shows("ab"));
    CHECK(s.watch->current()->instances->front().service == "web.shop:http");
    s.check_scripts();
    int refused = 0;
    auto const note = [&](boost::system::error_code ec, auto const&) { refused += ec == weir::errc::registry_refused; };
    s.registry->async_resolve({"web/../../secrets"}, note);
    s.registry->async_resolve({.service = "web", .tag = "x"}, note);
    CHECK(s.until([&] { return refused == 2; }));
    CHECK(s.until([&] { return s.server.connections() == 2; }));
    bool unsupported = false;
    s.registry->async_register(
        {.service = "web", .address = "a", .port = 1},
        [&](boost::system::error_code ec, auto const&) { unsupported = ec == std::errc::operation_not_supported; });
    CHECK(s.until([&] { return unsupported; }));
}

TEST_CASE("kubernetes: the token in the service account's file is sent, and read again when it is not taken")
{
    std::string name = (std::filesystem::temp_directory_path() / "weir-account-").string() + "XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    auto const write = [&](char const* file, char const* text) { std::ofstream(name + "/" + file) << text; };
    write("token", "t1\n");
    write("namespace", "shop");
    scene s;
    s.server.next(script().expect("Authorization: Bearer t1\r\n").answer(200, list(slice("web-1", "ab", "7"), "7")));
    s.server.next(script().expect("Authorization: Bearer t1\r\n").call([&] { write("token", "t2"); }).answer(401, ""));
    s.server.next(script().expect("Authorization: Bearer t2\r\n").send(stream_head).wait(5ms).reset());
    s.server.next(script().expect("/namespaces/shop/").answer(200, list(slice("web-1", "abc", "8"), "8")));
    s.server.next(script().expect("Authorization: Bearer t2\r\n").send(stream_head).hang());
    auto o = s.options();
    o.account = name;
    s.follow(o);
    CHECK(s.shows("abc"));
    CHECK(s.watch->status().failures == 1);  // the reset
    s.check_scripts();
    std::filesystem::remove_all(name);
}

TEST_CASE("kubernetes: destroying everything with a watch pending ends quietly")
{
    asio::io_context io;
    {
        scripted_server server(io.get_executor());
        server.next(lists("a", "7"));
        server.next(watches("7").hang());
        kubernetes registry(io.get_executor(), {.url = "http://127.0.0.1:" + std::to_string(server.port())});
        auto watch = registry.watch({"web"});
        for (int i = 0; i < 50; ++i) io.run_one_for(2ms);
        CHECK(watch.current() != nullptr);
    }
    // Some of it goes down with the context.
}
