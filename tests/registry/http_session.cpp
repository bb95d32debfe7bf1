// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/http_session.hpp>

#include <weir/core/random.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
using weir::registry::reply;
using weir::registry::reply_handler;
using weir::registry::secret;
using weir::registry::detail::http_access;
using weir::registry::detail::http_access_options;
using weir::registry::detail::http_session;
using weir::registry::detail::response_handler;
using weir::testing::script;
using weir::testing::scripted_server;
namespace asio = boost::asio;
namespace http = weir::http;

namespace {

std::string token_file()
{
    return (std::filesystem::temp_directory_path() / ("weir-token-" + std::to_string(weir::thread_random()())))
        .string();
}
void write_file(std::string const& file, std::string const& text) { std::ofstream(file, std::ios::binary) << text; }

struct scene {
    asio::io_context io;
    scripted_server a{io.get_executor()}, b{io.get_executor()};
    std::shared_ptr<http_access> access;
    std::optional<http_session> session;

    void open(http_access_options o)
    {
        access = std::make_shared<http_access>(std::move(o),
                                               weir::registry::detail::http_channels_over(http::plain_transport{}));
        session.emplace(io.get_executor(), access, 5s);
    }
    // Asks, and says how it ended: "200 body", or the error.
    std::string get(std::string target = "/x")
    {
        std::string said;
        session->async_send(http::get(target), response_handler(
                                                   [&](boost::system::error_code ec, http::response const& r) {
                                                       said = ec ? ec.message()
                                                                 : std::to_string(r.result_int()) + " " + r.body();
                                                   },
                                                   io.get_executor()));
        CHECK(said.empty());
        run([&] { return !said.empty(); });
        return said;
    }
    void run(std::function<bool()> const& until)
    {
        io.restart();
        while (!until() && io.run_one() != 0) {}
        REQUIRE(until());
    }
    ~scene()
    {
        for (auto const& f : a.failures()) FAIL_CHECK(f);
        for (auto const& f : b.failures()) FAIL_CHECK(f);
        session.reset();
        a.stop();
        b.stop();
        io.restart();
        io.run();
    }
};

}  // namespace

TEST_CASE("http_session: base path and credentials go along, in the configured header")
{
    scene s;
    s.a.next(script().expect("GET /base%20x/y/x?q=1 HTTP/1.1\r\n").answer(200, "one"));
    s.open({.servers = {s.a.endpoint()},
            .base = "/base x/y",
            .credentials = {.header = "X-Token", .prefix = "Bearer ", .token = secret("canary")}});
    CHECK(s.get("/x?q=1") == "200 one");
    CHECK(s.a.received(0).find("X-Token: Bearer canary\r\n") != std::string::npos);
    CHECK(s.session->server().empty());

    s.a.next(script().expect("X-Token: login\r\n").answer(200, "two"));
    s.session->authorize(secret("login"));
    CHECK(s.get() == "200 two");

    s.a.next(script().expect("X-Token: Bearer canary\r\n").answer(200, "three"));
    s.session->authorize(secret());
    CHECK(s.get() == "200 three");
}

TEST_CASE("http_session: a server that fails is left for the next; one that answers stays; new sessions know")
{
    scene s;
    auto const name = [](scripted_server const& x) { return "127.0.0.1:" + std::to_string(x.port()); };
    s.open({.servers = {s.a.endpoint(), s.b.endpoint()}});
    CHECK(s.session->server() == name(s.a));
    s.a.next(script().read_request().answer(404, "no"));
    CHECK(s.get() == "404 no");
    CHECK(s.session->server() == name(s.a));

    for (auto const& trouble :
         {script().read_request().close(), script().read_request().reset(), script().read_request().answer(500, "x"),
          script().read_request().answer(503, "x"), script().read_request().answer(429, "x")}) {
        s.a.next(trouble);
        (void)s.get();
        CHECK(s.session->server() == name(s.b));
        CHECK(http_session(s.io.get_executor(), s.access, 5s).server() == name(s.b));
        s.b.next(script().read_request().answer(200, "b"));
        CHECK(s.get() == "200 b");
        CHECK(s.session->server() == name(s.b));
        s.b.next(script().read_request().close());
        (void)s.get();
        CHECK(s.session->server() == name(s.a));
    }

    // Two sessions that fail at one server move on by one, not by two.
    http_session other(s.io.get_executor(), s.access, 5s);
    s.a.next(script().read_request().close());
    s.a.next(script().read_request().close());
    int done = 0;
    auto const count = [&] {
        return response_handler([&](boost::system::error_code, http::response const&) { ++done; }, s.io.get_executor());
    };
    s.session->async_send(http::get("/"), count());
    other.async_send(http::get("/"), count());
    s.run([&] { return done == 2; });
    CHECK(s.session->server() == name(s.b));
    CHECK(other.server() == name(s.b));

    // Cancelled, as by a time limit: this session moves on, and others need not.
    asio::cancellation_signal stop;
    s.b.next(script().read_request().hang());
    s.session->async_send(http::get("/"), asio::bind_cancellation_slot(stop.slot(), count()));
    s.run([&] {
        return s.b.connections() > 0 && s.b.received(s.b.connections() - 1).find("\r\n\r\n") != std::string::npos;
    });
    stop.emit(asio::cancellation_type::terminal);
    s.run([&] { return done == 3; });
    CHECK(s.session->server() == name(s.a));
    CHECK(other.server() == name(s.b));
    CHECK(s.access->preferred() == 1);
}

TEST_CASE("http_session: a token from a file is read again when the server does not take it, and then shown once more")
{
    auto const file = token_file();
    auto const write = [&](std::string const& text) { write_file(file, text); };
    scene s;
    write(" first\n");
    s.open({.servers = {s.a.endpoint()}, .base = "/b", .credentials = {.prefix = "Bearer ", .file = file}});
    s.a.next(script().expect("Authorization: Bearer first\r\n").answer(200, ""));
    CHECK(s.get() == "200 ");

    write("second");
    s.a.next(script().expect("Authorization: Bearer first\r\n").answer(401, "old"));
    s.a.next(script().expect("Authorization: Bearer second\r\n").answer(200, "new"));
    CHECK(s.get() == "200 new");
    CHECK(s.a.received(2).starts_with("GET /b/x HTTP/1.1\r\n"));

    // The same token again would be refused again.
    s.a.next(script().expect("Authorization: Bearer second\r\n").answer(401, "gone"));
    CHECK(s.get() == "401 gone");
    // A new one that is refused too is the end of it.
    write("third");
    s.a.next(script().expect("Bearer second\r\n").answer(401, ""));
    s.a.next(script().expect("Bearer third\r\n").answer(401, "still"));
    CHECK(s.get() == "401 still");

    // A file that cannot be read now leaves the last token in use; one that never could is told, without a request.
    std::filesystem::remove(file);
    s.a.next(script().expect("Bearer third\r\n").answer(200, "kept"));
    CHECK(s.get() == "200 kept");
    s.open({.servers = {s.a.endpoint()}, .credentials = {.file = file}});
    auto const before = s.a.connections();
    CHECK(s.get() == "401 cannot read a token from the file " + file);
    CHECK(s.a.connections() == before);
    for (auto const& bad : {std::string(), std::string(" \n"), std::string("a\nb"), std::string(70'000, 'x')}) {
        write(bad);
        s.open({.servers = {s.a.endpoint()}, .credentials = {.file = file}});
        CHECK(s.get().starts_with("401 cannot read"));
    }
    std::filesystem::remove(file);
}

TEST_CASE("http_session: a question for yes or no is judged; what is shown of an answer is printable and short")
{
    scene s;
    s.open({.servers = {s.a.endpoint()}});
    struct row {
        int status;
        std::error_code ec;
        std::string body, note;
    };
    for (auto const& r :
         {row{200, {}, "fine", ""}, row{204, {}, "", ""}, row{301, errc::registry_refused, "", "301"},
          row{403, errc::registry_refused, "no\r\n\x01", "403: no???"},
          row{500, errc::registry_unavailable, std::string(900, 'x'), "500: " + std::string(200, 'x')},
          row{429, errc::registry_unavailable, "", "429"}, row{408, errc::registry_unavailable, "", "408"}}) {
        CAPTURE(r.status);
        s.a.next(r.status == 204 ? script().read_request().send("HTTP/1.1 204 X\r\n\r\n")
                                 : script().read_request().answer(r.status, r.body));
        std::optional<reply> said;
        boost::system::error_code ec;
        s.session->ask(
            http::put("/", ""), weir::registry::detail::judged,
            reply_handler([&](boost::system::error_code e, reply const& a) { ec = e, said = a; }, s.io.get_executor()));
        s.run([&] { return said.has_value(); });
        CHECK(std::error_code(ec) == r.ec);
        CHECK(said->note == r.note);
    }
}

TEST_CASE("http_session: a token that is no header value, and no server, are refused when it is made")
{
    scene s;
    CHECK_THROWS_WITH_AS(s.open({.servers = {s.a.endpoint()}, .credentials = {.token = secret("canary\r\nX: y")}}),
                         "weir: a registry's token must be without control characters", std::invalid_argument);
    CHECK_THROWS_WITH_AS(s.open({}), doctest::Contains("address of a server"), std::invalid_argument);
}

TEST_CASE("http_session: a streamed answer brings its head and then its pieces; a refusal brings what the server said")
{
    scene s;
    auto const name = [](scripted_server const& x) { return "127.0.0.1:" + std::to_string(x.port()); };
    auto const file = token_file();
    write_file(file, "first");
    s.open({.servers = {s.a.endpoint(), s.b.endpoint()}, .base = "/b", .credentials = {.file = file}});
    using weir::registry::detail::http_body;
    std::string said;
    std::shared_ptr<http_body> body;
    auto const open = [&] {
        said.clear();
        body.reset();
        s.session->async_open(http::post("/watch", "{}"), [&](boost::system::error_code ec, http::response const& head,
                                                              std::shared_ptr<http_body> b) {
            said = ec ? "E " + ec.message() : std::to_string(head.result_int()) + " " + head.body();
            body = std::move(b);
        });
        CHECK(said.empty());
        s.run([&] { return !said.empty(); });
        return said;
    };
    auto const read = [&] {
        said.clear();
        body->async_read(
            [&](boost::system::error_code ec, std::string const& piece) { said = ec ? "E " + ec.message() : piece; });
        s.run([&] { return !said.empty(); });
        return said;
    };
    std::string const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    s.a.next(script()
                 .expect("POST /b/watch HTTP/1.1\r\n")
                 .send(head + "3\r\none\r\n")
                 .wait(1ms)
                 .send("3\r\ntwo\r\n0\r\n\r\n")
                 .hang());
    CHECK(open() == "200 ");
    REQUIRE(body);
    CHECK(s.a.received(0).find("Authorization: first\r\n") != std::string::npos);
    CHECK(read() == "one");
    CHECK(read() == "two");
    CHECK(read() == "E End of file");
    CHECK(s.session->server() == name(s.a));

    // A stream that breaks is a server that failed; one that ends is not.
    s.a.next(script().read_request().send(head + "3\r\none\r\n").close());
    CHECK(open() == "200 ");
    CHECK(read() == "one");
    CHECK(read().starts_with("E connection closed"));
    CHECK(s.session->server() == name(s.b));

    s.b.next(script().read_request().answer(403, "not you"));
    CHECK(open() == "403 not you");
    CHECK_FALSE(body);
    s.b.next(script().read_request().send("HTTP/1.1 500 X\r\n\r\n" + std::string(9000, 'x')).hang());
    CHECK(open().size() < 4 + 4096 + 16 * 1024);
    CHECK(said.size() >= 4 + 4096);
    CHECK_FALSE(body);
    CHECK(s.session->server() == name(s.a));

    write_file(file, "second");
    s.a.next(script().expect("Authorization: first\r\n").answer(401, "old"));
    s.a.next(script().expect("Authorization: second\r\n").send(head));
    CHECK(open() == "200 ");
    CHECK(body);
    s.a.next(script().read_request().answer(401, "gone"));
    CHECK(open() == "401 gone");
    std::filesystem::remove(file);
    s.open({.servers = {s.a.endpoint()}, .credentials = {.file = file}});
    CHECK(open() == "401 cannot read a token from the file " + file);
}

TEST_CASE("http_session: what 429 and 503 say of coming back is the wish of that server, until it answers again")
{
    scene s;
    s.open({.servers = {s.a.endpoint()}});
    CHECK(s.session->retry_after() == 0s);
    for (int const status : {429, 503}) {
        s.a.next(script().read_request().answer(status, "x", "Retry-After: 30\r\n"));
        (void)s.get();
        CHECK(s.session->retry_after() > 29s);
        CHECK(s.session->retry_after() <= 30s);
        s.a.next(script().read_request().answer(200, "b"));
        CHECK(s.get() == "200 b");
        CHECK(s.session->retry_after() == 0s);
    }
    for (auto const* const nothing : {"", "Retry-After: \r\n", "Retry-After: -5\r\n", "Retry-After: soon\r\n",
                                      "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}) {
        s.a.next(script().read_request().answer(503, "x", nothing));
        CHECK(s.get() == "503 x");
        CHECK(s.session->retry_after() == 0s);
    }
    s.a.next(script().read_request().answer(500, "x", "Retry-After: 30\r\n"));
    CHECK(s.get() == "500 x");
    CHECK(s.session->retry_after() == 0s);
    s.a.next(script().read_request().answer(503, "x", "Retry-After: 99999999999999999999999999\r\n"));
    CHECK(s.get() == "503 x");
    CHECK(s.session->retry_after() > 24h);  // whoever waits knows for how long at most

    scene t;  // the wish of one of two does not keep from asking the other
    t.open({.servers = {t.a.endpoint(), t.b.endpoint()}});
    t.a.next(script().read_request().answer(503, "x", "Retry-After: 30\r\n"));
    CHECK(t.get() == "503 x");
    CHECK(t.session->retry_after() == 0s);
    t.b.next(script().read_request().answer(500, "x"));
    CHECK(t.get() == "500 x");
    CHECK(t.session->retry_after() > 29s);
}
