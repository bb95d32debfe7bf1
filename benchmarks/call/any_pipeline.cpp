// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What it costs that a pipeline is of one type whatever is in it: the same five policies and deadline as in
// pipeline.cpp, typed and erased, around a call that does nothing. Neither allocates; the program counts it.

#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/any_pipeline.hpp>
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

template <class Pipeline>
void five_policies(benchmark::State& state)
{
    static world w;
    static Pipeline guarded(w.make());
    auto const op = [](weir::attempt const& a) { return a.number(); };
    for (int i = 0; i < 1000; ++i) benchmark::DoNotOptimize(guarded.call(op));
    auto const before = allocations.load();
    std::int64_t calls = 0;
    for (auto _ : state) {
        auto r = guarded.call(op);
        benchmark::DoNotOptimize(r);
        ++calls;
    }
    if (state.threads() > 1) return;
    auto const taken = allocations.load() - before;
    state.counters["allocations"] = static_cast<double>(taken) / static_cast<double>(calls);
    state.counters["target_allocations"] = 0.001;  // the harness itself takes a few
}

void typed(benchmark::State& state) { five_policies<decltype(std::declval<world&>().make())>(state); }
BENCHMARK(typed)->Name("any_pipeline/five_policies/typed");
BENCHMARK(typed)->Name("any_pipeline/five_policies/typed")->Threads(2);

void erased(benchmark::State& state) { five_policies<weir::any_pipeline>(state); }
BENCHMARK(erased)->Name("any_pipeline/five_policies/erased");
BENCHMARK(erased)->Name("any_pipeline/five_policies/erased")->Threads(2);

void none(benchmark::State& state)
{
    weir::any_pipeline p;
    for (auto _ : state) {
        auto r = p.call([](weir::attempt const& a) { return a.number(); });
        benchmark::DoNotOptimize(r);
    }
}
BENCHMARK(none)->Name("any_pipeline/none/erased");

}  // namespace
