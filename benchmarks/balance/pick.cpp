// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What choosing an endpoint adds to a call: reading the snapshot, picking, and settling the lease.

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/balance/round_robin.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weir::endpoint_set;
using weir::outcome;
using weir::time_point;

constexpr time_point t0{1h};

std::vector<weir::endpoint> fleet(std::int64_t n)
{
    std::vector<weir::endpoint> all;
    for (std::int64_t i = 0; i < n; ++i) all.push_back({.id = std::to_string(i), .host = "10.0.0.1", .port = 80});
    return all;
}

endpoint_set shared{fleet(100)};

void snapshot(benchmark::State& state)
{
    for (auto _ : state) benchmark::DoNotOptimize(shared.snapshot());
}
BENCHMARK(snapshot)->Name("balance/snapshot")->ThreadRange(1, 2);

template <class Balancer>
void pick(benchmark::State& state)
{
    endpoint_set set{fleet(state.range(0))};
    Balancer balancer{set};
    weir::random_engine random{1};
    auto now = t0;
    for (auto _ : state) {
        auto a = balancer.pick(now, random, nullptr);
        if (a) [[likely]]
            a->record(outcome::success(10ms), now);
        benchmark::DoNotOptimize(a);
        now += 1us;
    }
}
BENCHMARK(pick<weir::round_robin>)->Name("balance/round_robin")->Arg(3)->Arg(10'000);
BENCHMARK(pick<weir::peak_ewma>)->Name("balance/peak_ewma")->Arg(3)->Arg(10'000);

void update(benchmark::State& state)
{
    endpoint_set set;
    auto const a = fleet(state.range(0));
    auto const b = fleet(state.range(0) - 1);
    bool more = false;
    for (auto _ : state) set.update((more = !more) ? a : b);
}
BENCHMARK(update)->Name("balance/update")->Arg(3)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
