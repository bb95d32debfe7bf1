// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/answer_stream.hpp>
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::errc;
using weir::testing::script;
using weir::testing::scripted_server;

namespace {

constexpr std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Y: z\r\n\r\n";

struct scene {
    explicit scene(http::client_options o = {}) : stream(std::in_place, io.get_executor(), std::move(o)) {}
    ~scene()
    {
        for (auto const& f : server->failures()) FAIL_CHECK(f);
        stream.reset();
        server.reset();
        io.restart();
        io.run();
    }

    asio::io_context io{1};
    std::optional<scripted_server> server{std::in_place, io.get_executor()};
    std::optional<http::answer_stream> stream;
    asio::cancellation_signal stop;
    error_code opened;
    http::response head;
    bool done = false;

    void begin_open(weir::duration limit = 5s, http::request r = http::get("/w"))
    {
        stream->async_open(server->endpoint(), std::move(r), weir::now(io.get_executor()) + limit,
                           asio::bind_cancellation_slot(stop.slot(), [this](error_code ec, http::response a) {
                               CHECK_FALSE(done);
                               opened = ec, head = std::move(a), done = true;
                           }));
        CHECK_FALSE(done);
    }
    error_code open(weir::duration limit = 5s)
    {
        begin_open(limit);
        run();
        return opened;
    }
    // What comes next: the piece, or <why it ended>.
    std::string got;
    void begin_read()
    {
        done = false;
        stream->async_read(asio::bind_cancellation_slot(stop.slot(), [this](error_code ec, std::string piece) {
            CHECK_FALSE(done);
            CHECK(piece.empty() == bool(ec));
            got = !ec ? piece : "<" + ec.message() + ">", done = true;
        }));
        CHECK_FALSE(done);
    }
    std::string read()
    {
        begin_read();
        run();
        return got;
    }
    // All to the end.
    std::string rest()
    {
        std::string all;
        do all += read();
        while (!got.starts_with("<"));
        return all;
    }
    void run()
    {
        io.restart();
        while (!done && io.run_one() != 0) {}
        REQUIRE(done);
    }
    void poll_until(std::function<bool()> const& so)
    {
        io.restart();
        while (!so() && io.run_one_for(2s) != 0) {}
        REQUIRE(so());
    }
};

std::string const end = "<End of file>";
std::string const aborted = "<Operation canceled>";
std::string said(errc e) { return "<" + make_error_code(e).message() + ">"; }

}  // namespace

TEST_CASE("answer_stream: the head comes at once, and each piece as it is written, whatever the chunks")
{
    scene s({.user_agent = "test"});
    bool more = false, last = false;
    script way;
    way.expect("GET /w HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(s.server->port()) +
               "\r\nUser-Agent: test\r\n\r\n")
        .send(std::string(chunked))
        .wait(1ms)
        .send("5\r\nhello\r\n")
        .call([&] { more = true; })
        .wait(1ms)
        .send_in_pieces("6;x=y\r\n world\r\n", 1)
        .wait(1ms)
        .call([&] { last = true; })
        .send("0\r\nT: r\r\n\r\n")
        .hang();
    s.server->next(way);
    CHECK_FALSE(s.open());
    CHECK(s.head.result_int() == 200);
    CHECK(s.head["X-Y"] == "z");
    CHECK(s.head.body().empty());
    CHECK_FALSE(more);
    CHECK(s.read() == "hello");
    CHECK_FALSE(last);
    std::string word;
    while (word.size() < 6) word += s.read();
    CHECK(word == " world");
    CHECK(s.read() == end);
    CHECK(s.read() == end);
}

TEST_CASE("answer_stream: bodies by length, by closing, of nothing, and larger than any limit of whole answers")
{
    struct row {
        char const* name;
        std::string sent, all;
    };
    for (auto const& r :
         {row{"length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc" + end},
          row{"closing", "HTTP/1.1 200 OK\r\n\r\nabc", "abc" + end}, row{"nothing", "HTTP/1.1 204 OK\r\n\r\n", end},
          row{"after 100", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 404 N\r\nContent-Length: 1\r\n\r\nx", "x" + end},
          row{"cut in a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
              "ab" + said(errc::connection_closed)},
          row{"cut in a chunk", std::string(chunked) + "5\r\nhel", "hel" + said(errc::connection_closed)},
          row{"cut between chunks", std::string(chunked) + "1\r\nh\r\n", "h" + said(errc::connection_closed)},
          row{"no number", std::string(chunked) + "1\r\nh\r\nxx\r\n", "h" + said(errc::bad_response)}}) {
        CAPTURE(r.name);
        scene s;
        s.server->next(script().read_request().send(r.sent).close());
        CHECK_FALSE(s.open());
        CHECK(s.rest() == r.all);
    }
    scene s({.max_body_bytes = 10});
    std::string const much(100'000, 'm');
    s.server->next(script().read_request().send(std::string(chunked) + "186A0\r\n" + much + "\r\n0\r\n\r\n").close());
    CHECK_FALSE(s.open());
    std::string all;
    while (s.read() != end) {
        CHECK(s.got.size() <= 16 * 1024);
        all += s.got;
    }
    CHECK(all == much);
}

TEST_CASE("answer_stream: what fails before the head is told by opening, and reading ends at once")
{
    struct row {
        char const* name;
        script what;
        std::error_code ec;
    };
    for (auto const& r :
         {row{"closed", script().read_request().close(), errc::connection_closed},
          row{"cut in the head", script().read_request().send("HTTP/1.1 200").close(), errc::connection_closed},
          row{"not HTTP", script().read_request().send("\x16\x03\x01 hello hello\r\n\r\n").close(), errc::bad_response},
          row{"a head too large",
              script().read_request().send("HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x')).hang(),
              errc::bad_response},
          row{"two framings", script().read_request().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").hang(),
              errc::bad_response},
          row{"another protocol", script().read_request().send("HTTP/1.1 101 S\r\n\r\n").hang(), errc::bad_response},
          row{"silence", script().read_request().hang(), errc::attempt_timed_out}}) {
        CAPTURE(r.name);
        scene s;
        s.server->next(r.what);
        CHECK(std::error_code(s.open(100ms)) == r.ec);
        CHECK(s.rest() == "<" + r.ec.message() + ">");
    }
    scene s;
    CHECK(std::error_code(s.open(0s)) == errc::no_time_left);
    scene t;
    t.begin_open(5s, http::get("no slash"));
    t.run();
    CHECK(std::error_code(t.opened) == errc::bad_request);
    CHECK(t.server->connections() == 0);
    scene u;
    u.server->stop();
    CHECK(u.open() == asio::error::connection_refused);
    scene v;
    CHECK(v.read() == aborted);
}

TEST_CASE(
    "answer_stream: cancelled, closed or destroyed, in any step, what is pending ends once and the connection closes")
{
    for (int step = 0; step < 3; ++step)
        for (auto const* how : {"terminal", "total", "close", "destroy"}) {
            CAPTURE(step);
            CAPTURE(how);
            scene s;
            s.server->next(script().read_request().send(step == 0 ? "" : std::string(chunked) + "1\r\nh\r\n").hang());
            if (step > 0) CHECK_FALSE(s.open());
            if (step > 1) CHECK(s.read() == "h");
            if (step == 0)
                s.begin_open();
            else
                s.begin_read();
            if (step == 1) s.poll_until([&] { return s.done; }), s.begin_read();
            s.poll_until([&] { return s.server->connections() == 1 && s.server->received(0).ends_with("\r\n\r\n"); });
            std::string const h(how);
            if (h == "close")
                s.stream->close();
            else if (h == "destroy")
                s.stream.reset();
            else
                s.stop.emit(h == "terminal" ? asio::cancellation_type::terminal : asio::cancellation_type::total);
            CHECK_FALSE(s.done);
            s.run();
            if (step == 0)
                CHECK(s.opened == asio::error::operation_aborted);
            else
                CHECK(s.got == aborted);
            s.poll_until([&] { return s.server->finished(0); });
            if (s.stream) CHECK(s.read() == aborted);
        }
}

TEST_CASE("answer_stream: the handler runs on its own executor, and keeps that running")
{
    scene s;
    asio::io_context other;
    s.server->next(script().read_request().send(std::string(chunked) + "1\r\nh\r\n").hang());
    CHECK_FALSE(s.open());
    bool told = false;
    s.stream->async_read(asio::bind_executor(other, [&](error_code ec, std::string const& piece) {
        CHECK(other.get_executor().running_in_this_thread());
        told = !ec && piece == "h";
    }));
    CHECK(other.poll() == 0);
    CHECK_FALSE(other.stopped());  // somebody is at work for it
    s.poll_until([&] { return other.poll(), told; });
    CHECK(told);
}

TEST_CASE("answer_stream: a context that goes, at whatever step, leaves nothing behind that the handler held")
{
    asio::io_context far;
    scripted_server server(far.get_executor());
    server.always(script().read_request().send(std::string(chunked)).read_to_end());
    for (std::string const host : {"127.0.0.1", "localhost"}) {
        bool reading = false;
        for (int steps = 0; !reading; ++steps) {
            REQUIRE(steps < 100);
            std::weak_ptr<http::answer_stream> left;
            {
                asio::io_context near{1};
                auto const stream = std::make_shared<http::answer_stream>(near.get_executor());
                left = stream;
                auto to = server.endpoint();
                to.host = host;
                // The handlers own the stream, and it owns them.
                stream->async_open(to, http::get("/w"), weir::never, [&, stream](error_code ec, http::response) {
                    REQUIRE_FALSE(ec);
                    reading = true;
                    stream->async_read([stream](error_code, std::string) {});
                });
                for (int n = 0; n < steps && !reading; far.poll()) n += near.run_one_for(1ms) != 0;
            }
            CHECK(left.expired());
        }
    }
}
