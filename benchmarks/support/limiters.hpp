// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "floors.hpp"
#include "report.hpp"

#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What is measured of every limiter: a decision that comes out as expected.
namespace bench {

/// Made anew for each window, on a line of its own.
template <class Limiter>
struct fresh {
    alignas(64) alignas(Limiter) std::optional<Limiter> limiter;

    void make(typename Limiter::options const& o) { limiter.emplace(o); }
};

/// The limiter reads its clock. To refuse, it is drained before the window. `expected` none: at the boundary, some
/// pass.
template <class Limiter>
[[nodiscard]] contender decide(std::string name, typename Limiter::options o, std::optional<bool> expected)
{
    auto const own = std::make_shared<fresh<Limiter>>();
    auto const begin = [own, o = std::move(o), expected](unsigned) {
        own->make(o);
        while (expected == false && own->limiter->try_acquire()) {}
    };
    auto const body = [own, expected](unsigned, unsigned n) {
        auto& l = *own->limiter;
        bool good = true;
        if (!expected) {
            for (unsigned i = 0; i < n; ++i) keep(l.try_acquire());
        } else if (*expected) {
            for (unsigned i = 0; i < n; ++i) good &= l.try_acquire();
        } else {
            for (unsigned i = 0; i < n; ++i) good &= !l.try_acquire();
        }
        return good;
    };
    return {std::move(name), body, begin};
}

/// The time at the beginning of a chunk, and a nanosecond later with each decision: the caller of a pipeline has read
/// its clock already. Threads agree on it as far as they would on a clock.
class passing_time {
public:
    weir::time_point operator()() noexcept { return now_ += weir::duration(1); }

private:
    weir::time_point now_ = weir::tsc_clock::now();
};

/// The clock left out.
template <class Limiter>
[[nodiscard]] contender decide_now(std::string name, typename Limiter::options o, bool expected)
{
    auto const own = std::make_shared<fresh<Limiter>>();
    auto const begin = [own, o = std::move(o), expected](unsigned) {
        own->make(o);
        while (!expected && own->limiter->try_acquire(1, weir::tsc_clock::now())) {}
    };
    auto const body = [own, expected](unsigned, unsigned n) {
        auto& l = *own->limiter;
        passing_time now;
        bool good = true;
        for (unsigned i = 0; i < n; ++i) good &= l.try_acquire(1, now()) == expected;
        return good;
    };
    return {std::move(name), body, begin};
}

/// As a gate of a pipeline: a token, and its settling.
template <class Limiter>
[[nodiscard]] contender admit_and_record(std::string name, typename Limiter::options o)
{
    auto const own = std::make_shared<fresh<Limiter>>();
    auto const body = [own](unsigned, unsigned n) {
        passing_time time;
        bool good = true;
        for (unsigned i = 0; i < n; ++i) {
            auto const now = time();
            auto a = own->limiter->admit(now);
            good &= static_cast<bool>(a);
            if (a) [[likely]]
                a->record(weir::outcome::success(), now);
        }
        return good;
    };
    return {std::move(name), body, [own, o = std::move(o)](unsigned) { own->make(o); }};
}

/// Runs what `make` gives for each count of threads; the first table, of one thread, is what bars are judged by. The
/// throughput of the contender named `charted` goes into the page's chart, as `series`.
template <class Make>
table const& by_threads(report& r, Make const& make, char const* floor, std::string const& charted = {},
                        std::string const& series = {})
{
    table const* first = nullptr;
    for (auto const n : r.thread_counts()) {
        auto const& t = r.run(make(), n, floor);
        if (!charted.empty()) r.point("threads", series, n, t.per_second(charted) / 1e6);
        if (first == nullptr) first = &t;
    }
    return *first;
}

/// The usual program of a limiter `basic_x<Clock>`: to admit beside a compare-exchange, to refuse beside a reading of
/// the counter.
template <template <class> class Limiter>
void allow_and_deny(report& r, std::string const& name, typename Limiter<weir::tsc_clock>::options const& plenty,
                    typename Limiter<weir::tsc_clock>::options const& none)
{
    auto const with = [](std::string const& n, char const* clock) { return n + '<' + clock + '>'; };
    by_threads(
        r,
        [&] {
            return std::vector<contender>{
                floors::cas(),
                floors::tsc_now(),
                decide<Limiter<weir::tsc_clock>>(with(name, "tsc_clock") + ": allow", plenty, true),
                decide<Limiter<weir::steady_clock>>(with(name, "steady_clock") + ": allow", plenty, true),
                decide_now<Limiter<weir::tsc_clock>>(name + ": allow, now given", plenty, true),
                admit_and_record<Limiter<weir::tsc_clock>>(name + ": admit(now) and record", plenty),
            };
        },
        floors::own_cas, with(name, "tsc_clock") + ": allow", name);
    by_threads(
        r,
        [&] {
            return std::vector<contender>{
                floors::read_counter(),
                floors::tsc_now(),
                decide<Limiter<weir::tsc_clock>>(with(name, "tsc_clock") + ": deny", none, false),
                decide<Limiter<weir::steady_clock>>(with(name, "steady_clock") + ": deny", none, false),
                decide_now<Limiter<weir::tsc_clock>>(name + ": deny, now given", none, false),
            };
        },
        floors::counter);
}

}  // namespace bench
