// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One limit that all threads meet: how it scales, beside the bucket of one word, and what the threads notice of each
// other when each has work of its own between two decisions. A tight loop flatters one shared line, because one core
// keeps it for a run of operations; work between them does not.

#include "../support/limiters.hpp"

#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using bench::contender;
using weir::striped_token_bucket;
using options = weir::striped_token_bucket_options;

options plenty() { return {.rate = weir::per_second(1'000'000'000), .burst = 1'000'000'000}; }
options tight() { return {.rate = weir::per_second(5'000'000), .burst = 10'000}; }
options none() { return {.rate = weir::per_day(1), .burst = 1}; }

/// Each thread with a handle of its own, as an event loop would have.
contender by_handle(std::string name)
{
    struct all {
        std::optional<striped_token_bucket> bucket;
        std::vector<striped_token_bucket::handle_type> handles;
    };
    auto const own = std::make_shared<all>();
    auto const begin = [own](unsigned threads) {
        own->handles.clear();
        auto o = plenty();
        o.handles = threads;
        own->bucket.emplace(o);
        for (unsigned i = 0; i < threads; ++i) own->handles.push_back(own->bucket->handle());
    };
    auto const body = [own](unsigned thread, unsigned n) {
        auto& h = own->handles[thread];
        bool good = true;
        for (unsigned i = 0; i < n; ++i) {
            good &= h.try_acquire();
            asm volatile("" : : : "memory");  // each of them a decision, and not a subtraction of n
        }
        return good;
    };
    return {std::move(name), body, begin};
}

contender work_alone()
{
    return {"work alone", bench::each([](unsigned thread) {
                bench::floors::private_work(thread);
                return true;
            })};
}

template <class Bucket>
contender after_work(std::string name, typename Bucket::options o)
{
    auto const own = std::make_shared<bench::fresh<Bucket>>();
    return {std::move(name),
            [own](unsigned thread, unsigned n) {
                bool good = true;
                for (unsigned i = 0; i < n; ++i) {
                    bench::floors::private_work(thread);
                    good &= own->limiter->try_acquire();
                }
                return good;
            },
            [own, o = std::move(o)](unsigned) { own->make(o); }};
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("striped_token_bucket", argc, argv);
    constexpr auto striped = "striped_token_bucket: allow", handle = "striped_token_bucket::handle: allow";
    constexpr auto one_word = "token_bucket: allow";
    auto const allow = [&] {
        return std::vector<contender>{
            bench::floors::xadd(), bench::floors::xadd_shared(),
            bench::decide<striped_token_bucket>(striped, plenty(), true), by_handle(handle),
            bench::decide<weir::token_bucket>(one_word, {.rate = plenty().rate, .burst = plenty().burst}, true)};
    };
    bench::table const* one = nullptr;
    bench::table const* two = nullptr;
    for (auto const n : r.thread_counts()) {
        auto const& t = r.run(allow(), n, bench::floors::own_xadd);
        r.point("threads", "striped", n, t.per_second(striped) / 1e6);
        r.point("threads", "striped, handles", n, t.per_second(handle) / 1e6);
        if (n == 1) one = &t;
        if (n == 2) two = &t;
    }
    auto const scaling = [&](char const* name) {
        return bench::in_one_turn((*two)[name].per_second, (*one)[name].per_second,
                                  [](double a, double b) { return a / b; });
    };
    bool const has_two = r.has_two() && two != nullptr;
    char note[96];
    std::snprintf(note, sizeof note, "handle / lock xadd on an own line: %.2f",
                  one->ratio(handle, bench::floors::own_xadd));
    r.judge({.name = "striped_token_bucket allow, 2 threads / 1 thread, throughput",
             .value = has_two ? std::optional(scaling(striped)) : std::nullopt,
             .limit = 1.5,
             .at_most = false,
             .moonshot = "1.9",
             .note = has_two ? note : bench::report::not_two});

    std::vector<double> added;
    for (auto const n : r.thread_counts()) {
        constexpr auto work = "work alone", with = "work, then striped_token_bucket: allow";
        auto const& t = r.run({work_alone(), after_work<striped_token_bucket>(with, plenty()),
                               after_work<weir::token_bucket>("work, then token_bucket: allow",
                                                              {.rate = plenty().rate, .burst = plenty().burst})},
                              n, work);
        if (n <= 2) added.push_back(t.over(with, work));
    }
    if (has_two && added.size() == 2)
        std::snprintf(note, sizeof note,
                      "a decision adds %.1f ns to the work of one thread, %.1f ns to that of each of two", added[0],
                      added[1]);
    r.judge({.name = "striped_token_bucket, what a second thread adds to it, with work between",
             .value = has_two && added.size() == 2 ? std::optional(added[1] - added[0]) : std::nullopt,
             .limit = 3,
             .unit = "ns",
             .moonshot = "1 ns",
             .note = has_two ? note : bench::report::not_two});

    bench::by_threads(
        r,
        [] {
            return std::vector<contender>{
                bench::floors::read_counter(),
                bench::decide<striped_token_bucket>("striped_token_bucket: deny", none(), false),
                bench::decide<striped_token_bucket>("striped_token_bucket: at the boundary", tight(), std::nullopt),
                bench::decide<weir::token_bucket>("token_bucket: at the same boundary",
                                                  {.rate = tight().rate, .burst = tight().burst}, std::nullopt)};
        },
        bench::floors::counter);
    return r.finish();
}
