// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/client.hpp>
#include <weir/http/priority_header.hpp>
#include <weir/http/server.hpp>

#include <doctest/doctest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using weir::criticality;
using weir::request_priority;

namespace {

constexpr request_priority important{criticality::critical_plus, 37};

/// What a server was told, and the text of it.
struct told {
    std::optional<request_priority> priority;
    std::vector<std::string> text;
    weir::duration left{};
};

/// shop -> stock: the shop asks the stock for each request it gets, with what the request hands on.
struct call_tree {
    asio::io_context io{1};
    told shop_told, stock_told;
    http::server stock{io.get_executor(), [this](http::request const& r) {
                           note(stock_told, r);
                           return http::reply(http::status::ok, "12");
                       }};
    http::client client;
    weir::endpoint_set stocks;
    weir::round_robin turns{stocks};
    decltype(weir::pipeline(turns)) guarded{weir::pipeline(turns)};
    bool by_get = true;
    http::server shop{io.get_executor(), [this](http::request r) { return serve(std::move(r)); }};

    explicit call_tree(http::client_options o)
        : client(io.get_executor(), std::move(o)), stocks({{"stock", "127.0.0.1", stock.port()}})
    {
    }

    static void note(told& t, http::request const& r)
    {
        auto const now = weir::steady_clock::now();
        t = {http::priority_of(r), {}, weir::between(now, http::deadline_of(r, now))};
        auto const [first, last] = r.equal_range("x-request-priority");
        for (auto f = first; f != last; ++f) t.text.emplace_back(f->value().data(), f->value().size());
    }

    asio::awaitable<http::response> serve(http::request r)
    {
        note(shop_told, r);
        auto const ask = [this](weir::attempt const& a) {
            auto q = http::get("/");
            q.set("x-request-priority", "3.127");  // what the call says counts for more
            return client.async_send(a, std::move(q), asio::deferred);
        };
        auto const get = [this](weir::attempt const& a) { return client.async_get(a, "/", asio::deferred); };
        auto said = http::carried_by(r, weir::steady_clock::now());
        if (by_get) co_return co_await guarded.async_call(get, std::move(said), asio::use_awaitable);
        co_return co_await guarded.async_call(ask, std::move(said), asio::use_awaitable);
    }

    /// A request from the edge.
    void ask_shop(weir::call_options said)
    {
        weir::endpoint_set shops({{"shop", "127.0.0.1", shop.port()}});
        weir::round_robin turn(shops);
        auto edge = weir::pipeline(turn);
        bool done = false;
        edge.async_call(
            io.get_executor(), [this](weir::attempt const& a) { return client.async_get(a, "/", asio::deferred); },
            std::move(said),
            [&](boost::system::error_code ec, http::response const& r) {
                CHECK_FALSE(ec);
                CHECK(r.body() == "12");
                done = true;
            });
        while (!done) io.run_one();
    }
};

http::request with(std::vector<std::string> const& values)
{
    auto r = http::get("/");
    for (auto const& v : values) r.insert("x-request-priority", v);
    return r;
}

}  // namespace

TEST_CASE("priority_header: read once, in weir's form, or not at all")
{
    CHECK(http::priority_of(with({"0.37"})) == important);
    CHECK_FALSE(http::priority_of(with({})));
    CHECK_FALSE(http::priority_of(with({"high"})));
    CHECK_FALSE(http::priority_of(with({"0.37", "0.37"})));
    auto r = http::get("/");
    r.set("X-Importance", "1.0");
    CHECK(http::priority_of(r, "x-importance") == request_priority{});
}

TEST_CASE("priority_header: a service that is called with a priority and a deadline calls others with them")
{
    for (bool const by_get : {true, false}) {
        CAPTURE(by_get);
        call_tree t({.deadline_header = std::string(http::deadline_header_name)});
        t.by_get = by_get;
        t.ask_shop({.deadline = weir::steady_clock::now() + 60s, .priority = important});
        CHECK(t.shop_told.priority == important);
        CHECK(t.stock_told.priority == important);
        CHECK(t.stock_told.text == std::vector<std::string>{"0.37"});
        CHECK(t.stock_told.left <= t.shop_told.left);
        CHECK(t.stock_told.left > 20s);

        t.ask_shop({});
        CHECK_FALSE(t.shop_told.priority);
        CHECK(t.stock_told.text == (by_get ? std::vector<std::string>{} : std::vector<std::string>{"3.127"}));
    }
}

TEST_CASE("priority_header: the client says it under another name, or not at all, as its options want")
{
    call_tree silent({.priority_header = ""});
    silent.ask_shop({.priority = important});
    CHECK(silent.shop_told.text.empty());
    call_tree other({.priority_header = "x-importance"});
    other.ask_shop({.priority = important});
    CHECK(other.shop_told.text.empty());
    CHECK_THROWS_AS((http::client_options{.priority_header = "x y"}.check()), std::invalid_argument);
}
