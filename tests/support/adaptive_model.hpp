// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/gradient2.hpp>
#include <weir/limit/littles_law.hpp>

#include <support/experiment.hpp>
#include <support/server_model.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

/// Adaptive limits in front of a service in virtual time.
namespace weir::model {

struct hour {
    double first_limit, last_limit, goodput;
};

/// Mean limit over twenty seconds, which a probe of some hundred milliseconds does not change much.
template <class Server, class Limit>
double mean_limit(Server& s, Limit const& limit)
{
    double sum = 0;
    for (int i = 0; i < 20; ++i) {
        s.run(std::chrono::seconds(1));
        sum += limit.limit();
    }
    return sum / 20;
}

template <class Algorithm>
hour hour_of_overload(typename Algorithm::options o, server_options service, std::uint64_t seed)
{
    using namespace std::chrono_literals;
    basic_adaptive_limit<Algorithm> limit{{.concurrency = o}};
    server s{limit, service, seed};
    s.run(50s);
    auto const first = mean_limit(s, limit);
    s.run(60min - 50s - 20s - 20s - 60s);
    auto const last = mean_limit(s, limit);
    auto const minute = s.run(1min);
    return {first, last, s.goodput(minute, 1min)};
}

/// Goodput of two minutes at some load, after two to settle.
template <class Gate>
double settled_goodput(Gate& gate, shape times, double load, std::uint64_t seed)
{
    using namespace std::chrono_literals;
    server s{gate, {.times = times, .load = load}, seed};
    s.run(2min);
    return s.goodput(s.run(2min), 2min);
}

template <class Algorithm>
double settled(typename Algorithm::options o, shape times, double load, std::uint64_t seed)
{
    basic_adaptive_limit<Algorithm> limit{{.concurrency = o}};
    return settled_goodput(limit, times, load, seed);
}

/// A gate that lets everybody in.
struct no_limit {
    struct token {
        token() = default;
        token(token&&) = default;
        token& operator=(token&&) = default;
        void record(outcome const&, time_point) noexcept {}
    };
    admission<token> admit(time_point) { return token(); }
};

[[nodiscard]] inline experiment limit_drift()
{
    auto const figures = [](hour const& h) -> std::vector<double> { return {h.last_limit / h.first_limit, h.goodput}; };
    return {"gradient2",
            {{"1.5 x capacity: limit after 60 min / after 1 min", 2},
             {"1.5 x capacity: goodput in the 60th minute", 0.97, false}},
            [=](std::uint64_t seed) { return figures(hour_of_overload<littles_law>({}, {}, seed)); },
            [=](std::uint64_t seed) { return figures(hour_of_overload<gradient2>({.max_limit = 2000}, {}, seed)); }};
}

[[nodiscard]] inline experiment limit_goodput(shape times)
{
    return {"no limit",
            {{.what = "1.5 x capacity, " + std::string(name(times)) + ": goodput",
              .limit = 0.97,
              .at_most = false,
              .of_median = true}},
            [=](std::uint64_t seed) -> std::vector<double> { return {settled<littles_law>({}, times, 1.5, seed)}; },
            [=](std::uint64_t seed) -> std::vector<double> {
                no_limit open;
                return {settled_goodput(open, times, 1.5, seed)};
            }};
}

}  // namespace weir::model
