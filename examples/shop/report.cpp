// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "report.hpp"

#include "chart.hpp"
#include "report_style.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace shop {

namespace {

constexpr double bin = 0.5;

template <class... Args>
std::string format(char const* pattern, Args... args)
{
    char text[1024];
    std::snprintf(text, sizeof text, pattern, args...);
    return text;
}

// The orders that came in one bin of time.
struct slot {
    double begin = 0;
    std::size_t come = 0, ok = 0, refused = 0, bad = 0, tries = 0;
    std::vector<double> latencies_ms;
    [[nodiscard]] std::size_t accepted() const { return ok + bad; }
};

std::vector<slot> slots_of(record const& r)
{
    std::vector<slot> slots(static_cast<std::size_t>(r.length / bin) + 1);
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i].begin = static_cast<double>(i) * bin;
    for (auto const& o : r.orders) {
        auto& s = slots[std::min(slots.size() - 1, static_cast<std::size_t>(o.at / bin))];
        ++s.come;
        s.tries += static_cast<std::size_t>(o.tries);
        ++(o.how == ending::ok ? s.ok : o.how == ending::refused ? s.refused : s.bad);
        if (o.how == ending::ok || o.how == ending::left) s.latencies_ms.push_back(o.latency * 1000);
    }
    return slots;
}

// One point a slot, in its middle; a gap where `value` has nothing to say, which it does by a negative number.
curve trace(std::string style, std::vector<slot> const& slots, std::function<double(slot const&)> const& value)
{
    curve c{std::move(style), {{}}};
    for (auto const& s : slots) {
        double const v = s.come == 0 ? -1 : value(s);
        if (v < 0) c.pieces.emplace_back();
        else c.pieces.back().emplace_back(s.begin + bin / 2, v);
    }
    return c;
}

double per_second(std::size_t orders) { return static_cast<double>(orders) / bin; }

double ratio(std::size_t part, std::size_t whole, double factor)
{
    return whole == 0 ? -1 : factor * static_cast<double>(part) / static_cast<double>(whole);
}

std::string legend(bool with_p50)
{
    std::string const dotted = with_p50 ? "<i class='thin' style='color:var(--soft)'></i>p50" : "";
    return "<i style='color:var(--bare)'></i>bare<i style='color:var(--governed)'></i>governed" + dotted;
}

std::vector<chart> charts(std::vector<record> const& records)
{
    chart served{.title = "Orders served", .note = "per second; grey: orders placed, dashed: what the inventory can do",
                 .high = 400, .ticks = {{0, "0"}, {100, "100"}, {200, "200"}, {300, "300"}, {400, "400"}},
                 .legend = legend(false)};
    chart success{.title = "Success", .note = "% of the orders that were not refused", .high = 104,
                  .ticks = {{0, "0"}, {50, "50"}, {100, "100"}}, .legend = legend(false)};
    chart latency{.title = "Latency",
                  .note = "ms on a logarithmic scale, from when the customer came; 2,000: the customer left",
                  .low = 30, .high = 3000, .logarithmic = true,
                  .ticks = {{30, "30"}, {100, "100"}, {300, "300"}, {1000, "1,000"}, {2000, "2,000"}},
                  .legend = legend(true)};
    chart tries{.title = "Requests to the inventory per order",
                .note = "1: went through at once; 0: refused, or never sent",
                .low = 0, .high = 3.1, .ticks = {{0, "0"}, {1, "1"}, {2, "2"}, {3, "3"}}, .legend = legend(false)};

    for (auto const& r : records) {
        auto const slots = slots_of(r);
        std::string const name = name_of(r.which);
        if (&r == &records.front()) {
            served.curves.push_back({"limit", {{{0, capacity}, {r.length, capacity}}}});
            served.curves.push_back(trace("offered", slots, [](slot const& s) { return per_second(s.come); }));
        }
        served.curves.push_back(trace(name, slots, [](slot const& s) { return per_second(s.ok); }));
        success.curves.push_back(trace(name, slots, [](slot const& s) { return ratio(s.ok, s.accepted(), 100); }));
        auto const at = [](double q) {
            return [q](slot const& s) { return s.latencies_ms.empty() ? -1 : quantile(s.latencies_ms, q); };
        };
        latency.curves.push_back(trace(name, slots, at(0.99)));
        latency.curves.push_back(trace(name + " thin", slots, at(0.5)));
        tries.curves.push_back(trace(name, slots, [](slot const& s) { return ratio(s.tries, s.come, 1); }));
        for (double const t : r.restarts) served.marks.emplace_back(t, "restart");
    }
    return {served, success, latency, tries};
}

// Stretches of equal style, from one gauge to the next.
band stretches(std::string title, record const& r, std::function<band::stretch(gauge const&)> const& of)
{
    band b{std::move(title), {}};
    for (auto const& g : r.gauges) {
        if (g.breaker.empty()) continue;
        auto next = of(g);
        next.begin = g.at - 0.25;
        next.end = g.at;
        auto* const last = b.stretches.empty() ? nullptr : &b.stretches.back();
        if (last != nullptr && last->style == next.style && last->end >= next.begin - 0.01) last->end = next.end;
        else b.stretches.push_back(std::move(next));
    }
    return b;
}

std::string state_of(story const& s, record const& r)
{
    auto const level = [](double filled) {
        static char const* const labels[] = {"empty", "low", "half", "more", "full"};
        auto const step = filled < 0.05 ? 0 : std::clamp(static_cast<int>(filled * 4) + 1, 1, 4);
        return band::stretch{0, 0, format("l%d", step), labels[step]};
    };
    auto const drawn = svg(s, {
        stretches("breaker", r, [](gauge const& g) { return band::stretch{0, 0, g.breaker, g.breaker}; }),
        stretches("limiter", r, [&](gauge const& g) { return level(g.limiter); }),
        stretches("budget", r, [&](gauge const& g) { return level(g.budget); }),
    });
    return "<figure><figcaption><b>Inside the governed service</b> <span>circuit breaker; permits left in the limiter; "
           "retries left in the budget</span></figcaption>" + drawn + "</figure>\n";
}

std::string table(story const& s, std::vector<record> const& records)
{
    std::string head = "<tr><th></th>", names = "<tr><th>act</th>", body;
    std::vector<std::vector<row>> rows;
    for (auto const& r : records) {
        rows.push_back(score(s, r));
        head += format("<th class='sep %c' colspan='8'>%s</th>", *name_of(r.which), name_of(r.which));
        names += "<th class='sep'>ok %</th><th>refused %</th><th>ok/s</th><th>p50 ms</th><th>p99 ms</th><th>tries</th>"
                 "<th>back s</th><th></th>";
    }
    for (std::size_t i = 0; i < s.acts.size(); ++i) {
        body += "<tr><td>" + std::string(s.acts[i].name) + "</td>";
        for (auto const& arm_rows : rows) {
            auto const& w = arm_rows[i];
            bool const settles = s.acts[i].end > s.acts[i].until;
            auto const back = !settles ? "-" : w.back ? format("%.1f", *w.back) : "never";
            char const* const word = w.pass ? "PASS" : "FAIL";
            auto const ms = [](double v) { return v > 0 ? format("<td>%.0f</td>", v) : std::string("<td>-</td>"); };
            body += format("<td class='sep'>%.1f</td><td>%.1f</td><td>%.0f</td>", w.ok_percent, w.refused_percent,
                           w.ok_rate) +
                    ms(w.p50_ms) + ms(w.p99_ms) +
                    format("<td>%.2f</td><td>%s</td><td class='%s' title='%s'>%s</td>", w.tries, back.c_str(), word,
                           w.why.c_str(), word);
        }
        body += "</tr>\n";
    }
    return "<div class='wide'><table>" + head + "</tr>" + names + "</tr>\n" + body + "</table></div>\n";
}

std::string summary(record const& r)
{
    std::size_t ok = 0, refused = 0;
    std::vector<double> latencies;
    for (auto const& o : r.orders) {
        ok += o.how == ending::ok;
        refused += o.how == ending::refused;
        if (o.how == ending::ok || o.how == ending::left) latencies.push_back(o.latency * 1000);
    }
    return format("<div><b class='%c'>%zu of %zu</b>orders served, %s<br><small>%zu refused at once, %zu lost &middot; "
                  "p99 %.0f ms</small></div>", *name_of(r.which), ok, r.orders.size(), name_of(r.which), refused,
                  r.orders.size() - ok - refused, quantile(latencies, 0.99));
}

}  // namespace

void write_report(std::string const& file, story const& s, std::uint64_t seed, std::vector<record> const& records)
{
    std::string page = "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
                       "content='width=device-width,initial-scale=1'><title>weir shop</title><style>";
    page += style_sheet;
    page += "</style></head><body><main><h1>The same story, with and without weir</h1>";
    page += format("<p class='soft'>An order service calls three inventory instances over HTTP. They can do %.0f orders "
                   "a second; 60 come in calm times, 360 in the spike. The customers come when the schedule says (seed "
                   "%llu), however the shop is doing, and wait two seconds at most.</p>", capacity,
                   static_cast<unsigned long long>(seed));
    page += "<div class='big'>";
    for (auto const& r : records) page += summary(r);
    page += "</div>";
    page += table(s, records);
    for (auto const& c : charts(records)) page += c.svg(s);
    for (auto const& r : records)
        if (r.which == arm::governed) page += state_of(s, r);
    page += "<h2>What is done to the shop, and what an act demands of both arms</h2><dl>";
    for (auto const& a : s.acts)
        page += "<dt>" + std::string(a.name) + "</dt><dd>" + std::string(a.says) + ". To pass: " + demands(a) +
                ".</dd>";
    page += format("</dl><h2>How to read it</h2><p>Dark stretches: the fault is there. Light stretches: it is over, "
                   "and the shop may get well; &ldquo;back&rdquo; says how long that took. A shop that is not well by then "
                   "is restarted by its operator (&ldquo;never&rdquo;, and a dotted line), so that each act is judged by "
                   "itself.</p><p>Again: <code>shop --seed %llu</code></p></main></body></html>\n",
                   static_cast<unsigned long long>(seed));

    std::ofstream out{file, std::ios::binary};
    out << page;
    if (!out.flush()) throw std::runtime_error("cannot write the report to '" + file + "'");
}

}  // namespace shop
