// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What pacing adds to a call: asking for a place in the stream. Waiting for it is the driver's, with one timer.

#include <weir/limit/leaky_bucket.hpp>

#include <benchmark/benchmark.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using weir::leaky_bucket;
using weir::time_point;

constexpr time_point t0{1h};

void send(leaky_bucket& b, time_point now)
{
    auto a = b.admit(now);
    if (a) [[likely]]
        a->record(weir::outcome::success(), now);
    benchmark::DoNotOptimize(a);
}

leaky_bucket idle{{.rate = weir::per_second(10'000'000)}};

void at_once(benchmark::State& state)
{
    auto now = t0;
    for (auto _ : state) send(idle, now += 100ns);
    state.counters["target_ns"] = 40;
}
BENCHMARK(at_once)->Name("leaky_bucket/start_at_once");

leaky_bucket busy{{.rate = weir::per_second(1'000'000'000), .max_wait = 24h}};

void later(benchmark::State& state)
{
    for (auto _ : state) send(busy, t0);
}
BENCHMARK(later)->Name("leaky_bucket/start_later")->ThreadRange(1, 2);

leaky_bucket full{{.rate = weir::per_hour(1), .max_wait = 0s}};

void refused(benchmark::State& state)
{
    send(full, t0);
    for (auto _ : state) benchmark::DoNotOptimize(full.admit(t0));
}
BENCHMARK(refused)->Name("leaky_bucket/refused")->ThreadRange(1, 2);

}  // namespace
