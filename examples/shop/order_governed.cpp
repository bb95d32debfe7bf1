// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The order service through a weir pipeline: what stands around a call, in which order, with which figures, is said
// once, in `gates` and `pipeline_of`. The rest is as short as in order_bare.cpp. A service of your own can start from
// here.
#include "order.hpp"
#include "registry.hpp"

#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/registry/follow.hpp>
#include <weir/retry/retry.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>

namespace shop {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t burst = 20;
constexpr double most_retries = 10;
constexpr auto latency_memory = 1s;

struct gates {
    // 70 % of what the inventory can do: the rest is for its bad days, and keeps its queues short.
    weir::token_bucket limiter{{.rate = weir::per_second(120), .burst = burst}};

    // A retry for every ten orders served, and never more than ten at once.
    weir::retry_budget budget{{.per_success = 0.1, .max = most_retries}};

    // One bad instance of three is the balancer's business; the breaker is for the day when all are.
    weir::circuit_breaker breaker{{.failure_rate = 0.5,
                                   .consecutive_failures = 10,
                                   .window = weir::time_window{.length = 2s},
                                   .open_for = 250ms,
                                   .max_open_for = 500ms,
                                   .half_open_probes = 5}};

    // Who is there, as the registry last said, and how they do, as the last twenty calls or so to each have shown.
    weir::endpoint_set instances;
    weir::peak_ewma balancer{instances, {.decay = latency_memory}};
};

// What stands around a call, outermost first.
auto pipeline_of(gates& g)
{
    return weir::pipeline(
        weir::classify(weir::http::classifier(http::verb::get)),  // what an answer says of the one who gave it
        weir::deadline(1s),                                       // the whole call, tries and pauses included
        g.limiter,                                                // what is too much is refused at once
        weir::retry({.max_attempts = 3, .backoff = weir::exponential(20ms, 200ms)}, g.budget),
        g.breaker,                                                // from here on once per try
        g.balancer,                                               // the quicker and less busy of two
        weir::attempt_timeout(300ms));                            // twice what a slow try takes
}

class governed final : public order_service {
public:
    governed(asio::any_io_executor executor, options const& o, ledger& l)
        : executor_(executor), ledger_(l), client_(executor), guarded_(pipeline_of(gates_)),
          registry_(executor, registry_options(o)),
          watch_(registry_.watch({.service = o.service})),
          following_(weir::registry::follow(registry_.watch({.service = o.service}), gates_.instances))
    {
    }

    asio::awaitable<void> open() override
    {
        // The first set of instances. From here on calls never wait for the registry, whatever happens to it.
        co_await watch_.async_next(asio::use_awaitable);
    }

    asio::awaitable<response> place(request const& asked, std::size_t number) override
    {
        auto const target = "/reserve/" + std::to_string(number);
        auto const [error, answer] = co_await guarded_.async_call(
            [&](weir::attempt const& a) {
                ledger_.tried(asked);
                return client_.async_get(a, target, asio::deferred);
            },
            asio::as_tuple(asio::use_awaitable));
        if (!error && answer.result() == http::status::ok) co_return reply(http::status::ok, answer.body());
        if (error == weir::condition::rejected) co_return come_back_later(error);
        co_return reply(http::status::bad_gateway, R"({"error":"the inventory does not answer"})");
    }

    [[nodiscard]] gauge look() override
    {
        auto const now = weir::now(executor_);
        gauge g;
        g.breaker = to_string(gates_.breaker.state(now));
        g.limiter = static_cast<double>(gates_.limiter.available(now)) / burst;
        g.budget = gates_.budget.tokens() / most_retries;
        auto const known = gates_.instances.snapshot();
        for (auto const& [endpoint, state] : known->members())
            g.instances.push_back({endpoint.id, state->in_flight(), state->latency(now, latency_memory) / 1e6});
        return g;
    }

private:
    // Refused by one of our own gates: nothing was sent, and the customer is told when to come again.
    response come_back_later(boost::system::error_code why)
    {
        bool const limited = why == weir::errc::rate_limited;
        auto answer = reply(limited ? http::status::too_many_requests : http::status::service_unavailable,
                            "{\"error\":\"" + why.message() + "\"}");
        answer.set(http::field::retry_after, "1");  // in whole seconds: it cannot say sooner
        return answer;
    }

    asio::any_io_executor executor_;
    ledger& ledger_;
    weir::http::client client_;

    gates gates_;
    decltype(pipeline_of(gates_)) guarded_;
    weir::registry::consul registry_;
    weir::registry::watch watch_;
    weir::registry::following following_;
};

}  // namespace

std::unique_ptr<order_service> make_governed(asio::any_io_executor executor, options const& o, ledger& l)
{
    return std::make_unique<governed>(std::move(executor), o, l);
}

}  // namespace shop
