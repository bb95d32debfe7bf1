// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One deadline for the whole call, a limit for each attempt, and a caller who may lose interest. Every attempt is told
// how much time it has and can pass that on; what runs out of time is cancelled for real; and a cancelled call leaves
// nothing behind but what it has truly spent.
//
// Expected output:
//   a report that never comes, at most 300 ms an attempt and 1000 ms in all
//     at    0 ms: attempt 1 has 300 ms
//     at  400 ms: attempt 2 has 300 ms
//     at  800 ms: attempt 3 has 200 ms
//     at 1000 ms: deadline exceeded; 3 attempts cancelled
//   the caller hangs up after 50 ms
//     at    0 ms: attempt 1 has 300 ms
//     at   50 ms: Operation canceled; 4 attempts cancelled
//   what is left behind: 0 calls in flight, 0 attempts in flight, 8 of 10 permits

#include <weir/async/async_call.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <cstdio>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main()
{
    weir::testing::virtual_time world;  // an asio::io_context, but for the time: a second passes at once
    weir::testing::scripted_operation<std::string> report;  // in place of the network
    report.hang();
    auto const ask = report.async(world.get_executor());

    weir::token_bucket permits{{.rate = weir::per_hour(1), .burst = 10}};
    weir::concurrency_limit in_progress{{.limit = 2}};
    auto guarded =
        weir::pipeline(weir::deadline(1s),  // all of it: attempts, and the pauses between them
                       permits, in_progress,
                       weir::retry({.max_attempts = 9, .backoff = weir::constant(100ms).with(weir::jitter::none)}),
                       weir::attempt_timeout(300ms));  // each attempt, and never more than is left of the call

    auto begin = world.now();
    auto const clock = [&] { return static_cast<int>((world.now() - begin) / 1ms); };
    auto const operation = [&](weir::attempt const& a) {
        // Pass it on: as the time limit of a query, or in a header to the next service.
        auto const left = a.time_left(world.now());
        std::printf("  at %4d ms: attempt %u has %d ms\n", clock(), a.number(), static_cast<int>(left / 1ms));
        return ask(a);
    };
    auto const done = [&](boost::system::error_code ec, std::string const&) {
        std::printf("  at %4d ms: %s; %zu attempts cancelled\n", clock(), ec.message().c_str(), report.cancelled());
    };

    std::printf("a report that never comes, at most 300 ms an attempt and 1000 ms in all\n");
    guarded.async_call(world.get_executor(), operation, done);
    world.run();

    // A caller cancels as with any Asio operation: through the slot bound to its completion token.
    std::printf("the caller hangs up after 50 ms\n");
    begin = world.now();
    asio::cancellation_signal hang_up;
    guarded.async_call(world.get_executor(), operation, asio::bind_cancellation_slot(hang_up.slot(), done));
    world.run_for(50ms);
    hang_up.emit(asio::cancellation_type::terminal);
    world.run();

    // Slots are free again. Permits stay spent, for the requests were sent.
    std::printf("what is left behind: %u calls in flight, %zu attempts in flight, %d of 10 permits\n",
                in_progress.in_flight(), report.in_flight(), static_cast<int>(permits.available(world.now())));
}
