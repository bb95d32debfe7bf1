// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a pipeline costs around a call that does nothing: the decisions, the settling, and the two readings of the clock
// that tell the latency. Five policies: token bucket, retry with budget, circuit breaker, balancer, attempt timeout,
// and the deadline. Steady state allocates nothing, and the program checks that.

#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> allocations{0};

}  // namespace

// Not inlined: GCC 12 pairs an inlined delete with a new it did not inline, and warns.
[[gnu::noinline]] void* operator new(std::size_t size)
{
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* p = std::malloc(size ? size : 1)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using namespace std::chrono_literals;

/// A clock that costs nothing: what is left is weir.
struct still_clock {
    static weir::time_point now() noexcept { return weir::time_point(1h); }
    static void sleep_until(weir::time_point) noexcept {}
};

struct world {
    weir::token_bucket bucket{{.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}};
    weir::retry_budget budget;
    weir::circuit_breaker breaker;
    weir::endpoint_set endpoints;
    weir::peak_ewma balancer{endpoints};

    world() { endpoints.update({{"a", "10.0.0.1", 80}, {"b", "10.0.0.2", 80}, {"c", "10.0.0.3", 80}}); }

    auto make()
    {
        return weir::pipeline(weir::deadline(2s), bucket, weir::retry({}, budget), breaker, balancer,
                              weir::attempt_timeout(300ms));
    }
};

template <weir::clock Clock>
void five_policies(benchmark::State& state)
{
    world w;
    auto guarded = w.make();
    auto const op = [](weir::attempt const& a) { return a.number(); };
    for (int i = 0; i < 1000; ++i) benchmark::DoNotOptimize(guarded.call(op, Clock{}));
    auto const before = allocations.load();
    std::int64_t calls = 0;
    for (auto _ : state) {
        auto r = guarded.call(op, Clock{});
        benchmark::DoNotOptimize(r);
        ++calls;
    }
    auto const taken = allocations.load() - before;
    state.counters["allocations"] = static_cast<double>(taken) / static_cast<double>(calls);
    state.counters["target_allocations"] = 0.001;  // the harness itself takes a few
}

void with_clock(benchmark::State& state)
{
    five_policies<weir::tsc_clock>(state);
    state.counters["target_ns"] = 100;
}
BENCHMARK(with_clock)->Name("pipeline/five_policies");

void without_clock(benchmark::State& state) { five_policies<still_clock>(state); }
BENCHMARK(without_clock)->Name("pipeline/five_policies/clock_not_counted");

void empty(benchmark::State& state)
{
    auto p = weir::pipeline<>();
    for (auto _ : state) {
        auto r = p.call([](weir::attempt const& a) { return a.number(); }, still_clock{});
        benchmark::DoNotOptimize(r);
    }
}
BENCHMARK(empty)->Name("pipeline/none/clock_not_counted");

}  // namespace
