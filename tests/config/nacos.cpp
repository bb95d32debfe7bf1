// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Against the contract: ConfigController (v1), ConfigOpenApiController (v3) and LongPollingService of Nacos, 486e198.
#include <weir/config/nacos.hpp>

#include <weir/config/refresh.hpp>
#include <weir/http/tls.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_server.hpp>

#include "config/nacos_contract.hpp"
#include "support/temporary_directory.hpp"
#include "support/tls_front.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
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

    void start(nacos_options o = {}, std::string const& base = {})
    {
        o.url = "nacos://127.0.0.1:" + std::to_string(server.port()) + base;
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

namespace {

// The contract, and a limit of 5 to 9 that follows what it holds.
struct contract_scene {
    asio::io_context io;
    weir::testing::nacos_config_contract contract;
    weir::testing::contract_server const server{
        io, [this](std::string const& request, std::chrono::milliseconds held) { return contract(request, held); }};
    weir::concurrency_limit limit;
    std::optional<weir::config::refresh> follow;

    void write(int n, std::string const& group = "G", std::string const& space = "")
    {
        contract.contents[contract.key("shop.json", group, space)] = R"({"limit":{"limit":)" + std::to_string(n) + "}}";
    }
    void start(std::string const& account, std::string const& rest, nacos_options o = {})
    {
        o.url = "nacos://" + account + "127.0.0.1:" + std::to_string(server.endpoint().port()) + rest;
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
    bool follows(std::uint32_t n)
    {
        return until([&] { return limit.limit() == n; });
    }
};

}  // namespace

TEST_CASE("nacos: signs in as the URL says, again before the token ends, and when it is not taken any more")
{
    for (bool const third : {true, false}) {
        CAPTURE(third);
        contract_scene s;
        s.contract.v3 = third;
        s.contract.user = "ann";
        s.contract.password = "p@ss";
        s.contract.token_ttl = 1;
        s.write(5, "G", "eu");
        s.start("ann:p%40ss@", "/nacos?namespace=eu&group=G");
        CHECK(s.follows(5));
        CHECK(s.follow->status().failures == 0);
        if (third) CHECK(s.until([&] { return s.contract.logins == 2; }));  // at nine tenths of a second
        s.contract.token_ttl = 18000;
        s.contract.token = "t2";
        s.write(6, "G", "eu");
        CHECK(s.follows(6));
        CHECK(s.follow->status().failures == 0);
    }
    contract_scene s;
    s.contract.user = "ann";
    s.start("ann:wrong@", "?group=G");
    CHECK(s.until([&] { return s.follow->status().last_error == weir::errc::registry_refused; }));
    CHECK(s.follow->status().note == "signing in: 403: unknown user!");
}

TEST_CASE("nacos: an interface that is gone is left, the other way round too, and nothing is taken for deleted")
{
    for (bool const gone : {false, true}) {
        CAPTURE(gone);
        contract_scene s;
        s.contract.gone = gone;
        s.contract.v3 = false;
        s.write(5);
        s.start("", "?group=G");
        CHECK(s.follows(5));
        s.contract.v3 = true;
        s.contract.v1 = false;
        CHECK(s.until([&] { return s.follow->status().answers > 1; }));
        s.write(6);
        CHECK(s.follows(6));
        s.contract.v3 = false;
        s.contract.v1 = true;
        s.write(7);
        CHECK(s.follows(7));
        CHECK(s.follow->status().failures == 0);
        CHECK_FALSE(s.follow->status().missing);
    }
}

TEST_CASE("nacos: the base of the URL stands for /nacos, as it does in the registry")
{
    scene s;
    s.server.next(script().expect("GET /nacos/v3/client/cs/config?").answer(200, v3("{}", "m")));
    s.server.next(script().expect("GET /conf/v3/client/cs/config?").answer(200, v3("{}", "m")));
    s.server.always(script().hang());
    for (auto const* const base : {"/nacos", "/conf"}) {
        s.start({}, base);
        CHECK(s.until([&] { return s.follow->status().version == "m"; }));
        s.follow.reset();
    }
    CHECK(s.server.failures().empty());
}

TEST_CASE("nacos: a token from a file is read again when it is answered by 403")
{
    weir::testing::temporary_directory const files;
    auto const file = files.write("token", "t1\n");
    contract_scene s;
    s.contract.user = "somebody";
    s.write(5);
    s.start("", "?group=G&token_file=" + file);
    CHECK(s.follows(5));
    files.write("token", "t2\n");
    s.contract.token = "t2";
    s.write(6);
    CHECK(s.follows(6));
    CHECK(s.follow->status().failures == 0);
}

TEST_CASE("nacos: over TLS, by the authority that the URL names, and by no other")
{
    using weir::testing::certificate;
    using secure_nacos = weir::config::basic_nacos<weir::http::tls_transport>;
    contract_scene s;
    certificate const authority({}, nullptr), other({}, nullptr);
    weir::testing::temporary_directory const files;
    weir::testing::tls_front const front(s.io, certificate({"IP:127.0.0.1"}, &authority), s.server.endpoint().port());
    auto const from = [&](certificate const& trusted) {
        return secure_nacos({.url = "nacos://127.0.0.1:" + std::to_string(front.port()) +
                                    "?tls=true&group=G&ca_file=" + files.write("ca.pem", trusted.pem()),
                             .data_id = "shop.json",
                             .poll = 100ms});
    };
    s.write(5);
    auto const bound = [&] {
        weir::config::binding b;
        b.bind("limit", s.limit, {});
        return b;
    };
    s.follow.emplace(s.io.get_executor(), from(other), bound());
    CHECK(s.until([&] { return s.follow->status().failures == 1; }));
    CHECK(s.follow->status().last_error.message().find("verify failed") != std::string::npos);
    s.follow.emplace(s.io.get_executor(), from(authority), bound());
    CHECK(s.follows(5));
    s.write(6);
    CHECK(s.follows(6));
    CHECK(s.follow->status().failures == 0);
    CHECK_THROWS_AS(nacos({.url = "nacos://h?tls=true", .data_id = "a"}), std::invalid_argument);
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

    weir::config::detail::nacos_key const key{.data_id = "a", .group = "G", .tenant = ""};
    auto const note = [&](std::string const& body) {
        weir::http::response answer;
        answer.result(200);
        answer.body() = body;
        loaded l;
        CHECK(read_nacos_config(weir::registry::nacos_api::v3, answer, key, l) == weir::errc::bad_document);
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
    CHECK_THROWS_AS(nacos({.data_id = "a", .poll = 0ms}), std::invalid_argument);
    CHECK_THROWS_WITH(nacos({.url = "nacos://h?cluster=x", .data_id = "a"}),
                      doctest::Contains("configurations are in no cluster"));
    CHECK_THROWS_AS(nacos({.url = "nacos://u:p@h?token=t", .data_id = "a"}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .hold = 1s}), std::invalid_argument);
    CHECK_THROWS_AS(nacos({.data_id = "a", .timeout = 0s}), std::invalid_argument);
}
