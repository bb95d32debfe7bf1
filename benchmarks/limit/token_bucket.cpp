// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a rate limit adds to a call: to admit, to refuse, and at the boundary where it does both; with each clock, and where
// the caller has read the clock already.

#include "../support/floors.hpp"
#include "../support/report.hpp"

#include <weir/core/coarse_clock.hpp>
#include <weir/core/ticker.hpp>
#include <weir/core/tsc_clock.hpp>
#include <weir/limit/token_bucket.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using namespace std::chrono_literals;
using bench::contender;
using bench::each;
using bench::keep;
using weir::token_bucket_options;

constexpr std::uint64_t billion = 1'000'000'000;

/// A thousand million permits on hand and per second: it does not run dry in a window. For one that does, the demand is
/// above the limit: some pass, some do not.
token_bucket_options plenty() { return {.rate = weir::per_second(billion), .burst = billion}; }
token_bucket_options none() { return {.rate = weir::per_day(1), .burst = 1}; }
token_bucket_options tight() { return {.rate = weir::per_second(5'000'000), .burst = 100}; }

/// A limiter on a line of its own, made anew for each window.
template <class Bucket>
struct fresh {
    alignas(64) std::optional<Bucket> bucket;
};

template <class Clock>
contender with(std::string name, token_bucket_options const& o, std::optional<bool> expected)
{
    using bucket = weir::basic_token_bucket<Clock>;
    auto const own = std::make_shared<fresh<bucket>>();
    auto const begin = [own, o, expected](unsigned) {
        own->bucket.emplace(o);
        if (expected == false) {
            while (own->bucket->try_acquire()) {}
        }
    };
    auto const body = [own, expected](unsigned, unsigned n) {
        auto& b = *own->bucket;
        if (!expected) {
            for (unsigned i = 0; i < n; ++i) keep(b.try_acquire());
            return true;
        }
        bool good = true;
        for (unsigned i = 0; i < n; ++i) good &= b.try_acquire() == *expected;
        return good;
    };
    return {std::move(name), body, begin};
}

/// The clock left out: a pipeline reads it once for all its gates.
contender with_now(std::string name, token_bucket_options const& o, bool expected)
{
    auto const own = std::make_shared<fresh<weir::token_bucket>>();
    auto const begin = [own, o, expected](unsigned) {
        own->bucket.emplace(o);
        while (!expected && own->bucket->try_acquire(1, weir::time_point(1h))) {}
    };
    auto const body = [own, expected](unsigned, unsigned n) {
        auto& b = *own->bucket;
        auto now = weir::time_point(1h);
        bool good = true;
        for (unsigned i = 0; i < n; ++i) good &= b.try_acquire(1, expected ? now += 4ns : now) == expected;
        return good;
    };
    return {std::move(name), body, begin};
}

contender with_token()
{
    auto const own = std::make_shared<fresh<weir::token_bucket>>();
    return {"token_bucket: admit(now) and record",
            [own](unsigned, unsigned n) {
                bool good = true;
                auto now = weir::time_point(1h);
                for (unsigned i = 0; i < n; ++i) {
                    auto a = own->bucket->admit(now += 4ns);
                    good &= static_cast<bool>(a);
                    if (a) [[likely]]
                        a->record(weir::outcome::success(), now);
                }
                return good;
            },
            [own](unsigned) { own->bucket.emplace(plenty()); }};
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
    auto const by_threads = [&](auto const& make, char const* floor) {
        bench::table const* first = nullptr;
        for (auto const n : r.thread_counts()) {
            auto const& t = r.run(make(), n, floor);
            if (first == nullptr) first = &t;
        }
        return first;
    };

    auto const* allow = by_threads(
        [] {
            return std::vector<contender>{
                floors::xadd(),
                floors::cas(),
                floors::steady_now(),
                floors::tsc_now(),
                with<weir::steady_clock>("token_bucket: allow", plenty(), true),
                with<weir::tsc_clock>("token_bucket<tsc_clock>: allow", plenty(), true),
                with<weir::coarse_clock>("token_bucket<coarse_clock>: allow", plenty(), true),
                with<weir::ticker>("token_bucket<ticker>: allow", plenty(), true),
                with_now("token_bucket: allow, now given", plenty(), true),
                with_token(),
            };
        },
        floors::own_xadd);
    r.judge({.name = "token_bucket allow / lock xadd on an own line",
             .value = allow->ratio("token_bucket: allow", floors::own_xadd),
             .limit = 1.25,
             .moonshot = "handle <= 0.4"});
    r.judge({.name = "token_bucket allow / steady_clock::now",
             .value = allow->ratio("token_bucket: allow", floors::steady),
             .limit = 0.12,
             .moonshot = "0.034"});

    auto const* deny = by_threads(
        [] {
            return std::vector<contender>{
                floors::read_counter(),
                floors::tsc_now(),
                with<weir::tsc_clock>("token_bucket<tsc_clock>: deny", none(), false),
                with<weir::steady_clock>("token_bucket: deny", none(), false),
                with<weir::coarse_clock>("token_bucket<coarse_clock>: deny", none(), false),
                with<weir::ticker>("token_bucket<ticker>: deny", none(), false),
                with_now("token_bucket: deny, now given", none(), false),
            };
        },
        floors::counter);
    r.judge({.name = "token_bucket<tsc_clock> deny / rdtsc",
             .value = deny->ratio("token_bucket<tsc_clock>: deny", floors::counter),
             .limit = 1.05,
             .moonshot = "0.15 with a ticker",
             .note = weir::tsc_clock::trusted() ? "" : "the counter is not trusted here: this is steady_clock"});
    auto const still = refuses_without_writing();
    r.judge({.name = "deny: writes to memory that threads share",
             .value = still ? std::optional(*still ? 0.0 : 1.0) : std::nullopt,
             .limit = 0,
             .note = still ? "its page is read-only" : "shown on Linux only"});

    by_threads(
        [] {
            return std::vector<contender>{
                floors::read_counter(),
                with<weir::tsc_clock>("token_bucket<tsc_clock>: at the boundary", tight(), std::nullopt),
                with<weir::steady_clock>("token_bucket: at the boundary", tight(), std::nullopt),
            };
        },
        floors::counter);

    // How fast a limit is asked makes a difference: the higher, the more permits come with one reading of the clock.
    for (std::uint64_t rate = 1'000; rate <= billion; rate *= 10) {
        auto const o = token_bucket_options{.rate = weir::per_second(rate), .burst = billion};
        auto const at = " at " + std::to_string(rate) + "/s";
        auto const tsc = "token_bucket<tsc_clock>: allow" + at, steady = "token_bucket: allow" + at;
        auto const& t =
            r.run({floors::xadd(), with<weir::tsc_clock>(tsc, o, true), with<weir::steady_clock>(steady, o, true)}, 1,
                  floors::own_xadd);
        r.point("rate", "steady_clock", static_cast<double>(rate), t.ns(steady));
        r.point("rate", "tsc_clock", static_cast<double>(rate), t.ns(tsc));
    }
    return r.finish();
}
