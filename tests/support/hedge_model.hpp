// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/random.hpp>
#include <weir/retry/hedge.hpp>
#include <weir/retry/retry_budget.hpp>
#include <weir/testing/virtual_time.hpp>

#include <support/experiment.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace weir::model {

struct tail_of_answers {
    double p50, p99, p999;
    double extra;  // attempts beyond one a call
};

/// Calls at intervals of 1 ms to a service of 100 endpoints, lognormal around 10 ms, where one answer in fifty takes
/// 100 to 1000 ms more.
template <class Pipeline>
tail_of_answers answers(Pipeline& p, testing::virtual_time& w, std::uint64_t seed, int calls)
{
    random_engine random(seed);
    timer t(w.get_executor());
    unsigned attempts = 0;
    std::vector<double> ms;
    auto const service_time = [&random] {
        auto const u = std::max(1e-12, uniform_unit(random)), v = uniform_unit(random);
        auto const normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979 * v);
        auto const tail = uniform_unit(random) < 0.02 ? 100 + 900 * uniform_unit(random) : 0;
        return std::chrono::microseconds(static_cast<int>(1000 * (10 * std::exp(0.4 * normal) + tail)));
    };
    for (int i = 0; i < calls; ++i) {
        auto const began = w.now();
        p.async_call(w.get_executor(), hedgeable([&](attempt const&) {
                         ++attempts;
                         return t.async_wait_for(service_time(), asio::deferred);
                     }),
                     [&, began](boost::system::error_code ec) {
                         if (ec) return;
                         ms.push_back(static_cast<double>((w.now() - began) / std::chrono::microseconds(1)) / 1000);
                     });
        w.run_for(std::chrono::milliseconds(1));
    }
    w.run();
    if (ms.size() != static_cast<std::size_t>(calls)) throw std::logic_error("hedge_model: a call failed");
    std::sort(ms.begin(), ms.end());
    auto const at = [&](double q) { return ms[static_cast<std::size_t>(q * calls)]; };
    return {at(0.5), at(0.99), at(0.999), static_cast<double>(attempts) / calls - 1};
}

inline tail_of_answers answers_without_hedge(std::uint64_t seed, int calls)
{
    testing::virtual_time w;
    auto p = pipeline(retry());
    return answers(p, w, seed, calls);
}

inline tail_of_answers answers_with_hedge(std::uint64_t seed, int calls, hedge::options h = {},
                                          retry_budget::options b = {.per_success = 0.05, .initial = 1, .max = 10})
{
    testing::virtual_time w;
    retry_budget budget(b);
    auto p = pipeline(hedge(h, budget));
    return answers(p, w, seed, calls);
}

inline constexpr int hedged_calls = 20'000;

[[nodiscard]] inline experiment hedged_tail()
{
    return {"no hedge",
            {{.what = "hedge on a budget of 5 %: p99, ms", .limit = 40}},
            [](std::uint64_t seed) -> std::vector<double> { return {answers_with_hedge(seed, hedged_calls).p99}; },
            [](std::uint64_t seed) -> std::vector<double> { return {answers_without_hedge(seed, hedged_calls).p99}; }};
}

[[nodiscard]] inline experiment hedged_load()
{
    return {"after 5 ms, endless budget",
            {{.what = "hedge on a budget of 5 %: extra attempts", .limit = 0.051}},
            [](std::uint64_t seed) -> std::vector<double> { return {answers_with_hedge(seed, hedged_calls).extra}; },
            [](std::uint64_t seed) -> std::vector<double> {
                return {answers_with_hedge(seed, hedged_calls, {.delay = std::chrono::milliseconds(5)},
                                           {.per_success = 1, .initial = 1e6, .max = 1e6})
                            .extra};
            }};
}

}  // namespace weir::model
