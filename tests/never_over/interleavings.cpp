// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Runs every scenario in every order of its steps, up to a number of preemptions. See tests/README.md.

#include "never_over/scenario.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace never_over {
namespace {

// Decisions are written as "0x26,1,0x3": most of them are "go on".

std::vector<unsigned> numbers(std::string const& list)
{
    std::vector<unsigned> v;
    std::istringstream in{list};
    for (std::string one; std::getline(in, one, ',');) {
        auto const x = one.find('x');
        auto const times = x == std::string::npos ? 1 : std::strtoul(one.c_str() + x + 1, nullptr, 10);
        v.insert(v.end(), times, static_cast<unsigned>(std::strtoul(one.c_str(), nullptr, 10)));
    }
    return v;
}

std::string text(std::vector<unsigned> const& v)
{
    std::string s;
    for (std::size_t i = 0; i < v.size() && s.size() < 2000;) {
        auto end = i;
        while (end < v.size() && v[end] == v[i]) ++end;
        s += (i == 0 ? "" : ",") + std::to_string(v[i]);
        if (end - i > 1) s += "x" + std::to_string(end - i);
        i = end;
    }
    return s;
}

int explore(int argc, char** argv)
{
    std::string only;
    long bound = -1;
    long deeper = 0;
    weir::exploring::options o;
    for (int i = 1; i < argc; i += 2) {
        std::string_view const name = argv[i];
        std::string const value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--scenario") {
            only = value;
        } else if (name == "--bound") {
            bound = std::strtol(value.c_str(), nullptr, 10);
        } else if (name == "--deeper") {
            deeper = std::strtol(value.c_str(), nullptr, 10);
        } else if (name == "--replay") {
            o.replay = numbers(value);
        } else {
            std::fprintf(stderr, "usage: %s [--scenario NAME] [--bound N | --deeper N] [--replay 0,1,...]\n", argv[0]);
            return 2;
        }
    }
    auto& all = scenarios::all();
    std::stable_sort(all.begin(), all.end(), [](scenario const& a, scenario const& b) { return a.name < b.name; });

    std::printf("| scenario | threads | preemptions | orders | steps | seconds | |\n|---|---|---|---|---|---|---|\n");
    bool ok = true;
    bool any = false;
    for (auto const& s : all) {
        if (s.name.find(only) == std::string::npos) continue;
        any = true;
        o.bound = static_cast<unsigned>(bound >= 0 ? bound : s.bound + deeper);
        auto const start = std::chrono::steady_clock::now();
        auto const r = s.explore(o);
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
        std::printf("| %s | %u | %u | %llu | %llu | %.2f | %s |\n", s.name.c_str(), s.threads, r.bound,
                    static_cast<unsigned long long>(r.runs), static_cast<unsigned long long>(r.steps), took.count(),
                    !r.failure.empty()       ? "FAILED"
                    : r.complete || o.replay ? "all orders"
                                             : "not all orders");
        if (!r.failure.empty()) {
            std::printf("%s: %s\nto see it: %s --scenario '%s' --bound %u --replay '%s'\n", s.name.c_str(),
                        r.failure.c_str(), argv[0], s.name.c_str(), r.bound, text(r.decisions).c_str());
            ok = false;
        }
        std::fflush(stdout);
    }
    return ok && any ? 0 : 1;
}

}  // namespace
}  // namespace never_over

/// What waits for another thread asks for it in vain here: all are fibers of one, and the explorer has its turn at the next
/// step. The kernel need not be asked millions of times.
extern "C" int sched_yield() noexcept { return 0; }

int main(int argc, char** argv) { return never_over::explore(argc, argv); }
