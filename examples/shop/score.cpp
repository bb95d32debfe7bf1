// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "score.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace shop {

namespace {

// What an act demands of a shop. In the spike nobody can serve all: serving what it can, and quickly, counts. With all
// instances down nobody can serve at all: not wearing out the inventory with tries counts, and being back soon.
struct demand {
    double ok_percent;
    double refused_percent;
    double p99_ms;
    double times_calm_p99;  ///< or this, if it is more
    double ok_rate;
    double back;
    double tries;           ///< at most so many
};

demand demand_of(fault f)
{
    switch (f) {
        case fault::none: return {99, 1, 300, 2, 0, 0, 3};
        case fault::spike: return {99, 100, 300, 2, 0.55 * capacity, 1.0, 1};
        case fault::kill: return {98.5, 1, 800, 2, 0, 1.0, 3};
        case fault::slow: return {98.5, 1, 800, 2, 0, 1.0, 3};
        case fault::outage: return {0, 100, patience * 1000, 2, 0, 1.5, 1};
        case fault::registry: return {98.5, 1, 800, 2, 0, 1.0, 3};
    }
    return {};
}

constexpr double slice = 0.25;
constexpr double under_way = 0.25;  ///< orders that came this long before an act may be hit by its fault

struct tally {
    std::size_t ok = 0, refused = 0, failed = 0, left = 0, tries = 0;
    std::vector<double> latencies;  ///< of those served, and of those who left: they waited at least that long

    explicit tally(record const& r, double begin, double end)
    {
        auto const from = std::ranges::lower_bound(r.orders, begin, {}, &order::at);
        for (auto o = from; o != r.orders.end() && o->at < end; ++o) {
            tries += static_cast<std::size_t>(o->tries);
            switch (o->how) {
                case ending::ok: ++ok; break;
                case ending::refused: ++refused; break;
                case ending::failed: ++failed; break;
                case ending::left: ++left; break;
            }
            if (o->how == ending::ok || o->how == ending::left) latencies.push_back(o->latency);
        }
    }

    [[nodiscard]] std::size_t accepted() const { return ok + failed + left; }
};

double percent(std::size_t part, std::size_t whole)
{
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// When the last bad slice after the fault ended. A slice is bad when more than one order in twenty was not served, or
// half of them took far longer than in calm times.
std::optional<double> time_to_recover(record const& r, act const& a, double calm_p50_ms)
{
    double well_since = a.until;
    double const last = a.end - under_way;
    for (double t = a.until; t + slice <= last + 1e-9; t += slice) {
        tally const s{r, t, t + slice};
        bool const bad = percent(s.refused + s.failed + s.left, s.refused + s.accepted()) > 5 ||
                         (s.ok > 0 && quantile(s.latencies, 0.5) * 1000 > 2.5 * calm_p50_ms);
        if (bad) well_since = t + slice;
    }
    bool const restarted =
        std::ranges::any_of(r.restarts, [&](double at) { return at >= a.begin && at < a.end + slice; });
    if (restarted || well_since + slice > last) return std::nullopt;
    return well_since - a.until;
}

std::string judge(row const& w, demand const& d, double calm_p99_ms, bool has_settle)
{
    char text[120];
    double const p99_limit = std::max(d.p99_ms, d.times_calm_p99 * calm_p99_ms);
    if (w.orders == 0) return "no orders at all";
    if (w.ok_percent < d.ok_percent)
        std::snprintf(text, sizeof text, "%.1f %% of the accepted orders served, not %.1f", w.ok_percent, d.ok_percent);
    else if (w.refused_percent > d.refused_percent)
        std::snprintf(text, sizeof text, "%.1f %% refused, more than %.1f", w.refused_percent, d.refused_percent);
    else if (w.ok_rate < d.ok_rate)
        std::snprintf(text, sizeof text, "%.0f orders/s served, not %.0f", w.ok_rate, d.ok_rate);
    else if (w.p99_ms > p99_limit)
        std::snprintf(text, sizeof text, "p99 is %.0f ms, over %.0f", w.p99_ms, p99_limit);
    else if (w.tries > d.tries)
        std::snprintf(text, sizeof text, "%.2f tries per order, more than %.1f", w.tries, d.tries);
    else if (has_settle && !w.back)
        std::snprintf(text, sizeof text, "not well again by the end of the act");
    else if (has_settle && *w.back > d.back)
        std::snprintf(text, sizeof text, "well again after %.1f s, not %.1f", *w.back, d.back);
    else
        return {};
    return text;
}

}  // namespace

double quantile(std::vector<double> values, double q)
{
    if (values.empty()) return 0;
    auto const rank = std::ceil(q * static_cast<double>(values.size())) - 1;
    auto const nth = values.begin() + static_cast<std::ptrdiff_t>(std::max(0.0, rank));
    std::ranges::nth_element(values, nth);
    return *nth;
}

std::vector<row> score(story const& s, record const& r)
{
    std::vector<row> rows;
    for (auto const& a : s.acts) {
        tally const t{r, a.begin, a.until};
        row w;
        w.orders = t.accepted() + t.refused;
        w.ok_percent = percent(t.ok, t.accepted());
        w.refused_percent = percent(t.refused, w.orders);
        w.ok_rate = static_cast<double>(t.ok) / (a.until - a.begin);
        w.p50_ms = quantile(t.latencies, 0.50) * 1000;
        w.p99_ms = quantile(t.latencies, 0.99) * 1000;
        w.tries = percent(t.tries, w.orders) / 100;

        auto const& calm = rows.empty() ? w : rows.front();
        bool const has_settle = a.end > a.until;
        if (has_settle) w.back = time_to_recover(r, a, calm.p50_ms);
        w.why = judge(w, demand_of(a.what), calm.p99_ms, has_settle);
        w.pass = w.why.empty();
        rows.push_back(std::move(w));
    }
    return rows;
}

std::string demands(act const& a)
{
    auto const d = demand_of(a.what);
    char text[300] = "";
    int n = 0;
    auto const add = [&](auto... args) {
        n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), args...);
    };
    if (d.ok_percent > 0)
        add("%.1f %% of the accepted orders served, p99 within %.0f ms or twice that of calm, ", d.ok_percent,
            d.p99_ms);
    if (d.refused_percent < 100) add("at most %.0f %% refused, ", d.refused_percent);
    if (d.ok_rate > 0) add("%.0f orders/s, ", d.ok_rate);
    if (d.tries < 3) add("at most %.1f tries per order, ", d.tries);
    if (a.end > a.until) add("well again in %.1f s, ", d.back);
    if (n > 2) text[n - 2] = '\0';
    return text;
}

}  // namespace shop
