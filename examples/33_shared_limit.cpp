// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One limit for many processes: 1000 calls per second, whoever makes them. Each process leases permits ahead from a
// store that all of them can reach, so a decision usually costs a subtraction and no I/O; what it does not use goes
// back.
//
// Here both "processes" live in one program, in virtual time, and the store in its memory. In production the store is
// Redis, and nothing else changes (link weir::redis):
//
//   weir::redis_store store(io.get_executor(), {.servers = {{.host = "redis.example"}}});
//
// Expected output:
//   second 1: 1 and 0 calls per ms, admitted 1000 and    0
//   second 2: 1 and 4 calls per ms, admitted  516 and  576
//   second 3: 0 and 4 calls per ms, admitted    0 and  988
//   3080 of 10000 calls admitted; 411 questions to the store
//   ok: never more than rate * time + burst

#include <weir/shared/memory_store.hpp>
#include <weir/shared/shared_limit.hpp>
#include <weir/testing/virtual_time.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

/// A process of a service, and the limit as it sees it.
struct process {
    weir::shared_limit<weir::memory_store> limit;
    int asked = 0, admitted = 0;

    void call()
    {
        ++asked;
        // Waits for the store where there is no lease, and never longer than acquire_timeout.
        limit.async_acquire(1, [this](boost::system::error_code refused) { admitted += !refused; });
    }
};

}  // namespace

int main()
{
    weir::testing::virtual_time world;
    weir::memory_store store(world.get_executor());
    weir::shared_limit_options const terms{.rate = weir::per_second(1000), .burst = 100, .nodes = 2, .name = "search"};
    process orders{.limit{world.get_executor(), store, terms}};
    process reports{.limit{world.get_executor(), store, terms}};

    // For a second: one process calls so many times per millisecond, the other one so many times.
    auto second = [&, number = 0](int from_orders, int from_reports) mutable {
        orders.admitted = reports.admitted = 0;
        for (auto const end = world.now() + 1s; world.now() < end; world.run_for(1ms)) {
            for (int i = 0; i < from_orders; ++i) orders.call();
            for (int i = 0; i < from_reports; ++i) reports.call();
        }
        std::printf("second %d: %d and %d calls per ms, admitted %4d and %4d\n", ++number, from_orders, from_reports,
                    orders.admitted, reports.admitted);
        return orders.admitted + reports.admitted;
    };

    int admitted = second(1, 0);  // within the limit: nobody is refused
    admitted += second(1, 4);     // five times the limit: both are served, neither can take it all
    admitted += second(0, 4);     // alone again, the other one has all of it

    auto const asked = orders.asked + reports.asked;
    auto const questions = orders.limit.get_status().questions + reports.limit.get_status().questions;
    std::printf("%d of %d calls admitted; %llu questions to the store\n", admitted, asked,
                static_cast<unsigned long long>(questions));
    std::printf("%s: never more than rate * time + burst\n", admitted <= 3 * 1000 + 100 ? "ok" : "WRONG");
}
