// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Does the pipeline hold when the service behind it does not? Chaos makes a share of the attempts late or fail, at the
// same places every time for the same seed; switched off, it costs one relaxed load, so it can stay in the program.
//
// Expected output:
//   off:                 1000 of 1000 calls served
//   three in ten fail:   1000 of 1000 calls served
//   no retry:            706 of 1000 calls served
//   the same seed:       0 of 1000 attempts end differently

#include <weir/call/chaos.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>

#include <cstdio>

using namespace std::chrono_literals;

int main()
{
    weir::testing::manual_clock clock;  // pauses and latency take its time, not yours
    auto const fetch = [](weir::attempt const&) { return 42; };

    weir::chaos chaos(42, {.fault_rate = 0.3, .latency_rate = 0.1, .latency = 2s});
    auto guarded = weir::pipeline(weir::retry({.max_attempts = 10}), chaos);

    auto const thousand = [&](auto& pipeline) {
        int served = 0;
        for (int i = 0; i < 1000; ++i) served += pipeline.call(fetch, clock).has_value();
        return served;
    };

    std::printf("off:                 %d of 1000 calls served\n", thousand(guarded));

    chaos.enable(true);
    std::printf("three in ten fail:   %d of 1000 calls served\n", thousand(guarded));

    auto bare = weir::pipeline(weir::retry({.max_attempts = 1}), chaos);
    std::printf("no retry:            %d of 1000 calls served\n", thousand(bare));

    weir::chaos one(7, {.enabled = true, .fault_rate = 0.3});
    weir::chaos other(7, {.enabled = true, .fault_rate = 0.3});
    int different = 0;
    for (int i = 0; i < 1000; ++i) different += one.draw().fault != other.draw().fault;
    std::printf("the same seed:       %d of 1000 attempts end differently\n", different);
}
