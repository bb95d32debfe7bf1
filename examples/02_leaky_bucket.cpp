// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A leaky bucket smooths: calls that arrive in a bunch leave one by one, in the order they came. Each is told when to
// start, and a call that would have to wait too long is refused instead.
//
// Expected output:
//   six letters arrive at once, the post office takes one every 20 ms and nobody waits longer than 60 ms
//   letter 1 goes out at  0 ms
//   letter 2 goes out at 20 ms
//   letter 3 is withdrawn, its place is free again
//   letter 4 goes out at 40 ms
//   letter 5 goes out at 60 ms
//   letter 6 is refused, come back in 20 ms
//   letter 6 goes out at 80 ms
//   with a slack of two, after a quiet second: at once, at once, at once, 20 ms later

#include <weir/limit/leaky_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

long long ms(weir::duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

}  // namespace

int main()
{
    weir::testing::manual_clock clock;  // in production: weir::leaky_bucket bucket{{...}}, and no clock
    weir::basic_leaky_bucket bucket({.rate = weir::per_second(50), .max_wait = 60ms}, clock);
    auto const start = clock.now();

    auto const post = [&](int letter) {
        auto place = bucket.admit(clock.now());
        if (!place) {
            std::printf("letter %d is refused, come back in %lld ms\n", letter,
                        ms(place.refused().retry_at - clock.now()));
            return;
        }
        if (letter == 3) {
            std::puts("letter 3 is withdrawn, its place is free again");
            return;  // the token is destroyed unused
        }
        // A pipeline waits until start_at() with a timer. Here it is enough to know it.
        std::printf("letter %d goes out at %2lld ms\n", letter, ms(place->start_at() - start));
        place->record(weir::outcome::success(), place->start_at());
    };

    std::puts("six letters arrive at once, the post office takes one every 20 ms and nobody waits longer than 60 ms");
    for (int letter = 1; letter <= 6; ++letter) post(letter);
    clock.advance(20ms);
    post(6);

    // A burst of three lets two turns that were not used be caught up: the same rate over time, but less waiting.
    weir::basic_leaky_bucket slack({.rate = weir::per_second(50), .max_wait = 60ms, .burst = 3}, clock);
    clock.advance(1s);
    std::printf("with a slack of two, after a quiet second: ");
    for (int i = 1; i <= 4; ++i) {
        auto place = slack.admit();
        auto const wait = ms(place->start_at() - clock.now());
        wait == 0 ? std::printf("at once, ") : std::printf("%lld ms later\n", wait);
        place->record(weir::outcome::success(), place->start_at());
    }
}
