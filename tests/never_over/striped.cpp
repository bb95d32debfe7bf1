// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/striped_token_bucket.hpp>

#include <optional>

namespace never_over {
namespace {

using striped = weir::basic_striped_token_bucket<run_clock>;

weir::striped_token_bucket_options options_of(plan const& p)
{
    return {.rate = p.of.rate, .burst = p.of.burst, .stripes = 4, .handles = 3, .name = {}};
}

template <class Decide>
verdict stripes(plan const& p, Decide const& decide)
{
    run_time time{p};
    auto o = options_of(p);
    o.handles = 0;
    striped limiter{o, time.clock};
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) { decide(limiter, t); });
    return judge(h, allowance{p.of.rate}, p.of.burst);
}

/// Half of the threads through handles, of which there is room for three; they come and go with what they hold.
verdict handles(plan const& p)
{
    run_time time{p};
    striped limiter{options_of(p), time.clock};
    std::vector<std::optional<striped::handle_type>> of_thread(p.threads);
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        auto& handle = of_thread[t.thread];
        if (t.thread % 2 == 1) {
            ask_its_clock(limiter, t);
        } else if (!handle) {
            handle.emplace(limiter.handle());
        } else if (t.random.one_in(2000)) {
            handle.reset();
        } else {
            ask_its_clock(*handle, t);
        }
    });
    of_thread.clear();
    return judge(h, allowance{p.of.rate}, p.of.burst);
}

/// Slower rates and smaller bursts every so often, which leave room for what the handles hold.
verdict flips(plan const& p)
{
    run_time time{p};
    auto o = options_of(p);
    o.handles = 0;
    striped limiter{o, time.clock};
    std::vector<flip> changes;
    auto const often = std::max<std::uint64_t>(p.decisions / p.threads / 64, 1);
    auto const h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        if (t.thread == 0 && t.random.one_in(often)) {
            auto next = o;
            next.rate = slower(o.rate, t.random);
            if (t.random.one_in(2)) next.burst = std::max<std::uint64_t>(1, o.burst - t.random.below(o.burst));
            auto const from = time.clock.count();
            limiter.reconfigure(next);
            changes.push_back({from, time.clock.count(), next.rate});
        }
        ask_its_clock(limiter, t);
    });
    return judge(h, with_flips(p.of.rate, changes, h.admissions), p.of.burst);
}

rows const of_striped{[](std::vector<row>& all) {
    using namespace std::chrono_literals;
    std::vector<quota> const quotas{{{1'000, 1s}, 10},          {{50'000, 1s}, 500},         {{1'000'000, 1s}, 1'000},
                                    {{2'000'000, 1s}, 20'000},  {{5'000'000, 1s}, 100},      {{7'000'000, 3s}, 300},
                                    {{999'999'937, 1s}, 4'000}, {{1'000'000'000, 1s}, 1'000}};
    all.push_back({"striped_token_bucket", [](plan const& p) { return stripes(p, ask_its_clock); }, 64, quotas});
    all.push_back(
        {"striped_token_bucket, told the time", [](plan const& p) { return stripes(p, tell_and_wait); }, 64, quotas});
    all.push_back(
        {"striped_token_bucket, everything at once", [](plan const& p) { return stripes(p, everything); }, 64, quotas});
    all.push_back({"striped_token_bucket, handles", handles, 64, quotas});
    all.push_back({"striped_token_bucket, rate flips", flips, 64, quotas});
}};

}  // namespace
}  // namespace never_over
