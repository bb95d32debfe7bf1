// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "house.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include <stdexcept>

#include <unistd.h>

namespace shop {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr char const* loopback = "127.0.0.1";

}  // namespace

house::house(asio::any_io_executor executor, arm which, std::uint64_t seed, std::uint16_t front, relay& cable,
             registry_address registry)
    : executor_(std::move(executor)), which_(which), seed_(seed), front_(front), cable_(cable),
      registry_(std::move(registry)),
      // Nobody else's, should the registry be a Consul that others use too.
      service_("shop-inventory-" + std::to_string(::getpid()) + "-" + name_of(which))
{
}

std::vector<std::string> house::role(std::string role, std::uint64_t seed) const
{
    return {"--role", std::move(role), "--arm", name_of(which_), "--service", service_, "--seed", std::to_string(seed),
            "--registry", std::string("consul://") + loopback + ":" + std::to_string(cable_.port())};
}

asio::awaitable<house::inventory> house::make_inventory(int instance)
{
    // Its name is the same in every life, so that a new one takes the place of the old one in the registry.
    auto const id = name(instance);
    auto arguments = role("inventory", seed_ * 1000 + static_cast<std::uint64_t>(++lives_));
    arguments.insert(arguments.end(), {"--name", service_ + "." + id});
    inventory made{child{executor_, arguments}, id};
    made.port = co_await made.process.ready();
    ports_[id] = made.port;
    co_return made;
}

asio::awaitable<void> house::open()
{
    for (int i = 0; i < instances; ++i) inventory_.push_back(co_await make_inventory(i));
    co_await until_registered(inventory_.size());
    auto arguments = role("order", seed_);
    arguments.insert(arguments.end(), {"--port", std::to_string(front_)});
    order_.emplace_back(executor_, arguments);
    co_await order_.back().ready();
}

asio::awaitable<void> house::start(int instance)
{
    inventory_.at(static_cast<std::size_t>(instance)) = co_await make_inventory(instance);
}

asio::awaitable<void> house::slow(int instance, bool yes)
{
    co_await ask(http::verb::post, loopback, inventory_.at(static_cast<std::size_t>(instance)).port,
                 yes ? "/slow/on" : "/slow/off", 1s);
}

asio::awaitable<void> house::restart()
{
    co_await close();
    co_await open();
}

asio::awaitable<gauge> house::look(std::chrono::milliseconds limit)
{
    gauge g;
    try {
        auto const answer = co_await ask(http::verb::get, loopback, front_, "/gauge", limit);
        auto const said = json::parse(answer.body());
        g.tries = said.at("tries").to_number<std::uint64_t>();
        tries_ = said.at("tries_of_each").as_string();
        g.breaker = said.at("breaker").as_string();
        g.limiter = said.at("limiter").to_number<double>();
        g.budget = said.at("budget").to_number<double>();
        for (auto const& i : said.at("instances").as_array()) {
            std::string id{i.at("id").as_string()};
            if (auto const dot = id.find('.'); dot != std::string::npos) id.erase(0, dot + 1);
            g.instances.push_back({std::move(id), i.at("in_flight").to_number<unsigned>(),
                                   i.at("ewma_ms").to_number<double>()});
        }
    }
    catch (std::exception const&) {
        g = {};
    }
    co_return g;
}

asio::awaitable<void> house::close()
{
    std::vector<std::string> ids;
    for (int i = 0; i < instances; ++i) ids.push_back(service_ + "." + name(i));
    order_.clear();
    tries_.clear();
    inventory_.clear();
    co_await deregister(std::move(ids));
}

asio::awaitable<void> house::deregister(std::vector<std::string> ids)
{
    for (auto const& id : ids) {
        try {
            co_await ask(http::verb::put, registry_.host, registry_.port, "/v1/agent/service/deregister/" + id, 1s);
        }
        catch (boost::system::system_error const&) {
            // The registry is gone; it forgets by itself.
        }
    }
}

asio::awaitable<void> house::until_registered(std::size_t count)
{
    asio::steady_timer pause{executor_};
    for (int i = 0; i < 500; ++i) {
        auto const answer = co_await ask(http::verb::get, registry_.host, registry_.port,
                                         "/v1/health/service/" + service_ + "?passing=1", 2s);
        if (json::parse(answer.body()).as_array().size() >= count) co_return;
        pause.expires_after(10ms);
        co_await pause.async_wait(asio::use_awaitable);
    }
    throw std::runtime_error("the inventory did not appear in the registry within 5 s");
}

std::string house::address_of(std::string const& id) const
{
    auto const found = ports_.find(id);
    return found == ports_.end() ? std::string("?") : std::string(loopback) + ":" + std::to_string(found->second);
}

}  // namespace shop
