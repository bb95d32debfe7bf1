// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/http/client.hpp>
#include <weir/http/deadline_header.hpp>
#include <weir/http/server.hpp>

#include <doctest/doctest.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>

#include <optional>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;

TEST_CASE("client, hedge: the copy answers from elsewhere, the loser's connection is closed and not kept")
{
    asio::io_context io;
    // One server never answers: nobody accepts what the system has connected.
    asio::ip::tcp::acceptor silent(io, {asio::ip::make_address("127.0.0.1"), 0});
    http::server server(io.get_executor(), [](http::request const& r) {
        auto const left = http::parse_timeout(std::string(r["grpc-timeout"]));
        return http::reply(left && *left <= 60s ? http::status::ok : http::status::bad_request, "here");
    });
    weir::endpoint_set endpoints(
        {{"silent", "127.0.0.1", silent.local_endpoint().port()}, {"server", "127.0.0.1", server.port()}});
    weir::round_robin balancer(endpoints);
    weir::retry_budget budget({.per_success = 0, .initial = 1});
    http::client client(io.get_executor(), {.deadline_header = "grpc-timeout"});
    auto guarded = weir::pipeline(weir::deadline(60s), weir::hedge({.delay = 1ms}, budget), balancer);

    std::optional<std::string> body;
    guarded.async_call(io.get_executor(), weir::hedgeable([&](weir::attempt const& a) {
                           return client.async_get(a, "/", asio::deferred);
                       }),
                       [&](boost::system::error_code ec, http::response const& r) {
                           CHECK_FALSE(ec);
                           CHECK(r.result() == http::status::ok);
                           body = r.body();
                       });
    while (!body) io.run_one();
    CHECK(*body == "here");
    CHECK(budget.tokens() == 0);
    CHECK(client.in_flight() == 0);
    CHECK(client.idle() == 1);  // the winner's
    for (auto const& m : endpoints.snapshot()->members()) CHECK(m.state->in_flight() == 0);

    // Its peer sees the end of the loser's connection, after the request.
    auto peer = silent.accept();
    std::string text;
    boost::system::error_code ec;
    asio::read(peer, asio::dynamic_buffer(text), ec);
    CHECK((ec == asio::error::eof || ec == asio::error::connection_reset));
    CHECK(text.starts_with("GET / HTTP/1.1"));
}
