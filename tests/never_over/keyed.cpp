// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/keyed_limiter.hpp>

#include <array>

namespace never_over {
namespace {

template <class Policy>
using keyed = weir::basic_keyed_limiter<std::uint64_t, Policy, run_clock>;

/// Eight keys in use at a time, others as time goes by: the table is small, so keys take over the places of those that
/// have come to rest, all the time.
struct churn {
    explicit churn(plan const& p) : start(p.real_time ? 0 : p.uptime)
    {
        auto const earn = int128{p.of.burst} * p.of.rate.per.count() / static_cast<std::int64_t>(p.of.rate.permits);
        step = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(2 * earn, int128{INT64_MAX})));
    }
    [[nodiscard]] std::uint32_t key(turn const& t) const
    {
        auto const age = static_cast<std::uint64_t>((t.now.time_since_epoch().count() - start) / step);
        return static_cast<std::uint32_t>(age * 5 + t.random.below(8));
    }
    std::int64_t start;
    std::int64_t step;
};

/// Debts are counted in fractions of a permit; a reading of the clock may be early by one of them, and one interval by
/// no more, in whatever number of changes: each rounds down, so the clock only falls back.
template <class Policy>
std::int64_t unit(plan const& p, weir::keyed_limiter_options const& o)
{
    return (p.of.rate.per.count() >> weir::detail::keyed_scale<typename Policy::bucket>::of(o)) + 1;
}

template <class Policy, class Decide>
verdict keys(plan const& p, Decide const& decide)
{
    run_time time{p};
    churn const c{p};
    weir::keyed_limiter_options const o{
        .quotas = {{p.of.rate, p.of.burst}}, .capacity = 256, .seed = p.seed, .name = {}};
    keyed<Policy> limiter{o, {}, time.clock};
    auto h = run(p, time.clock, disturb_this_thread, [&](turn const& t) { decide(limiter, c, t); });
    if (limiter.forced_evictions() != 0) return {};  // a forgotten key has its burst again: counted, not bounded
    return judge_keys(std::move(h), allowance{p.of.rate}, p.of.burst, unit<Policy>(p, o));
}

constexpr auto one_key = [](auto& limiter, churn const& c, turn const& t) {
    auto const key = c.key(t);
    if (limiter.try_acquire(key, t.n, t.now)) t.admit_at(t.now, key);
};

/// Other rates every so often, from one to five times as slow, for all keys at once.
template <class Policy>
verdict flipped_keys(plan const& p)
{
    run_time time{p};
    churn const c{p};
    weir::keyed_limiter_options const o{
        .quotas = {{p.of.rate, p.of.burst}}, .capacity = 256, .seed = p.seed, .name = {}};
    keyed<Policy> limiter{o, {}, time.clock};
    std::vector<flip> flips;
    auto const often = std::max<std::uint64_t>(p.decisions / p.threads / 64, 1);
    auto h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(often)) {
            auto next = o;
            auto& rate = next.quotas[0].rate;
            rate = slower(rate, t.random);
            auto const from = time.clock.count();
            limiter.reconfigure(next);
            flips.push_back({from, time.clock.count(), rate});
        }
        one_key(limiter, c, t);
    });
    if (limiter.forced_evictions() != 0) return {};
    // Nobody is too late for it: a time before the change is judged by the rates of then.
    return judge_keys(std::move(h), with_flips(p.of.rate, flips, {}), p.of.burst, unit<Policy>(p, o));
}

constexpr auto cancel_key = [](auto& limiter, churn const& c, turn const& t) {
    auto const key = c.key(t);
    auto a = limiter.reserve(key, t.n, weir::duration::zero(), t.now);
    if (!a || (t.random.one_in(4) && a->cancel())) return;
    a->record(weir::outcome::success(), t.now);
    t.admit_at(t.now, key);
};

constexpr auto batch_of_keys = [](auto& limiter, churn const& c, turn const& t) {
    if (!t.random.one_in(4)) return;  // four keys at once
    std::array<std::uint64_t, 4> asked{};
    std::array<bool, 4> yes{};
    for (auto& key : asked) key = c.key(t);
    limiter.try_acquire_batch(asked, yes, t.now);
    auto const now = t.now.time_since_epoch().count();
    for (std::size_t i = 0; i < asked.size(); ++i)
        if (yes[i]) t.admissions.push_back({now, now, 1, static_cast<std::uint32_t>(asked[i])});
};

constexpr auto drain_key = [](auto& limiter, churn const& c, turn const& t) {
    if (t.random.one_in(16)) {
        limiter.drain(c.key(t), t.now);
    } else {
        one_key(limiter, c, t);
    }
};

rows const of_keyed{[](std::vector<row>& all) {
    using namespace std::chrono_literals;
    using weir::compact_keys;
    using weir::exact_keys;
    std::vector<quota> const quotas{{{1, 72h}, 2},        {{10, 1s}, 1},         {{7, 3s}, 5},
                                    {{1'000, 1s}, 10},    {{50'000, 1s}, 500},   {{1'000'000, 1s}, 40},
                                    {{2'000'000, 1s}, 3}, {{999'999'937, 1s}, 7}};
    all.push_back({"keyed_limiter", [](plan const& p) { return keys<exact_keys>(p, one_key); }, 64, quotas});
    all.push_back(
        {"keyed_limiter, admit and cancel", [](plan const& p) { return keys<exact_keys>(p, cancel_key); }, 64, quotas});
    all.push_back(
        {"keyed_limiter, batches", [](plan const& p) { return keys<exact_keys>(p, batch_of_keys); }, 64, quotas});
    all.push_back({"keyed_limiter, drained", [](plan const& p) { return keys<exact_keys>(p, drain_key); }, 64, quotas});

    all.push_back({"keyed_limiter, rate flips", [](plan const& p) { return flipped_keys<exact_keys>(p); }, 64, quotas});

    // The compact one has 1/1024 of a permit, more above 10'000 per second.
    std::vector<quota> const slow{{{1, 72h}, 2}, {{10, 1s}, 1}, {{7, 3s}, 5}, {{1'000, 1s}, 10}, {{9'000, 1s}, 300}};
    all.push_back({"keyed_limiter, compact", [](plan const& p) { return keys<compact_keys>(p, one_key); }, 64, slow});
    all.push_back({"keyed_limiter, compact, admit and cancel",
                   [](plan const& p) { return keys<compact_keys>(p, cancel_key); }, 64, slow});
    all.push_back(
        {"keyed_limiter, compact, rate flips", [](plan const& p) { return flipped_keys<compact_keys>(p); }, 64, slow});
    all.push_back({"keyed_limiter, compact, batches",
                   [](plan const& p) { return keys<compact_keys>(p, batch_of_keys); }, 64, slow});
}};

}  // namespace
}  // namespace never_over
