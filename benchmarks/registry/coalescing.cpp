// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// From a registry's answer to a balancer's pick: how long until 10,000 instances that a registry pushes are picked
// from, and until a burst of 10,000 single changes is through. The registry is in this process, so no network is in it;
// the watcher, the comparison, the endpoints and the set are those of production, and so is the pace of a streaming
// registry.

#include <weir/balance/endpoint_set.hpp>
#include <weir/registry/follow.hpp>
#include <weir/registry/watcher.hpp>

#include <benchmark/benchmark.h>

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using weir::registry::instance;
using weir::registry::listing;
using weir::registry::listing_handler;
using weir::registry::query;

/// A registry that tells of every change: what a session of a streaming one is, without the stream.
class stream {
public:
    struct state {
        std::vector<instance> truth;
        std::uint64_t version = 1;
        listing_handler waiting;
    };

    explicit stream(std::int64_t instances) : state_(std::make_shared<state>())
    {
        for (std::int64_t n = 0; n < instances; ++n)
            state_->truth.push_back(
                {.address = {.id = "inventory-" + std::to_string(n),
                             .host = "10.0." + std::to_string(n / 250) + "." + std::to_string(n % 250),
                             .port = 8080,
                             .zone = "eu-1",
                             .metadata = {{"version", "1"}}},
                 .service = "inventory",
                 .tags = {"stable"}});
    }

    void change(std::size_t which, std::uint32_t weight) const
    {
        state_->truth[which % state_->truth.size()].address.weight = weight;
        ++state_->version;
        if (state_->waiting) answer(std::exchange(state_->waiting, {}));
    }

    void async_list(query const&, listing_handler done) const { answer(std::move(done)); }
    void async_await_change(query const&, std::string const& revision, listing_handler done) const
    {
        if (revision != std::to_string(state_->version)) return answer(std::move(done));
        state_->waiting = std::move(done);
    }

private:
    // Told now, read when the answer is: what changed meanwhile is in it.
    void answer(listing_handler done) const
    {
        auto const executor = done.get_executor();
        asio::post(executor, [s = state_, done = std::move(done)]() mutable {
            listing all;
            all.instances = s->truth;
            all.revision = std::to_string(s->version);
            done({}, std::move(all));
        });
    }

    std::shared_ptr<state> state_;
};

struct path {
    explicit path(std::int64_t n)
        : registry(n),
          watcher(io.get_executor(), registry, query{"inventory"}, {.pace = 10ms}),
          following(weir::registry::follow(watcher.subscribe(), set))
    {
        run_until([&] { return set.snapshot()->members().size() == static_cast<std::size_t>(n); });
    }
    template <class So>
    void run_until(So so)
    {
        while (!so()) io.run_one();
    }
    [[nodiscard]] std::uint32_t weight_of_last() const { return set.snapshot()->members().back().endpoint.weight; }

    asio::io_context io{1};
    stream registry;
    weir::endpoint_set set;
    weir::registry::watcher watcher;
    weir::registry::following following;
};

// All of them change at once.
void full_push(benchmark::State& state)
{
    auto const n = state.range(0);
    path p(n);
    std::uint32_t weight = 1;
    for (auto _ : state) {
        ++weight;
        for (std::int64_t i = 0; i + 1 < n; ++i) p.registry.change(static_cast<std::size_t>(i), weight);
        p.registry.change(static_cast<std::size_t>(n - 1), weight);
        p.run_until([&] { return p.weight_of_last() == weight; });
    }
    if (n == 10'000) state.counters["target_ns"] = 25e6;
}
BENCHMARK(full_push)->Name("registry/full_push")->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond)->UseRealTime();

// One after the other, a hundred to what is read at once from a connection, where all of them are waiting.
void burst(benchmark::State& state)
{
    auto const n = state.range(0);
    path p(n);
    std::uint32_t weight = 1;
    for (auto _ : state) {
        ++weight;
        for (std::int64_t from = 0; from < n; from += 100)
            asio::post(p.io, [&p, from, weight] {
                for (std::int64_t i = from; i < from + 100; ++i) p.registry.change(static_cast<std::size_t>(i), weight);
            });
        p.run_until([&] { return p.weight_of_last() == weight; });
    }
    if (n == 10'000) state.counters["target_ns"] = 50e6;
}
BENCHMARK(burst)->Name("registry/burst_of_events")->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
