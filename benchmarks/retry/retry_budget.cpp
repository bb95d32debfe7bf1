// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What retrying costs a call that needs none (the deposit of its success), and one that does (a withdrawal and a
// delay).

#include <weir/retry/backoff.hpp>
#include <weir/retry/retry_after.hpp>
#include <weir/retry/retry_budget.hpp>

#include <benchmark/benchmark.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;

weir::time_point const now{1h};  // handed in, as a pipeline does
weir::retry_budget full({.initial = 10, .max = 10});
weir::retry_budget filling({.per_success = 1e-6, .initial = 0, .max = 1e9});
weir::retry_budget spent({.initial = 0});

void deposit_full(benchmark::State& state)
{
    for (auto _ : state) full.deposit(now);
}
BENCHMARK(deposit_full)->Name("retry_budget/deposit/full")->ThreadRange(1, 2);

void deposit_filling(benchmark::State& state)
{
    for (auto _ : state) filling.deposit(now);
}
BENCHMARK(deposit_filling)->Name("retry_budget/deposit/filling")->ThreadRange(1, 2);

void withdraw_spent(benchmark::State& state)
{
    for (auto _ : state) benchmark::DoNotOptimize(spent.try_withdraw(now));
}
BENCHMARK(withdraw_spent)->Name("retry_budget/withdraw/spent")->ThreadRange(1, 2);

void withdraw_and_refund(benchmark::State& state)
{
    for (auto _ : state) {
        benchmark::DoNotOptimize(full.try_withdraw(now));
        full.refund();
    }
}
BENCHMARK(withdraw_and_refund)->Name("retry_budget/withdraw_and_refund");

void delay(benchmark::State& state)
{
    weir::random_engine random(1);
    auto const b = weir::exponential(50ms, 2s);
    unsigned retry = 0;
    for (auto _ : state) benchmark::DoNotOptimize(b.delay(++retry, 0ms, random));
}
BENCHMARK(delay)->Name("backoff/exponential_full_jitter");

void date(benchmark::State& state)
{
    auto const today = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6);
    for (auto _ : state) benchmark::DoNotOptimize(weir::parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", today));
}
BENCHMARK(date)->Name("retry_after/date");

}  // namespace
