// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A limiter that makes callers wait instead of refusing them. Permits of a rate limiter are reserved in the order of
// asking, so each waiter sleeps once, until its own turn; when one gives up, those behind it move up. Slots of a
// concurrency limit go to the oldest waiter. A wait is bounded, and no permit is lost by a cancel. A consumer that has
// nothing else to do may even wait for a circuit to close.
//
// Expected output:
//      0 ms  report 1 starts
//            report 4 will not wait: rate limited: no permit at this time
//     50 ms  report 2 is not wanted any more
//    100 ms  report 3 starts
//    100 ms  one slot: first in, first served
//    150 ms  a slot for A
//    200 ms  a slot for B
//    200 ms  the circuit is open
//    700 ms  the circuit is half_open
//    700 ms  the consumer asks again
//    700 ms  the circuit is closed
#include <weir/async/async_acquire.hpp>
#include <weir/async/async_acquire_circuit.hpp>
#include <weir/async/half_open_timer.hpp>
#include <weir/async/timer.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio.hpp>

#include <cstdio>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main()
{
    weir::testing::virtual_time world;  // in production: an io_context
    auto const begin = world.now();
    auto const elapsed = [&] { return static_cast<int>((world.now() - begin) / 1ms); };

    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    asio::cancellation_signal not_wanted[5];
    for (int report = 1; report <= 4; ++report)
        asio::co_spawn(
            world.get_executor(),
            [&, report]() -> asio::awaitable<void> {
                auto const [error] =
                    co_await weir::async_acquire(bucket, 1, 250ms, asio::as_tuple(asio::use_awaitable));
                if (error == asio::error::operation_aborted)
                    std::printf("%4d ms  report %d is not wanted any more\n", elapsed(), report);
                else if (error)
                    std::printf("         report %d will not wait: %s\n", report, error.message().c_str());
                else
                    std::printf("%4d ms  report %d starts\n", elapsed(), report);
            },
            asio::bind_cancellation_slot(not_wanted[report].slot(), asio::detached));
    world.run_for(50ms);
    not_wanted[2].emit(asio::cancellation_type::terminal);
    world.run();

    std::printf("%4d ms  one slot: first in, first served\n", elapsed());
    weir::concurrency_limit printer{{.limit = 1, .max_queue = 10}};
    for (char const name : {'A', 'B'})
        asio::co_spawn(
            world.get_executor(),
            [&, name]() -> asio::awaitable<void> {
                auto const slot = co_await weir::async_acquire(printer, 1s, asio::use_awaitable);
                weir::timer page(world.get_executor());
                co_await page.async_wait_for(50ms, asio::use_awaitable);
                std::printf("%4d ms  a slot for %c\n", elapsed(), name);
            },  // the slot is given back here
            asio::detached);
    world.run();

    weir::circuit_breaker circuit{{.consecutive_failures = 1, .open_for = 500ms, .half_open_probes = 1}};
    circuit.on_transition([&](weir::circuit_transition const& t) {
        std::printf("%4d ms  the circuit is %s\n", elapsed(), std::string(to_string(t.to)).c_str());
    });
    weir::half_open_timer in_time(world.get_executor(), circuit);  // told by the clock, not by the next call
    circuit.admit(world.now())->record(weir::outcome::failure(), world.now());
    asio::co_spawn(
        world.get_executor(),
        [&]() -> asio::awaitable<void> {
            auto leave = co_await weir::async_acquire(circuit, 1s, asio::use_awaitable);
            std::printf("%4d ms  the consumer asks again\n", elapsed());
            leave.record(weir::outcome::success(), world.now());
        },
        asio::detached);
    world.run();
}
