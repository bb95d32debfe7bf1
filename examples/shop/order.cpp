// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The process of the order service: its front, which the customers and curl talk to, and what it tells the supervisor.
#include "order.hpp"

#include "load.hpp"
#include "process.hpp"
#include "roles.hpp"

#include <weir/http/server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <charconv>
#include <exception>
#include <optional>
#include <string_view>

namespace shop {

namespace {

namespace json = boost::json;

std::optional<std::size_t> number(std::string_view text)
{
    std::size_t value = 0;
    auto const end = text.data() + text.size();
    auto const [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::string describe(gauge const& g, ledger const& l)
{
    json::array instances;
    for (auto const& i : g.instances)
        instances.push_back({{"id", i.id}, {"in_flight", i.in_flight}, {"ewma_ms", i.ewma_ms}});
    return json::serialize(json::object{{"tries", l.total()},
                                        {"tries_of_each", l.tries()},
                                        {"breaker", g.breaker},
                                        {"limiter", g.limiter},
                                        {"budget", g.budget},
                                        {"instances", std::move(instances)}});
}

}  // namespace

void ledger::tried(request const& asked)
{
    ++total_;
    auto const said = asked[customer_header];
    auto const customer = number({said.data(), said.size()});
    if (!customer || *customer >= most_customers) return;
    if (*customer >= tries_.size()) tries_.resize(*customer + 1, '0');
    if (auto& digit = tries_[*customer]; digit != '9') ++digit;
}

int run_order(options const& o)
{
    asio::io_context context{1};
    ledger book;
    auto const service = o.governed ? make_governed(context.get_executor(), o, book)
                                    : make_bare(context.get_executor(), o, book);

    auto const answer = [&](request asked) -> asio::awaitable<response> {
        std::string_view const target{asked.target().data(), asked.target().size()};
        if (target == "/gauge") co_return reply(http::status::ok, describe(service->look(), book));
        std::string_view const orders = "/order/";
        if (auto const n = target.starts_with(orders) ? number(target.substr(orders.size())) : std::nullopt)
            co_return co_await service->place(asked, *n);
        co_return reply(http::status::not_found, R"({"error":"try /order/42"})");
    };

    std::optional<weir::http::server> front;
    auto const serve_when_open = [&]() -> asio::awaitable<void> {
        co_await service->open();
        front.emplace(context.get_executor(), answer, weir::http::server_options{.port = o.port});
        say_ready(front->port());
    };
    co_spawn(context, serve_when_open(), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    co_spawn(context, until_parent_ends(), [&](std::exception_ptr) { context.stop(); });
    context.run();
    return 0;
}

}  // namespace shop
