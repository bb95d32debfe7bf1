// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/async/async_fallback.hpp>
#include <weir/call/classify.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using weir::testing::script;

TEST_CASE("client, fallback: a 503 that outlasts the retries is answered by the fallback, which may look at it")
{
    asio::io_context io{1};
    weir::testing::scripted_server server(io.get_executor());
    server.next(script().expect("GET /a").answer(503, "1").expect("GET /a").answer(503, "2").expect("GET /b").answer(
        200, "well"));
    http::client client(io.get_executor());
    weir::classify const judge{http::classifier(http::verb::get)};
    auto guarded = weir::pipeline(weir::retry({.max_attempts = 2, .backoff = weir::constant(1ms)}), judge);
    auto const spare = weir::fallback{[](weir::error const& e, http::response const* failed) {
                           CHECK(e.code == weir::errc::answer_failed);
                           http::response r;
                           r.body() = "instead of " + failed->body();
                           return r;
                       }}.judged_by(judge);

    auto const get = [&](auto const& fallback, std::string target) {
        std::optional<weir::fallback_result<http::response>> got;
        fallback.async_call(
            io.get_executor(),
            [&] {
                return guarded.async_call(
                    io.get_executor(),
                    [&](weir::attempt const&) { return client.async_get(server.endpoint(), target, asio::deferred); },
                    asio::deferred);
            },
            [&](weir::fallback_result<http::response> r) { got.emplace(std::move(r)); });
        io.restart();
        while (!got) io.run_one();
        return *std::move(got);
    };
    auto const busy = get(spare, "/a");
    REQUIRE(busy);
    CHECK(busy->body() == "instead of 2");
    CHECK(busy.degraded());
    auto const well = get(spare, "/b");
    REQUIRE(well);
    CHECK(well->body() == "well");
    CHECK_FALSE(well.degraded());
    CHECK(server.failures() == std::vector<std::string>{});
}
