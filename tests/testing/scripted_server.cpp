// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using weir::testing::script;
using weir::testing::scripted_server;

namespace {

struct peer {
    peer(asio::io_context& io, scripted_server const& server) : socket(io)
    {
        socket.connect({asio::ip::address_v4::loopback(), server.port()});
    }

    // Sends, and reads until the server ends it.
    void talk(std::string bytes)
    {
        sent = std::move(bytes);
        asio::async_write(socket, asio::buffer(sent), [](error_code, std::size_t) {});
        asio::async_read(socket, asio::dynamic_buffer(got), [this](error_code ec, std::size_t) { end = ec; });
    }

    tcp::socket socket;
    std::string sent, got;
    std::optional<error_code> end;
};

void run_until(asio::io_context& io, auto done)
{
    io.restart();
    while (!done() && io.run_one() != 0) {}
    REQUIRE(done());
}

}  // namespace

TEST_CASE("scripted_server: connections take their scripts in order, then the one for all others")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    server.next(script().send("1")).next(script().send("2")).always(script().send("n"));
    for (auto const* expected : {"1", "2", "n", "n"}) {
        peer p(io, server);
        p.talk("");
        run_until(io, [&] { return p.end.has_value(); });
        CHECK(p.got == expected);
        CHECK(*p.end == asio::error::eof);
    }
    CHECK(server.connections() == 4);
    CHECK(server.finished(3));
    CHECK(server.failures().empty());
}

TEST_CASE("scripted_server: a connection without a script is closed, and noted")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    peer p(io, server);
    p.talk("");
    run_until(io, [&] { return p.end.has_value(); });
    CHECK(server.failures() == std::vector<std::string>{"connection 1 has no script"});
}

TEST_CASE("scripted_server: requests are read one at a time, with their bodies, however they arrive, and recorded")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    server.next(script().expect("GET /1").send("a").expect("body").send("b").expect("GET /3").send("c"));
    std::string const all =
        "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET /3 HTTP/1.1\r\n\r\n";
    peer p(io, server);
    p.talk(all);
    run_until(io, [&] { return p.end.has_value(); });
    CHECK(p.got == "abc");
    CHECK(server.received(0) == all);
    CHECK(server.failures().empty());
}

TEST_CASE("scripted_server: what was not expected is a failure that shows both")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    server.next(script().expect("GET /1").send("x")).next(script().expect("GET /2"));
    peer p(io, server), q(io, server);
    p.talk("GET /other HTTP/1.1\r\n\r\n");
    run_until(io, [&] { return p.end.has_value(); });
    q.socket.close();
    run_until(io, [&] { return server.failures().size() == 2; });
    CHECK(server.failures()[0] == "expected \"GET /1\" and got \"GET /other HTTP/1.1\r\n\r\n\"");
    CHECK(server.failures()[1] == "expected \"GET /2\" and the peer closed");
    CHECK(server.finished(0));
    CHECK_FALSE(server.finished(1));
}

TEST_CASE("scripted_server: pieces, cuts, counted reads and pauses add up to the bytes of the script")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    bool called = false;
    server.next(script()
                    .read_bytes(3)
                    .send_in_pieces("abcdef", 1)
                    .send_in_pieces("ghi", 2, 1ms)
                    .wait(1ms)
                    .send_cut("jklm", 2)
                    .call([&] { called = true; })
                    .answer(404, "no", "X: y\r\n"));
    peer p(io, server);
    p.talk("xyz");
    run_until(io, [&] { return p.end.has_value(); });
    CHECK(p.got == "abcdefghijkHTTP/1.1 404 X\r\nX: y\r\nContent-Length: 2\r\n\r\nno");
    CHECK(called);
}

TEST_CASE("scripted_server: a script can go on for as long as the peer stays")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    server.next(script().read_bytes(1).send("x").repeat());
    peer p(io, server);
    asio::write(p.socket, asio::buffer("12345", 5));
    p.got.resize(5);
    asio::async_read(p.socket, asio::buffer(p.got), [&](error_code ec, std::size_t) { p.end = ec; });
    run_until(io, [&] { return p.end.has_value(); });
    CHECK_FALSE(*p.end);
    CHECK(p.got == "xxxxx");
}

TEST_CASE("scripted_server: the four ways to end are seen by the peer as what they are")
{
    asio::io_context io;
    scripted_server server(io.get_executor());
    server.next(script().close()).next(script().reset());
    server.next(script().half_close().read_to_end()).next(script().hang());
    peer closed(io, server), reset(io, server), half(io, server), hung(io, server);
    for (auto* p : {&closed, &reset, &half, &hung}) p->talk("");
    run_until(io, [&] { return closed.end && reset.end && half.end; });
    CHECK(*closed.end == asio::error::eof);
    CHECK(*reset.end == asio::error::connection_reset);
    CHECK(*half.end == asio::error::eof);
    half.talk("still heard");
    run_until(io, [&] { return server.received(2) == "still heard"; });
    CHECK_FALSE(hung.end);
    hung.socket.close();
    run_until(io, [&] { return server.finished(3); });
}

TEST_CASE("scripted_server: when it goes, its connections are reset and nothing keeps the context running")
{
    asio::io_context io;
    std::optional<scripted_server> server(std::in_place, io.get_executor());
    server->next(script().hang()).next(script().wait(1h));
    peer p(io, *server), q(io, *server);
    p.talk("");
    q.talk("");
    run_until(io, [&] { return server->connections() == 2; });
    server.reset();
    io.restart();
    io.run();
    CHECK(*p.end == asio::error::connection_reset);
    CHECK(*q.end == asio::error::connection_reset);
}
