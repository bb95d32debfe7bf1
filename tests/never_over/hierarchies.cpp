// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "never_over/rows.hpp"

#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/token_bucket.hpp>

#include <array>

namespace never_over {
namespace {

using bucket = weir::basic_token_bucket<run_clock>;

/// Three tenants, each with two thirds of the rate and three quarters of the burst, and a limit for all of them: every
/// level has its bound.
template <class Decide>
verdict levels(plan const& p, Decide const& decide)
{
    run_time time{p};
    weir::rate const of_tenant{std::max<std::uint64_t>(1, p.of.rate.permits * 2 / 3), p.of.rate.per};
    auto const burst_of_tenant = std::max<std::uint64_t>(1, p.of.burst * 3 / 4);
    auto const make = [&](weir::rate rate, std::uint64_t burst) {
        return bucket{weir::token_bucket_options{.rate = rate, .burst = burst, .name = {}}, time.clock};
    };
    std::array tenants{make(of_tenant, burst_of_tenant), make(of_tenant, burst_of_tenant),
                       make(of_tenant, burst_of_tenant)};
    auto all = make(p.of.rate, p.of.burst);
    auto h = run(p, time.clock, disturb_this_thread, [&](turn const& t) {
        auto const tenant = static_cast<std::uint32_t>(t.random.below(tenants.size()));
        weir::hierarchical_limit limits(tenants[tenant], all);
        if (decide(limits, t)) t.admit_at(t.now, tenant);
    });
    auto const v = judge(h, allowance{p.of.rate}, p.of.burst);
    auto each = judge_keys(std::move(h), allowance{of_tenant}, burst_of_tenant);
    each.decisions = v.decisions;
    if (each.over || (!v.over && each.share > v.share)) return each;
    return v;
}

constexpr auto take_of_all = [](auto& limits, turn const& t) { return limits.try_acquire(t.n, t.now); };

constexpr auto take_or_cancel = [](auto& limits, turn const& t) {
    auto a = limits.admit(t.n, t.now);
    if (!a) return false;
    if (t.random.one_in(4)) {  // whether or not all levels have their share back: it is not sent
        (void)a->cancel();
        return false;
    }
    a->record(weir::outcome::success(), t.now);
    return true;
};

rows const of_hierarchies{[](std::vector<row>& all) {
    all.push_back({"hierarchical_limit", [](plan const& p) { return levels(p, take_of_all); }});
    all.push_back({"hierarchical_limit, admit and cancel", [](plan const& p) { return levels(p, take_or_cancel); }});
}};

}  // namespace
}  // namespace never_over
