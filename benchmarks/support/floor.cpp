// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What no decision can be cheaper than, linked into every benchmark program so that figure and floor come from one
// process on one machine at one time: a reading of the clock, and one uncontended compare-exchange that changes a word.

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace {

void clock_read(benchmark::State& state)
{
    for (auto _ : state) benchmark::DoNotOptimize(std::chrono::steady_clock::now());
}
BENCHMARK(clock_read)->Name("floor/clock_read");

void compare_exchange(benchmark::State& state)
{
    std::atomic<std::int64_t> word{0};
    for (auto _ : state) {
        auto seen = word.load(std::memory_order_relaxed);
        benchmark::DoNotOptimize(word.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel));
    }
}
BENCHMARK(compare_exchange)->Name("floor/compare_exchange");

}  // namespace
