// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/redis_link.hpp>

#include "shared/fake_redis.hpp"

#include <support/temporary_directory.hpp>
#include <support/tls_front.hpp>
#include <weir/http/tls.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using boost::system::error_code;
using weir::errc;
using weir::redis_command;
using weir::redis_link;
using weir::redis_reply;
using weir::store_errc;
namespace asio = boost::asio;

namespace {

struct fixture {
    asio::io_context io{1};
    fake_redis server{io};
    std::optional<redis_link> link;

    explicit fixture(weir::redis_options o = {})
    {
        o.connect_timeout = 2s;
        if (o.timeout == 1s) o.timeout = 5s;
        o.reconnect = weir::constant(5ms).with(weir::jitter::none);
        link.emplace(io.get_executor(), weir::redis_server{.port = server.port()}, o);
    }

    struct end {
        error_code how;
        std::string text;
    };
    std::vector<end> ends;

    void send(std::string_view word)
    {
        link->async_command(redis_command({word}), [this](error_code ec, redis_reply const& r) {
            ends.push_back({ec, std::string(r.value().text())});
        });
    }
    // Until so many have ended; the real time that takes is bounded by the test's own.
    void wait(std::size_t count)
    {
        auto const limit = std::chrono::steady_clock::now() + 10s;
        while (ends.size() < count && std::chrono::steady_clock::now() < limit) io.run_one_for(10ms);
        REQUIRE(ends.size() == count);
    }
};

}  // namespace

TEST_CASE("redis_link: replies belong to their commands, and commands that come together travel together")
{
    fixture f;
    f.server.answer = [](std::string const& c) { return "+" + c + "\r\n"; };
    f.server.piece = 3;
    f.send("first");
    f.wait(1);
    auto const before = f.link->writes();
    for (int i = 0; i < 100; ++i) f.send(std::to_string(i));
    f.wait(101);
    for (int i = 0; i < 100; ++i) CHECK(f.ends[static_cast<std::size_t>(i) + 1].text == std::to_string(i));
    CHECK(f.link->writes() - before <= 3);
    CHECK(f.link->connections() == 1);
    CHECK(f.link->connected());
}

TEST_CASE("redis_link: greets with AUTH and SELECT before anything else, and a refusal of those is told")
{
    fixture f({.user = "app", .password = weir::registry::secret("geheim"), .database = 3});
    f.send("PING");
    f.wait(1);
    CHECK(f.server.seen == std::vector<std::string>{"AUTH app geheim", "SELECT 3", "PING"});

    fixture g({.password = weir::registry::secret("wrong")});
    g.server.answer = [](auto const&) { return "-WRONGPASS invalid username-password pair\r\n"; };
    g.send("PING");
    g.wait(1);
    CHECK(g.ends[0].how == error_code(std::error_code(store_errc::refused)));
    CHECK(g.server.seen.size() == 1);
}

TEST_CASE("redis_link: a password in a file is read for each connection")
{
    weir::testing::temporary_directory const files;
    fixture f({.user = "app", .password_file = files.path() / "password"});
    f.send("one");
    f.wait(1);
    CHECK(f.ends[0].how == error_code(std::error_code(store_errc::refused)));
    CHECK(f.server.seen.empty());
    for (auto const* const password : {"first", "second"}) {
        CAPTURE(password);
        f.server.seen.clear();
        f.server.cut();
        files.write("password", std::string(password) + '\n');
        for (auto n = f.ends.size(); f.ends.back().text != "OK" || n == f.ends.size();) {
            f.send("PING");
            f.wait(++n);
            if (f.ends.back().text != "OK") f.io.run_one_for(10ms);
            if (f.ends.back().text == "OK") break;
        }
        CHECK(f.server.seen == std::vector<std::string>{"AUTH app " + std::string(password), "PING"});
    }
}

TEST_CASE("redis_link: over TLS as in clear, and by no other authority than the one that is trusted")
{
    using weir::testing::certificate;
    using secure_link = weir::basic_redis_link<weir::http::tls_transport>;
    asio::io_context io{1};
    fake_redis server{io};
    server.answer = [](std::string const& c) { return "+" + c + "\r\n"; };
    certificate const authority({}, nullptr), other({}, nullptr);
    weir::testing::tls_front const front(io, certificate({"IP:127.0.0.1"}, &authority), server.port());
    auto const outcome = [&](certificate const& trusted) {
        secure_link link(io.get_executor(), {.port = front.port()},
                         {.password = weir::registry::secret("p"), .connect_timeout = 5s, .timeout = 5s},
                         weir::http::tls_transport({.authorities_pem = trusted.pem()}));
        std::optional<std::string> said;
        link.async_command(redis_command({"PING"}), [&](error_code ec, redis_reply const& r) {
            said = ec ? ec.message() : std::string(r.value().text());
        });
        for (auto const end = std::chrono::steady_clock::now() + 10s; !said && std::chrono::steady_clock::now() < end;)
            io.run_one_for(10ms);
        return said.value_or("nothing");
    };
    CHECK(outcome(authority) == "PING");
    CHECK(server.seen == std::vector<std::string>{"AUTH p", "PING"});
    CHECK(outcome(other).find("verify failed") != std::string::npos);
    CHECK(server.seen.size() == 2);
}

TEST_CASE("redis_link: a lost connection ends what was under way, refuses while it rests, and comes back by itself")
{
    fixture f;
    f.send("one");
    f.wait(1);
    f.server.answer = [](auto const&) { return std::nullopt; };
    f.send("two");
    f.send("three");
    while (f.server.seen.size() < 3) f.io.run_one_for(10ms);
    f.server.cut();
    f.wait(3);
    CHECK(f.ends[1].how);
    CHECK(f.ends[2].how);
    f.send("four");
    f.wait(4);
    CHECK(f.ends[3].how == error_code(std::error_code(store_errc::unavailable)));
    f.server.answer = [](auto const&) { return "+OK\r\n"; };
    while (!f.link->connected()) f.io.run_one_for(10ms);
    f.send("five");
    f.wait(5);
    CHECK(f.ends[4].text == "OK");
    CHECK(f.server.seen == std::vector<std::string>{"one", "two", "three", "five"});  // nothing was sent twice
}

TEST_CASE("redis_link: what nobody listens to is refused, and nothing piles up")
{
    asio::io_context io{1};
    std::uint16_t port = 0;
    {
        fake_redis gone(io);
        port = gone.port();
        gone.refuse();
        io.poll();
        io.restart();
    }
    redis_link link(io.get_executor(), {.port = port}, {.reconnect = weir::constant(1h).with(weir::jitter::none)});
    int unavailable = 0, refused = 0;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 10; ++i)
            link.async_command(redis_command({"PING"}), [&](error_code ec, redis_reply const&) {
                if (ec == error_code(std::error_code(store_errc::unavailable))) ++unavailable;
                if (ec == asio::error::connection_refused) ++refused;
            });
        auto const limit = std::chrono::steady_clock::now() + 5s;
        while (unavailable + refused < 10 * (round + 1) && std::chrono::steady_clock::now() < limit)
            io.run_one_for(10ms);
    }
    CHECK(refused == 10);
    CHECK(unavailable == 20);
}

TEST_CASE("redis_link: an overdue reply ends the connection and all behind it")
{
    fixture f({.timeout = 30ms});
    f.server.answer = [](std::string const& c) { return c == "silence" ? std::nullopt : std::optional("+OK\r\n"); };
    f.send("PING");
    f.wait(1);
    f.send("silence");
    f.wait(2);
    CHECK(f.ends[1].how == error_code(make_error_code(errc::attempt_timed_out)));
    CHECK_FALSE(f.link->connected());
}

TEST_CASE("redis_link: more than max_pending are refused")
{
    fixture f({.max_pending = 3});
    f.server.answer = [](auto const&) { return std::nullopt; };
    for (int i = 0; i < 5; ++i) f.send("PING");
    f.wait(2);
    CHECK(f.ends[0].how == error_code(make_error_code(errc::too_many_calls)));
    CHECK(f.ends[1].how == error_code(make_error_code(errc::too_many_calls)));
}

TEST_CASE("redis_link: garbage, and replies that nobody asked for, end the connection")
{
    for (std::string const bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "*2000000\r\n", "+OK\r\n+OK\r\n"}) {
        fixture f;
        f.server.answer = [&](auto const&) { return bytes; };
        f.send("PING");
        f.wait(1);
        auto const limit = std::chrono::steady_clock::now() + 5s;
        while (f.server.accepted < 2 && std::chrono::steady_clock::now() < limit) f.io.run_one_for(10ms);
        CHECK(f.server.accepted >= 2);
    }
}

TEST_CASE("redis_link: READONLY is told, and the next connection may find another server")
{
    fixture f;
    f.server.answer = [](auto const&) { return "-READONLY You can't write against a read only replica.\r\n"; };
    f.send("SET");
    f.wait(1);
    CHECK(f.ends[0].text.starts_with("READONLY"));
    auto const limit = std::chrono::steady_clock::now() + 5s;
    while (f.server.accepted < 2 && std::chrono::steady_clock::now() < limit) f.io.run_one_for(10ms);
    CHECK(f.server.accepted == 2);
}

TEST_CASE("redis_link: cancelled, a command ends at once, and its reply is nobody else's")
{
    fixture f;
    f.server.answer = [](std::string const& c) { return c == "wait" ? std::nullopt : std::optional("+" + c + "\r\n"); };
    asio::cancellation_signal stop;
    std::optional<error_code> how;
    f.link->async_command(redis_command({"wait"}),
                          asio::bind_cancellation_slot(stop.slot(), [&](error_code ec, auto&&) { how = ec; }));
    while (f.server.seen.empty()) f.io.run_one_for(10ms);
    stop.emit(asio::cancellation_type::total);
    while (!how) f.io.run_one_for(10ms);
    CHECK(*how == asio::error::operation_aborted);
    f.server.answer = [](std::string const& c) { return "+late\r\n+" + c + "\r\n"; };
    f.send("after");
    f.wait(1);
    CHECK(f.ends[0].text == "after");
}

TEST_CASE("redis_link: destroyed, it ends what is pending; the handler may be a future's")
{
    fixture f;
    f.server.answer = [](auto const&) { return std::nullopt; };
    auto reply =
        f.link->async_command(redis_command({"PING"}), asio::bind_executor(f.io.get_executor(), asio::use_future));
    while (f.server.seen.empty()) f.io.run_one_for(10ms);
    f.link.reset();
    auto const limit = std::chrono::steady_clock::now() + 5s;
    while (reply.wait_for(0s) != std::future_status::ready && std::chrono::steady_clock::now() < limit)
        f.io.run_one_for(10ms);
    REQUIRE(reply.wait_for(0s) == std::future_status::ready);
    CHECK_THROWS(reply.get());
}

TEST_CASE("redis_link: a context that goes, at whatever step, leaves nothing behind that a handler held")
{
    for (bool const greets : {false, true})
        for (int steps = 0; steps < 25; ++steps) {
            INFO(greets, " ", steps);
            std::weak_ptr<redis_link> held;
            {
                fixture f({.password = weir::registry::secret(greets ? "open" : "")});
                f.server.answer = [](std::string const& c) {
                    return c.starts_with("AUTH") ? std::optional<std::string>("+OK\r\n") : std::nullopt;
                };
                auto const owner = std::make_shared<redis_link>(std::move(*f.link));
                f.link.reset();
                held = owner;
                owner->async_command(redis_command({"PING"}), [owner](auto&&...) {});
                for (int i = 0; i < steps; ++i) f.io.run_one_for(1ms);
            }
            CHECK(held.expired());
        }
}
