// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// config::etcd against a real etcd, which it starts. WEIR_ETCD names the program, or it is
// on the PATH (Debian's etcd-server); without it everything here is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <weir/balance/endpoint_set.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/config/etcd.hpp>
#include <weir/config/refresh.hpp>
#include <weir/http/client.hpp>
#include <weir/limit/token_bucket.hpp>

#include <support/etcd_process.hpp>
#include <support/real_server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace detail = weir::registry::detail;
namespace http = weir::http;
namespace json = boost::json;

namespace {

// The n-th: a rate of n * 100/s, a breaker that opens at n %, and n % of a route's calls to green.
std::string document(int n)
{
    auto const text = std::to_string(n);
    return json::serialize(json::object{{"limits", {{"checkout", {{"rate", text + "00/s"}}}}},
                                        {"breakers", {{"stock", {{"failure_rate", text + "%"}}}}},
                                        {"routes", {{"checkout", {{"blue", 100 - n}, {"green", n}}}}}});
}

// An etcd of one member with nothing in it, and policies that follow a key of it.
struct scene {
    weir::testing::etcd_process server;
    asio::io_context io;
    http::client admin{io.get_executor(), {.idle_timeout = 0s}};
    std::string token;
    weir::token_bucket_options const first{.rate = weir::per_second(7), .burst = 50};
    weir::token_bucket bucket{first};
    weir::circuit_breaker breaker;
    weir::endpoint_set route{{{.id = "blue", .host = "10.0.0.1", .port = 80, .weight = 100},
                              {.id = "green", .host = "10.0.0.2", .port = 80, .weight = 0}}};
    std::optional<weir::config::refresh> follow;

    scene() { start(); }
    ~scene()
    {
        follow.reset();
        io.restart();
        io.run_for(20ms);
    }

    void start()
    {
        server.start();
        auto const ready = [this] { return try_call("/v3/kv/range", detail::write_etcd_range("x", "")).has_value(); };
        if (!until(ready, 60s)) FAIL("etcd does not start:\n" << server.log());
    }

    weir::config::etcd source(std::string key, weir::registry::etcd_options cluster = {}) const
    {
        cluster.url = server.url();
        return weir::config::etcd({.cluster = std::move(cluster), .key = std::move(key)});
    }
    void open(weir::config::etcd const& from)
    {
        weir::config::binding b;
        b.bind("limits.checkout", bucket, first).bind("breakers.stock", breaker, {}).bind("routes.checkout", route);
        follow.emplace(io.get_executor(), from, std::move(b));
    }

    bool until(std::function<bool()> const& so, std::chrono::milliseconds patience = 20s)
    {
        auto const end = std::chrono::steady_clock::now() + patience;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }

    // What etcd says to somebody who is not the source.
    std::optional<std::string> try_call(std::string const& target, std::string body)
    {
        auto r = http::post(target, std::move(body));
        if (!token.empty()) r.set("Authorization", token);
        std::optional<std::string> answer;
        bool done = false;
        admin.async_send(server.endpoint(), std::move(r), weir::now(io.get_executor()) + 5s,
                         [&](boost::system::error_code ec, http::response a) {
                             done = true;
                             if (!ec && a.result_int() == 200) answer = std::move(a.body());
                         });
        CHECK(until([&] { return done; }));
        return answer;
    }
    void call(std::string const& target, std::string body)
    {
        REQUIRE_MESSAGE(try_call(target, std::move(body)), target);
    }
    void put(std::string const& key, std::string const& value)
    {
        call("/v3/kv/put", detail::write_etcd_put(key, value, 0));
    }

    // What callers would meet, whatever the source says.
    [[nodiscard]] bool in_force(int n) const
    {
        auto const [permits, per] = bucket.rate();  // in lowest terms
        return per * n * 100 == 1s * permits && breaker.get_options().failure_rate == n / 100.0 &&
               route.snapshot()->members()[1].endpoint.weight == static_cast<std::uint32_t>(n);
    }
    // How long it takes from now until that is so.
    std::chrono::milliseconds seen_after(int n)
    {
        auto const began = std::chrono::steady_clock::now();
        if (!until([&] { return in_force(n); })) FAIL(n << " is not in force: " << follow->status().note);
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    }
};

weir::registry::etcd_options silent_for_a_second()
{
    weir::registry::etcd_options o;
    o.wait = 1s;
    return o;
}

weir::testing::needs_server const needs("real etcd config:*",
                                        "there is no etcd: name the program in WEIR_ETCD, or install etcd-server",
                                        [] { return !weir::testing::etcd_process::program().empty(); });

}  // namespace

TEST_CASE("real etcd config: a key is waited for, and each change of it is in force within a second")
{
    scene s;
    s.open(s.source("/config/shop"));
    CHECK(s.until([&] { return s.follow->status().missing; }));
    for (int n = 1; n <= 9; ++n) {
        s.put("/config/shop", document(n));
        auto const took = s.seen_after(n);
        MESSAGE("change " << n << " in force after " << took.count() << " ms");
        CHECK(took <= 1s);
    }
    CHECK(s.follow->status().applied == 9);
    s.call("/v3/kv/deleterange", detail::write_etcd_delete("/config/shop"));
    CHECK(s.until([&] { return s.follow->status().missing; }, 2s));
    CHECK(s.in_force(9));
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("real etcd config: a bad document is refused with key, value and range, and the old one stays whole")
{
    scene s;
    s.put("/config/shop", document(5));
    s.open(s.source("/config/shop"));
    s.seen_after(5);
    s.put("/config/shop", R"({"limits":{"checkout":{"rate":"900/s"}},"breakers":{"stock":{"failure_rate":"120%"}}})");
    CHECK(s.until([&] { return s.follow->status().refused == 1; }, 1s));
    CHECK(to_text(s.follow->history().back().why) == "breakers.stock.failure_rate = \"120%\": must be in (0, 1]");
    CHECK(s.in_force(5));
    CHECK(s.follow->status().differs);
    s.put("/config/shop", document(5) + "}");
    CHECK(s.until([&] { return s.follow->status().refused == 2; }, 2s));
    CHECK(s.in_force(5));
    s.put("/config/shop", document(6));
    CHECK(s.seen_after(6) <= 1s);
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("real etcd config: a folder of keys is one document, without its neighbours")
{
    scene s;
    s.put("/config/shop2/limits/checkout/rate", "1/s");
    s.put("/config/shop/", "");
    s.put("/config/shop/limits/checkout/rate", "300/s");
    s.put("/config/shop/breakers", R"({"stock":{"failure_rate":"3%"}})");
    s.put("/config/shop/routes/checkout/green", "3");
    s.open(s.source("/config/shop/"));
    s.seen_after(3);
    for (auto const& [key, value] : {std::pair("limits/checkout/rate", "400/s"),
                                     {"breakers", R"({"stock":{"failure_rate":"4%"}})"},
                                     {"routes/checkout/green", "4"}})
        s.put(std::string("/config/shop/") + key, value);
    CHECK(s.seen_after(4) <= 1s);
    s.call("/v3/kv/deleterange", detail::write_etcd_delete("/config/shop/limits/checkout/rate"));
    CHECK(s.until([&] { return s.bucket.rate() == s.first.rate; }, 1s));
    CHECK(s.follow->status().refused == 0);
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("real etcd config: killed mid-watch and restarted: nothing goes out of force, and changes are heard again")
{
    for (int const signal : {SIGKILL, SIGTERM}) {
        CAPTURE(signal);
        scene s;
        s.put("/config/shop", document(1));
        s.open(s.source("/config/shop"));
        s.seen_after(1);
        s.server.stop(signal);
        CHECK(s.until([&] { return s.follow->status().failures > 1; }));
        CHECK(s.in_force(1));
        s.start();
        s.put("/config/shop", document(2));
        s.seen_after(2);  // as soon as it asks again
        s.put("/config/shop", document(3));
        CHECK(s.seen_after(3) <= 1s);
        CHECK(s.follow->status().applied == 3);
    }
}

TEST_CASE("real etcd config: a server that comes back without its memory takes nothing out of force")
{
    scene s;
    for (int n = 1; n <= 30; ++n) s.put("/config/other", "x");  // so that the revision falls
    s.put("/config/shop", document(6));
    s.open(s.source("/config/shop"));
    s.seen_after(6);
    s.server.stop(SIGKILL);
    s.server.forget();
    CHECK(s.until([&] { return s.follow->status().failures > 0; }));
    s.start();
    CHECK(s.until([&] { return s.follow->status().connected && s.follow->status().missing; }));
    CHECK(s.in_force(6));
    s.put("/config/shop", document(7));
    CHECK(s.seen_after(7) <= 1s);
}

TEST_CASE("real etcd config: where the history was compacted the key is read again, and changes are heard")
{
    scene s;
    s.put("/config/shop", document(1));
    s.open(s.source("/config/shop", silent_for_a_second()));
    s.seen_after(1);
    // Elsewhere, so that the watch hears nothing of it, and then the past is dropped.
    for (int n = 0; n < 10; ++n) s.put("elsewhere", "x");
    s.call("/v3/kv/compaction", json::serialize(json::object{{"revision", "12"}, {"physical", true}}));
    auto const before = s.follow->status().answers;
    CHECK(s.until([&] { return s.follow->status().answers >= before + 2; }));  // the silent watch was opened anew
    s.put("/config/shop", document(2));
    CHECK(s.seen_after(2) <= 1s);
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("real etcd config: with accounts: a right password is enough, also after a restart, and refusals are visible")
{
    scene s;
    s.put("/config/shop", document(1));
    s.call("/v3/auth/user/add", R"({"name":"root","password":"pw"})");
    s.call("/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    s.call("/v3/auth/user/add", R"({"name":"guest","password":"pw"})");
    s.call("/v3/auth/enable", "{}");
    auto const sign_in = [&s] {
        std::string why;
        s.token.clear();
        return s.until([&] {
            auto const a = s.try_call("/v3/auth/authenticate", detail::write_etcd_credentials("root", "pw"));
            if (a) s.token = detail::read_etcd_token(*a, why).value_or("");
            return !s.token.empty();
        });
    };
    weir::registry::etcd_options account;
    account.password = weir::registry::secret("pw");
    account.user = "guest";
    s.open(s.source("/config/shop", account));
    CHECK(s.until([&] { return s.follow->status().failures > 0; }));
    CHECK(s.follow->status().last_error == weir::errc::registry_refused);
    CHECK(s.follow->status().note.find("permission denied") != std::string::npos);
    CHECK(s.follow->status().applied == 0);

    account.user = "root";
    s.open(s.source("/config/shop", account));
    s.seen_after(1);
    CHECK(sign_in());
    s.put("/config/shop", document(2));
    CHECK(s.seen_after(2) <= 1s);
    // A restarted server knows none of the tokens it gave.
    s.server.stop(SIGKILL);
    CHECK(s.until([&] { return s.follow->status().failures > 0; }));
    s.server.start();
    CHECK(sign_in());
    s.put("/config/shop", document(3));
    s.seen_after(3);
    s.put("/config/shop", document(4));
    CHECK(s.seen_after(4) <= 1s);
}
