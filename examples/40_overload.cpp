// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// More comes than can be done: who is served? One who asks for all he can get leaves the others their share. Of what
// no capacity is left for, the least important goes first, and the same of it in every service on the way. And what
// can no longer end in time is not begun.
//
// Expected output:
//   10 slots, 6 of them for users, 3 for batch jobs
//     nobody else is there:      batch 10, users 0
//     6 users come, 2 jobs end:  batch 8, users 2
//     4 more jobs end:           batch 4, users 6
//   50 ms of queue before every request: what is admitted of each hundred, second by second
//     a user waits    100 100 100 100 100 100 100 100
//     a nightly job   100  95  91  86  81  77  73  65
//   a call with 80 ms left, of a kind that takes 100 ms
//     enough_time: the deadline leaves no time to start

#include <weir/call/enough_time.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/load_shedder.hpp>
#include <weir/limit/partitioned_limit.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

void shares()
{
    weir::time_point const now{1h};
    weir::partitioned_limit<> limit{{.concurrency = {.limit = 10}, .shares = {0.6, 0.3}}};  // the tenth is anybody's
    enum { users, batch };
    std::vector<weir::partitioned_limit<>::token> of[2];
    auto const come = [&](int who, int n) {
        for (; n > 0; --n)
            if (auto slot = limit.admit(static_cast<std::size_t>(who), now)) of[who].push_back(std::move(*slot));
    };
    auto const print = [&](char const* when) {
        std::printf("  %-26s batch %u, users %u\n", when, limit.in_flight(batch), limit.in_flight(users));
    };
    std::puts("10 slots, 6 of them for users, 3 for batch jobs");
    come(batch, 20);  // what users leave unused, others may have
    print("nobody else is there:");
    come(users, 6);  // refused; but whoever is refused his own share has a claim to what falls free
    of[batch].resize(8);
    come(batch, 20);
    come(users, 6);
    print("6 users come, 2 jobs end:");
    of[batch].resize(4);
    come(batch, 20);
    come(users, 6);
    print("4 more jobs end:");
}

void importance()
{
    weir::load_shedder shedder{{.queue_delay = 20ms}};
    std::puts("50 ms of queue before every request: what is admitted of each hundred, second by second");
    std::vector<int> admitted[2];
    weir::time_point now{1h};
    for (int second = 0; second < 8; ++second) {
        for (auto& a : admitted) a.push_back(0);
        for (int i = 0; i < 100; ++i, now += 10ms)
            for (auto const level : {weir::criticality::critical, weir::criticality::sheddable}) {
                // A cohort is a user, for a while: he is served whole, or not at all.
                weir::request_priority const p{level, weir::cohort_of(static_cast<std::uint64_t>(i), 0)};
                if (!shedder.admit(p, now)) continue;
                shedder.waited(50ms);
                ++admitted[level == weir::criticality::sheddable].back();
            }
    }
    for (int i = 0; i < 2; ++i) {
        std::printf("  %s", i == 0 ? "a user waits   " : "a nightly job  ");
        for (int const n : admitted[i]) std::printf(" %3d", n);
        std::puts("");
    }
}

void time_left()
{
    weir::testing::manual_clock clock;
    weir::enough_time enough;
    auto guarded = weir::pipeline(weir::deadline(1s), weir::retry({.max_attempts = 1}), enough);
    for (int i = 0; i < 100; ++i) (void)guarded.call([&](weir::attempt const&) { clock.advance(100ms); }, clock);

    std::puts("a call with 80 ms left, of a kind that takes 100 ms");
    auto hurried = weir::pipeline(weir::deadline(80ms), weir::retry({.max_attempts = 1}), enough);
    auto const r = hurried.call([](weir::attempt const&) {}, clock);
    if (!r) std::printf("  %s: %s\n", std::string(r.error().refused->gate).c_str(), r.error().code.message().c_str());
}

}  // namespace

int main()
{
    shares();
    importance();
    time_left();
}
