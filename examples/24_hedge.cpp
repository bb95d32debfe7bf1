// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A hedge: when an answer is late, a second copy of the request goes to another endpoint, and the first success wins.
// One in ten of these answers takes 300 ms, the others 10 ms. The hedge is sent at the 80th percentile of what was
// seen, so nothing is hedged at first; then the slow ones are, as long as the budget of 20 % has tokens. Time is
// virtual.
//
// Expected output:
//   alone:  100 calls, 100 attempts, slowest 300 ms, 39 ms on average
//   warming up, call 10: 300 ms, 1 attempt
//   hedged: 100 calls, 110 attempts, slowest 20 ms, 11 ms on average
//   a payment, which must not be copied: 300 ms, 1 attempt

#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

weir::testing::virtual_time world;
weir::timer the_wire(world.get_executor());

/// Stands in for a service. The tenth request, the twentieth and so on find a busy server; the copy finds another.
struct lookup {
    int request = 0;
    int attempts = 0;

    auto operator()(weir::attempt const& a)
    {
        ++attempts;
        bool const unlucky = request % 10 == 0 && a.number() == 1;
        return the_wire.async_wait_for(unlucky ? 300ms : 10ms, asio::deferred);
    }
};

/// Runs one call to its end, and gives the milliseconds it took.
template <class Pipeline, class Operation>
long run(Pipeline& guarded, Operation op)
{
    auto const began = world.now();
    auto ended = began;
    guarded.async_call(world.get_executor(), std::move(op), [&](boost::system::error_code) { ended = world.now(); });
    world.run();
    return static_cast<long>((ended - began) / 1ms);
}

template <class Pipeline>
void hundred_calls(char const* name, Pipeline& guarded, lookup& op)
{
    long slowest = 0, sum = 0;
    op.attempts = 0;
    for (op.request = 1; op.request <= 100; ++op.request) {
        // std::ref: the calls share `op`, which counts. A reference is as good an operation as any.
        auto const ms = run(guarded, weir::hedgeable(std::ref(op)));
        slowest = std::max(slowest, ms);
        sum += ms;
    }
    std::printf("%s 100 calls, %d attempts, slowest %ld ms, %ld ms on average\n", name, op.attempts, slowest,
                sum / 100);
}

}  // namespace

int main()
{
    weir::endpoint_set endpoints({{"a", "10.0.0.1", 80}, {"b", "10.0.0.2", 80}, {"c", "10.0.0.3", 80}});
    weir::round_robin balancer(endpoints);
    weir::retry_budget budget({.per_success = 0.2});
    lookup op;

    auto alone = weir::pipeline(balancer);
    hundred_calls("alone: ", alone, op);

    auto guarded = weir::pipeline(
        weir::hedge({.delay = weir::latency_quantile_options{.quantile = 0.8, .min_samples = 20}}, budget), balancer);
    long last = 0;
    op.attempts = 0;
    for (op.request = 1; op.request <= 20; ++op.request) {
        last = run(guarded, weir::hedgeable(std::ref(op)));
        if (op.request == 10) std::printf("warming up, call 10: %ld ms, %d attempt\n", last, op.attempts - 9);
    }
    hundred_calls("hedged:", guarded, op);

    op = {.request = 10};
    last = run(guarded, weir::not_hedgeable(std::ref(op)));
    std::printf("a payment, which must not be copied: %ld ms, %d attempt\n", last, op.attempts);
}
