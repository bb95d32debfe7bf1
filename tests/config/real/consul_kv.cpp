// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// config::consul against a real Consul, which it starts. WEIR_CONSUL names the Consul
// program (tests/registry/consul fetches one); without it everything here is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <weir/config/consul.hpp>
#include <weir/config/refresh.hpp>
#include <weir/http/client.hpp>
#include <weir/limit/concurrency_limit.hpp>

#include <support/consul_process.hpp>
#include <support/real_server.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using weir::config::verdict;
namespace asio = boost::asio;
namespace http = weir::http;

namespace {

// A Consul with nothing in it, and a limit that follows a key of it.
struct scene {
    weir::testing::consul_process server;
    asio::io_context io;
    http::client admin{io.get_executor(), {.idle_timeout = 0s}};
    weir::concurrency_limit limit;
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
        auto const ready = [this] { return call(http::verb::get, "/v1/status/leader", "").size() > 4; };
        if (!until(ready, 60s)) FAIL("Consul does not start");
    }

    void open(std::string key)
    {
        weir::config::binding b;
        b.bind("limits.checkout", limit, {});
        weir::config::consul const from({.agent = {.url = server.url()}, .key = std::move(key)});
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

    // The body of a good answer; empty otherwise.
    std::string call(http::verb method, std::string const& target, std::string const& body)
    {
        std::string answer;
        bool done = false;
        admin.async_send(server.endpoint(), http::make_request(method, target, body, "application/json"),
                         weir::now(io.get_executor()) + 5s, [&](boost::system::error_code ec, http::response a) {
                             done = true;
                             if (!ec && a.result_int() == 200) answer = a.body();
                         });
        CHECK(until([&] { return done; }));
        return answer;
    }
    void put(std::string const& key, std::string const& value)
    {
        CHECK(call(http::verb::put, "/v1/kv/" + key, value).starts_with("true"));
    }

    // How long it took from now until the limit is this.
    std::chrono::milliseconds seen_after(std::uint32_t n)
    {
        auto const began = std::chrono::steady_clock::now();
        CHECK(until([&] { return limit.limit() == n; }));
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    }
};

std::string limit_of(int n) { return R"({"limits":{"checkout":{"limit":)" + std::to_string(n) + "}}}"; }

weir::testing::needs_server const needs(
    "real consul kv:*", "there is no Consul: WEIR_CONSUL names its program (tests/registry/consul fetches one)",
    [] { return !weir::testing::consul_process::program().empty(); });

}  // namespace

TEST_CASE("real consul kv: a key is waited for, and each change of it is in force within a second")
{
    scene s;
    s.open("config/shop");
    CHECK(s.until([&] { return s.follow->status().missing; }));
    for (int n = 1; n <= 5; ++n) {
        s.put("config/shop", limit_of(n));
        auto const took = s.seen_after(static_cast<std::uint32_t>(n));
        MESSAGE("change " << n << " in force after " << took.count() << " ms");
        CHECK(took <= 1s);
    }
    s.put("config/shop", limit_of(0));
    CHECK(s.until([&] { return s.follow->status().refused == 1; }, 2s));
    CHECK(to_text(s.follow->history().back().why) == "limits.checkout.limit = 0: must be from 1 to 1000000000");
    CHECK(s.limit.limit() == 5);
    (void)s.call(http::verb::delete_, "/v1/kv/config/shop", "");
    CHECK(s.until([&] { return s.follow->status().missing; }, 2s));
    CHECK(s.limit.limit() == 5);
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("real consul kv: a folder of keys is one document, without its neighbours")
{
    scene s;
    s.put("config/shop2/limits/checkout/limit", "99");
    s.put("config/shop/", "");
    s.put("config/shop/limits/checkout/limit", "7");
    s.open("config/shop/");
    CHECK(s.seen_after(7) < 5s);
    s.put("config/shop/limits/checkout/max_queue", "3");
    s.put("config/shop/limits/checkout/limit", "8");
    CHECK(s.seen_after(8) < 1s);
    CHECK(s.follow->status().refused == 0);
}

TEST_CASE("real consul kv: a server that comes back without its memory takes nothing out of force")
{
    scene s;
    for (int n = 1; n <= 30; ++n) s.put("config/other", std::to_string(n));  // so that the index falls
    s.put("config/shop", limit_of(6));
    s.open("config/shop");
    CHECK(s.seen_after(6) < 5s);
    s.server.stop(SIGKILL);
    CHECK(s.until([&] { return s.follow->status().failures > 0; }));
    s.start();  // in memory: it knows nothing of the key
    CHECK(s.until([&] { return s.follow->status().connected && s.follow->status().missing; }, 60s));
    CHECK(s.limit.limit() == 6);
    s.put("config/shop", limit_of(9));
    CHECK(s.seen_after(9) < 2s);
}
