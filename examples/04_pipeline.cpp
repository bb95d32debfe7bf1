// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The blocks composed around one call. A peer is called fifty times a second; from the third second to the fifth it is
// down. Retries with a budget carry the first failures, the breaker then keeps calls away from the peer, and nothing is
// left to do by hand when it is back. A manual clock plays the eight seconds at once.
//
// Expected output:
//   second   answered   failed   refused by the breaker
//        1         50        0        0
//        2         50        0        0
//        3          0       10       40
//        4          0        5       45
//        5         12        0       38
//        6         50        0        0
//        7         50        0        0
//        8         50        0        0
//   attempts that reached the peer: 287 for 400 calls
#include <weir/weir.hpp>

#include <weir/testing/manual_clock.hpp>

#include <cstdio>

using namespace std::chrono_literals;

int main()
{
    weir::testing::manual_clock clock;
    auto const begin = clock.now();
    auto const second = [&] { return static_cast<int>((clock.now() - begin) / 1s) + 1; };

    weir::token_bucket bucket{{.rate = weir::per_second(500), .burst = 50}};
    weir::circuit_breaker breaker{{.failure_rate = 0.5, .window = weir::count_window(40), .open_for = 1s}};
    weir::retry_budget budget{{.per_success = 0.1, .initial = 1, .max = 10}};

    auto guarded = weir::pipeline(  // outermost first
        weir::deadline(100ms),      // the whole call
        bucket,                     // asked once per call
        weir::retry({.max_attempts = 3, .backoff = weir::constant(0ms)}, budget),
        breaker,  // asked once per attempt
        weir::attempt_timeout(50ms));

    int attempts = 0;
    auto const fetch_order = [&](weir::attempt const&) -> weir::result<int> {
        ++attempts;
        bool const down = second() >= 3 && second() < 5;
        if (down) return weir::error(std::make_error_code(std::errc::connection_refused));
        return 42;
    };

    std::puts("second   answered   failed   refused by the breaker");
    for (int s = 1; s <= 8; ++s) {
        int answered = 0, failed = 0, refused = 0;
        for (; second() == s; clock.advance(20ms)) {
            auto const order = guarded.call(fetch_order, clock);
            if (order)
                ++answered;
            else if (order.error().code == weir::errc::circuit_open)
                ++refused;
            else
                ++failed;
        }
        std::printf("%6d %10d %8d %8d\n", s, answered, failed, refused);
    }
    std::printf("attempts that reached the peer: %d for 400 calls\n", attempts);
}
