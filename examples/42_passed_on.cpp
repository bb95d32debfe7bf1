// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a request hands on to the calls that it causes: how much time is left, how important it is, which trace it
// belongs to. Here a front asks the stock service, which asks the price service in turn. So nobody works on after the
// front has given up, all shed the same requests when there are too many, and one trace shows the whole tree.
//
// Expected output:
//   stock is told: a deadline, no later than the front's; priority 2.7; trace 4bf92f35..., a span of its own
//   price is told: a deadline, no later than the front's; priority 2.7; trace 4bf92f35..., a span of its own
//   front: 12 in stock, at 7 euros

#include <weir/async/async_call.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/client.hpp>
#include <weir/http/priority_header.hpp>
#include <weir/http/server.hpp>
#include <weir/http/trace_context.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <set>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;

using trace = std::optional<http::trace_context>;

int main()
{
    asio::io_context io;
    std::string const deadline_header(http::deadline_header_name);
    http::client client(io.get_executor(), {.deadline_header = deadline_header});  // the priority goes without asking

    // Any call in this program: what it was told by whom it serves, it tells whom it asks.
    auto const ask = [&](std::uint16_t port, weir::call_options said, trace const& t) -> asio::awaitable<std::string> {
        weir::endpoint_set const instances{{{.id = "1", .host = "127.0.0.1", .port = port}}};
        weir::round_robin in_turn{instances};
        auto guarded = weir::pipeline(weir::deadline(5s), in_turn);
        auto const operation = [&](weir::attempt const& a) {
            return client.async_send(a, http::traced(http::get("/"), t), asio::deferred);
        };
        auto const answer = co_await guarded.async_call(operation, said, asio::use_awaitable);
        co_return answer.body();
    };

    std::set<std::array<std::uint8_t, 8>> spans;
    auto const print = [&](char const* who, http::request const& r) {
        auto const left = http::parse_timeout(std::string(r[deadline_header]));
        auto const t = http::trace_of(r);
        std::printf("%s is told: %s; priority %s; trace %.8s..., %s\n", who,
                    left && *left <= 1s ? "a deadline, no later than the front's" : "NO deadline of the front's",
                    to_header(http::priority_of(r).value()).c_str(), http::format_traceparent(*t).c_str() + 3,
                    spans.insert(t->parent_id).second ? "a span of its own" : "THE SAME SPAN");
    };

    http::server price(io.get_executor(), [&](http::request const& r) {
        print("price", r);
        return http::reply(http::status::ok, "7 euros");
    });
    http::server stock(io.get_executor(), [&](http::request r) -> asio::awaitable<http::response> {
        print("stock", r);
        auto const serving = http::trace_of(r);
        auto const said = http::carried_by(r, weir::now(io.get_executor()));
        auto const euros = co_await ask(price.port(), said, serving);
        co_return http::reply(http::status::ok, "12 in stock, at " + euros);
    });

    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            // At the edge of the system a priority is chosen, not believed: a job that will come again, of cohort 7.
            weir::call_options said{.deadline = weir::now(io.get_executor()) + 1s};
            said.priority = weir::request_priority{weir::criticality::sheddable_plus, 7};
            trace const from_browser =
                http::parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            auto const answer = co_await ask(stock.port(), said, from_browser);
            std::printf("front: %s\n", answer.c_str());
            io.stop();
        },
        asio::detached);
    io.run();
}
