// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>

namespace never_over {
namespace {

using token_bucket = weir::basic_token_bucket<run_clock>;
using leaky_bucket = weir::basic_leaky_bucket<run_clock>;

template <class Limiter, class Options, class Decide>
verdict one_rate(plan const& p, Options const& o, Decide const& decide)
{
    run_time time{p};
    Limiter limiter{o, time.clock};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) { decide(limiter, t); });
    return judge(h, allowance{p.of.rate}, p.of.burst);
}

/// Other rates every so often; the burst changes too, below that of the quota.
template <class Limiter, class Options, class Decide>
verdict flipped_rates(plan const& p, Options const& o, Decide const& decide)
{
    run_time time{p};
    Limiter limiter{o, time.clock};
    std::vector<flip> flips;
    auto const often = std::max<std::uint64_t>(p.decisions / p.threads / 64, 1);
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(often)) {
            auto next = o;
            next.rate = slower(o.rate, t.random);
            if (t.random.one_in(2)) next.burst = std::max<std::uint64_t>(1, o.burst - t.random.below(o.burst));
            auto const from = time.clock.count();
            limiter.reconfigure(next);
            flips.push_back({from, time.clock.count(), next.rate});
        }
        decide(limiter, t);
    });
    return judge(h, with_flips(p.of.rate, flips, h.admissions), p.of.burst);
}

rows const of_rate_limiters{[](std::vector<row>& all) {
    auto const bucket = [](plan const& p) {
        return weir::token_bucket_options{.rate = p.of.rate, .burst = p.of.burst, .name = {}};
    };
    auto const leaky = [](plan const& p, weir::duration wait) {
        return weir::leaky_bucket_options{p.of.rate, wait, p.of.burst, {}};
    };
    all.push_back({"token_bucket", [=](plan const& p) { return one_rate<token_bucket>(p, bucket(p), tell_the_time); }});
    all.push_back({"token_bucket, its own clock",
                   [=](plan const& p) { return one_rate<token_bucket>(p, bucket(p), ask_its_clock); }});
    all.push_back({"token_bucket, admit and cancel",
                   [=](plan const& p) { return one_rate<token_bucket>(p, bucket(p), admit_and_cancel); }});
    all.push_back({"token_bucket, reserved ahead",
                   [=](plan const& p) { return one_rate<token_bucket>(p, bucket(p), reserve_ahead); }});
    all.push_back({"token_bucket, everything at once",
                   [=](plan const& p) { return one_rate<token_bucket>(p, bucket(p), everything); }});
    all.push_back({"token_bucket, rate flips",
                   [=](plan const& p) { return flipped_rates<token_bucket>(p, bucket(p), tell_and_wait); }});
    all.push_back({"token_bucket, its own clock, rate flips",
                   [=](plan const& p) { return flipped_rates<token_bucket>(p, bucket(p), ask_its_clock); }});
    all.push_back(
        {"leaky_bucket, meter", [=](plan const& p) { return one_rate<leaky_bucket>(p, leaky(p, {}), tell_the_time); }});
    all.push_back({"leaky_bucket, shaper", [=](plan const& p) {
                       return one_rate<leaky_bucket>(p, leaky(p, std::chrono::milliseconds{3}), reserve_ahead);
                   }});
    all.push_back({"leaky_bucket, rate flips",
                   [=](plan const& p) { return flipped_rates<leaky_bucket>(p, leaky(p, {}), tell_and_wait); }});
    all.push_back({"warm_up, rate flips", [](plan const& p) {
                       auto const earn = int128{4 * p.of.burst} * p.of.rate.per.count() / p.of.rate.permits;
                       auto const slow = static_cast<std::int64_t>(std::min(earn, int128{86'400'000'000'000}));
                       weir::warm_up_options const o{
                           .rate = p.of.rate, .warm_up = weir::duration{slow}, .burst = p.of.burst, .name = {}};
                       return flipped_rates<weir::basic_warm_up<run_clock>>(p, o, tell_and_wait);
                   }});
}};

}  // namespace
}  // namespace never_over
