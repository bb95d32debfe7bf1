// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What pacing adds to a call: as a meter, which refuses, and as a shaper, which says when to send. Waiting for it is
// the driver's, with one timer.

#include "../support/limiters.hpp"

#include <weir/limit/leaky_bucket.hpp>

#include <chrono>
#include <memory>
#include <vector>

namespace {

using namespace std::chrono_literals;

bench::contender shape()
{
    using bucket = weir::leaky_bucket;
    auto const own = std::make_shared<bench::fresh<bucket>>();
    return {"leaky_bucket: reserve for later",
            [own](unsigned, unsigned n) {
                bool good = true;
                for (unsigned i = 0; i < n; ++i) {
                    auto a = own->limiter->reserve(1, 24h);
                    good &= static_cast<bool>(a);
                    if (a) [[likely]]
                        a->record(weir::outcome::success(), weir::time_point(1h));
                }
                return good;
            },
            [own](unsigned) { own->make({.rate = weir::per_second(1'000'000'000)}); }};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("leaky_bucket", argc, argv);
    bench::allow_and_deny<weir::basic_leaky_bucket>(
        r, "leaky_bucket", {.rate = weir::per_second(1'000'000'000), .max_wait = 0s, .burst = 1'000'000'000},
        {.rate = weir::per_day(1), .max_wait = 0s});
    bench::by_threads(
        r,
        [] {
            return std::vector{bench::floors::cas(), bench::floors::tsc_now(), shape()};
        },
        bench::floors::own_cas);
    return r.finish();
}
