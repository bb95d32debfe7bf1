// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One limit for a whole process, asked millions of times a second from every core. The striped bucket pays for permits
// ahead, a few per core, so that callers do not queue for one cache line; an event loop takes a handle and needs no
// atomics at all. Together they still never get more than the burst and the rate.
//
// Expected output:
//   four loops and four threads ask 200000 times each for 500000 permits
//   admitted: no more than 500000
//   admitted: no less than 495000
//   ten milliseconds later there are 10000 more
//   the whole burst at once, after a pause: admitted

#include <weir/limit/striped_token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main()
{
    // In production: weir::striped_token_bucket limit{{.rate = ..., .burst = ..., .handles = 4}}; and no clock.
    weir::testing::manual_clock clock;
    weir::basic_striped_token_bucket limit({.rate = weir::per_second(1'000'000), .burst = 500'000, .handles = 4},
                                           clock);

    std::puts("four loops and four threads ask 200000 times each for 500000 permits");
    std::atomic<int> admitted{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                auto mine = limit.handle();  // one per event loop; used by that loop alone
                int n = 0;
                for (int k = 0; k < 200'000; ++k) n += mine.try_acquire() ? 1 : 0;
                admitted += n;
            });
            threads.emplace_back([&] {
                int n = 0;
                for (int k = 0; k < 200'000; ++k) n += limit.try_acquire() ? 1 : 0;
                admitted += n;
            });
        }
    }
    // A few permits may lie in the stripe of a core that nobody asks from any more: at most a lease each.
    std::printf("admitted: %s\n", admitted <= 500'000 ? "no more than 500000" : "too many");
    std::printf("admitted: %s\n", admitted >= 495'000 ? "no less than 495000" : "too few");

    limit.drain();  // the service behind says that it has had enough
    clock.advance(10ms);
    std::printf("ten milliseconds later there are %llu more\n", static_cast<unsigned long long>(limit.available()));

    clock.advance(1min);
    auto const most = limit.available();  // the burst, less what is set aside for handles
    std::printf("the whole burst at once, after a pause: %s\n", limit.try_acquire(most) ? "admitted" : "refused");
}
