// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "bench.hpp"
#include "floors.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

/// A promise, and whether it is kept here.
struct bar {
    std::string name;
    std::optional<double> value;  ///< none: it cannot be measured here, and `note` says why
    double limit = 0;
    bool at_most = true;    ///< or at least
    std::string unit = {};  ///< "ns", "B", "%"; empty: a ratio
    std::string moonshot = {};
    std::string note = {};

    [[nodiscard]] bool met() const { return !value || (at_most ? *value <= limit : *value >= limit); }
};

/// The results of contenders that took turns.
class table {
public:
    table(std::vector<result> r, std::string floor) : results_(std::move(r)), floor_(std::move(floor)) {}

    [[nodiscard]] result const& operator[](std::string_view name) const
    {
        auto const it = std::find_if(results_.begin(), results_.end(), [&](auto const& r) { return r.name == name; });
        if (it == results_.end()) throw std::logic_error("no contender " + std::string(name));
        return *it;
    }
    [[nodiscard]] double ns(std::string_view name) const { return median((*this)[name].ns); }
    [[nodiscard]] double per_second(std::string_view name) const { return median((*this)[name].per_second); }
    [[nodiscard]] double ratio(std::string_view a, std::string_view b) const
    {
        return in_one_turn((*this)[a].ns, (*this)[b].ns, [](double x, double y) { return x / y; });
    }
    [[nodiscard]] double over(std::string_view a, std::string_view b) const
    {
        return in_one_turn((*this)[a].ns, (*this)[b].ns, [](double x, double y) { return x - y; });
    }
    [[nodiscard]] std::vector<result> const& all() const noexcept { return results_; }
    [[nodiscard]] std::string const& floor() const noexcept { return floor_; }

private:
    std::vector<result> results_;
    std::string floor_;
};

/// The main function of a program of ours: reads the command line, runs tables, judges bars, prints.
class report {
public:
    report(std::string program, int argc, char** argv) : program_(std::move(program))
    {
        for (int i = 1; i < argc; ++i) read(argv[i], i + 1 < argc ? argv[i + 1] : nullptr, i);
        if (most_threads_ == 0) most_threads_ = static_cast<unsigned>(2 * processors().size());
        std::setvbuf(stdout, nullptr, _IOLBF, 0);
        // A trusted counter takes some readings over twenty milliseconds to be so; measured is what comes then.
        for (int i = 0; i < 20 && !weir::tsc_clock::trusted(); ++i) {
            (void)weir::tsc_clock::now();
            std::this_thread::sleep_for(std::chrono::milliseconds(11));
        }
        if (!json_) std::printf("%s\n", program_.c_str());
    }

    [[nodiscard]] bool quick() const noexcept { return quick_; }

    /// 1, 2, 4 ... and the most.
    [[nodiscard]] std::vector<unsigned> thread_counts() const
    {
        std::vector<unsigned> counts;
        for (unsigned n = 1; n < most_threads_; n *= 2) counts.push_back(n);
        counts.push_back(most_threads_);
        return counts;
    }

    /// Two threads that really run at once, or why not.
    [[nodiscard]] bool has_two() const noexcept { return processors().size() >= 2 && most_threads_ >= 2; }
    static constexpr char const* not_two = "needs two processors, and --threads 2";

    /// Runs the contenders and two empty loops in turn. `floor` is the contender that the others stand beside.
    table const& run(std::vector<contender> contenders, unsigned threads, std::string floor, unsigned chunk = 512)
    {
        contenders.insert(contenders.begin(), floors::empty_loop());
        contenders.push_back(floors::empty_loop(floors::empty_again));
        settings s{.turns = quick_ ? 3 : 9, .length = std::chrono::milliseconds(quick_ ? 4 : 10), .chunk = chunk};
        if (threads > processors().size()) s.length *= 2;
        tables_.emplace_back(compare(contenders, threads, s), std::move(floor));
        auto const& t = tables_.back();
        if (threads == 1) noise_ = std::max(noise_, std::abs(t.ratio(floors::empty, floors::empty_again) - 1));
        for (auto const& r : t.all()) {
            if (!r.good) bad_.push_back(r.name + ": some decisions did not come out as they should");
            if (!json_) print(r, t);
        }
        return t;
    }

    /// A point of a chart of the page: "memory", "rate", "shape".
    void point(std::string const& chart, std::string const& series, double x, double y)
    {
        auto it = std::find_if(charts_.begin(), charts_.end(),
                               [&](auto const& c) { return c.chart == chart && c.series == series; });
        if (it == charts_.end()) it = charts_.insert(it, {chart, series, {}});
        it->points.emplace_back(x, y);
        if (!json_) std::printf("  %s, %s: %g, %g\n", chart.c_str(), series.c_str(), x, y);
    }

    void judge(bar b)
    {
        if (!json_) {
            if (b.value) {
                std::printf("  %s: %.3g %s, bar %s %g: %s%s%s\n", b.name.c_str(), *b.value, b.unit.c_str(),
                            b.at_most ? "<=" : ">=", b.limit, b.met() ? "ok" : "MISSED", b.note.empty() ? "" : "; ",
                            b.note.c_str());
            } else {
                std::printf("  %s: not measured, %s\n", b.name.c_str(), b.note.c_str());
            }
        }
        bars_.push_back(std::move(b));
    }

    /// For main: 1 when a bar was missed, 2 when a figure is not what it says.
    [[nodiscard]] int finish() const
    {
        for (auto const& b : bad_) std::fprintf(stderr, "%s: %s\n", program_.c_str(), b.c_str());
        if (json_) print_json();
        if (!bad_.empty()) return 2;
        return std::all_of(bars_.begin(), bars_.end(), [](auto const& b) { return b.met(); }) ? 0 : 1;
    }

private:
    struct line {
        std::string chart, series;
        std::vector<std::pair<double, double>> points;
    };

    void read(std::string_view argument, char const* next, int& i)
    {
        auto const usage = [this](std::FILE* to, int status) {
            std::fprintf(to, "%s [--threads N] [--quick] [--json]\n", program_.c_str());
            std::exit(status);
        };
        if (argument == "--quick") {
            quick_ = true;
        } else if (argument == "--json") {
            json_ = true;
        } else if (argument == "--threads" && next != nullptr) {
            std::string_view const text = next;
            auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), most_threads_);
            if (error != std::errc{} || end != text.data() + text.size() || most_threads_ < 1 || most_threads_ > 1024) {
                std::fprintf(stderr, "--threads: 1 to 1024, not '%s'\n", next);
                std::exit(2);
            }
            ++i;
        } else if (argument == "--help") {
            usage(stdout, 0);
        } else {
            std::fprintf(stderr, "unknown option '%.*s'\n", static_cast<int>(argument.size()), argument.data());
            usage(stderr, 2);
        }
    }

    static void print(result const& r, table const& t)
    {
        std::printf("  %-52s %2u thr %9.2f ns %8.1f M/s  %6.2f x %s\n", r.name.c_str(), r.threads, median(r.ns),
                    median(r.per_second) / 1e6, t.ratio(r.name, t.floor()), t.floor().c_str());
    }

    static std::string quoted(std::string_view s)
    {
        std::string out = "\"";
        for (char const c : s) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        return out += '"';
    }
    static std::string number(double v)
    {
        if (!std::isfinite(v)) return "null";
        char text[32];
        std::snprintf(text, sizeof text, "%.6g", v);
        return text;
    }

    void print_json() const
    {
        std::printf("{\"weir\": 1, \"program\": %s, \"noise\": %s, \"counter_trusted\": %s,\n\"rows\": [",
                    quoted(program_).c_str(), number(noise_).c_str(), weir::tsc_clock::trusted() ? "true" : "false");
        char const* comma = "\n";
        for (auto const& t : tables_) {
            for (auto const& r : t.all()) {
                if (r.name == floors::empty_again) continue;
                bool const crowded = r.threads > processors().size();  // then chunks tell nothing of those who wait
                std::printf(
                    "%s{\"name\": %s, \"threads\": %u, \"ns\": %s, \"per_second\": %s, \"scatter\": %s, "
                    "\"floor\": %s, \"floor_ns\": %s, \"ratio\": %s}",
                    comma, quoted(r.name).c_str(), r.threads, crowded ? "null" : number(median(r.ns)).c_str(),
                    number(median(r.per_second)).c_str(), number(scatter(crowded ? r.per_second : r.ns)).c_str(),
                    quoted(t.floor()).c_str(), number(t.ns(t.floor())).c_str(),
                    crowded ? "null" : number(t.ratio(r.name, t.floor())).c_str());
                comma = ",\n";
            }
        }
        std::printf("],\n\"bars\": [");
        comma = "\n";
        for (auto const& b : bars_) {
            std::printf(
                "%s{\"name\": %s, \"value\": %s, \"limit\": %s, \"at_most\": %s, \"unit\": %s, \"met\": %s, "
                "\"moonshot\": %s, \"note\": %s}",
                comma, quoted(b.name).c_str(), b.value ? number(*b.value).c_str() : "null", number(b.limit).c_str(),
                b.at_most ? "true" : "false", quoted(b.unit).c_str(), b.value ? (b.met() ? "true" : "false") : "null",
                quoted(b.moonshot).c_str(), quoted(b.note).c_str());
            comma = ",\n";
        }
        std::printf("],\n\"series\": [");
        comma = "\n";
        for (auto const& c : charts_) {
            std::printf("%s{\"chart\": %s, \"name\": %s, \"points\": [", comma, quoted(c.chart).c_str(),
                        quoted(c.series).c_str());
            for (std::size_t k = 0; k < c.points.size(); ++k)
                std::printf("%s[%s, %s]", k == 0 ? "" : ", ", number(c.points[k].first).c_str(),
                            number(c.points[k].second).c_str());
            std::printf("]}");
            comma = ",\n";
        }
        std::printf("]}\n");
    }

    std::string program_;
    bool quick_ = false, json_ = false;
    unsigned most_threads_ = 0;
    double noise_ = 0;
    std::deque<table> tables_;
    std::vector<bar> bars_;
    std::vector<line> charts_;
    std::vector<std::string> bad_;
};

}  // namespace bench
