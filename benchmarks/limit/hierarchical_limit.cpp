// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Three limits that all have to admit, beside the same three asked one after the other, which would charge the first
// two for a call that the third refuses. `now` is given: it is read once for all of them.

#include "../support/limiters.hpp"

#include <weir/limit/hierarchical_limit.hpp>
#include <weir/limit/token_bucket.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using bench::contender;

struct levels {
    alignas(64) weir::token_bucket tenant{{.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}};
    alignas(64) weir::token_bucket plan{{.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}};
    alignas(64) weir::token_bucket service{{.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}};
};

/// `decide(levels, now)`: admitted?
template <class Decide>
contender of_three(std::string name, bool expected, Decide decide)
{
    auto const own = std::make_shared<std::unique_ptr<levels>>();
    auto const begin = [own, expected](unsigned) {
        *own = std::make_unique<levels>();
        if (!expected) (*own)->service.reconfigure({.rate = weir::per_day(1), .burst = 0}, weir::time_point(1h));
    };
    auto const body = [own, expected, decide](unsigned, unsigned n) {
        auto& l = **own;
        bench::passing_time now;
        bool good = true;
        for (unsigned i = 0; i < n; ++i) good &= decide(l, now()) == expected;
        return good;
    };
    return {std::move(name), body, begin};
}

bool all_or_none(levels& l, weir::time_point now)
{
    weir::hierarchical_limit limits(l.tenant, l.plan, l.service);
    auto a = limits.admit(now);
    if (a) a->record(weir::outcome::success(), now);
    return static_cast<bool>(a);
}

bool one_by_one(levels& l, weir::time_point now)
{
    return l.tenant.try_acquire(1, now) && l.plan.try_acquire(1, now) && l.service.try_acquire(1, now);
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("hierarchical_limit", argc, argv);
    constexpr auto floor = "three token_buckets, one by one: allow";
    bench::by_threads(
        r,
        [&] {
            return std::vector{of_three(floor, true, one_by_one),
                               of_three("hierarchical_limit: allow", true, all_or_none),
                               of_three("hierarchical_limit: deny by the last", false, all_or_none)};
        },
        floor);
    return r.finish();
}
