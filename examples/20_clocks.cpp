// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Where a limiter gets its time is its template parameter. The dearest part of a decision is reading the clock, so
// there is a choice: `tsc_clock` (the default: steady time at half the price, where the processor allows),
// `steady_clock` (the system's), `coarse_clock` (a fifth of its price, milliseconds old) and `ticker` (read once per
// turn of an event loop, nothing per decision). They tell one time, so they may be mixed.
//
// Expected output:
//   steady_clock: 3 of 5 pass
//   tsc_clock: 3 of 5 pass
//   coarse_clock: 3 of 5 pass
//   ticker: 3 of 5 pass
//   turn 1 of the loop: 2 of 4 pass
//   turn 2 of the loop: 1 of 4 pass
//   turn 3 of the loop: 1 of 4 pass
//   turn 4 of the loop: 2 of 4 pass
//   they tell one time: yes

#include <weir/core/coarse_clock.hpp>
#include <weir/core/ticker.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/token_bucket.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace {

template <class Bucket>
int passing(Bucket& bucket, int requests)
{
    int passed = 0;
    for (int i = 0; i < requests; ++i) passed += bucket.try_acquire();
    return passed;
}

template <weir::clock Clock>
void with(char const* name)
{
    weir::basic_token_bucket<Clock> bucket({.rate = weir::per_hour(1), .burst = 3});
    std::printf("%s: %d of 5 pass\n", name, passing(bucket, 5));
}

bool close(weir::time_point a, weir::time_point b) { return a - b < 1s && b - a < 1s; }

}  // namespace

int main()
{
    with<weir::steady_clock>("steady_clock");
    with<weir::tsc_clock>("tsc_clock");
    with<weir::coarse_clock>("coarse_clock");
    with<weir::ticker>("ticker");

    // An event loop owns its ticker, and the limiters it serves hold copies. Between two ticks time stands still.
    weir::ticker const time;
    weir::basic_token_bucket bucket({.rate = weir::per_second(100), .burst = 2}, time);
    auto const start = time.now();
    int turn = 0;
    for (auto const at : {0ms, 10ms, 20ms, 60ms}) {
        time.tick(start + at);  // in a real loop: time.tick()
        std::printf("turn %d of the loop: %d of 4 pass\n", ++turn, passing(bucket, 4));
    }

    auto const steady = weir::steady_clock::now();
    bool const one = close(weir::tsc_clock::now(), steady) && close(weir::coarse_clock::now(), steady) &&
                     close(weir::ticker{}.now(), steady);
    std::printf("they tell one time: %s\n", one ? "yes" : "no");
}
