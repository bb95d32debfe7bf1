// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract: EnvironmentController of Spring Cloud Config, ec731ee.
#include <weir/config/spring.hpp>

#include <weir/config/refresh.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_server.hpp>

#include "config/spring_contract.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weir::config::loaded;
using weir::config::spring;
using weir::config::spring_options;
using weir::testing::script;
namespace asio = boost::asio;

static_assert(weir::config::source<spring>);

namespace {

std::string told(std::string const& body)
{
    loaded l;
    auto const ec = weir::config::detail::read_spring(body, l);
    return ec || l.missing ? l.note : l.document.bytes;
}

std::string answer(std::string const& version, std::string const& sources)
{
    return R"({"name":"shop","profiles":["prod"],"label":null,"version":")" + version +
           R"(","state":null,"propertySources":[)" + sources + "]}";
}

}  // namespace

TEST_CASE("spring: of several sources the first that has a key wins, and lists are taken whole")
{
    CHECK(told(answer("1", R"({"name":"a","source":{"limit.limit":10,"hosts[0]":"a","hosts[1].x":"b"}},)"
                           R"({"name":"b","source":{"limit.limit":5,"limit.max_queue":"7","hosts[2]":"c"}})")) ==
          R"({"limit":{"limit":10,"max_queue":"7"},"hosts":["a",{"x":"b"}]})");
    CHECK(told(answer("1", "")) == "the server has no property sources for these names");
}

TEST_CASE("spring: its version is the commit and the text, for some backends have no commits")
{
    loaded first, second;
    (void)weir::config::detail::read_spring(answer("6f1c0e8", R"({"source":{"a":1}})"), first);
    (void)weir::config::detail::read_spring(answer("6f1c0e8", R"({"source":{"a":2}})"), second);
    CHECK(first.document.version.starts_with("6f1c0e8/"));
    CHECK(first.document.version != second.document.version);
}

TEST_CASE("spring: what is no answer of a config server is refused with its reason")
{
    CHECK(told("<html>").find("bad JSON") == 0);
    CHECK(told("[]") == "the answer is not an object");
    CHECK(told(R"({"propertySources":[1]})") == "a source is not an object");
    CHECK(told(R"({"propertySources":{}})") == "propertySources is not an array");
    CHECK(told(answer("1", R"({"source":{"a":1,"a.b":2}})")) == "the key \"a.b\" is below another that has a value");
    CHECK(told(answer("1", R"({"source":{"a":{"b":1}}})")) == "the value of \"a\" is not a plain one");

    std::string lists;  // a text of a kilobyte that would be a hundred thousand places
    for (int n = 0; n < 100; ++n) lists += (n == 0 ? "\"a" : ",\"a") + std::to_string(n) + "[1000]\":1";
    auto const long_lists = told(answer("1", R"({"source":{)" + lists + "}}"));
    CHECK(long_lists.substr(0, 100) == "the key \"a99[1000]\" makes the lists too long in all");

    weir::config::detail::spring_dialect d("/shop/prod", {});
    weir::http::response nothing;
    nothing.result(204);
    loaded l;
    CHECK(d.read(nothing, l) == weir::errc::bad_document);
    CHECK(l.note == "no document: 204");
}

TEST_CASE("spring: is asked by name, profiles and label, with who we are, and again after a while")
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    server.next(script()
                    .expect("GET /base/team(_)shop/prod,eu/release(_)1%20a HTTP/1.1\r\n")
                    .answer(200, answer("1", R"({"source":{"limit.limit":"6"}})")));
    server.next(script().expect("X-Config-Token: t0ken\r\n").answer(404, "{}"));
    server.next(script().expect("Authorization: Basic dXNlcjpwYXNz\r\n").answer(500, "oops"));
    server.next(script().read_request().answer(200, answer("2", R"({"source":{"limit.limit":"7"}})")));
    server.always(script().hang());
    weir::concurrency_limit limit;
    weir::config::binding b;
    b.bind("limit", limit, {});
    weir::config::refresh const follow(
        io.get_executor(),
        spring({.url = "spring://user:pass@127.0.0.1:" + std::to_string(server.port()) + "/base",
                .application = "team/shop",
                .profiles = "prod,eu",
                .label = "release/1 a",
                .token = weir::registry::secret("t0ken"),
                .poll = 100ms}),
        std::move(b), {.follow = {.backoff = weir::constant(10ms), .pace = 0ns}});
    auto const until = [&](auto so) {
        for (auto const end = std::chrono::steady_clock::now() + 5s; !so();)
            if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
        return true;
    };
    CHECK(until([&] { return limit.limit() == 6; }));
    CHECK(until([&] { return follow.status().missing; }));
    CHECK(until([&] { return follow.status().last_error == weir::errc::registry_unavailable; }));
    CHECK(follow.status().note == "500: oops");
    CHECK(until([&] { return limit.limit() == 7; }));
    CHECK(server.failures().empty());
}

TEST_CASE("spring: the server that another client takes for real: profiles, labels, changes, and a wrong password")
{
    asio::io_context io;
    weir::testing::spring_contract contract;
    weir::testing::contract_server const server(io, [&](std::string const& request) { return contract(request); });
    contract.authorization = "Basic dXNlcjpwYXNz";
    auto& files = contract.files["release/1"];
    files["team/shop"] = {{"limit.limit", 5}, {"limit.max_queue", 3}};
    files["team/shop-prod"] = {{"limit.limit", 6}};
    files["application-eu"] = {{"limit.max_queue", 4}};
    weir::concurrency_limit limit;
    weir::config::binding b;
    b.bind("limit", limit, {});
    weir::config::refresh const follow(
        io.get_executor(),
        spring({.url = "spring://user:pass@127.0.0.1:" + std::to_string(server.endpoint().port()),
                .application = "team/shop",
                .profiles = "prod,eu",
                .label = "release/1",
                .poll = 100ms}),
        std::move(b), {.follow = {.backoff = weir::constant(10ms), .pace = 0ns}});
    auto const until = [&](auto so) {
        for (auto const end = std::chrono::steady_clock::now() + 5s; !so();)
            if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
        return true;
    };
    CHECK(until([&] { return limit.limit() == 6; }));

    files["team/shop-prod"]["limit.limit"] = 7;
    CHECK(until([&] { return limit.limit() == 7; }));
    CHECK(follow.status().failures == 0);
    contract.authorization = "Basic b3RoZXI=";
    CHECK(until([&] { return follow.status().last_error == weir::errc::registry_refused; }));
    CHECK(limit.limit() == 7);
}

TEST_CASE("spring: a token from a file is read again when it is not taken, and sent beside a password")
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    weir::testing::temporary_directory const files;
    auto const file = files.write("token", "t1\n");
    server.next(
        script().expect("X-Config-Token: t1\r\n").answer(200, answer("1", R"({"source":{"limit.limit":"6"}})")));
    server.next(script().expect("X-Config-Token: t1\r\n").answer(403, "{}"));
    server.next(
        script().expect("X-Config-Token: t2\r\n").answer(200, answer("2", R"({"source":{"limit.limit":"7"}})")));
    server.always(script().hang());
    weir::concurrency_limit limit;
    weir::config::binding b;
    b.bind("limit", limit, {});
    weir::config::refresh const follow(io.get_executor(),
                                       spring({.url = "spring://user:pass@127.0.0.1:" + std::to_string(server.port()),
                                               .application = "shop",
                                               .token_file = file,
                                               .poll = 100ms}),
                                       std::move(b), {.follow = {.pace = 0ns}});
    auto const until = [&](std::uint32_t n) {
        for (auto const end = std::chrono::steady_clock::now() + 5s; limit.limit() != n;)
            if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
        return true;
    };
    CHECK(until(6));
    files.write("token", "t2\n");
    CHECK(until(7));
    CHECK(follow.status().failures == 0);
    CHECK(server.failures().empty());
}

TEST_CASE("spring: options are checked")
{
    CHECK_THROWS_WITH(spring({.application = ""}), "weir: spring_options.application must not be empty");
    CHECK_THROWS_AS(spring({.application = "a", .profiles = ""}), std::invalid_argument);
    CHECK_THROWS_AS(spring({.url = "ftp://x", .application = "a"}), std::invalid_argument);
    CHECK_THROWS_AS(spring({.application = "a", .token = weir::registry::secret("a\nb")}), std::invalid_argument);
    CHECK_THROWS_AS(spring({.application = "a", .poll = 1ms}), std::invalid_argument);
    CHECK_THROWS_AS(spring({.application = "a", .timeout = 0ms}), std::invalid_argument);
}
