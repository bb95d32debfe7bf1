// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a concurrency limit adds to a call: taking a slot and giving it back; refusing; and handing a slot to a waiter.

#include <weir/limit/concurrency_limit.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>
#include <utility>

namespace {

using namespace std::chrono_literals;
using weir::concurrency_limit;
using weir::time_point;

constexpr time_point t0{1h};

concurrency_limit roomy{{.limit = 1000}};

void take_and_give_back(benchmark::State& state)
{
    for (auto _ : state) {
        auto a = roomy.admit(t0);
        if (a) [[likely]]
            a->record(weir::outcome::success(), t0 + 1ms);
        benchmark::DoNotOptimize(a);
    }
    if (state.threads() == 1) state.counters["target_ns"] = 40;
}
BENCHMARK(take_and_give_back)->Name("concurrency_limit/take_and_give_back")->ThreadRange(1, 2);

concurrency_limit taken{{.limit = 1}};
auto const only = taken.admit(t0);

void refused(benchmark::State& state)
{
    for (auto _ : state) benchmark::DoNotOptimize(taken.admit(t0));
}
BENCHMARK(refused)->Name("concurrency_limit/refused")->ThreadRange(1, 2);

struct heir final : concurrency_limit::waiter {
    std::optional<concurrency_limit::token> slot;
    void granted(concurrency_limit::token t) noexcept override { slot.emplace(std::move(t)); }
};

void hand_over(benchmark::State& state)
{
    concurrency_limit limit{{.limit = 1}};
    heir a, b;
    a.slot.emplace(*limit.admit(t0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(limit.enqueue(b, t0));
        a.slot.reset();  // goes to b
        benchmark::DoNotOptimize(limit.enqueue(a, t0));
        b.slot.reset();  // goes to a
    }
    a.slot.reset();
}
BENCHMARK(hand_over)->Name("concurrency_limit/two_hand_overs");

}  // namespace
