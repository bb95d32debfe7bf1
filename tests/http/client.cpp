// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <support/counting_allocator.hpp>
#include <weir/async/timer.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/http/client.hpp>
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::errc;
using weir::test::counting_allocator;
using weir::test::ledger;
using weir::testing::answer_handler;
using weir::testing::script;
using weir::testing::scripted_server;

namespace {

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

// A client and a server in one context.
struct scene {
    explicit scene(http::client_options o = {}) : client(std::in_place, io.get_executor(), std::move(o)) {}
    ~scene()
    {
        CHECK(server->failures() == std::vector<std::string>{});
        client.reset();
        server.reset();
        io.restart();
        io.run();  // nothing is left that would keep it
    }

    asio::io_context io{1};
    std::optional<scripted_server> server{std::in_place, io.get_executor()};
    std::optional<http::basic_client<asio::io_context::executor_type>> client;

    struct ended {
        error_code ec;
        http::response answer;
        int completions = 0;
    };

    // Runs one call to its end, and lets the server see what follows from it.
    ended call(http::request r, weir::duration limit = 5s)
    {
        ended e;
        client->async_send(server->endpoint(), std::move(r), weir::now(io.get_executor()) + limit,
                           answer_handler([&](error_code ec, http::response a) {
                               e = {ec, std::move(a), e.completions + 1};
                           }));
        CHECK(e.completions == 0);
        run_until([&] { return e.completions != 0; });
        io.restart();
        io.poll();
        CHECK(e.completions == 1);
        return e;
    }
    ended get(std::string_view target = "/", weir::duration limit = 5s) { return call(http::get(target), limit); }

    template <class F>
    void run_until(F done)
    {
        io.restart();
        while (!done() && io.run_one() != 0) {}
        REQUIRE(done());
    }
};

}  // namespace

TEST_CASE("client: sends what it was given, and brings the answer")
{
    scene s({.user_agent = "test"});
    s.server->next(script().read_request().send(std::string(ok)).hang());
    auto const e = s.call(http::post("/a?b=c", "{}"));
    CHECK_FALSE(e.ec);
    CHECK(e.answer.result_int() == 200);
    CHECK(e.answer.body() == "hello");
    CHECK(s.server->received(0) == "POST /a?b=c HTTP/1.1\r\nContent-Type: application/json\r\nHost: 127.0.0.1:" +
                                       std::to_string(s.server->port()) +
                                       "\r\nUser-Agent: test\r\nContent-Length: 2\r\n\r\n{}");
}

TEST_CASE("client: a method of one's own, fields given twice and a large body go out as they are")
{
    scene s({.host_header = "h"});
    http::request r(http::verb::unknown, "/p", 11);
    r.method_string("PURGE");
    r.insert("X", "1");
    r.insert("x", "");
    r.body().assign(1'000'000, 'x');
    s.server->next(script().read_request().send(std::string(ok)).hang());
    auto const body = r.body();
    CHECK_FALSE(s.call(std::move(r)).ec);
    CHECK(s.server->received(0) ==
          "PURGE /p HTTP/1.1\r\nX: 1\r\nx: \r\nHost: h\r\nUser-Agent: weir\r\n"
          "Content-Length: 1000000\r\n\r\n" +
              body);
}

TEST_CASE("client: a kept connection is used again")
{
    scene s;
    script three;
    for (int i = 0; i < 3; ++i) three.expect("GET /").answer(200, std::to_string(i));
    s.server->next(three.hang());
    for (int i = 0; i < 3; ++i) {
        CHECK(s.get().answer.body() == std::to_string(i));
        CHECK(s.client->idle() == 1);
    }
    CHECK(s.server->connections() == 1);
}

// --- Kept connections
// ---------------------------------------------------------------------------------------------------

TEST_CASE("client: \"Connection: close\" from either side, HTTP/1.0 and a body ended by closing are not kept")
{
    scene s;
    s.server->next(script().read_request().answer(200, "a", "Connection: close\r\n").hang());
    s.server->next(script().read_request().send("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nb").hang());
    s.server->next(script().read_request().send("HTTP/1.1 200 OK\r\n\r\nc").close());
    s.server->next(script().read_request().answer(200, "d").hang());
    for (auto const* body : {"a", "b", "c"}) {
        auto const e = s.get();
        CHECK_FALSE(e.ec);
        CHECK(e.answer.body() == body);
        CHECK(s.client->idle() == 0);
    }
    auto r = http::get("/");
    r.keep_alive(false);
    CHECK(s.call(r).answer.body() == "d");
    CHECK(s.client->idle() == 0);
    CHECK(s.server->connections() == 4);
}

TEST_CASE("client: bytes after an answer are not taken for the next one")
{
    scene s;
    std::string const two = std::string(ok) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    s.server->next(script().read_request().send(two).hang());
    s.server->next(script().read_request().send(std::string(ok)).hang());
    CHECK(s.get().answer.body() == "hello");
    CHECK(s.client->idle() == 0);
    CHECK(s.get().answer.body() == "hello");
    CHECK(s.server->connections() == 2);
}

TEST_CASE("client: a kept connection that the server closed costs an idempotent request one more connection")
{
    scene s;
    s.server->next(script().expect("GET /1").answer(200, "1").close());
    s.server->next(script().expect("GET /2").answer(200, "2").hang());
    CHECK(s.get("/1").answer.body() == "1");
    auto const e = s.get("/2");
    CHECK_FALSE(e.ec);
    CHECK(e.answer.body() == "2");
    CHECK(s.server->connections() == 2);
}

TEST_CASE("client: a kept connection reset while the answer is awaited is tried once more, and only once")
{
    scene s;
    s.server->next(script().expect("GET /1").answer(200, "1").expect("GET /2").reset());
    s.server->next(script().expect("GET /2").reset());
    CHECK(s.get("/1").answer.body() == "1");
    auto const e = s.get("/2");
    CHECK(e.ec == asio::error::connection_reset);
    CHECK(s.server->connections() == 2);
}

TEST_CASE("client: a POST whose bytes have gone out is not sent twice")
{
    scene s;
    s.server->next(script().expect("GET /1").answer(200, "1").expect("POST /2").reset());
    CHECK(s.get("/1").answer.body() == "1");
    auto const e = s.call(http::post("/2", "{}"));
    CHECK(e.ec == asio::error::connection_reset);
    CHECK(s.server->connections() == 1);
}

TEST_CASE("client: a POST finds out that a kept connection is closed before it writes")
{
    scene s;
    s.server->next(script().expect("GET /1").answer(200, "1").close());
    s.server->next(script().expect("POST /2").answer(200, "2").hang());
    CHECK(s.get("/1").answer.body() == "1");
    s.run_until([&] { return s.server->finished(0); });
    auto const e = s.call(http::post("/2", "{}"));
    CHECK_FALSE(e.ec);
    CHECK(e.answer.body() == "2");
}

TEST_CASE("client: nor does a POST trust a kept connection on which the server has spoken unasked")
{
    scene s;
    bool spoken = false;
    s.server->next(script()
                       .read_request()
                       .answer(200, "1")
                       .wait(1ms)
                       .send("HTTP/1.1 408 X\r\n\r\n")
                       .call([&] { spoken = true; })
                       .hang());
    s.server->next(script().expect("POST /2").answer(200, "2").hang());
    CHECK(s.get("/1").answer.body() == "1");
    s.run_until([&] { return spoken; });
    CHECK(s.call(http::post("/2", "{}")).answer.body() == "2");
}

TEST_CASE("client: a first connection that fails is not tried again")
{
    scene s;
    s.server->next(script().expect("GET /").reset());
    CHECK(s.get().ec == asio::error::connection_reset);
    CHECK(s.server->connections() == 1);
}

TEST_CASE("client: an answer that has begun is not asked for again")
{
    scene s;
    s.server->next(script().read_request().answer(200, "1").expect("GET /2").send("H").reset());
    CHECK(s.get("/1").answer.body() == "1");
    CHECK(s.get("/2").ec == asio::error::connection_reset);
    CHECK(s.server->connections() == 1);
}

TEST_CASE("client: keeps no more connections than it may")
{
    for (auto const& [options, kept] : {std::pair{http::client_options{.max_idle_per_endpoint = 2}, 2u},
                                        {http::client_options{.max_idle = 1}, 1u},
                                        {http::client_options{.max_idle_per_endpoint = 0}, 0u},
                                        {http::client_options{.idle_timeout = 0s}, 0u}}) {
        scene s(options);
        s.server->always(script().read_request().answer(200, "x").repeat());
        int done = 0;
        for (int i = 0; i < 4; ++i)
            s.client->async_get(s.server->endpoint(), "/", answer_handler([&](error_code ec, http::response const&) {
                                    CHECK_FALSE(ec);
                                    ++done;
                                }));
        CHECK(s.client->in_flight() == 4);
        s.run_until([&] { return done == 4; });
        CHECK(s.client->in_flight() == 0);
        if (options.idle_timeout != 0s) CHECK(s.client->idle() == kept);
        CHECK(s.server->connections() == 4);
        s.get();
        CHECK(s.server->connections() == (kept == 0 ? 5 : 4) + 0u);
    }
}

TEST_CASE("client: what has been idle for too long is closed without another call, while anything waits")
{
    bool waiting = true;
    int ended = 0;
    scene s({.idle_timeout = 20ms});
    for (int i = 0; i < 2; ++i) {
        s.server->next(script().read_request().answer(200, "x").hang());
        s.client->async_get(s.server->endpoint(), "/",
                            answer_handler([&](error_code ec, http::response const&) { ended += !ec; }));
    }
    s.run_until([&] { return ended == 2; });
    CHECK(s.client->idle() == 2);
    weir::timer other(s.io.get_executor());
    other.async_wait_for(5s, [&](error_code) { waiting = false; });
    s.run_until([&] { return s.client->idle() == 0 || !waiting; });
    CHECK(waiting);
    CHECK(s.client->idle() == 0);
}

TEST_CASE("client: more calls to one endpoint than it may have are refused with nothing written")
{
    scene s({.max_connections_per_endpoint = 2});
    s.server->always(script().read_request().answer(200, "x").repeat());
    int good = 0, refused = 0;
    for (int i = 0; i < 5; ++i)
        s.client->async_get(s.server->endpoint(), "/", answer_handler([&](error_code ec, http::response const&) {
                                if (!ec)
                                    ++good;
                                else if (ec == errc::too_many_calls)
                                    ++refused;
                            }));
    s.run_until([&] { return good + refused == 5; });
    CHECK(good == 2);
    CHECK(refused == 3);
    CHECK(s.server->connections() == 2);
    CHECK_FALSE(s.get().ec);
}

// --- Broken answers
// -----------------------------------------------------------------------------------------------------

TEST_CASE("client: an answer cut anywhere is an error, and its connection is not kept")
{
    for (std::size_t cut = 0; cut < ok.size(); ++cut) {
        scene s;
        s.server->next(script().read_request().send_cut(ok, cut).close());
        auto const e = s.get();
        CAPTURE(cut);
        CHECK(e.ec == errc::connection_closed);
        CHECK(e.answer.body().empty());
        CHECK(s.client->idle() == 0);
    }
}

TEST_CASE("client: a chunked answer cut anywhere is an error")
{
    std::string const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
    for (std::size_t cut = 1; cut < chunked.size(); ++cut) {
        scene s;
        s.server->next(script().read_request().send_cut(chunked, cut).close());
        CAPTURE(cut);
        CHECK(s.get().ec == errc::connection_closed);
    }
    scene s;
    s.server->next(script().read_request().send(chunked).hang());
    CHECK(s.get().answer.body() == "abcde");
    CHECK(s.client->idle() == 1);
}

TEST_CASE("client: an answer is the same however it is split")
{
    std::string const whole = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello";
    for (std::size_t size = 1; size <= whole.size(); ++size) {
        scene s;
        s.server->next(script().read_request().send_in_pieces(whole, size).hang());
        auto const e = s.get();
        CAPTURE(size);
        CHECK_FALSE(e.ec);
        CHECK(e.answer.body() == "hello");
        CHECK(e.answer["X"] == "y");
    }
}

TEST_CASE("client: what is not HTTP, or is framed doubtfully, is a bad response")
{
    for (std::string const garbage :
         {"garbage\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
          "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
          "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
        scene s;
        s.server->next(script().read_request().send(garbage).hang());
        auto const e = s.get();
        CAPTURE(garbage);
        CHECK(e.ec == errc::bad_response);
        CHECK(s.client->idle() == 0);
    }
    scene s;
    s.server->next(script().read_request().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx").close());
    CHECK(s.get().ec == errc::bad_response);
}

TEST_CASE("client: the body's limit is exact, for a stated length, for chunks and for a body ended by closing")
{
    http::client_options const o{.max_body_bytes = 10};
    for (std::size_t const size : {0u, 9u, 10u, 11u, 1000u}) {
        std::string const body(size, 'x');
        std::string chunks;
        for (std::size_t i = 0; i < size; ++i) chunks += "1\r\nx\r\n";
        std::string const line = "HTTP/1.1 200 OK\r\n";
        for (std::string const& answer :
             {line + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body,
              line + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n", line + "\r\n" + body}) {
            scene s(o);
            s.server->next(script().read_request().send(answer).close());
            auto const e = s.get();
            CAPTURE(answer);
            if (size > 10)
                CHECK(e.ec == errc::body_too_large);
            else
                CHECK(e.answer.body() == body);
        }
    }
}

TEST_CASE("client: a header at the limit is read, and a longer one is a bad response")
{
    for (std::size_t const size : {1023u, 1024u, 1025u, 20'000u}) {
        scene s({.max_header_bytes = 1024});
        std::string header = "Content-Length: 0\r\nX: ";
        header += std::string(size - header.size() - 4, 'x') + "\r\n\r\n";
        REQUIRE(header.size() == size);
        s.server->next(script().read_request().send("HTTP/1.1 200 OK\r\n" + header).hang());
        auto const e = s.get();
        CAPTURE(size);
        if (size <= 1024)
            CHECK_FALSE(e.ec);
        else
            CHECK(e.ec == errc::bad_response);
    }
    scene s;
    s.server->next(script().read_request().send("HTTP/1.1 200 OK\r\nX: " + std::string(1'000'000, 'x')).hang());
    CHECK(s.get().ec == errc::bad_response);
}

// --- Answers with rules of their own
// ------------------------------------------------------------------------------------

TEST_CASE("client: an answer to HEAD has a length and no body, and 204 and 304 have no body")
{
    scene s;
    s.server->next(script()
                       .expect("HEAD /")
                       .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                       .expect("GET /")
                       .send("HTTP/1.1 204 No Content\r\n\r\n")
                       .expect("GET /")
                       .send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
                       .expect("GET /")
                       .send(std::string(ok))
                       .hang());
    CHECK(s.call(http::head("/")).answer.at(http::field::content_length) == "1000");
    CHECK(s.get().answer.result_int() == 204);
    CHECK(s.get().answer.result_int() == 304);
    CHECK(s.get().answer.body() == "hello");
    CHECK(s.server->connections() == 1);
}

TEST_CASE("client: interim answers are passed over, but not for ever")
{
    scene s;
    s.server->next(script()
                       .read_request()
                       .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
                       .send(std::string(ok))
                       .hang());
    auto const e = s.get();
    CHECK(e.answer.result_int() == 200);
    CHECK(e.answer.body() == "hello");
    CHECK(e.answer.find("Link") == e.answer.end());
    CHECK(s.client->idle() == 1);
    s.client->close_idle();

    std::string many;
    for (int i = 0; i < 100; ++i) many += "HTTP/1.1 100 Continue\r\n\r\n";
    s.server->next(script().read_request().send(many).hang());
    CHECK(s.get().ec == errc::bad_response);
}

TEST_CASE("client: an answer of any status is an answer")
{
    scene s;
    for (int status : {200, 301, 404, 429, 500, 503}) {
        s.server->next(script().read_request().answer(status, "body", "Connection: close\r\n"));
        auto const e = s.get();
        CHECK_FALSE(e.ec);
        CHECK(e.answer.result_int() == static_cast<unsigned>(status));
        CHECK(e.answer.body() == "body");
    }
}

// --- Refusals
// -----------------------------------------------------------------------------------------------------------

TEST_CASE("client: what could become another header or another request is refused, and nothing is written")
{
    scene s;
    s.server->always(script().read_to_end());
    auto with = [](auto change) {
        auto r = http::get("/");
        change(r);
        return r;
    };
    for (auto const& r :
         {http::get("/a HTTP/1.1\r\nX: y"), http::get("/a\r\n"), http::get("/a b"), http::get("a"), http::get(""),
          http::get("http://elsewhere/"), http::get("/\x01"), http::get("/\xc3\xa9"),
          with([](auto& q) { q.set("X", "a\r\nEvil: 1"); }), with([](auto& q) { q.set("X", "a\nb"); }),
          with([](auto& q) { q.set("X", "a\rb"); }), with([](auto& q) { q.set("X", std::string("a\0b", 3)); }),
          with([](auto& q) { q.set("X: y\r\nEvil", "1"); }), with([](auto& q) { q.set("X Y", "1"); }),
          with([](auto& q) { q.set(http::field::host, "a\r\nX: y"); }),
          with([](auto& q) { q.method_string("GET / HTTP/1.1\r\nX:"); }),
          with([](auto& q) { q.set(http::field::content_length, "10"); }),
          with([](auto& q) { q.set(http::field::transfer_encoding, "chunked"); })})
        CHECK(s.call(r).ec == errc::bad_request);

    auto const here = s.server->endpoint();
    for (auto const& bad : {weir::endpoint{"", "", here.port}, weir::endpoint{"", here.host, 0},
                            weir::endpoint{"", "127.0.0.1\r\nX: y", here.port}}) {
        error_code got;
        s.client->async_get(bad, "/", answer_handler([&](error_code ec, http::response const&) { got = ec; }));
        s.run_until([&] { return bool(got); });
        CHECK(got == errc::bad_request);
    }
    CHECK(s.server->connections() == 0);
}

TEST_CASE("client: a deadline that has passed leaves no time to start")
{
    scene s;
    CHECK(s.get("/", 0ns).ec == errc::no_time_left);
    CHECK(s.get("/", -1h).ec == errc::no_time_left);
    CHECK(s.server->connections() == 0);
}

// --- Addresses
// ----------------------------------------------------------------------------------------------------------

TEST_CASE("client: names are looked up")
{
    scene s;
    s.server->always(script().read_request().send(std::string(ok)).hang());
    auto to = s.server->endpoint();
    to.host = "localhost";
    int done = 0;
    s.client->async_get(to, "/", answer_handler([&](error_code ec, http::response const& a) {
                            CHECK_FALSE(ec);
                            CHECK(a.body() == "hello");
                            ++done;
                        }));
    s.run_until([&] { return done == 1; });
    CHECK(s.server->received(0).find("Host: localhost:" + std::to_string(to.port)) != std::string::npos);
}

TEST_CASE("client: the Host of an IPv6 address has brackets, and can be given")
{
    asio::io_context io;
    asio::ip::tcp::acceptor six(io);
    error_code none;
    six.open(asio::ip::tcp::v6(), none);
    if (!none) six.bind({asio::ip::address_v6::loopback(), 0}, none);
    if (none) return;  // a machine without IPv6
    six.listen();
    auto const port = six.local_endpoint().port();
    for (std::string const given : {"", "service.internal"}) {
        http::client client(io.get_executor(), {.host_header = given});
        client.async_get({"", "::1", port}, "/", answer_handler([](error_code, http::response const&) {}));
        std::string received;
        char bytes[512];
        asio::ip::tcp::socket peer(io);
        six.async_accept(peer, [&](error_code) {
            peer.async_read_some(asio::buffer(bytes), [&](error_code, std::size_t n) {
                received.assign(bytes, n);
                io.stop();
            });
        });
        io.restart();
        io.run();
        CHECK(received.find("Host: " + (given.empty() ? "[::1]:" + std::to_string(port) : given) + "\r\n") !=
              std::string::npos);
    }
}

TEST_CASE("client: errors of the system pass through")
{
    scene s;
    auto const to = s.server->endpoint();
    s.server->stop();
    error_code got;
    s.client->async_get(to, "/", answer_handler([&](error_code ec, http::response const&) { got = ec; }));
    s.run_until([&] { return bool(got); });
    CHECK(got == asio::error::connection_refused);
    CHECK(std::error_code(got) == weir::condition::transient);
}

// --- Time
// ---------------------------------------------------------------------------------------------------------------

TEST_CASE("client: the deadline ends a call while the head or the body is awaited, or comes too slowly")
{
    std::string const big(200, 'x');
    for (auto const& act : {script().read_request().hang(), script().read_request().send("HTTP/1.1 200").hang(),
                            script().read_request().send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").hang(),
                            script().read_request().send_in_pieces("HTTP/1.1 200 OK\r\nX: " + big, 1, 2ms).hang()}) {
        scene s;
        s.server->next(act);
        auto const before = weir::now(s.io.get_executor());
        auto const e = s.get("/", 30ms);
        CHECK(e.ec == errc::attempt_timed_out);
        CHECK(weir::now(s.io.get_executor()) - before >= 30ms);
        CHECK(weir::now(s.io.get_executor()) - before < 2s);
        CHECK(s.client->idle() == 0);
        CHECK(s.client->in_flight() == 0);
        s.run_until([&] { return s.server->finished(0) || s.server->received(0).size() > 0; });
    }
}

TEST_CASE("client: the deadline ends a call while the request is being written")
{
    scene s;
    bool closed = false;
    s.server->next(script().read_bytes(1).wait(50ms).read_to_end().call([&] { closed = true; }));
    auto const e = s.call(http::post("/", std::string(64 << 20, 'x')), 30ms);
    CHECK(e.ec == errc::attempt_timed_out);
    s.run_until([&] { return closed; });  // the connection was closed for real
}

namespace {

// A port at which connecting neither succeeds nor fails: a listener whose queue is full.
struct black_hole {
    explicit black_hole(asio::io_context& io) : acceptor(io)
    {
        acceptor.open(asio::ip::tcp::v4());
        acceptor.bind({asio::ip::address_v4::loopback(), 0});
        acceptor.listen(0);
        for (int i = 0; i < 8; ++i) {
            waiting.emplace_back(io);
            waiting.back().async_connect(acceptor.local_endpoint(), [](error_code) {});
        }
    }
    asio::ip::tcp::acceptor acceptor;
    std::deque<asio::ip::tcp::socket> waiting;
    weir::endpoint endpoint() const { return {"", "127.0.0.1", acceptor.local_endpoint().port()}; }
};

}  // namespace

TEST_CASE("client: the deadline, and the limit of connecting, end a call that cannot connect, each with its own error")
{
    for (bool const by_connect_limit : {false, true}) {
        scene s({.connect_timeout = by_connect_limit ? 30ms : 3s});
        black_hole hole(s.io);
        error_code got;
        s.client->async_send(hole.endpoint(), http::get("/"),
                             weir::now(s.io.get_executor()) + (by_connect_limit ? 3s : weir::duration(30ms)),
                             answer_handler([&](error_code ec, http::response const&) { got = ec; }));
        s.run_until([&] { return bool(got); });
        if (by_connect_limit)
            CHECK(got == asio::error::timed_out);
        else
            CHECK(got == errc::attempt_timed_out);
        CHECK(std::error_code(got) == weir::condition::transient);
    }
}

TEST_CASE("client: calls with deadlines of all kinds end each at its own")
{
    scene s;
    s.server->always(script().read_request().hang());
    std::vector<int> order;
    auto const now = weir::now(s.io.get_executor());
    for (int const ms : {200, 100, 300, 150, 250, 50})
        s.client->async_send(s.server->endpoint(), http::get("/"), now + ms * 1ms,
                             answer_handler([&, ms](error_code ec, auto const&) {
                                 CHECK(ec == errc::attempt_timed_out);
                                 CHECK(weir::now(s.io.get_executor()) >= now + ms * 1ms);
                                 order.push_back(ms);
                             }));
    s.run_until([&] { return order.size() == 6; });
    CHECK(order == std::vector{50, 100, 150, 200, 250, 300});
}

TEST_CASE("client: a call without a deadline has the client's")
{
    scene s({.timeout = 20ms});
    s.server->next(script().read_request().hang());
    error_code got;
    s.client->async_get(s.server->endpoint(), "/",
                        answer_handler([&](error_code ec, http::response const&) { got = ec; }));
    s.run_until([&] { return bool(got); });
    CHECK(got == errc::attempt_timed_out);
}

TEST_CASE("client: an attempt brings its endpoint and its deadline")
{
    scene s;
    s.server->next(script().expect("GET /x").hang());
    auto const to = s.server->endpoint();
    weir::attempt const a(1, weir::now(s.io.get_executor()) + 20ms, &to);
    error_code got;
    s.client->async_get(a, "/x", answer_handler([&](error_code ec, http::response const&) { got = ec; }));
    s.run_until([&] { return bool(got); });
    CHECK(got == errc::attempt_timed_out);
    CHECK(s.server->connections() == 1);
}

TEST_CASE("client: a finished call leaves nothing that keeps the context running")
{
    scene s;
    s.server->next(script().read_request().send(std::string(ok)).close());
    CHECK_FALSE(s.get("/", 1h).ec);
    s.server->stop();
    auto const before = std::chrono::steady_clock::now();
    s.io.restart();
    s.io.run();
    CHECK(std::chrono::steady_clock::now() - before < 10s);
}

// --- Cancellation and lifetimes
// -----------------------------------------------------------------------------------------

TEST_CASE("client: a call arms no timer, and runs no more handlers than the bare Beast operations")
{
    asio::io_context theirs, ours;
    constexpr int calls = 1000;
    scripted_server server(theirs.get_executor());
    script all;
    for (int i = 0; i < calls; ++i) all.read_request().answer(200, "x");
    server.next(all.hang());
    http::client client(ours.get_executor());
    auto const begin = weir::steady_clock::now();
    std::size_t handlers = 0;
    for (int i = 0; i < calls; ++i) {
        bool done = false;
        client.async_get(server.endpoint(), "/",
                         answer_handler([&](error_code ec, http::response const&) { done = !ec; }));
        for (int turn = 0; !done && turn < 1'000'000; ++turn) {
            theirs.poll();
            ours.restart();
            handlers += ours.poll();
        }
        REQUIRE(done);
    }
    // Those take one handler to write and two to read. A timer armed anew would leave its cancelled handler to run. The
    // queue's own timer looks now and then; the first call connects.
    auto const looks = 2 + (weir::steady_clock::now() - begin) / weir::timer_queue::look_again;
    CHECK(handlers <= static_cast<std::size_t>(3 * calls + 1 + looks));
    CHECK(server.connections() == 1);
}

TEST_CASE("client: cancelled at any step, in any way, a call ends once, leaks nothing and leaves the client usable")
{
    // Three calls: over a new connection, a kept one, and one that turns out stale.
    for (auto const type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        bool past_the_end = false;
        for (int at = 0; !past_the_end; ++at) {
            REQUIRE(at < 1000);
            scene s;
            s.server->next(
                script().read_request().send_in_pieces(std::string(ok), 7).read_request().answer(200, "").close());
            s.server->always(script().read_request().answer(200, "").repeat());
            asio::cancellation_signal signal;
            int completions = 0, cancelled = 0, steps = 0;
            std::function<void()> next = [&] {
                auto to = s.server->endpoint();
                if (completions == 2) to.host = "localhost";
                auto ended = [&](error_code ec, http::response const&) {
                    ++completions;
                    if (ec) {
                        CHECK(ec == asio::error::operation_aborted);
                        ++cancelled;
                    } else if (completions < 4) {
                        next();
                    }
                };
                s.client->async_get(to, "/", asio::bind_cancellation_slot(signal.slot(), std::move(ended)));
            };
            next();
            while (completions < 4 && cancelled == 0) {
                if (steps++ == at) signal.emit(type);
                if (s.io.run_one() == 0) break;
            }
            signal.emit(type);  // too late: nothing
            s.io.restart();
            s.io.poll();
            CAPTURE(at);
            CHECK(cancelled <= 1);
            CHECK(s.client->in_flight() == 0);
            past_the_end = completions == 4 && cancelled == 0 && steps <= at;
            if (cancelled == 0) CHECK(completions == 4);
            completions = 3;
            s.run_until([&] {
                if (completions == 3 && cancelled < 2) cancelled = 2, next();
                return completions == 4;
            });
        }
    }
}

TEST_CASE("client: a call cancelled during a look-up ends without waiting for the resolver")
{
    scene s;
    asio::cancellation_signal signal;
    error_code got;
    s.client->async_get({"", "name.invalid", 80}, "/",
                        asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, auto const&) { got = ec; }));
    signal.emit(asio::cancellation_type::terminal);
    s.io.poll();
    CHECK(got == asio::error::operation_aborted);
}

TEST_CASE("client: destroyed with calls pending, it ends them with errc::stopped")
{
    scene s;
    s.server->always(script().read_request().hang());
    int stopped = 0;
    auto const count = [&](error_code ec, http::response const&) {
        if (ec == errc::stopped) ++stopped;
    };
    auto named = s.server->endpoint();
    named.host = "localhost";
    s.client->async_get(s.server->endpoint(), "/", count);
    while (s.server->connections() == 0 || s.server->received(0).empty()) s.io.run_one();
    s.client->async_get(s.server->endpoint(), "/", count);
    s.client->async_get(named, "/", count);
    s.client.reset();
    CHECK(stopped == 0);
    s.run_until([&] { return stopped == 3; });
}

TEST_CASE("client: may be destroyed by its own handler")
{
    scene s;
    s.server->next(script().read_request().send(std::string(ok)).hang());
    bool done = false;
    s.client->async_get(s.server->endpoint(), "/", answer_handler([&](error_code ec, http::response const& a) {
                            s.client.reset();
                            CHECK_FALSE(ec);
                            CHECK(a.body() == "hello");
                            done = true;
                        }));
    s.run_until([&] { return done; });
}

TEST_CASE("client: the context may go first, with calls at every step")
{
    for (int steps = 0; steps < 25; ++steps) {
        auto const counted = std::make_shared<int>(0);
        {
            asio::io_context io;
            scripted_server server(io.get_executor());
            server.always(script().read_request().answer(200, "").hang());
            http::client client(io.get_executor());
            auto named = server.endpoint();
            named.host = "localhost";
            client.async_get(server.endpoint(), "/", answer_handler([counted](error_code, http::response const&) {}));
            client.async_get(named, "/", answer_handler([counted](error_code, http::response const&) {}));
            for (int i = 0; i < steps; ++i) io.poll_one();
        }
        CHECK(counted.use_count() == 1);
    }
}

// --- As an asynchronous operation
// ---------------------------------------------------------------------------------------

TEST_CASE("client: the handler runs on its own executor")
{
    scene s;
    s.server->next(script().read_request().send(std::string(ok)).hang());
    asio::io_context other;
    asio::strand<asio::any_io_executor> const strand(other.get_executor());
    bool done = false;
    s.client->async_get(s.server->endpoint(), "/", asio::bind_executor(strand, [&](error_code ec, auto const&) {
                            CHECK_FALSE(ec);
                            CHECK(other.get_executor().running_in_this_thread());
                            done = true;
                        }));
    while (!done) {
        s.io.poll();
        other.poll();
    }
}

TEST_CASE("client: a call's memory, and that of every step, comes from the handler's allocator")
{
    scene s;
    script two;
    for (int i = 0; i < 2; ++i) two.read_request().send(std::string(ok));
    s.server->next(two.hang());
    for (int const steps : {3, 2}) {  // to connect, to write and to read; over a kept connection
        ledger m;
        int held_at_the_end = -1;
        s.client->async_get(s.server->endpoint(), "/",
                            asio::bind_allocator(counting_allocator<void>(m), answer_handler([&](error_code ec, auto) {
                                                     CHECK_FALSE(ec);
                                                     held_at_the_end = m.held;
                                                 })));
        s.run_until([&] { return held_at_the_end != -1; });
        CHECK(m.taken >= 1 + steps);
        CHECK(held_at_the_end == 0);
    }
}

TEST_CASE("client: a context that goes on which a strand runs the calls gives back all that a handler's allocator gave")
{
    using strand = asio::strand<asio::io_context::executor_type>;
    for (int steps = 0; steps < 25; ++steps) {
        ledger m;
        auto const counted = std::make_shared<int>(0);
        {
            asio::io_context io;
            scripted_server server(io.get_executor());
            server.always(script().read_request().answer(200, "").hang());
            http::basic_client<strand> client(strand(io.get_executor()));
            for (auto const port : {server.port(), std::uint16_t(0)})  // one that goes out, and one that is refused
                client.async_get(
                    {"", "127.0.0.1", port}, "/",
                    asio::bind_allocator(counting_allocator<void>(m), answer_handler([counted](auto...) {})));
            for (int i = 0; i < steps; ++i) io.poll_one();
        }
        CHECK(counted.use_count() == 1);
        CHECK(m.taken >= 4);
        CHECK(m.held == 0);
    }
}

TEST_CASE("client: a call that could not begin is not left in the caller's cancellation slot")
{
    scene s;
    asio::cancellation_signal stop;
    CHECK_THROWS_AS(s.client->async_get({"", std::string(70'000, 'h'), 80}, "/",
                                        asio::bind_cancellation_slot(stop.slot(), answer_handler([](auto...) {}))),
                    std::length_error);
    CHECK_FALSE(stop.slot().has_handler());
    stop.emit(asio::cancellation_type::terminal);
    CHECK(s.client->in_flight() == 0);
}

TEST_CASE("client: a handler need not be copyable")
{
    scene s;
    s.server->next(script().read_request().send(std::string(ok)).hang());
    std::string got;
    auto handler = [&, own = std::make_unique<int>(7)](error_code, http::response const& a) {
        got = a.body() + std::to_string(*own);
    };
    s.client->async_get(s.server->endpoint(), "/", std::move(handler));
    s.run_until([&] { return !got.empty(); });
    CHECK(got == "hello7");
}

TEST_CASE("client: works with coroutines, deferred operations and futures")
{
    scene s;
    script many;
    for (int i = 0; i < 4; ++i) many.read_request().send(std::string(ok));
    s.server->next(many.hang());
    auto const to = s.server->endpoint();
    bool done = false;
    asio::co_spawn(
        s.io,
        [&]() -> asio::awaitable<void> {
            auto a = co_await s.client->async_get(to, "/", asio::use_awaitable);
            CHECK(a.body() == "hello");
            auto operation = s.client->async_get(weir::endpoint{"", to.host, to.port}, "/", asio::deferred);
            auto b = co_await std::move(operation)(asio::use_awaitable);
            CHECK(b.body() == "hello");
            auto [ec, c] = co_await s.client->async_get(to, "/", asio::as_tuple(asio::use_awaitable));
            CHECK_FALSE(ec);
            CHECK(c.body() == "hello");
            done = true;
        },
        asio::detached);
    s.run_until([&] { return done; });
    auto future = s.client->async_get(to, "/", asio::bind_executor(s.io.get_executor(), asio::use_future));
    s.run_until([&] { return future.wait_for(0s) == std::future_status::ready; });
    CHECK(future.get().body() == "hello");
    CHECK(s.server->connections() == 1);
}
