// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One instance of the inventory: four workers and a queue before them, as most servers have. It takes whatever comes
// and works on orders whose customer has long left. Nothing is wrong with it, and it is the same in both arms of the
// story.
#include "process.hpp"
#include "registry.hpp"
#include "roles.hpp"
#include "story.hpp"
#include "web.hpp"

#include <weir/core/random.hpp>
#include <weir/http/server.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cmath>
#include <deque>

namespace shop {

namespace {

// As many at a time as there are workers; the others wait in the order they came.
class staff {
public:
    staff(asio::any_io_executor executor, std::uint64_t seed) : executor_(std::move(executor)), random_(seed) {}

    void slow(bool yes) { slow_ = yes; }

    asio::awaitable<void> work()
    {
        if (busy_ == workers) {
            asio::steady_timer turn{executor_, asio::steady_timer::time_point::max()};
            queue_.push_back(&turn);
            co_await turn.async_wait(asio::as_tuple(asio::use_awaitable));  // the worker is handed over, not freed
        }
        else {
            ++busy_;
        }
        asio::steady_timer task{executor_, service_time()};
        co_await task.async_wait(asio::as_tuple(asio::use_awaitable));
        if (queue_.empty()) {
            --busy_;
        }
        else {
            queue_.front()->cancel();
            queue_.pop_front();
        }
    }

private:
    std::chrono::nanoseconds service_time()
    {
        double const seconds = service_min - service_random * std::log1p(-weir::uniform_unit(random_));
        return std::chrono::nanoseconds(std::llround(1e9 * (slow_ ? slow_service : seconds)));
    }

    asio::any_io_executor executor_;
    weir::random_engine random_;
    std::deque<asio::steady_timer*> queue_;
    int busy_ = 0;
    bool slow_ = false;
};

// Keeps the registry knowing of this instance, for as long as it lives: the lease registers, sends heartbeats, and
// starts over when the registry was away or forgot.
asio::awaitable<void> stay_registered(weir::registry::consul& registry, options const& o, std::uint16_t port)
{
    // Named, because GCC 12 destroys the members of a braced temporary in a co_await expression twice.
    weir::registry::registration self{.service = o.service, .address = "127.0.0.1", .port = port, .id = o.name};
    self.ttl = std::chrono::seconds(5);
    auto const lease = co_await registry.async_register(self, asio::use_awaitable);
    asio::steady_timer for_ever{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
    co_await for_ever.async_wait(asio::use_awaitable);
}

}  // namespace

int run_inventory(options const& o)
{
    asio::io_context context{1};
    staff people{context.get_executor(), o.seed};

    auto const answer = [&](request asked) -> asio::awaitable<response> {
        std::string const target = asked.target();
        if (target.starts_with("/reserve/")) {
            co_await people.work();
            co_return reply(http::status::ok, R"({"instance":")" + o.name + "\"}");
        }
        if (target == "/slow/on" || target == "/slow/off") {
            people.slow(target == "/slow/on");
            co_return reply(http::status::ok, "{}");
        }
        co_return reply(http::status::not_found, R"({"error":"try /reserve/42"})");
    };

    weir::http::server const server{context.get_executor(), answer};
    co_spawn(context, until_parent_ends(), [&](std::exception_ptr) { context.stop(); });
    weir::registry::consul registry{context.get_executor(), registry_options(o)};
    co_spawn(context, stay_registered(registry, o, server.port()), asio::detached);
    say_ready(server.port());
    context.run();
    return 0;
}

}  // namespace shop
