// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a breaker that has nothing to say adds to a call, and what its callers notice of each other: asking for leave
// and recording a success, the time passed in, from one thread and from several.

#include "../support/report.hpp"

#include <weir/breaker/circuit_breaker.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr weir::time_point now{1h};

bench::contender healthy(std::string name, weir::outcome_window window)
{
    auto const own = std::make_shared<std::optional<weir::circuit_breaker>>();
    return {std::move(name), bench::each([own](unsigned) {
                auto leave = (*own)->admit(now);
                if (!leave) return false;
                leave->record(weir::outcome::success(1ms), now);
                return true;
            }),
            [own, window = std::move(window)](unsigned) {
                own->emplace(weir::circuit_breaker_options{.failure_rate = 1, .minimum_calls = 100, .window = window});
                for (int i = 0; i < 100; ++i) (*own)->admit(now)->record(weir::outcome::success(1ms), now);
            }};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("circuit_breaker", argc, argv);
    constexpr auto by_time = "circuit_breaker closed: admit and record, time window";
    constexpr auto by_count = "circuit_breaker closed: admit and record, count window";
    bench::table const* one = nullptr;
    bench::table const* two = nullptr;
    for (auto const n : r.thread_counts()) {
        auto const& t =
            r.run({bench::floors::xadd(), bench::floors::xadd_shared(), healthy(by_time, weir::time_window{10s, 10}),
                   healthy(by_count, weir::count_window{100})},
                  n, bench::floors::own_xadd);
        if (n == 1) one = &t;
        if (n == 2) two = &t;
    }
    bool const has_two = r.has_two() && two != nullptr;
    for (auto const* const name : {by_time, by_count}) {
        r.judge({.name = name, .value = one->ns(name), .limit = 15, .unit = "ns"});
        auto const scaling = [&] {
            return bench::in_one_turn((*two)[name].per_second, (*one)[name].per_second,
                                      [](double a, double b) { return a / b; });
        };
        r.judge({.name = std::string(name) + ", 2 threads / 1 thread, throughput",
                 .value = has_two ? std::optional(scaling()) : std::nullopt,
                 .limit = 1.5,
                 .at_most = false,
                 .note = has_two ? "" : bench::report::not_two});
    }
    return r.finish();
}
