// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract: ConfigController (v1), ConfigOpenApiController (v3) and LongPollingService of Nacos, 486e198.
#include <weir/config/nacos.hpp>

#include <weir/config/refresh.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_server.hpp>

#include "config/nacos_contract.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weir::config::loaded;
using weir::config::nacos;
using weir::config::nacos_options;
using weir::testing::script;
namespace asio = boost::asio;

static_assert(weir::config::source<nacos>);

namespace {

struct scene {
    asio::io_context io;
    weir::testing::scripted_server server{io.get_executor()};
    weir::concurrency_limit limit;
    std::optional<weir::config::refresh> follow;

    void start(nacos_options o = {})
    {
        o.url = "nacos://127.0.0.1:" + std::to_string(server.port());
        o.data_id = "shop.json";
        o.poll = 100ms;
        weir::config::binding b;
        b.bind("limit", limit, {});
        follow.emplace(io.get_executor(), nacos(std::move(o)), std::move(b),
                       weir::config::refresh_options{.follow = {.backoff = weir::constant(10ms), .pace = 0ns}});
    }
    template <class Done>
    bool until(Done done)
    {
        for (auto const end = std::chrono::steady_clock::now() + 5s; !done();)
            if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
        return true;
    }
};

std::string v3(char const* content, char const* md5)
{
    return std::string(R"({"code":0,"message":"success","data":{"content":")") + content + R"(","md5":")" + md5 +
           R"(","contentType":"json","lastModified":1}})";
}

}  // namespace

TEST_CASE("nacos: v3 is polled, and applied when its sum is another")
{
    scene s;
    auto const ask = "GET /nacos/v3/client/cs/config?namespaceId=public&groupName=DEFAULT_GROUP&dataId=shop.json HTTP";
    s.server.next(script().expect(ask).answer(200, v3(R"({\"limit\":{\"limit\":5}})", "m1")));
    s.server.next(script().expect(ask).answer(200, v3(R"({\"limit\":{\"limit\":5}})", "m1")));
    s.server.next(script().expect(ask).answer(404, R"({"code":20004,"message":"config data not exist","data":null})"));
    s.server.next(
        script().expect("Authorization: Bearer t0ken\r\n").answer(403, R"({"code":10001,"message":"no right"})"));
    s.server.next(script().expect(ask).answer(200, v3(R"({\"limit\":{\"limit\":6}})", "m2")));
    s.server.always(script().hang());
    s.start({.token = weir::registry::secret("t0ken")});
    CHECK(s.until([&] { return s.limit.limit() == 5; }));
    CHECK(s.until([&] { return s.follow->status().missing; }));
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::registry_refused; }));
    CHECK(s.follow->status().note == "10001: no right");
    CHECK(s.until([&] { return s.limit.limit() == 6; }));
    CHECK(s.follow->status().version == "m2");
    CHECK(s.server.failures().empty());
}

TEST_CASE("nacos: with a server of before 3.0 it speaks v1, whose question is held until there is a change")
{
    scene s;
    auto const ask = "GET /nacos/v1/cs/configs?dataId=shop.json&group=DEFAULT_GROUP&tenant=eu HTTP/1.1\r\n";
    s.server.next(script()
                      .expect("GET /nacos/v3/client/cs/config?namespaceId=eu&")
                      .answer(404, R"({"timestamp":"now","status":404,"error":"Not Found"})"));
    s.server.next(script().expect(ask).answer(404, "config data not exist\n"));
    s.server.next(script().expect("POST /nacos/v1/cs/configs/listener HTTP/1.1\r\n").answer(200, "changed"));
    s.server.next(
        script().expect(ask).answer(200, R"({"limit":{"limit":7}})", "Content-MD5: 5d41\r\nConfig-Type: json\r\n"));
    s.server.next(script()
                      .expect("Listening-Configs=shop.json%02DEFAULT_GROUP%025d41%02eu%01")
                      .answer(200, ""));  // its time is over
    s.server.next(
        script().expect(ask).answer(200, R"({"limit":{"limit":8}})", "Content-MD5: 5d42\r\nConfig-Type: json\r\n"));
    s.server.next(script().expect("Long-Pulling-Timeout: 30000\r\n").answer(503, "busy"));
    s.server.always(script().hang());
    s.start({.name_space = "eu"});
    CHECK(s.until([&] { return s.follow->status().missing; }));
    CHECK(s.until([&] { return s.limit.limit() == 7; }));
    CHECK(s.until([&] { return s.limit.limit() == 8; }));
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::registry_unavailable; }));
    CHECK(s.server.failures().empty());
}

TEST_CASE("nacos: the server that its own client takes for real, in both interfaces: read, changed, gone, there again")
{
    for (bool const third : {true, false}) {
        CAPTURE(third);
        asio::io_context io;
        weir::testing::nacos_config_contract contract;
        weir::testing::contract_server const server(
            io, [&](std::string const& request, std::chrono::milliseconds held) { return contract(request, held); });
        contract.v3 = third;
        auto& content = contract.contents[contract.key("shop.json", "G", "")];
        content = R"({"limit":{"limit":5}})";
        weir::concurrency_limit limit;
        weir::config::binding b;
        b.bind("limit", limit, {});
        weir::config::refresh const follow(
            io.get_executor(),
            nacos({.url = "nacos://127.0.0.1:" + std::to_string(server.endpoint().port()),
                   .data_id = "shop.json",
                   .group = "G",
                   .poll = 100ms}),
            std::move(b), {.follow = {.pace = 0ns}});
        auto const until = [&](auto so) {
            for (auto const end = std::chrono::steady_clock::now() + 5s; !so();)
                if (std::chrono::steady_clock::now() > end || io.run_one_until(end) == 0) return false;
            return true;
        };
        CHECK(until([&] { return limit.limit() == 5; }));
        for (std::uint32_t n = 6; n <= 8; ++n) {
            content = R"({"limit":{"limit":)" + std::to_string(n) + "}}";
            CHECK(until([&] { return limit.limit() == n; }));
        }
        contract.contents.clear();
        CHECK(until([&] { return follow.status().missing; }));
        CHECK(limit.limit() == 8);
        contract.contents[contract.key("shop.json", "G", "")] = R"({"limit":{"limit":9}})";
        CHECK(until([&] { return limit.limit() == 9; }));
        CHECK(follow.status().failures == 0);
    }
}

TEST_CASE("nacos: a server that is gone without a word is noticed in the time of one read, not of a held question")
{
    scene s;
    s.server.next(script().answer(200, v3(R"({\"limit\":{\"limit\":5}})", "m1")));
    s.server.next(script().hang());
    s.server.next(script().answer(200, v3(R"({\"limit\":{\"limit\":6}})", "m2")));
    s.server.always(script().hang());
    s.start({.api = nacos_options::api_version::v3, .timeout = 200ms});
    CHECK(s.until([&] { return s.limit.limit() == 6; }));
}

TEST_CASE("nacos: what is no answer of it is refused with its reason")
{
    auto const why = [](std::string const& body) {
        loaded l;
        auto const ec = weir::config::detail::read_nacos_v3(body, l);
        return ec ? *ec ? l.note : "taken" : "none of v3";
    };
    CHECK(why(v3("{}", "m")) == "taken");
    CHECK(why("<html>") == "none of v3");
    CHECK(why("{}") == "none of v3");
    CHECK(why(R"({"code":"x"})") == "code is not a number up to 18446744073709551615");
    CHECK(why(R"({"code":0,"data":{"content":5}})") == "content is not a string");
    CHECK(why(R"({"code":30000,"message":"boom"})") == "30000: boom");

    weir::config::detail::nacos_dialect d({.data_id = "a", .group = "G", .tenant = ""},
                                          weir::config::detail::nacos_api::v3, 30s);
    auto const note = [&](std::string const& body) {
        weir::http::response answer;
        answer.result(200);
        answer.body() = body;
        loaded l;
        CHECK(d.read(answer, l) == weir::errc::bad_document);
        return l.note;
    };
    CHECK(note("<html>").find("bad JSON") == 0);
    CHECK(note("{}") == "no document: 200: {}");
}

TEST_CASE("nacos: options are checked")
{
    CHECK_THROWS_WITH(nacos(nacos_options{}), "weir: nacos_options.data_id must be a name without control characters");
    CHECK_THROWS_AS(nacos({.data_id = "a\x02"
                                      "b"}),
                    std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .group = ""}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.url = "ftp://x", .data_id = "a"}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .poll = 1ms}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .hold = 1s}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .timeout = 0s}), std::invalid_argument);
}
