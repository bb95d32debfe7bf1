// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <weir/http/client.hpp>
#include <weir/http/server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::testing::answer_handler;
using tcp = asio::ip::tcp;

namespace {

http::response echo(http::request const& r)
{
    return http::reply(http::status::ok,
                       std::string(r.method_string()) + " " + std::string(r.target()) + " " + r.body());
}

struct scene {
    template <class Handler = http::response (*)(http::request const&)>
    explicit scene(http::server_options o = {}, Handler h = echo)
        : io(1), server(std::in_place, io.get_executor(), std::move(h), std::move(o))
    {
    }

    asio::io_context io;
    std::optional<http::server> server;
    error_code written, ending;  // of `raw`

    // Sends bytes on a new connection and gives what comes until the server closes.
    std::string raw(std::string const& bytes)
    {
        tcp::socket s(io);
        s.connect({asio::ip::address_v4::loopback(), server->port()});
        std::string got;
        bool done = false;
        asio::async_write(s, asio::buffer(bytes), [&](error_code ec, std::size_t) { written = ec; });
        asio::async_read(s, asio::dynamic_buffer(got), [&](error_code ec, std::size_t) {
            ending = ec;
            done = true;
        });
        run_until([&] { return done; });
        return got;
    }

    template <class F>
    void run_until(F done)
    {
        io.restart();
        while (!done() && io.run_one() != 0) {}
        REQUIRE(done());
    }
};

bool has(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("server: answers, keeps the connection, and takes requests that came together")
{
    scene s;
    auto const got = s.raw("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                           "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                           "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(has(got, "\r\n\r\nGET /1 HTTP/1.1 200 OK\r\n"));
    CHECK(has(got, "\r\n\r\nPOST /2 abcHTTP/1.1 200 OK\r\n"));
    CHECK(has(got, "Connection: close\r\n"));
    CHECK(got.ends_with("\r\n\r\nGET /3 "));
}

TEST_CASE("server: HTTP/1.0 is answered and closed, unless it asks to be kept")
{
    scene s;
    CHECK(has(s.raw("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.0 200 OK\r\n"));
    auto const two = s.raw("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
    CHECK(has(two, "Connection: keep-alive\r\n"));
    CHECK(has(two, "GET /2 "));
}

TEST_CASE("server: an answer to HEAD has the length and no body, 204 has neither")
{
    scene s({}, [](http::request const& r) {
        return http::reply(r.target() == "/none" ? http::status::no_content : http::status::ok, "12345");
    });
    auto const got = s.raw("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(has(got, "Content-Length: 5\r\n"));
    CHECK(has(got, "\r\n\r\nHTTP/1.1 204 No Content\r\n"));
    CHECK(got.ends_with("\r\n\r\n"));
    CHECK_FALSE(has(got, "12345"));
    CHECK(got.find("Content-Length", got.find("204")) == std::string::npos);
}

TEST_CASE("server: 100-continue is answered before the body is awaited")
{
    scene s;
    tcp::socket peer(s.io);
    peer.connect({asio::ip::address_v4::loopback(), s.server->port()});
    std::string const head =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    asio::write(peer, asio::buffer(head));
    std::string got(25, ' ');
    bool done = false;
    asio::async_read(peer, asio::buffer(got), [&](error_code, std::size_t) { done = true; });
    s.run_until([&] { return done; });
    CHECK(got == "HTTP/1.1 100 Continue\r\n\r\n");
    asio::write(peer, asio::buffer("hi", 2));
    got.clear();
    done = false;
    asio::async_read(peer, asio::dynamic_buffer(got), [&](error_code, std::size_t) { done = true; });
    s.run_until([&] { return done; });
    CHECK(got.ends_with("POST / hi"));
}

TEST_CASE("server: what is not HTTP, doubtful or too large is refused and the connection closed")
{
    scene s({.max_body_bytes = 10, .max_header_bytes = 1024});
    struct row {
        std::string wire, status;
    };
    std::string const post = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (auto const& [wire, status] :
         {row{"garbage\r\n\r\n", " 400 "}, row{"GET / HTTP/2.0\r\n\r\n", " 400 "},
          row{"GET / HTTP/1.1\r\n\r\n", " 400 "}, row{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", " 400 "},
          row{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", " 400 "},
          row{post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", " 400 "},
          row{post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", " 400 "},
          row{post + "Transfer-Encoding: chunked, identity\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", " 400 "},
          row{post + "Transfer-Encoding: gzip\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", " 400 "},
          row{post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", " 400 "},
          row{post + "Content-Length : 3\r\n\r\nabc", " 400 "},
          row{post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", " 400 "},
          row{post + "Content-Length: 11\r\n\r\n" + std::string(11, 'x'), " 413 "},
          row{post + "Transfer-Encoding: chunked\r\n\r\nb\r\n" + std::string(11, 'x') + "\r\n0\r\n\r\n", " 413 "},
          row{"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", " 431 "},
          row{"GET /" + std::string(2000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", " 431 "},
          row{post + "Content-Length: 10\r\nConnection: close\r\n\r\n" + std::string(10, 'x'), " 200 "}}) {
        auto const got = s.raw(wire);
        CAPTURE(wire);
        CHECK(got.substr(0, 13).ends_with(status));
        CHECK(has(got, "Connection: close\r\n"));
        CHECK_FALSE(has(got, "evil"));
        CHECK(got.find("HTTP/1.1", 1) == std::string::npos);
    }
}

TEST_CASE("server: a refusal reaches a peer that is still sending, instead of a reset")
{
    scene s({.max_body_bytes = 10});
    auto const got = s.raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + std::string(500'000, 'x'));
    CHECK(got.starts_with("HTTP/1.1 413 "));
    CHECK_FALSE(s.written);
    CHECK(s.ending == asio::error::eof);
}

TEST_CASE("server: a handler that throws, or sets a header or a reason that cannot be written, is answered with 500")
{
    scene s({}, [](http::request const& r) -> http::response {
        if (r.target() == "/throw") throw 1;
        auto a = http::reply(http::status::ok, "x");
        if (r.target() == "/value") a.set("X-Echo", "a\r\nEvil: 1");
        if (r.target() == "/reason") a.reason("OK\r\nEvil: 1");
        if (r.target() == "/name") a.set("X-Echo: 1\r\nEvil", "1");
        return a;
    });
    for (char const* target : {"/throw", "/value", "/reason", "/name"}) {
        auto const got = s.raw("GET " + std::string(target) +
                               " HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        CAPTURE(target);
        CHECK(got.starts_with("HTTP/1.1 500 "));
        CHECK_FALSE(has(got, "Evil"));
        CHECK(got.ends_with("x"));  // the connection lives on
    }
}

TEST_CASE("server: a handler may be a coroutine, and others are served while it waits")
{
    asio::io_context* context = nullptr;
    scene s({}, [&](http::request r) -> asio::awaitable<http::response> {
        if (r.target() == "/slow") {
            weir::timer t(context->get_executor());
            co_await t.async_wait_for(20ms, asio::use_awaitable);
        }
        co_return echo(r);
    });
    context = &s.io;
    http::client client(s.io.get_executor());
    weir::endpoint const to{"", "127.0.0.1", s.server->port()};
    std::string order;
    client.async_get(to, "/slow", answer_handler([&](error_code, http::response const& r) { order += r.body(); }));
    client.async_get(to, "/fast", answer_handler([&](error_code, http::response const& r) { order += r.body(); }));
    s.run_until([&] { return order.size() == 20; });
    CHECK(order == "GET /fast GET /slow ");
}

TEST_CASE("server: idle connections and slow requests are closed at their limits")
{
    scene s({.idle_timeout = 20ms, .request_timeout = 20ms});
    for (std::string const bytes : {"", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"}) {
        CAPTURE(bytes);
        CHECK(s.raw(bytes) == "");
    }
    CHECK(has(s.raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), " 200 "));
    CHECK(s.server->connections() == 0);
}

TEST_CASE("server: at the limit of connections the next one waits for room")
{
    scene s({.max_connections = 1});
    tcp::socket first(s.io);
    first.connect({asio::ip::address_v4::loopback(), s.server->port()});
    s.run_until([&] { return s.server->connections() == 1; });
    tcp::socket second(s.io);
    second.connect({asio::ip::address_v4::loopback(), s.server->port()});
    asio::write(second, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    s.io.restart();
    s.io.poll();
    CHECK(s.server->connections() == 1);
    first.close();
    char c;
    bool answered = false;
    asio::async_read(second, asio::buffer(&c, 1), [&](error_code ec, std::size_t) { answered = !ec; });
    s.run_until([&] { return answered; });
}

TEST_CASE("server: draining lets what has begun end, closes what is idle and refuses what is new")
{
    weir::timer* gate = nullptr;
    scene s({}, [&](http::request) -> asio::awaitable<http::response> {
        co_await gate->async_wait_until(weir::never, asio::as_tuple(asio::use_awaitable));
        co_return http::reply(http::status::ok, "late");
    });
    weir::timer t(s.io.get_executor());
    gate = &t;
    http::client client(s.io.get_executor());
    weir::endpoint const to{"", "127.0.0.1", s.server->port()};
    tcp::socket idle(s.io);
    idle.connect({asio::ip::address_v4::loopback(), s.server->port()});
    std::optional<http::response> answer;
    client.async_get(to, "/", answer_handler([&](error_code ec, http::response r) {
                         CHECK_FALSE(ec);
                         answer = std::move(r);
                     }));
    s.run_until([&] { return s.server->connections() == 2; });
    s.io.poll();

    std::optional<error_code> drained;
    s.server->async_drain(weir::now(s.io.get_executor()) + 5s, [&](error_code ec) { drained = ec; });
    s.run_until([&] { return s.server->connections() == 1; });
    CHECK_FALSE(drained);
    error_code refused;
    tcp::socket late(s.io);
    late.connect({asio::ip::address_v4::loopback(), to.port}, refused);
    CHECK(refused == asio::error::connection_refused);
    t.cancel();
    s.run_until([&] { return drained.has_value(); });
    CHECK_FALSE(*drained);
    s.run_until([&] { return answer.has_value(); });
    CHECK(answer->body() == "late");
    CHECK_FALSE(answer->keep_alive());
}

TEST_CASE("server: draining ends by force at its deadline, and at once when nothing is open")
{
    scene s({}, [](http::request) -> asio::awaitable<http::response> {
        weir::timer t(co_await asio::this_coro::executor);
        co_await t.async_wait_for(200ms, asio::use_awaitable);
        co_return http::reply(http::status::ok);
    });
    http::client client(s.io.get_executor());
    std::optional<error_code> called, drained;
    client.async_get({"", "127.0.0.1", s.server->port()}, "/",
                     answer_handler([&](error_code ec, auto const&) { called = ec; }));
    s.run_until([&] { return s.server->connections() == 1; });
    for (int i = 0; i < 3; ++i) s.io.poll();
    s.server->async_drain(weir::now(s.io.get_executor()) + 10ms, [&](error_code ec) { drained = ec; });
    s.run_until([&] { return drained && called; });
    CHECK(*drained == weir::errc::deadline_exceeded);
    CHECK(*called);

    scene empty;
    drained.reset();
    empty.server->async_drain(weir::now(empty.io.get_executor()) + 1h, [&](error_code ec) { drained = ec; });
    empty.run_until([&] { return drained.has_value(); });
    CHECK_FALSE(*drained);
}

TEST_CASE("server: destroyed with connections open, it leaves nothing that keeps the context running")
{
    scene s;
    http::client client(s.io.get_executor());
    bool done = false;
    client.async_get({"", "127.0.0.1", s.server->port()}, "/",
                     answer_handler([&](error_code, auto const&) { done = true; }));
    s.run_until([&] { return done; });
    s.server.reset();
    s.io.restart();
    s.io.run();
    CHECK(client.idle() == 1);
}

TEST_CASE("server: says what it cannot do")
{
    asio::io_context io;
    auto const message = [&](http::server_options o) -> std::string {
        try {
            http::server s(io.get_executor(), echo, std::move(o));
        } catch (std::exception const& e) {
            return e.what();
        }
        return "";
    };
    CHECK(message({}) == "");
    CHECK(has(message({.address = "not an address"}), "cannot listen at not an address"));
    http::server taken(io.get_executor(), echo);
    CHECK(has(message({.port = taken.port()}), "cannot listen at 127.0.0.1 port " + std::to_string(taken.port())));
    CHECK(has(message({.max_header_bytes = 10}), "server_options.max_header_bytes"));
}

TEST_CASE("server: several may share a port, each in a context of its own")
{
    asio::io_context one, two;
    http::basic_server first(one.get_executor(), echo, {.share_port = true});
    http::basic_server second(two.get_executor(), echo, {.port = first.port(), .share_port = true});
    static_assert(std::same_as<decltype(first)::executor_type, asio::io_context::executor_type>);
    CHECK(first.port() == second.port());
}
