// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Threads that want the same thing at the same time share one question: the first asks, on its own thread, and the others
// wait for its answer, or until a deadline of their own. The waiting form of 26_single_flight.
//
// Expected output:
//   8 threads want tea: all got 3.20, never two of them asked at once
//   one asks for coffee, which takes; who has a millisecond: deadline exceeded
//   and who asked: 4.50

#include <weir/call/blocking_single_flight.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <latch>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main()
{
    weir::blocking_single_flight<std::string, double> prices;

    std::atomic<int> asking{0}, most{0}, served{0};
    auto const ask_the_shop = [&] {  // in your service guarded.call(...), a pipeline's
        most = std::max(most.load(), ++asking);
        std::this_thread::yield();
        --asking;
        return 3.2;
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                if (auto const price = prices.call("tea", ask_the_shop); price && *price == 3.2) ++served;
            });
    }
    std::printf("8 threads want tea: %s got 3.20, %s two of them asked at once\n", served == 8 ? "all" : "not all",
                most == 1 ? "never" : "once");

    std::latch asked{1}, roasted{1};
    std::jthread const patient([&] {
        auto const price = prices.call("coffee", [&] {
            asked.count_down();
            roasted.wait();
            return 4.5;
        });
        std::printf("and who asked: %.2f\n", *price);
    });
    asked.wait();
    auto const hasty = prices.call(
        "coffee", [] { return 0.0; }, weir::steady_clock::now() + 1ms);
    std::printf("one asks for coffee, which takes; who has a millisecond: %s\n", hasty.error().code.message().c_str());
    roasted.count_down();
}
