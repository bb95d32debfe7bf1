// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What weir claims of overload, run with five seeds in virtual time, beside a naive arm on the same seeds. The
// experiments are those of the tests (tests/support/*.hpp). `benchmarks/run evidence` builds and runs this.

#include <support/adaptive_model.hpp>
#include <support/experiment.hpp>
#include <support/hedge_model.hpp>
#include <support/queue_storm.hpp>
#include <support/retry_storm.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t seeds = 5;
using five = std::array<double, seeds>;
using row = std::array<std::string, 6>;

std::string figure(double v)
{
    if (std::isinf(v)) return "never";
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", v >= 100 ? 0 : v >= 10 ? 1 : v >= 1 ? 2 : 3, v);
    return text;
}

std::string spread(five v)
{
    std::sort(v.begin(), v.end());
    return figure(v.front()) + " / " + figure(v[seeds / 2]) + " / " + figure(v.back());
}

bool kept(weir::model::bar const& b, five v)
{
    std::sort(v.begin(), v.end());
    if (b.of_median) return b.met_by(v[seeds / 2]);
    return std::all_of(v.begin(), v.end(), [&](double x) { return b.met_by(x); });
}

void print(std::vector<row> const& rows)
{
    std::array<std::size_t, 6> width{};
    for (auto const& r : rows)
        for (std::size_t c = 0; c < r.size(); ++c) width[c] = std::max(width[c], r[c].size());
    auto const line = [&](auto const& cell) {
        std::string text;
        for (std::size_t c = 0; c < width.size(); ++c) {
            auto const s = cell(c);
            text += s;
            if (c + 1 < width.size()) text.append(width[c] - s.size() + 2, ' ');
        }
        std::printf("%s\n", text.c_str());
    };
    for (auto const& r : rows) {
        line([&](std::size_t c) { return r[c]; });
        if (&r == &rows.front()) line([&](std::size_t c) { return std::string(width[c], '-'); });
    }
}

/// By bar, then by seed.
struct figures {
    std::vector<five> ours, naive;
};

}  // namespace

int main()
{
    using namespace weir::model;
    std::vector<experiment> all;
    for (double const load : {0.80, 0.85, 0.90, 0.95}) all.push_back(storm_recovery(load));
    for (std::size_t const clients : {10u, 100u, 1000u}) all.push_back(storm_amplification(clients));
    all.push_back(storm_amplification<with_full_budget<100>>(1000, "a budget of 10 each"));
    all.push_back(shed_storm(false));
    all.push_back(shed_storm(true));
    all.push_back(hedged_tail());
    all.push_back(hedged_load());
    all.push_back(limit_drift());
    for (auto const times : shapes) all.push_back(limit_goodput(times));

    std::vector<figures> found(all.size());
    std::vector<std::function<void()>> jobs;
    for (std::size_t e = 0; e < all.size(); ++e) {
        found[e].ours.resize(all[e].bars.size());
        found[e].naive.resize(all[e].bars.size());
        for (std::size_t seed = 0; seed < seeds; ++seed)
            for (bool const ours : {true, false})
                jobs.push_back([&, e, seed, ours] {
                    auto const v = (ours ? all[e].ours : all[e].naive)(seed + 1);
                    for (std::size_t k = 0; k < v.size(); ++k) (ours ? found[e].ours : found[e].naive)[k][seed] = v[k];
                });
    }
    {
        std::atomic<std::size_t> next{0};
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
            threads.emplace_back([&] {
                for (std::size_t job; (job = next++) < jobs.size();) jobs[job]();
            });
    }

    std::vector<row> rows{{"claim", "promised", "weir", "naive arm", "", "verdict"}};
    int bad = 0;
    for (std::size_t e = 0; e < all.size(); ++e)
        for (std::size_t k = 0; k < all[e].bars.size(); ++k) {
            auto const& b = all[e].bars[k];
            auto const& naive = found[e].naive[k];
            bool const good = kept(b, found[e].ours[k]);
            bool const tells = std::none_of(naive.begin(), naive.end(), [&](double v) { return b.met_by(v); });
            bad += !good || !tells;
            auto const* const verdict = !good ? "MISSED" : tells ? "kept" : "PROVES NOTHING";
            rows.push_back({b.what, (b.at_most ? "<= " : ">= ") + figure(b.limit) + (b.of_median ? " median" : ""),
                            spread(found[e].ours[k]), all[e].naive_is, spread(naive), verdict});
        }
    print(rows);
    std::printf(
        "\n%zu seeds, min / median / max. A claim is kept when weir meets it with every seed, or where it says so in\n"
        "the median; it proves something only if the naive arm misses it with every one of the same seeds.\n",
        seeds);
    if (bad != 0) std::printf("%d of %zu claims not kept\n", bad, rows.size() - 1);
    return bad == 0 ? 0 : 1;
}
