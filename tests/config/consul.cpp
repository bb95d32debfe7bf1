// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/consul.hpp>

#include <weir/config/refresh.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weir::config::consul;
using weir::config::consul_kv_options;
using weir::config::loaded;
using weir::testing::script;
using weir::testing::scripted_server;
namespace asio = boost::asio;
using boost::system::error_code;

static_assert(weir::config::source<consul>);

namespace {

std::string index(int n) { return "X-Consul-Index: " + std::to_string(n) + "\r\n"; }

// What Consul 1.8.7 says of one key.
std::string entry(std::string const& key, std::string const& value)
{
    return R"({"LockIndex":0,"Key":")" + key + R"(","Flags":0,"Value":)" +
           (value.empty() ? "null" : '"' + weir::registry::detail::to_base64(value) + '"') +
           R"(,"CreateIndex":7,"ModifyIndex":9})";
}

struct parsed {
    loaded l;
    error_code ec;
    explicit parsed(std::string const& body, std::string const& key)
    {
        ec = weir::config::detail::read_consul_kv(body, key, l);
    }
};

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
                       consul({.agent = {.url = "consul://127.0.0.1:" + std::to_string(server.port())}, .key = key}),
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
};

}  // namespace

TEST_CASE("consul kv: the value of a key is the document, and null is an empty one")
{
    parsed const good("[" + entry("config/shop", R"({"a": 1})") + "]", "config/shop");
    CHECK_FALSE(good.ec);
    CHECK(good.l.document.bytes == R"({"a": 1})");
    parsed const empty("[" + entry("config/shop", "") + "]", "config/shop");
    CHECK_FALSE(empty.ec);
    CHECK(empty.l.document.bytes == "");
}

TEST_CASE("consul kv: the keys below a folder are one document")
{
    auto const body = "[" + entry("config/shop/", "") + "," + entry("config/shop/limits/", "") + "," +
                      entry("config/shop/limits/checkout/rate", "500/s\n") + "," +
                      entry("config/shop/limits/checkout/burst", "20") + "," +
                      entry("config/shop/routes", R"({"blue": 90})") + "]";
    parsed const all(body, "config/shop/");
    CHECK_FALSE(all.ec);
    CHECK(all.l.document.bytes == R"({"limits":{"checkout":{"rate":"500/s","burst":"20"}},"routes":{"blue":90}})");
}

TEST_CASE("consul kv: what does not fit, or is not Consul's, is refused with its reason")
{
    auto const why = [](std::string const& body, char const* key = "c/") {
        parsed const p(body, key);
        CHECK(p.ec == weir::errc::bad_document);
        return p.l.note;
    };
    CHECK(why("[" + entry("c/a", "1") + "," + entry("c/a/b", "2") + "]") ==
          "the key \"a/b\" is below another that has a value");
    CHECK(why("[" + entry("c/a/b", "1") + "," + entry("c/a", "2") + "]") ==
          "the key \"a\" has a value, and others are below it, or it is there twice");
    CHECK(why("[" + entry("c/a//b", "1") + "]") == "the key \"a//b\" has an empty name in it");
    CHECK(why("[" + entry("c/a", "{1}") + "]").find("the value of \"a\": bad JSON at byte 1") == 0);
    CHECK(why("[" + entry("d/a", "1") + "]") == "the answer is about \"d/a\"");
    CHECK(why("[" + entry("c", "1") + "]", "d") == "the answer is about \"c\", and was asked for \"d\"");
    CHECK(why("[]") == "the answer is not a list of keys");
    CHECK(why("{}") == "the answer is not a list of keys");
    CHECK(why("[1]") == "an entry is not an object");
    CHECK(why(R"([{"Key":"c/a","Value":"%%"}])") == "the value of \"c/a\" is not base64");
    CHECK(why("<html>").find("bad JSON") == 0);
    std::string deep = "c";
    for (int n = 0; n < 40; ++n) deep += "/x";
    CHECK(why("[" + entry(deep, "1") + "]").find("is nested too deeply") != std::string::npos);
}

TEST_CASE("consul kv: is read, waited on from its index, and read anew when the index falls")
{
    scene s;
    auto const shop = [](int n) {
        return "[" + entry("config/shop", R"({"limit":{"limit":)" + std::to_string(n) + "}}") + "]";
    };
    s.server.next(script().expect("GET /v1/kv/config/shop HTTP/1.1\r\n").answer(200, shop(5), index(9)));
    s.server.next(
        script().expect("GET /v1/kv/config/shop?index=9&wait=55000ms HTTP/1.1\r\n").answer(200, shop(6), index(12)));
    s.server.next(
        script().expect("GET /v1/kv/config/shop?index=12&wait=55000ms HTTP/1.1\r\n").answer(200, shop(6), index(3)));
    s.server.next(script().expect("GET /v1/kv/config/shop HTTP/1.1\r\n").answer(200, shop(7), index(4)));
    s.server.next(script().expect("GET /v1/kv/config/shop?index=4&wait=55000ms HTTP/1.1\r\n").hang());
    s.start("config/shop");
    CHECK(s.until([&] { return s.limit.limit() == 7; }));
    CHECK(s.follow->status().applied == 3);
    CHECK(s.follow->status().version == "4");
    CHECK(s.server.failures().empty());
}

TEST_CASE("consul kv: a key that is not there is waited for, and one that is deleted changes nothing")
{
    scene s;
    s.server.next(script().expect("GET /v1/kv/config/shop/?recurse=true HTTP/1.1\r\n").answer(404, "", index(5)));
    s.server.next(script()
                      .expect("GET /v1/kv/config/shop/?recurse=true&index=5&wait=55000ms HTTP/1.1\r\n")
                      .answer(200, "[" + entry("config/shop/limit/limit", "8") + "]", index(6)));
    s.server.next(script().expect("index=6&").answer(404, "", index(7)));
    s.server.next(script().expect("index=7&").hang());
    s.start("config/shop/");
    CHECK(s.until([&] { return s.limit.limit() == 8 && s.follow->status().missing; }));
    CHECK(s.follow->status().note == "there is no key config/shop/");
    CHECK(s.follow->status().failures == 0);
    CHECK(s.server.failures().empty());
}

TEST_CASE("consul kv: refusals and half an answer change nothing, and say why")
{
    scene s;
    auto const good = "[" + entry("c", R"({"limit":{"limit":5}})") + "]";
    s.server.next(script().read_request().answer(200, good, index(5)));
    s.server.next(script().read_request().answer(403, "Permission denied"));
    s.server.next(script().read_request().answer(200, "[" + entry("c", R"({"limit":{"limit":6}})") + "]",
                                                 index(6) + "X-Consul-Results-Filtered-By-ACLs: true\r\n"));
    s.server.next(script().read_request().answer(200, "<html>", index(6)));
    s.server.always(script().hang());
    s.start("c");
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::registry_refused; }));
    CHECK(s.follow->status().note == "403: Permission denied");
    CHECK(s.until([&] { return s.follow->status().note == "the token does not let all keys be seen"; }));
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::bad_document; }));
    CHECK(s.limit.limit() == 5);
    CHECK_FALSE(s.follow->status().connected);
}

TEST_CASE("consul kv: options are checked")
{
    CHECK_THROWS_WITH(consul({.key = ""}), "weir: consul_kv_options.key must be like \"config/checkout\", and is \"\"");
    CHECK_THROWS_AS(consul({.key = "/config"}), std::invalid_argument);
    CHECK_THROWS_AS(consul({.agent = {.url = "ftp://x"}, .key = "c"}), std::invalid_argument);
    CHECK_THROWS_AS(consul({.agent = {.wait = 1ms}, .key = "c"}), std::invalid_argument);
}

TEST_CASE("tree: indices make lists, as Spring writes them")
{
    weir::config::detail::tree t('.');
    std::string why;
    auto const add = [&](char const* key, int n) { return t.add(key, n, why); };
    CHECK(add("a.b[1].c", 1));
    CHECK(add("a.b[0].c", 2));
    CHECK(add("a.b[0].d", 3));
    CHECK(add("m[0][1]", 4));
    CHECK(t.whole() == boost::json::object{{"a", {{"b", {{{"c", 2}, {"d", 3}}, {{"c", 1}}}}}}, {"m", {{nullptr, 4}}}});
    for (auto const* bad : {"", ".", "a..b", "[0]", "a.b[0", "a.b[x]", "a.b[-1]", "a.b[]", "a.b[1000000]", "a.b[0].c.d",
                            "a.b.c", "a", "m[0][1]"})
        CHECK_MESSAGE(!add(bad, 9), bad);
}
