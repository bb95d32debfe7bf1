// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/rate.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace never_over {

__extension__ using int128 = __int128;

/// One admission: n permits, given at some instant of [from, to], in nanoseconds of the clock of the run. Where the
/// limiter is told the time and promises its bound in terms of it, both are that time.
struct admitted {
    std::int64_t from;
    std::int64_t to;
    std::uint32_t n;
    std::uint32_t key = 0;
};

/// How much a limiter may have earned up to an instant, in parts of a permit, exactly: so many parts per nanosecond,
/// another number of them from each flip on. One permit is `permit` parts.
class allowance {
public:
    explicit allowance(weir::rate r) : permit(r.per.count()), flips_{{INT64_MIN / 2, 0, as_parts(r)}} {}

    /// From `t` on the rate is `r`, of the same `per`.
    void change(std::int64_t t, weir::rate r)
    {
        t = std::max(t, flips_.back().at);
        flips_.push_back({t, at(t), as_parts(r)});
    }

    [[nodiscard]] int128 at(std::int64_t t) const
    {
        auto const* f = &flips_.back();
        if (flips_.size() > 1)
            f = &*std::prev(std::upper_bound(flips_.begin(), flips_.end(), t,
                                             [](std::int64_t when, since const& c) { return when < c.at; }));
        return f->sum + (int128{t} - f->at) * f->parts;
    }

    std::int64_t permit;

private:
    struct since {
        std::int64_t at;
        int128 sum;
        std::int64_t parts;
    };

    static std::int64_t as_parts(weir::rate r) { return static_cast<std::int64_t>(r.permits); }

    std::vector<since> flips_;
};

/// The rate became `to_rate` at some instant of [from, to].
struct flip {
    std::int64_t from;
    std::int64_t to;
    weir::rate to_rate;
};

/// Where it is not known which of two rates was in force, the faster counts. That begins with the first caller who was
/// told a time before the change and was admitted after it: its own time is judged by the new rate.
inline allowance with_flips(weir::rate first, std::vector<flip> const& flips, std::vector<admitted> const& events)
{
    allowance a{first};
    auto before = first;
    for (auto const& f : flips) {
        auto t = f.to;
        if (f.to_rate.permits > before.permits) {
            t = f.from;
            for (auto const& e : events)
                if (e.to >= f.from) t = std::min(t, e.from);
        }
        a.change(t, f.to_rate);
        before = f.to_rate;
    }
    return a;
}

/// The interval with the largest `admitted - earned`: no limiter with this burst has been over when that is at most the
/// burst, and then the same is true of every other interval.
struct worst {
    int128 excess = 0;  ///< in parts of a permit
    int128 earned = 0;  ///< in that interval
    std::int64_t from = 0;
    std::int64_t to = 0;

    /// What was admitted, as a share of what may be.
    [[nodiscard]] double share(int128 burst) const
    {
        return earned + burst == 0 ? 0 : static_cast<double>(excess + earned) / static_cast<double>(earned + burst);
    }
};

/// Examines every interval [s, t] against the admissions that certainly lie inside (s <= from, to <= t). Exact, and
/// O(n log n) for the O(n^2) intervals: with f(s) = earned(s) + admitted since s, an admission raises f on a prefix of
/// the starts, so a later start that is not ahead of an earlier one never will be, and is forgotten. What is left
/// increases with s; only the differences are kept, and an admission shrinks the one behind its prefix.
inline worst worst_interval(std::vector<admitted> events, allowance const& a)
{
    worst w;
    if (events.empty()) return w;
    std::vector<std::int64_t> starts;
    starts.reserve(events.size());
    for (auto const& e : events) starts.push_back(e.from);
    std::sort(starts.begin(), starts.end());
    starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
    auto const count = starts.size();
    std::sort(events.begin(), events.end(), [](admitted const& x, admitted const& y) { return x.to < y.to; });

    std::vector<int128> ahead(count);          // of the start kept before it
    std::vector<std::uint32_t> kept(count);    // itself, or one to the left of it: towards the last one kept
    std::vector<std::uint32_t> behind(count);  // the next one kept
    auto const none = static_cast<std::uint32_t>(count);
    auto const base = a.at(starts[0]);
    auto const last_kept = [&](std::uint32_t i) {
        while (kept[i] != i) i = kept[i] = kept[kept[i]];
        return i;
    };

    std::uint32_t begun = 0;  // starts so far
    std::uint32_t last = 0;   // the last one kept; its f is `most`
    int128 most = 0;
    for (auto const& e : events) {
        for (; begun < count && starts[begun] <= e.to; ++begun) {
            auto const f = a.at(starts[begun]) - base;
            behind[begun] = none;
            if (begun == 0 || f > most) {
                if (begun != 0) behind[last] = begun;
                kept[begun] = begun;
                ahead[begun] = f - most;
                most = f;
                last = begun;
            } else {
                kept[begun] = begun - 1;
            }
        }
        auto const position = std::lower_bound(starts.begin(), starts.end(), e.from) - starts.begin();
        auto const here = last_kept(static_cast<std::uint32_t>(position));
        auto gain = int128{e.n} * a.permit;
        auto next = behind[here];
        while (next != none && gain >= ahead[next]) {
            gain -= ahead[next];
            kept[next] = here;
            next = behind[next];
        }
        behind[here] = next;
        if (next != none) {
            ahead[next] -= gain;
        } else {
            most += gain;
            last = here;
        }
        auto const until = a.at(e.to) - base;
        if (most - until > w.excess) w = {most - until, until - (a.at(starts[last]) - base), starts[last], e.to};
    }
    return w;
}

/// For limiters that promise at most `limit` in every window of this length: the fullest window. Exact: an admission
/// counts for the windows [s, s + length) that it certainly lies inside.
inline std::uint64_t fullest_window(std::vector<admitted> events, std::int64_t length)
{
    // Windows that begin with some `from` are enough; of the admissions from there on, those that end inside. Both ends
    // move forward; what began before the window is taken out by its rank.
    std::sort(events.begin(), events.end(), [](admitted const& x, admitted const& y) { return x.from < y.from; });
    std::vector<std::pair<std::int64_t, std::size_t>> ends;  // to, rank by from
    ends.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) ends.emplace_back(events[i].to, i);
    std::sort(ends.begin(), ends.end());
    std::vector<bool> inside(events.size());
    std::uint64_t now = 0;
    std::uint64_t most = 0;
    std::size_t end = 0;
    for (std::size_t first = 0; first < events.size();) {
        auto const s = events[first].from;
        for (; end < ends.size() && ends[end].first - s < length; ++end)
            if (ends[end].second >= first) {
                inside[ends[end].second] = true;
                now += events[ends[end].second].n;
            }
        most = std::max(most, now);
        for (; first < events.size() && events[first].from == s; ++first)
            if (inside[first]) now -= events[first].n;
    }
    return most;
}

}  // namespace never_over
