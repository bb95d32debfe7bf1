// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Admits with 1 to 64 threads, disturbed between any two steps on shared memory; records every admission; examines
// every interval against the bound that the limiter promises. See tests/README.md.

#include "never_over/rows.hpp"

#include <weir/core/atomic.hpp>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace never_over {

void disturb_this_thread(std::uint64_t seed) { weir::yielding::seed(seed); }

namespace {

using namespace std::chrono_literals;

constexpr quota quotas[] = {
    {{1, 72h}, 2},                 // one per 3 days
    {{10, 1s}, 1},                 //
    {{1'000, 1s}, 10},             //
    {{7, 3s}, 5},                  // not a whole number of nanoseconds
    {{50'000, 1s}, 500},           //
    {{1'000'000, 1s}, 1'000},      // leased from here on
    {{2'000'000, 1s}, 20'000},     //
    {{5'000'000, 1s}, 100},        //
    {{999'999'937, 1s}, 4'000},    // a prime: rounded
    {{1'000'000'000, 1s}, 1'000},  // one per nanosecond
    {{1'000'000'000, 1s}, 7},      //
    {{1, 8760h}, 1'000'000},       // a burst that takes a million years to fill
};
constexpr unsigned thread_counts[] = {1, 2, 3, 4, 8, 16, 24, 64};
constexpr std::int64_t uptimes[] = {1, 1'000'000'000'000'000, 31'557'600'000'000'000, 6'000'000'000'000'000'000};

struct arguments {
    std::uint64_t decisions = 20'000'000;
    std::uint64_t round = 0;  ///< decisions in one run; 0: chosen
    std::uint64_t seed = 1;
    std::uint64_t threads = 0;
    std::string limiter;
    bool valid = true;
};

arguments parse(int argc, char** argv)
{
    arguments a;
    auto const number = [](char const* s, std::uint64_t& to) {
        double x = 0;  // 1e9 is a number too
        auto const* const end = s + std::strlen(s);
        auto const r = std::from_chars(s, end, x);
        to = static_cast<std::uint64_t>(x);
        return r.ec == std::errc{} && r.ptr == end && x >= 0 && x < 1e18;
    };
    for (int i = 1; i < argc; i += 2) {
        std::string_view const name = argv[i];
        auto const* const value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--limiter") {
            a.limiter = value;
        } else {
            auto* const to = name == "--decisions" ? &a.decisions
                             : name == "--round"   ? &a.round
                             : name == "--seed"    ? &a.seed
                             : name == "--threads" ? &a.threads
                                                   : nullptr;
            a.valid = a.valid && to != nullptr && number(value, *to);
        }
    }
    return a;
}

struct sum {
    verdict worst;
    std::uint64_t decisions = 0;
    std::uint64_t admitted = 0;
    std::uint64_t runs = 0;
    std::uint64_t violations = 0;
    std::uint64_t skipped = 0;  ///< runs of which nothing is promised
};

template <class Range>
auto const& any_of(Range const& r, cheap_random& g)
{
    return r[g.below(std::size(r))];
}

plan some_plan(row const& r, arguments const& a, std::uint64_t round, std::uint64_t number)
{
    auto const seed = a.seed * 1'000'003 + number;
    cheap_random g{seed};
    plan p{r.quotas.empty() ? any_of(quotas, g) : any_of(r.quotas, g), any_of(shapes, g)};
    p.threads = static_cast<unsigned>(a.threads != 0 ? a.threads : any_of(thread_counts, g));
    p.threads = std::min(p.threads, r.most_threads);
    // Half of the runs are short: some mistakes can only be made at the first decisions of a limiter.
    p.decisions = std::max<std::uint64_t>(g.one_in(2) ? round : std::min<std::uint64_t>(round, 2'000), p.threads);
    p.seed = seed;
    p.real_time = g.one_in(8);
    p.uptime = any_of(uptimes, g);
    // A quiet half of the runs: with a yield at every tenth step, some orders are as rare as with none.
    weir::yielding::one_step_in = 1u << (4 + g.below(9));
    return p;
}

void report(row const& r, plan const& p, verdict const& v)
{
    std::fprintf(stderr, "%s: OVER: %s (rate %llu per %lld ns, %s, %u threads, run seed %llu)\n", r.name.c_str(),
                 v.where.c_str(), static_cast<unsigned long long>(p.of.rate.permits),
                 static_cast<long long>(p.of.rate.per.count()), p.traffic.name, p.threads,
                 static_cast<unsigned long long>(p.seed));
}

int check(arguments const& a)
{
    auto rows = never_over::rows::all();
    std::stable_sort(rows.begin(), rows.end(), [](row const& x, row const& y) { return x.name < y.name; });
    std::erase_if(rows, [&](row const& r) { return r.name.find(a.limiter) == std::string::npos; });
    if (rows.empty()) {
        std::fprintf(stderr, "no such limiter: %s\n", a.limiter.c_str());
        return 2;
    }
    auto const share = std::max<std::uint64_t>(a.decisions / rows.size(), 1);
    auto const round = a.round != 0 ? a.round : std::clamp<std::uint64_t>(share / 24, 1, 500'000);

    std::printf("| limiter | runs | decisions | admitted | worst interval, of its bound | violations |\n");
    std::printf("|---|---|---|---|---|---|\n");
    sum total;
    for (auto const& r : rows) {
        sum s;
        while (s.decisions < share && s.skipped < 1000) {
            auto const p = some_plan(r, a, round, s.runs + s.skipped);
            auto v = r.run(p);
            if (v.decisions == 0) {
                ++s.skipped;
                continue;
            }
            ++s.runs;
            s.decisions += v.decisions;
            s.admitted += v.admitted;
            if (v.over && s.violations++ < 3) report(r, p, v);
            if (v.share > s.worst.share) s.worst = std::move(v);
        }
        auto const line = [](char const* name, sum const& x) {
            std::printf("| %s | %llu | %llu | %llu | %.4f %% | %llu |\n", name, static_cast<unsigned long long>(x.runs),
                        static_cast<unsigned long long>(x.decisions), static_cast<unsigned long long>(x.admitted),
                        x.worst.share * 100, static_cast<unsigned long long>(x.violations));
            std::fflush(stdout);
        };
        line(r.name.c_str(), s);
        if (s.skipped >= 1000) total.violations += 1;
        total.runs += s.runs, total.decisions += s.decisions, total.admitted += s.admitted;
        total.violations += s.violations;
        total.worst.share = std::max(total.worst.share, s.worst.share);
        if (&r == &rows.back()) line("all", total);
    }
    return total.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace never_over

int main(int argc, char** argv)
{
    auto const a = never_over::parse(argc, argv);
    if (!a.valid) {
        std::fprintf(stderr, "usage: %s [--decisions 1e9] [--round N] [--seed S] [--limiter NAME] [--threads 1..64]\n",
                     argv[0]);
        return 2;
    }
    return never_over::check(a);
}
