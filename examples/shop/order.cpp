// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The process of the order service: its front, which the customers and curl talk to, and what it tells the supervisor.
#include "order.hpp"

#include "load.hpp"
#include "process.hpp"
#include "roles.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <charconv>
#include <cstdio>

namespace shop {

namespace {

namespace json = boost::json;

std::string tries_of_each(ledger const& l)
{
    std::string text;
    for (std::size_t i = first_order_number; i < l.tries().size(); ++i)
        text += static_cast<char>('0' + std::min<int>(9, l.tries()[i]));
    return text;
}

std::string describe(gauge const& g, ledger const& l)
{
    json::array instances;
    for (auto const& i : g.instances)
        instances.push_back({{"id", i.id}, {"in_flight", i.in_flight}, {"ewma_ms", i.ewma_ms}});
    return json::serialize(json::object{{"tries", l.total()},
                                        {"tries_of_each", tries_of_each(l)},
                                        {"breaker", g.breaker},
                                        {"limiter", g.limiter},
                                        {"budget", g.budget},
                                        {"instances", std::move(instances)}});
}

}  // namespace

int run_order(options const& o)
{
    asio::io_context context{1};
    ledger book;
    auto const service = o.governed ? make_governed(context.get_executor(), o, book)
                                    : make_bare(context.get_executor(), o, book);

    handler const answer = [&](request const& asked) -> asio::awaitable<response> {
        std::string const target = asked.target();
        if (target == "/gauge") co_return reply(asked, http::status::ok, describe(service->look(), book));
        std::string_view const orders = "/order/";
        std::size_t number = 0;
        if (target.starts_with(orders)) {
            auto const end = target.data() + target.size();
            auto const [stop, error] = std::from_chars(target.data() + orders.size(), end, number);
            if (error == std::errc{} && stop == end && number < 10'000'000)
                co_return co_await service->place(asked, number);
        }
        co_return reply(asked, http::status::not_found, R"({"error":"try /order/42"})");
    };

    auto acceptor = listen(context.get_executor(), o.port);
    auto const serve_when_open = [&]() -> asio::awaitable<void> {
        co_await service->open();
        say_ready(acceptor.local_endpoint().port());
        co_await serve(acceptor, answer);
    };
    co_spawn(context, serve_when_open(), asio::detached);
    co_spawn(context, until_parent_ends(), [&](std::exception_ptr) { context.stop(); });
    context.run();
    return 0;
}

}  // namespace shop
