// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// HTTP calls that survive: the client sends and keeps connections, the pipeline around it decides. The server here, in
// the same program, is busy at first, does not know every order, and hangs on one. The hanging call is not tried again:
// the first order has spent the retry budget, and so few answers have not earned another try.
//
// Expected output:
//   /orders/42    200 three apples, after 2 attempts
//   /orders/43    404 no such order, after 1 attempt
//   /orders/slow  attempt timed out, after 1 attempt
//   /orders/4 2   request not fit to be sent, after 1 attempt
//   the server saw 4 requests

#include <weir/async/async_call.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/http/server.hpp>
#include <weir/retry/backoff.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_budget.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;

int main()
{
    asio::io_context io;

    int requests = 0;
    http::server server(io.get_executor(), [&](http::request r) -> asio::awaitable<http::response> {
        ++requests;
        if (requests == 1) co_return http::reply(http::status::service_unavailable, "busy");
        if (r.target() == "/orders/slow") {
            weir::timer pause(io.get_executor());
            co_await pause.async_wait_for(10s, asio::use_awaitable);
        }
        if (r.target() != "/orders/42") co_return http::reply(http::status::not_found, "no such order");
        co_return http::reply(http::status::ok, "three apples");
    });

    http::client client(io.get_executor());
    weir::endpoint const shop{.id = "shop-1", .host = "127.0.0.1", .port = server.port()};

    weir::retry_budget budget;
    auto guarded = weir::pipeline(
        weir::deadline(2s),
        weir::retry({.max_attempts = 2, .backoff = weir::constant(10ms)}, budget),
        weir::attempt_timeout(100ms),
        weir::classify(http::classifier(http::verb::get)));  // 503 is a failure that may pass; 404 is an answer

    auto get = [&](std::string target) -> asio::awaitable<void> {
        unsigned attempts = 0;
        auto [ec, answer] = co_await guarded.async_call(
            [&](weir::attempt const& a) {
                attempts = a.number();
                return client.async_send(shop, http::get(target), a.deadline(), asio::deferred);
            },
            asio::as_tuple(asio::use_awaitable));
        auto const said = ec ? ec.message() : std::to_string(answer.result_int()) + ' ' + answer.body();
        std::printf("%-13s %s, after %u attempt%s\n", target.c_str(), said.c_str(), attempts, attempts == 1 ? "" : "s");
    };

    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            co_await get("/orders/42");
            co_await get("/orders/43");
            co_await get("/orders/slow");
            co_await get("/orders/4 2");
            std::printf("the server saw %d requests\n", requests);
            io.stop();  // the server still hangs on one
        },
        asio::detached);
    io.run();
}
