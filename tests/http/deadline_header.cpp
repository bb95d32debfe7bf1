// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <weir/core/random.hpp>
#include <weir/http/client.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/http/server.hpp>

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

using namespace std::chrono_literals;
namespace http = weir::http;
using weir::testing::answer_handler;
namespace asio = boost::asio;
using http::format_timeout;
using http::parse_timeout;

TEST_CASE("deadline_header: the finest unit that has room, rounded down")
{
    CHECK(format_timeout(1ns) == "1n");
    CHECK(format_timeout(99'999'999ns) == "99999999n");
    CHECK(format_timeout(100ms) == "100000u");
    CHECK(format_timeout(100'000'999ns) == "100000u");
    CHECK(format_timeout(30s) == "30000000u");
    CHECK(format_timeout(100s) == "100000m");
    CHECK(format_timeout(24h * 365) == "31536000S");
    CHECK(format_timeout(24h * 365 * 100) == "52560000M");
    CHECK(format_timeout(weir::duration::max()) == "2562047H");
    CHECK(format_timeout(0s) == "0n");
    CHECK(format_timeout(-1s) == "0n");
}

TEST_CASE("deadline_header: reads what gRPC writes")
{
    CHECK(parse_timeout("1H") == 1h);
    CHECK(parse_timeout("2M") == 2min);
    CHECK(parse_timeout("3S") == 3s);
    CHECK(parse_timeout("4m") == 4ms);
    CHECK(parse_timeout("5u") == 5us);
    CHECK(parse_timeout("6n") == 6ns);
    CHECK(parse_timeout("00000001S") == 1s);
    CHECK(parse_timeout("99999999M") == weir::duration(99'999'999 * std::int64_t{60'000'000'000}));
    CHECK(parse_timeout("99999999H") == weir::duration::max());
}

TEST_CASE("deadline_header: anything else is no deadline")
{
    for (auto const* text : {"", "S", "1", "1s", "1h", "-1S", "+1S", " 1S", "1S ", "1 S", "1.5S", "123456789S", "1SS",
                             "0x1S", "1\xc2\xb5", "S1", "1e3m"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_timeout(text));
    }
}

TEST_CASE("deadline_header: comes back as at most what was sent, and hardly less")
{
    weir::random_engine random(5);
    for (int i = 0; i < 100000; ++i) {
        auto const left = weir::duration(static_cast<std::int64_t>(random() >> (1 + random() % 63)));
        auto const text = format_timeout(left);
        REQUIRE(text.size() <= 9);
        auto const back = parse_timeout(text);
        REQUIRE(back);
        REQUIRE(*back <= left);
        REQUIRE(left - *back <= left / 100'000);
    }
}

TEST_CASE("deadline_header: a request's deadline counts from its arrival")
{
    weir::time_point const now{1h};
    auto r = http::get("/");
    CHECK(http::deadline_of(r, now) == weir::never);
    r.set("grpc-timeout", "250m");
    CHECK(http::deadline_of(r, now) == now + 250ms);
    CHECK(http::deadline_of(r, now, "x-time-left") == weir::never);
    r.set("Grpc-Timeout", "soon");
    CHECK(http::deadline_of(r, now) == weir::never);
    r.set("grpc-timeout", "99999999H");
    CHECK(http::deadline_of(r, now) == weir::never);
}

TEST_CASE("deadline_header: the client sends what is left, when its options say so")
{
    asio::io_context io;
    std::optional<std::string> seen;
    http::server server(io.get_executor(), [&](http::request const& r) {
        seen.reset();
        if (auto const f = r.find("x-time-left"); f != r.end()) seen = std::string(f->value());
        return http::reply(http::status::ok);
    });
    weir::endpoint const to{"a", "127.0.0.1", server.port()};
    auto const ask = [&](http::client_options o, weir::time_point deadline) {
        http::client client(io.get_executor(), std::move(o));
        bool done = false;
        client.async_send(to, http::get("/"), deadline,
                          answer_handler([&](boost::system::error_code ec, http::response const&) {
                              CHECK_FALSE(ec);
                              done = true;
                          }));
        while (!done) io.run_one();
    };
    ask({}, weir::never);
    CHECK_FALSE(seen);
    ask({.deadline_header = "x-time-left"}, weir::steady_clock::now() + 60s);
    REQUIRE(seen);
    auto const left = parse_timeout(*seen);
    REQUIRE(left);
    CHECK(*left <= 60s);
    CHECK(*left > 20s);
    ask({.timeout = 0s, .deadline_header = "x-time-left"}, weir::never);
    CHECK_FALSE(seen);
}
