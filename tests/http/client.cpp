// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/client.hpp>
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <optional>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::errc;
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
                           [&](error_code ec, http::response a) { e = {ec, std::move(a), e.completions + 1}; });
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
