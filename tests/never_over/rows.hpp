// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "never_over/traffic.hpp"

#include <weir/core/atomic.hpp>
#include <weir/core/outcome.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace never_over {

/// What came of one run.
struct verdict {
    std::uint64_t decisions = 0;
    std::uint64_t admitted = 0;
    double share = 0;  ///< the worst interval, as a share of its bound
    bool over = false;
    std::string where;  ///< the worst interval, in words
};

/// One line of the table: a limiter, in one way of using it.
struct row {
    std::string name;
    std::function<verdict(plan const&)> run;
    unsigned most_threads = 64;
    std::vector<quota> quotas = {};  ///< instead of the usual ones
};

inline std::string text(int128 x)
{
    if (x < 0) return "-" + text(-x);
    return (x > 9 ? text(x / 10) : "") + static_cast<char>('0' + static_cast<int>(x % 10));
}

/// Every interval against earned + burst.
/// `more`: so many parts of a permit above it.
inline verdict judge(history const& h, allowance const& a, std::uint64_t burst, int128 more = 0)
{
    verdict v;
    v.decisions = h.decisions;
    for (auto const& e : h.admissions) v.admitted += e.n;
    auto const most = int128{burst} * a.permit + more;
    auto const w = worst_interval(h.admissions, a);
    v.share = w.share(most);
    v.over = w.excess > most;
    v.where = "in [" + std::to_string(w.from) + ", " + std::to_string(w.to) + "] ns admitted " +
              text((w.excess + w.earned) / a.permit) + ", earned " + text(w.earned / a.permit) + " + burst " +
              std::to_string(burst);
    return v;
}

/// Every interval of every key.
inline verdict judge_keys(history h, allowance const& a, std::uint64_t burst, int128 more = 0)
{
    std::stable_sort(h.admissions.begin(), h.admissions.end(),
                     [](admitted const& x, admitted const& y) { return x.key < y.key; });
    verdict all;
    all.decisions = h.decisions;
    for (auto first = h.admissions.begin(); first != h.admissions.end();) {
        auto const last =
            std::find_if(first, h.admissions.end(), [&](admitted const& e) { return e.key != first->key; });
        auto const v = judge({{first, last}, 0}, a, burst, more);
        all.admitted += v.admitted;
        if (v.share > all.share || v.over) all.where = "key " + std::to_string(first->key) + ' ' + v.where;
        all.share = std::max(all.share, v.share);
        all.over |= v.over;
        first = last;
    }
    return all;
}

/// At most `limit` in every window of this length.
inline verdict judge_windows(history const& h, std::int64_t length, std::uint64_t limit)
{
    verdict v;
    v.decisions = h.decisions;
    for (auto const& e : h.admissions) v.admitted += e.n;
    auto const most = fullest_window(h.admissions, length);
    v.share = static_cast<double>(most) / static_cast<double>(limit);
    v.over = most > limit;
    v.where =
        "a window of " + std::to_string(length) + " ns holds " + std::to_string(most) + " of " + std::to_string(limit);
    return v;
}

/// A clock for one run, and what the limiter under test is told of it.
struct run_time {
    explicit run_time(plan const& p) : driven(p.uptime), clock(p.real_time ? nullptr : &driven) {}
    std::atomic<std::int64_t> driven;
    run_clock clock;
};

void disturb_this_thread(std::uint64_t seed);

// The ways of asking. Where the caller names the time, the bound holds in terms of that time.

inline constexpr auto tell_the_time = [](auto& limiter, turn const& t) {
    if (limiter.try_acquire(t.n, t.now)) t.admit_at(t.now);
};

/// For when the rate changes between being told the time and deciding: which of the two rates was in force at a time
/// that has passed, nobody can say.
inline constexpr auto tell_and_wait = [](auto& limiter, turn const& t) {
    if (limiter.try_acquire(t.n, t.now)) t.admit_by_now();
};

inline constexpr auto ask_its_clock = [](auto& limiter, turn const& t) {
    if (limiter.try_acquire(t.n)) t.admit_by_now();
};

/// One in four gives its permits back, perhaps late.
inline constexpr auto admit_and_cancel = [](auto& limiter, turn const& t) {
    auto a = limiter.reserve(t.n, weir::duration::zero(), t.now);
    if (!a) return;
    if (t.random.one_in(4)) {
        if (t.random.one_in(4)) weir::yielding::disturb(t.random());
        if (a->cancel()) return;
    } else {
        a->record(weir::outcome::success(), t.now);
    }
    t.admit_at(t.now);
};

/// Waits for what it needs; what counts is when it is sent.
inline constexpr auto reserve_ahead = [](auto& limiter, turn const& t) {
    auto a = limiter.reserve(t.n, std::chrono::milliseconds{3}, t.now);
    if (!a) return;
    auto const at = a->start_at();
    if (t.random.one_in(4) && a->cancel()) return;
    a->record(weir::outcome::success(), t.now);
    t.admit_at(at);
};

/// Every verb there is, and now and then the bucket is emptied.
inline constexpr auto everything = [](auto& limiter, turn const& t) {
    switch (auto const way = t.random.below(64)) {
        case 0:
            if (t.random.one_in(8)) limiter.drain();
            break;
        case 1:
            if (limiter.available() > 1'000'000'000) t.admit_at(t.now);  // what can never be would be seen as over
            break;
        default:
            if (way < 8) {
                auto a = limiter.admit(t.now);
                if (!a || (t.random.one_in(2) && a->cancel())) break;
                a->record(weir::outcome::success(), t.now);
                t.admissions.push_back({t.now.time_since_epoch().count(), t.clock.count(), 1});
            } else if (way < 24) {
                tell_and_wait(limiter, t);
            } else {
                ask_its_clock(limiter, t);
            }
    }
};

/// All rows of the files that are linked into the program; each file adds its own.
struct rows {
    explicit rows(void (*add)(std::vector<row>&)) { add(all()); }
    static std::vector<row>& all()
    {
        static std::vector<row> r;
        return r;
    }
};

}  // namespace never_over
