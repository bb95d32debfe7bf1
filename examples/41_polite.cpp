// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Two wrappers that make any limiter a better neighbour. `drain_on` believes a peer that says it has had enough: what
// is left of the burst is worth nothing then, and permits come at the rate from there on. `jittered` sees to it that
// those who are told to come back when the next window opens do not all come at that instant.
//
// Expected output:
//   a burst of 10, and the third answer is a 429
//     sent at once: 3, in the second after it: 5
//   1000 callers refused in one window come back at the next: in each 50 ms
//     as they are told   1000    0    0    0
//     jittered by 200 ms  269  268  241  222

#include <weir/limit/drain_on.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/jittered.hpp>
#include <weir/limit/token_bucket.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

constexpr weir::time_point begin{1h};

void listen_to_the_peer()
{
    weir::token_bucket bucket{{.rate = weir::per_second(5), .burst = 10}};
    weir::drain_on polite{bucket};

    int sent = 0;
    auto const call = [&](weir::time_point now) {
        auto permit = polite.admit(now);
        if (!permit) return;
        auto answer = weir::outcome::success();
        if (++sent == 3) {
            answer = weir::outcome::failure();
            answer.retry_after = 1s;  // from its header; http::classifier does this
        }
        permit->record(answer, now);
    };
    for (int i = 0; i < 20; ++i) call(begin);
    int const at_once = sent;
    for (auto t = begin; t <= begin + 1s; t += 10ms) call(t);
    std::printf("a burst of 10, and the third answer is a 429\n  sent at once: %d, in the second after it: %d\n",
                at_once, sent - at_once);
}

void come_back(char const* how, auto ask)
{
    int in_each[4] = {};
    for (int i = 0; i < 1000; ++i)
        if (auto const answer = ask(begin + 100ms); !answer)
            ++in_each[(answer.refused().retry_at - (begin + 1s)) / 50ms];
    std::printf("  %s", how);
    for (int const n : in_each) std::printf(" %4d", n);
    std::puts("");
}

}  // namespace

int main()
{
    listen_to_the_peer();

    std::puts("1000 callers refused in one window come back at the next: in each 50 ms");
    weir::fixed_window quota{{.limit = 1, .window = 1s}};
    (void)quota.try_acquire(1, begin);
    come_back("as they are told  ", [&](weir::time_point now) { return quota.admit(now); });
    weir::jittered spread{quota, 200ms};
    weir::random_engine random{1};  // a seed, so that this page can promise what is printed; admit(now) has its own
    come_back("jittered by 200 ms", [&](weir::time_point now) { return spread.admit(now, random); });
}
