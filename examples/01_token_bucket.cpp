// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A token bucket admits ten calls per second on average, and up to three at once after a pause. A refusal says when to
// come back, or that waiting will never help.
//
// Expected output:
//   at   0 ms: yes
//   at   0 ms: yes
//   at   0 ms: yes
//   at   0 ms: no, rate limited: no permit at this time; come back in 100 ms
//   at 100 ms: yes
//   at 500 ms: 3 permits on hand
//   five at once: more permits asked for than the limiter's burst: can never be admitted
//   after raising the burst to five: admitted
//   after the service behind said 429: 0 permits on hand, the next in 100 ms

#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

long long ms(weir::duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

}  // namespace

int main()
{
    // In production the line is: weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 3}};
    weir::testing::manual_clock clock;
    weir::basic_token_bucket bucket({.rate = weir::per_second(10), .burst = 3}, clock);
    auto const start = clock.now();

    auto const call = [&] {
        auto admitted = bucket.admit(clock.now());
        std::printf("at %3lld ms: ", ms(clock.now() - start));
        if (admitted) {
            std::puts("yes");
            admitted->record(weir::outcome::success(), clock.now());  // sent: the permit stays spent
        } else {
            auto const& no = admitted.refused();
            std::printf("no, %s; come back in %lld ms\n", make_error_code(no.code).message().c_str(),
                        ms(no.retry_at - clock.now()));
        }
    };

    for (int i = 0; i < 4; ++i) call();
    clock.advance(100ms);
    call();

    clock.advance(400ms);
    std::printf("at %3lld ms: %llu permits on hand\n", ms(clock.now() - start),
                static_cast<unsigned long long>(bucket.available()));

    // Five permits for one large request: more than the bucket ever holds, so waiting is pointless.
    auto const large = bucket.reserve(5, 1h);
    std::printf("five at once: %s\n", make_error_code(large.refused().code).message().c_str());

    // Limits change while the service runs. What was spent stays spent.
    bucket.reconfigure({.rate = weir::per_second(10), .burst = 5});
    std::printf("after raising the burst to five: %s\n", bucket.try_acquire(5) ? "admitted" : "refused");

    // Somebody else spends the same quota: what we believed to have on hand is not there.
    clock.advance(1min);
    bucket.drain();
    std::printf("after the service behind said 429: %llu permits on hand, the next in %lld ms\n",
                static_cast<unsigned long long>(bucket.available()), ms(bucket.retry_at(1, clock.now()) - clock.now()));
}
