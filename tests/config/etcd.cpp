// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/etcd.hpp>

#include <weir/config/refresh.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weir::config::etcd;
using weir::registry::detail::to_base64;
using weir::testing::script;
using weir::testing::scripted_server;
namespace asio = boost::asio;

static_assert(weir::config::source<etcd>);

namespace {

std::string header(int revision)
{
    return R"("header":{"cluster_id":"7","member_id":"1","revision":")" + std::to_string(revision) + "\"}";
}
std::string pair(std::string const& key, std::string const& value, int revision)
{
    return R"({"key":")" + to_base64(key) + R"(","mod_revision":")" + std::to_string(revision) + R"(","value":")" +
           to_base64(value) + "\"}";
}
std::string chunk(std::string const& bytes)
{
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + bytes + "\r\n";
}
std::string frame(std::string const& inside) { return chunk("{\"result\":{" + inside + "}}\n"); }
std::string created(int revision) { return frame(header(revision) + R"(,"created":true)"); }
std::string event(std::string const& what, int revision)
{
    return frame(header(revision) + R"(,"events":[)" + what + "]");
}
std::string put(std::string const& key, std::string const& value, int revision)
{
    return event(R"({"kv":)" + pair(key, value, revision) + "}", revision);
}
std::string gone(std::string const& key, int revision)
{
    return event(R"({"type":"DELETE","kv":{"key":")" + to_base64(key) + R"(","mod_revision":")" +
                     std::to_string(revision) + "\"}}",
                 revision);
}
script finds(std::string const& pairs, int count, int revision)
{
    return script()
        .expect("POST /v3/kv/range")
        .answer(200, "{" + header(revision) + R"(,"kvs":[)" + pairs + R"(],"count":")" + std::to_string(count) + "\"}");
}
script watches(int from, std::string const& frames)
{
    return script()
        .expect(R"("start_revision":")" + std::to_string(from) + "\"")
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + frames);
}
std::string limit(int n) { return R"({"limit":{"limit":)" + std::to_string(n) + "}}"; }

struct scene {
    asio::io_context io;
    scripted_server server{io.get_executor()};
    weir::concurrency_limit limit;
    std::optional<weir::config::refresh> follow;

    void start(std::string key)
    {
        weir::config::binding b;
        b.bind("limit", limit, {});
        follow.emplace(io.get_executor(),
                       etcd({.cluster = {.url = "etcd://127.0.0.1:" + std::to_string(server.port())}, .key = key}),
                       std::move(b),
                       weir::config::refresh_options{.follow = {.backoff = weir::constant(10ms), .pace = 0ns}});
    }
    template <class Done>
    bool until(Done done)
    {
        for (auto const end = std::chrono::steady_clock::now() + 5s; !done();)
            if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
        return true;
    }
    ~scene()
    {
        follow.reset();
        server.stop();
        io.restart();
        io.run_for(20ms);
    }
};

}  // namespace

TEST_CASE("etcd config: a key is read, and its changes are heard; its version is the revision of the change")
{
    scene s;
    s.server.next(finds(pair("/c/shop", limit(5), 4), 1, 9));
    s.server.next(
        watches(10, created(9) + put("/c/shop", limit(6), 12)).wait(20ms).send(put("/c/shop", limit(7), 15)).hang());
    s.start("/c/shop");
    CHECK(s.until([&] { return s.limit.limit() == 7; }));
    CHECK(s.follow->status().applied == 3);
    CHECK(s.follow->status().version == "15");
    CHECK(s.server.received(0).find(R"({"key":"L2Mvc2hvcA=="})") != std::string::npos);
    CHECK(s.server.failures().empty());
}

TEST_CASE("etcd config: the keys below a folder are one document, also when one of them goes")
{
    scene s;
    s.server.next(
        finds(pair("/c/", "", 1) + "," + pair("/c/limit/limit", "5", 4) + "," + pair("/c/x/y", "z", 5), 3, 9));
    s.server.next(watches(10, created(9) + gone("/c/x/y", 11)).hang());
    s.start("/c/");
    CHECK(s.until([&] { return s.follow->status().version == "11"; }));
    CHECK(s.server.received(0).find(R"("range_end":"L2Mw")") != std::string::npos);
    CHECK(s.limit.limit() == 5);
    CHECK(s.server.failures().empty());
}

TEST_CASE("etcd config: a key that is not there is waited for, and one that is deleted changes nothing")
{
    scene s;
    s.server.next(script().expect("/v3/kv/range").answer(200, "{" + header(3) + "}"));
    s.server.next(watches(4, created(3) + put("/c", limit(8), 5)).wait(20ms).send(gone("/c", 6)).hang());
    s.start("/c");
    CHECK(s.until([&] { return s.limit.limit() == 8; }));
    CHECK(s.until([&] { return s.follow->status().missing; }));
    CHECK(s.follow->status().note == "there is no key /c");
    CHECK(s.follow->status().failures == 0);
    CHECK(s.limit.limit() == 8);
    CHECK(s.server.failures().empty());
}

TEST_CASE("etcd config: history that was compacted is read anew; broken streams and refusals change nothing")
{
    scene s;
    s.server.next(finds(pair("/c", limit(5), 4), 1, 9));
    s.server.next(watches(10, created(20) + frame(R"("canceled":true,"compact_revision":"15")")).hang());
    s.server.next(finds(pair("/c", limit(6), 18), 1, 20));
    s.server.next(watches(21, created(20)).reset());
    s.server.next(script().read_request().answer(403, R"({"code":7,"message":"permission denied"})"));
    s.server.next(finds(pair("/c", "{", 21), 1, 21));
    s.server.next(watches(22, created(21) + put("/c", limit(7), 22)).hang());
    s.start("/c");
    CHECK(s.until([&] { return s.limit.limit() == 6; }));
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::registry_refused; }));
    CHECK(s.limit.limit() == 6);
    CHECK(s.until([&] { return s.limit.limit() == 7; }));
    CHECK(s.follow->status().failures == 2);
    CHECK(s.server.failures().empty());
}

TEST_CASE("etcd config: options are checked")
{
    CHECK_THROWS_WITH_AS(etcd({.key = ""}), doctest::Contains("etcd_kv_options.key"), std::invalid_argument);
    CHECK_THROWS_AS(etcd({.cluster = {.url = "ftp://x"}, .key = "c"}), std::invalid_argument);
    CHECK_THROWS_AS(etcd({.cluster = {.wait = 1ms}, .key = "c"}), std::invalid_argument);
    CHECK_THROWS_WITH_AS(etcd({.cluster = {.url = "etcd://a?tls=true"}, .key = "c"}),
                         doctest::Contains("etcd_kv_options.cluster.url asks for TLS"), std::invalid_argument);
}
