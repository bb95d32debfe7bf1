// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A concurrency limit protects something that can only do so much at once, here two database connections. Threads that
// find both taken wait in one bounded line and are let in oldest first; a slot is given back whatever happens to its
// holder.
//
// Expected output:
//   two are in, the third is refused: too many calls in progress
//   a query that throws gives its slot back: 1 in flight
//   8 threads made 400 queries, never more than two at once
//   a full line refuses: too many calls in progress

#include <weir/limit/concurrency_limit.hpp>

#include <atomic>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main()
{
    weir::concurrency_limit connections{{.limit = 2, .max_queue = 8}};

    std::optional first = connections.try_acquire();
    try {
        auto const second = connections.try_acquire();
        auto const third = connections.try_acquire();
        std::printf("two are in, the third is refused: %s\n", make_error_code(third.refused().code).message().c_str());
        throw std::runtime_error("syntax error");
    } catch (std::runtime_error const&) {
        std::printf("a query that throws gives its slot back: %u in flight\n", connections.in_flight());
    }
    first.reset();

    std::atomic<int> queries = 0, inside = 0, most = 0;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 8; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i) {
                    auto slot = connections.acquire(10s);  // waits in line; an Asio program uses async_acquire
                    if (!slot) continue;
                    int const now = ++inside;
                    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
                    ++queries;
                    --inside;
                    slot->record(weir::outcome::success(), weir::steady_clock::now());
                }
            });
    }
    std::printf("8 threads made %d queries, %s\n", queries.load(),
                most <= 2 ? "never more than two at once" : "TOO MANY");

    connections.reconfigure({.limit = 1, .max_queue = 0});
    auto const only = connections.try_acquire();
    auto const late = connections.acquire(10s);  // nobody may wait any more: answered at once
    std::printf("a full line refuses: %s\n", make_error_code(late.refused().code).message().c_str());
}
