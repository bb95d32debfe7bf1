// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a breaker adds to a call: asking for leave and reporting how it ended. `now` is an argument, because a pipeline
// reads the clock once for all its gates; `clock_too` shows what two readings of its own would cost. The bar is in
// closed.cpp.
//
// Each success is counted on a cache line of its own processor, and is exact all the same: whoever judges the circuit
// collects them first. Tried, and not kept: leaving up to 63 of them uncollected per thread. It saves nothing beside
// this, and the count is no longer exact when the circuit is judged.

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/keyed_breakers.hpp>

#include <benchmark/benchmark.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using weir::circuit_breaker;
using weir::outcome;
using weir::time_point;

constexpr time_point t0{1h};

weir::circuit_breaker_options of(weir::outcome_window const& window)
{
    return {.failure_rate = 1, .minimum_calls = 100, .window = window};
}

circuit_breaker by_time{of(weir::time_window{10s, 10})};
circuit_breaker by_count{of(weir::count_window{100})};

void call(circuit_breaker& b, outcome const& o, time_point now)
{
    auto a = b.admit(now);
    if (a) [[likely]]
        a->record(o, now);
    benchmark::DoNotOptimize(a);
}

void healthy(benchmark::State& state, circuit_breaker& b)
{
    if (state.thread_index() == 0) {
        b.reset(t0);
        for (int i = 0; i < 100; ++i) call(b, outcome::success(), t0);
    }
    for (auto _ : state) call(b, outcome::success(1ms), t0);
}
BENCHMARK_CAPTURE(healthy, time_window, by_time)->Name("circuit_breaker/healthy/time_window")->ThreadRange(1, 2);
BENCHMARK_CAPTURE(healthy, count_window, by_count)->Name("circuit_breaker/healthy/count_window")->ThreadRange(1, 2);

void two_percent_fail(benchmark::State& state, circuit_breaker& b)
{
    if (state.thread_index() == 0) b.reset(t0);
    int n = 0;
    for (auto _ : state) call(b, ++n % 50 == 0 ? outcome::failure(1ms) : outcome::success(1ms), t0);
}
BENCHMARK_CAPTURE(two_percent_fail, time_window, by_time)
    ->Name("circuit_breaker/2_percent_fail/time_window")
    ->ThreadRange(1, 2);
BENCHMARK_CAPTURE(two_percent_fail, count_window, by_count)
    ->Name("circuit_breaker/2_percent_fail/count_window")
    ->ThreadRange(1, 2);

void refused(benchmark::State& state)
{
    if (state.thread_index() == 0) {
        by_time.reset(t0);
        for (int i = 0; i < 100; ++i) call(by_time, outcome::failure(), t0);
    }
    for (auto _ : state) benchmark::DoNotOptimize(by_time.admit(t0));
}
BENCHMARK(refused)->Name("circuit_breaker/open/refused")->ThreadRange(1, 2);

void probes_all_out(benchmark::State& state)
{
    circuit_breaker b({.minimum_calls = 1, .half_open_probes = 1});
    call(b, outcome::failure(), t0);
    auto const out = b.admit(t0 + 5s);
    for (auto _ : state) benchmark::DoNotOptimize(b.admit(t0 + 5s));
}
BENCHMARK(probes_all_out)->Name("circuit_breaker/half_open/refused");

// Half of the calls pass: each draws a number.
void ramping(benchmark::State& state)
{
    static circuit_breaker b({.minimum_calls = 1, .half_open_probes = 1, .ramp_for = 24h, .ramp_from = 0.5});
    if (state.thread_index() == 0) {
        b.reset(t0);
        call(b, outcome::failure(), t0);
        call(b, outcome::success(), t0 + 5s);
    }
    for (auto _ : state) call(b, outcome::success(1ms), t0 + 5s);
}
BENCHMARK(ramping)->Name("circuit_breaker/ramp")->ThreadRange(1, 2);

// A look-up for every call, among a thousand keys; a gate saves it.
void keyed(benchmark::State& state)
{
    static weir::keyed_breakers<int> b({.capacity = 2'000});
    int key = state.thread_index() * 500;
    for (auto _ : state) {
        auto a = b.admit(++key % 1000, t0);
        if (a) [[likely]]
            a->record(outcome::success(1ms), t0);
        benchmark::DoNotOptimize(a);
    }
}
BENCHMARK(keyed)->Name("keyed_breakers/healthy")->ThreadRange(1, 2);

void clock_too(benchmark::State& state)
{
    circuit_breaker b;
    for (auto _ : state) {
        auto a = b.admit();
        if (a) a->record(outcome::success(1ms));
        benchmark::DoNotOptimize(a);
    }
}
BENCHMARK(clock_too)->Name("circuit_breaker/healthy/time_window/clock_read_twice");

}  // namespace
