// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a rate limit adds to a call. `now` is an argument, because a pipeline reads the clock once for all its gates;
// `clock_too` reads it each time. To refuse only reads: it is cheaper than to admit, and threads do not disturb each
// other.
//
// Tried, and not kept: a fetch_add with a refund when it was too much. No faster than compare-exchange, because moving
// the line dominates both, and a refund that comes late mints permits.

#include <weir/limit/token_bucket.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>

namespace {

using namespace std::chrono_literals;
using weir::time_point;
using weir::token_bucket;

constexpr time_point t0{1h};

std::optional<token_bucket> bucket;

/// A fresh bucket that does not run dry: a thousand million permits on hand. Threads meet it behind the starting
/// barrier.
void fill(benchmark::State& state, weir::rate r = weir::per_second(1'000'000'000))
{
    if (state.thread_index() == 0) bucket.emplace(weir::token_bucket_options{.rate = r, .burst = 1'000'000'000});
}

token_bucket empty{{.rate = weir::per_hour(1), .burst = 1}};

void allow(benchmark::State& state, weir::rate r)
{
    fill(state, r);
    auto now = t0;
    bool admitted = true;
    for (auto _ : state) admitted &= bucket->try_acquire(1, now += 100ns);
    if (!admitted) state.SkipWithError("refused");
}
BENCHMARK_CAPTURE(allow, exact, weir::per_second(1'000'000'000))->Name("token_bucket/allow")->ThreadRange(1, 2);
BENCHMARK_CAPTURE(allow, rounded, weir::per_second(999'999'937))->Name("token_bucket/allow/rounded_tick");

void deny(benchmark::State& state)
{
    while (empty.try_acquire(1, t0)) {}
    for (auto _ : state) benchmark::DoNotOptimize(empty.try_acquire(1, t0));
}
BENCHMARK(deny)->Name("token_bucket/deny")->ThreadRange(1, 2);

void clock_too(benchmark::State& state)
{
    fill(state);
    for (auto _ : state) benchmark::DoNotOptimize(bucket->try_acquire());
}
BENCHMARK(clock_too)->Name("token_bucket/allow/clock_too");

void admit_and_record(benchmark::State& state)
{
    fill(state);
    auto now = t0;
    for (auto _ : state) {
        auto a = bucket->admit(now += 100ns);
        if (a) [[likely]]
            a->record(weir::outcome::success(), now);
        benchmark::DoNotOptimize(a);
    }
    state.counters["target_ns"] = 40;
}
BENCHMARK(admit_and_record)->Name("token_bucket/admit_and_record");

void admit_refused(benchmark::State& state)
{
    while (empty.try_acquire(1, t0)) {}
    for (auto _ : state) benchmark::DoNotOptimize(empty.admit(t0));
}
BENCHMARK(admit_refused)->Name("token_bucket/admit_refused");

void given_back(benchmark::State& state)
{
    fill(state);
    auto now = t0;
    for (auto _ : state) benchmark::DoNotOptimize(bucket->admit(now += 100ns));
}
BENCHMARK(given_back)->Name("token_bucket/admit_and_give_back");

}  // namespace
