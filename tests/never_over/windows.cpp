// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/fixed_window.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/warm_up.hpp>

namespace never_over {
namespace {

struct window {
    std::uint64_t limit;
    std::int64_t length;
};

/// The quota as a window: its burst, in the time that it takes to earn it.
window window_of(plan const& p, std::uint64_t most)
{
    auto const limit = std::min(p.of.burst, most);
    auto const length = int128{limit} * p.of.rate.per.count() / static_cast<std::int64_t>(p.of.rate.permits);
    return {limit, std::clamp<std::int64_t>(static_cast<std::int64_t>(std::min(length, int128{INT64_MAX})), 1,
                                            31'536'000'000'000'000)};
}

verdict worse(verdict const& a, verdict const& b) { return b.over || (!a.over && b.share > a.share) ? b : a; }

/// At most `limit` in every window of the clock: those begin at multiples of their length.
verdict judge_aligned(history const& h, window w)
{
    std::vector<std::int64_t> places;
    verdict v;
    v.decisions = h.decisions;
    auto sorted = h.admissions;
    std::sort(sorted.begin(), sorted.end(), [](admitted const& x, admitted const& y) { return x.to < y.to; });
    std::uint64_t in = 0;
    std::int64_t at = -1;
    for (auto const& e : sorted) {
        auto const place = e.to / w.length;
        in = (place == at ? in : 0) + e.n;
        at = place;
        v.admitted += e.n;
        auto const share = static_cast<double>(in) / static_cast<double>(w.limit);
        if (share > v.share) v.where = "window " + std::to_string(at) + " of the clock holds " + std::to_string(in);
        v.share = std::max(v.share, share);
        v.over |= in > w.limit;
    }
    return v;
}

template <class Limiter, class Decide>
history windows(plan const& p, window w, Decide const& decide)
{
    run_time time{p};
    typename Limiter::options o;
    o.limit = w.limit;
    o.window = weir::duration{w.length};
    Limiter limiter{o, time.clock};
    return run(p, time.clock, disturb_this_thread, [&](turn const& t) { decide(limiter, t); });
}

/// What it promises, and what is known of its excess: twice the limit in a window that begins anywhere.
template <class Decide>
verdict fixed(plan const& p, Decide const& decide)
{
    auto const w = window_of(p, 1'000'000'000);
    auto const h = windows<weir::basic_fixed_window<run_clock>>(p, w, decide);
    return worse(judge_aligned(h, w), judge_windows(h, w.length, 2 * w.limit));
}

/// And here: limit * (1 + span / window) in any span.
template <class Decide>
verdict sliding(plan const& p, Decide const& decide)
{
    auto const w = window_of(p, 16'000'000);
    auto const h = windows<weir::basic_sliding_window_limiter<run_clock>>(p, w, decide);
    return worse(judge_aligned(h, w), judge(h, allowance{{w.limit, weir::duration{w.length}}}, w.limit));
}

template <class Decide>
verdict log(plan const& p, Decide const& decide)
{
    auto const w = window_of(p, 20'000);
    return judge_windows(windows<weir::basic_sliding_window_log<run_clock>>(p, w, decide), w.length, w.limit);
}

template <class Decide>
verdict warm(plan const& p, Decide const& decide)
{
    run_time time{p};
    auto const earn = int128{p.of.burst} * p.of.rate.per.count() / static_cast<std::int64_t>(p.of.rate.permits);
    auto const slow = weir::duration{static_cast<std::int64_t>(std::min(4 * earn, int128{86'400'000'000'000}))};
    weir::basic_warm_up<run_clock> limiter{{.rate = p.of.rate, .warm_up = slow, .burst = p.of.burst, .name = {}},
                                           time.clock};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) { decide(limiter, t); });
    return judge(h, allowance{p.of.rate}, p.of.burst);
}

/// Smaller limits every so often. In force over a whole window or not, nothing goes beyond the largest; and what came in
/// while it was certain that a smaller one was in force does not go beyond that.
template <class Limiter, class Judge>
verdict flipped(plan const& p, window w, Judge const& judge_all)
{
    run_time time{p};
    typename Limiter::options o;
    o.limit = w.limit;
    o.window = weir::duration{w.length};
    Limiter limiter{o, time.clock};
    struct change {
        std::int64_t from, to;
        std::uint64_t limit;
    };
    std::vector<change> changes;
    auto const often = std::max<std::uint64_t>(p.decisions / p.threads / 64, 1);
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(often)) {
            auto next = o;
            next.limit = std::max<std::uint64_t>(1, o.limit / (1 + t.random.below(5)));
            auto const from = time.clock.count();
            limiter.reconfigure(next);
            changes.push_back({from, time.clock.count(), next.limit});
        }
        tell_and_wait(limiter, t);
    });
    auto v = judge_all(h, w);
    auto const decisions = v.decisions;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto const until = i + 1 < changes.size() ? changes[i + 1].from : INT64_MAX;
        history meanwhile{{}, decisions};
        for (auto const& e : h.admissions)
            if (e.from > changes[i].to && e.to < until) meanwhile.admissions.push_back(e);
        v = worse(v, judge_all(meanwhile, {changes[i].limit, w.length}));
    }
    return v;
}

/// Where a thread was held up between being told the time and deciding, its window is that of the time it was told.
verdict judge_fixed(history h, window w)
{
    for (auto& e : h.admissions) e.to = e.from;
    return judge_aligned(h, w);
}
verdict judge_sliding(history h, window w)
{
    for (auto& e : h.admissions) e.to = e.from;
    return worse(judge_aligned(h, w), judge(h, allowance{{w.limit, weir::duration{w.length}}}, w.limit));
}
verdict judge_log(history h, window w)
{
    for (auto& e : h.admissions) e.to = e.from;
    return judge_windows(h, w.length, w.limit);
}

rows const of_windows{[](std::vector<row>& all) {
    all.push_back({"fixed_window", [](plan const& p) { return fixed(p, tell_the_time); }});
    all.push_back({"fixed_window, admit and cancel", [](plan const& p) { return fixed(p, admit_and_cancel); }});
    all.push_back({"fixed_window, reserved ahead", [](plan const& p) { return fixed(p, reserve_ahead); }});
    all.push_back({"sliding_window_limiter", [](plan const& p) { return sliding(p, tell_the_time); }});
    all.push_back(
        {"sliding_window_limiter, admit and cancel", [](plan const& p) { return sliding(p, admit_and_cancel); }});
    all.push_back({"sliding_window_limiter, reserved ahead", [](plan const& p) { return sliding(p, reserve_ahead); }});
    all.push_back({"fixed_window, limit flips", [](plan const& p) {
                       return flipped<weir::basic_fixed_window<run_clock>>(p, window_of(p, 1'000'000'000), judge_fixed);
                   }});
    all.push_back({"sliding_window_limiter, limit flips", [](plan const& p) {
                       return flipped<weir::basic_sliding_window_limiter<run_clock>>(p, window_of(p, 16'000'000),
                                                                                     judge_sliding);
                   }});
    all.push_back({"sliding_window_log, limit flips", [](plan const& p) {
                       return flipped<weir::basic_sliding_window_log<run_clock>>(p, window_of(p, 20'000), judge_log);
                   }});
    all.push_back({"sliding_window_log", [](plan const& p) { return log(p, tell_the_time); }});
    all.push_back({"sliding_window_log, admit and cancel", [](plan const& p) { return log(p, admit_and_cancel); }});
    all.push_back({"sliding_window_log, reserved ahead", [](plan const& p) { return log(p, reserve_ahead); }});
    all.push_back({"sliding_window_log, everything at once", [](plan const& p) { return log(p, everything); }});
    all.push_back({"warm_up", [](plan const& p) { return warm(p, tell_the_time); }});
    all.push_back({"warm_up, admit and cancel", [](plan const& p) { return warm(p, admit_and_cancel); }});
    all.push_back({"warm_up, everything at once", [](plan const& p) { return warm(p, everything); }});
}};

}  // namespace
}  // namespace never_over
