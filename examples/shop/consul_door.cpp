// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "consul_door.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include <charconv>
#include <chrono>
#include <memory>
#include <string_view>

namespace shop {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// "5s" or "300ms": the durations that the shop writes.
std::chrono::milliseconds span(std::string_view text, std::chrono::milliseconds otherwise)
{
    long n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{}) return otherwise;
    std::string_view const unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
    if (unit == "ms") return std::chrono::milliseconds(n);
    if (unit == "s") return std::chrono::seconds(n);
    if (unit == "m") return std::chrono::minutes(n);
    return otherwise;
}

// The value of `name` in a query string; names and values here need no unescaping.
std::string_view parameter(std::string_view target, std::string_view name)
{
    for (auto at = target.find('?'); at != std::string_view::npos; at = target.find('&', at + 1)) {
        auto const rest = target.substr(at + 1);
        if (rest.starts_with(name) && rest.substr(name.size()).starts_with('='))
            return rest.substr(name.size() + 1, rest.find('&') - name.size() - 1);
    }
    return {};
}

}  // namespace

consul_door::consul_door(asio::any_io_executor executor)
    : table_(executor), server_(executor, [this](request asked) { return answer(std::move(asked)); })
{
}

asio::awaitable<response> consul_door::answer(request asked)
{
    std::string const target = asked.target();
    auto const path = target.substr(0, target.find('?'));
    std::string rest;
    auto const is = [&](std::string_view prefix) {
        if (!path.starts_with(prefix)) return false;
        rest = path.substr(prefix.size());
        return true;
    };
    if (path == "/v1/agent/service/register") co_return enter(asked);
    if (is("/v1/agent/check/update/service%3A")) {
        if (table_.beat(rest)) co_return reply(http::status::ok, "");
        co_return reply(http::status::not_found, "Unknown check ID \"service:" + rest + "\"");
    }
    if (is("/v1/agent/service/deregister/")) {
        table_.remove(rest);
        co_return reply(http::status::ok, "");
    }
    if (is("/v1/health/service/")) co_return co_await health(asked.target(), rest);
    co_return reply(http::status::not_found, "this registry does not know " + path + "\n");
}

response consul_door::enter(request const& asked)
{
    try {
        auto const body = json::parse(asked.body());
        weir::registry::registration r;
        r.id = body.at("ID").as_string();
        r.service = body.at("Name").as_string();
        r.address = body.at("Address").as_string();
        r.port = body.at("Port").to_number<std::uint16_t>();
        r.ttl = span(body.at("Check").at("TTL").as_string(), 15s);
        table_.add(std::move(r));
        return reply(http::status::ok, "");
    }
    catch (std::exception const& e) {
        return reply(http::status::bad_request, std::string("not a registration: ") + e.what() + "\n");
    }
}

std::uint64_t consul_door::index_of(std::string const& service, std::string const& revision)
{
    auto& s = states_[service];
    if (s.revision != revision) s = {s.index + 1, revision};
    return s.index;
}

asio::awaitable<response> consul_door::health(std::string target, std::string service)
{
    weir::registry::query const q{.service = service};
    auto list = table_.list(q);
    if (auto const seen = parameter(target, "index"); seen == std::to_string(index_of(service, list->revision))) {
        // A blocking query: answered when there is something new, or when the asked time is over.
        auto const stop = std::make_shared<asio::cancellation_signal>();
        asio::steady_timer limit{co_await asio::this_coro::executor, span(parameter(target, "wait"), 5min)};
        limit.async_wait([stop](boost::system::error_code ec) {
            if (!ec) stop->emit(asio::cancellation_type::total);
        });
        co_await table_.async_await_change(
            q, list->revision, asio::bind_cancellation_slot(stop->slot(), asio::as_tuple(asio::use_awaitable)));
        list = table_.list(q);
    }

    bool const passing_only = target.find("passing") != std::string::npos;
    json::array entries;
    for (auto const& i : *list->instances) {
        if (passing_only && !i.serves()) continue;
        entries.push_back({
            {"Node", {{"Node", "shop"}, {"Address", "127.0.0.1"}, {"Datacenter", "dc1"}}},
            {"Service", {{"ID", i.id()}, {"Service", service}, {"Address", i.address.host}, {"Port", i.address.port},
                         {"Tags", json::array{}}, {"Meta", json::object{}},
                         {"Weights", {{"Passing", 1}, {"Warning", 1}}}}},
            {"Checks", json::array{{{"CheckID", "service:" + i.id()}, {"ServiceID", i.id()},
                                    {"Status", to_string(i.state)}}}},
        });
    }
    auto answered = reply(http::status::ok, json::serialize(entries));
    answered.set("X-Consul-Index", std::to_string(index_of(service, list->revision)));
    co_return answered;
}

}  // namespace shop
