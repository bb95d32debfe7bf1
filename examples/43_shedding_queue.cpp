// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A queue that does not die of an overload. A worker can serve fifty callers a second, a hundred come, and each has
// left after 200 ms. Whoever is served in the order he came has just left when his work is done: the worker works for
// nobody. A shedding_queue notices that the queue stands, serves the newest and tells the others at once; and it never
// begins what cannot be done in time.
//
// Expected output:
//   served in time, second by second
//     first come, first served 19  0  0  0  0  0
//     shedding_queue           50 50 50 50 50 50

#include <weir/async/async_acquire.hpp>
#include <weir/async/async_enqueue.hpp>
#include <weir/async/timer.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto token = asio::as_tuple(asio::use_awaitable);

void crowd(char const* name, auto wait_for_the_worker)
{
    weir::testing::virtual_time world;  // in production: an io_context
    auto const begin = world.now();
    int in_time[7] = {};
    auto const caller = [&]() -> asio::awaitable<void> {
        auto const leaves = world.now() + 200ms;
        auto const [error, slot] = co_await wait_for_the_worker(leaves);
        if (error) co_return;  // refused, and free to ask somebody else
        weir::timer work(world.get_executor());
        co_await work.async_wait_for(20ms, token);
        if (world.now() <= leaves) ++in_time[(world.now() - begin - 1ns) / 1s];
    };
    for (auto now = begin; now < begin + 6s; now += 10ms) {
        asio::co_spawn(world.get_executor(), caller(), asio::detached);
        world.run_for(10ms);
    }
    world.run();
    std::printf("  %-24s", name);
    for (int second = 0; second < 6; ++second) std::printf(" %2d", in_time[second]);
    std::puts("");
}

int main()
{
    std::puts("served in time, second by second");
    weir::concurrency_limit in_order{{.limit = 1, .max_queue = 1000}};
    crowd("first come, first served", [&](weir::time_point) { return weir::async_acquire(in_order, 200ms, token); });

    weir::shedding_queue<> queue{{.concurrency = {.limit = 1}}};
    crowd("shedding_queue", [&](weir::time_point leaves) {
        return weir::async_acquire(queue, weir::shedding_ticket{.deadline = leaves}, token);
    });
}
