// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a rate limit adds to a call: to admit, to refuse, and at the boundary where it does both; with each clock, and
// where the caller has read the clock already.

#include "../support/limiters.hpp"

#include <weir/core/coarse_clock.hpp>
#include <weir/core/ticker.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/token_bucket.hpp>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using bench::contender;
using weir::token_bucket_options;

constexpr std::uint64_t billion = 1'000'000'000;

/// A thousand million permits on hand and per second: it does not run dry in a window. For one that does, the demand is
/// above the limit: some pass, some do not.
token_bucket_options plenty() { return {.rate = weir::per_second(billion), .burst = billion}; }
token_bucket_options none() { return {.rate = weir::per_day(1), .burst = 1}; }
token_bucket_options tight() { return {.rate = weir::per_second(5'000'000), .burst = 100}; }

template <class Clock>
contender with(std::string name, token_bucket_options const& o, std::optional<bool> expected)
{
    return bench::decide<weir::basic_token_bucket<Clock>>(std::move(name), o, expected);
}

contender with_now(std::string name, token_bucket_options const& o, bool expected)
{
    return bench::decide_now<weir::token_bucket>(std::move(name), o, expected);
}

/// In a child process whose bucket lies on a page that it may not write to. None: not Linux.
std::optional<bool> refuses_without_writing()
{
#if defined(__linux__)
    auto const child = fork();
    if (child < 0) return std::nullopt;
    if (child == 0) {
        using bucket = weir::basic_token_bucket<weir::tsc_clock>;
        auto const size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        void* const page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) _exit(2);
        auto* const b = new (page) bucket(none());
        while (b->try_acquire()) {}
        mprotect(page, size, PROT_READ);
        bool refused = true;
        for (int i = 0; i < 10'000; ++i) refused &= !b->try_acquire();
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
#else
    return std::nullopt;
#endif
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("token_bucket", argc, argv);
    namespace floors = bench::floors;
    auto const& allow = bench::by_threads(
        r,
        [] {
            return std::vector<contender>{
                floors::xadd(),
                floors::cas(),
                floors::steady_now(),
                floors::tsc_now(),
                with<weir::steady_clock>("token_bucket<steady_clock>: allow", plenty(), true),
                bench::decide<weir::token_bucket>("token_bucket: allow", plenty(), true),
                with<weir::coarse_clock>("token_bucket<coarse_clock>: allow", plenty(), true),
                with<weir::ticker>("token_bucket<ticker>: allow", plenty(), true),
                with_now("token_bucket: allow, now given", plenty(), true),
                bench::admit_and_record<weir::token_bucket>("token_bucket: admit(now) and record", plenty()),
            };
        },
        floors::own_xadd, "token_bucket: allow", "token_bucket");
    r.judge({.name = "token_bucket allow / lock xadd on an own line",
             .value = allow.ratio("token_bucket: allow", floors::own_xadd),
             .limit = 1.25,
             .moonshot = "0.4"});
    char note[96];
    std::snprintf(note, sizeof note, "one lock xadd is %.2f here", allow.ratio(floors::own_xadd, floors::steady));
    r.judge({.name = "token_bucket allow / steady_clock::now",
             .value = allow.ratio("token_bucket: allow", floors::steady),
             .limit = 0.12,
             .moonshot = "0.034",
             .note = note});

    auto const& deny = bench::by_threads(
        r,
        [] {
            return std::vector<contender>{
                floors::read_counter(),
                floors::tsc_now(),
                bench::decide<weir::token_bucket>("token_bucket: deny", none(), false),
                with<weir::steady_clock>("token_bucket<steady_clock>: deny", none(), false),
                with<weir::coarse_clock>("token_bucket<coarse_clock>: deny", none(), false),
                with<weir::ticker>("token_bucket<ticker>: deny", none(), false),
                with_now("token_bucket: deny, now given", none(), false),
            };
        },
        floors::counter);
    std::snprintf(note, sizeof note, "tsc_clock::now alone is %.2f here",
                  deny.ratio("tsc_clock::now", floors::counter));
    r.judge({.name = "token_bucket deny / rdtsc",
             .value = deny.ratio("token_bucket: deny", floors::counter),
             .limit = 1.05,
             .moonshot = "0.15 with a ticker",
             .note = weir::tsc_clock::trusted() ? note : "the counter is not trusted here: this is steady_clock"});
    auto const still = refuses_without_writing();
    r.judge({.name = "deny: writes to memory that threads share",
             .value = still ? std::optional(*still ? 0.0 : 1.0) : std::nullopt,
             .limit = 0,
             .note = still ? "its page is read-only" : "shown on Linux only"});

    bench::by_threads(
        r,
        [] {
            return std::vector<contender>{
                floors::read_counter(),
                with<weir::tsc_clock>("token_bucket: at the boundary", tight(), std::nullopt),
                with<weir::steady_clock>("token_bucket<steady_clock>: at the boundary", tight(), std::nullopt),
            };
        },
        floors::counter);

    // How fast a limit is asked makes a difference: the higher, the more permits come with one reading of the clock.
    for (std::uint64_t rate = 1'000; rate <= billion; rate *= 10) {
        auto const o = token_bucket_options{.rate = weir::per_second(rate), .burst = billion};
        auto const at = " at " + std::to_string(rate) + "/s";
        auto const tsc = "token_bucket<tsc_clock>: allow" + at, steady = "token_bucket<steady_clock>: allow" + at;
        auto const& t =
            r.run({floors::xadd(), with<weir::tsc_clock>(tsc, o, true), with<weir::steady_clock>(steady, o, true)}, 1,
                  floors::own_xadd);
        r.point("rate", "steady_clock", static_cast<double>(rate), t.ns(steady));
        r.point("rate", "tsc_clock", static_cast<double>(rate), t.ns(tsc));
    }
    return r.finish();
}
