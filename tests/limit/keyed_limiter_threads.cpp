// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/keyed_limiter.hpp>

#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::compact_keys;
using weir::exact_keys;
using weir::keyed_limiter;
using weir::time_point;
using weir::test::together;

namespace {

__extension__ using int128 = __int128;

constexpr time_point start{1'000'000s};

/// The most that any window holds beyond rate * t, in permits * per: max over j <= k of (k - j + 1) * per - permits *
/// (t_k - t_j), with a running minimum.
int128 worst_window(std::vector<time_point> all, weir::rate r)
{
    std::sort(all.begin(), all.end());
    int128 worst = 0, lowest = 0, sum = 0;
    for (auto const t : all) {
        auto const refilled = static_cast<int128>(t.time_since_epoch().count()) * static_cast<int128>(r.permits);
        lowest = sum == 0 ? -refilled : std::min(lowest, sum * r.per.count() - refilled);
        worst = std::max(worst, ++sum * r.per.count() - refilled - lowest);
    }
    return worst;
}

/// What a window may hold: the burst, and for compact keys one step of the clock.
template <class Policy>
int128 allowed(weir::keyed_quota const& q)
{
    auto const step = std::is_same_v<Policy, compact_keys> ? int128{q.rate.per.count()} / 128 + 1 : 0;
    return static_cast<int128>(q.burst) * q.rate.per.count() + step;
}

}  // namespace

#define BOTH exact_keys, compact_keys

TEST_CASE_TEMPLATE("keyed_limiter: no key is admitted too often while slots change hands between threads", Policy, BOTH)
{
    // 20000 keys on 4096 slots, out of debt after 60 us, so that slots are taken over all the time. Some callers ask
    // with a reading that is old by then.
    constexpr std::uint64_t keys = 20'000;
    weir::keyed_quota const quota{weir::per_second(50'000), 3};
    constexpr auto slots = std::is_same_v<Policy, compact_keys> ? 4096 * 0.8 : 4096 * 2.0 / 3;
    for (int threads : {2, 8}) {
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {quota}, .capacity = static_cast<std::size_t>(slots)}};
        std::vector<std::vector<std::pair<std::uint64_t, time_point>>> logs(static_cast<std::size_t>(threads));
        std::atomic<std::uint64_t> held_up{0};
        together(threads, [&](int t) {
            std::mt19937_64 random{static_cast<std::uint64_t>(t) + 1};
            auto& log = logs[static_cast<std::size_t>(t)];
            for (int i = 0; i < 200'000 / threads; ++i) {
                auto const now = weir::steady_clock::now();
                // All threads walk over the keys together, and ask for the same few at a time.
                auto const base = static_cast<std::uint64_t>(now.time_since_epoch() / 20us) * 7919;
                auto const key = (base + random() % 24) % keys;
                if (random() % 64 == 0) std::this_thread::yield();
                if (l.try_acquire(key, 1, now)) log.push_back({key, now});
                held_up += weir::steady_clock::now() - now > 500us ? 1 : 0;
            }
        });
        std::vector<std::vector<time_point>> by_key(keys);
        std::size_t all = 0;
        for (auto const& log : logs)
            for (auto const& [key, at] : log) by_key[key].push_back(at), ++all;
        CHECK(all > 1000);
        // There is room. Only to one who was held up with his reading do the keys that came since all look alive.
        CHECK(l.forced_evictions() <= held_up);
        int128 worst = 0;
        for (auto& log : by_key) worst = std::max(worst, worst_window(std::move(log), quota.rate));
        CHECK(worst <= allowed<Policy>(quota));
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: threads that bring in the same keys at once admit each exactly burst times", Policy,
                   BOTH)
{
    constexpr std::uint64_t keys = 2000;
    constexpr int threads = 4;
    for (int round = 0; round < 5; ++round) {
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_hour(1), 7}}, .capacity = 2 * keys}};
        std::vector<std::atomic<int>> admitted(keys);
        together(threads, [&](int) {
            for (int i = 0; i < 4; ++i)
                for (std::uint64_t k = 0; k < keys; ++k)
                    if (l.try_acquire(k, 1, start)) ++admitted[k];
        });
        REQUIRE(l.forced_evictions() == 0);
        // Compact keys may share a limiter, one in a million.
        auto const wrong = std::count_if(admitted.begin(), admitted.end(), [](auto const& a) { return a != 7; });
        CHECK(wrong <= (std::is_same_v<Policy, compact_keys> ? 2 : 0));
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: a change of rate under load admits the permits of both rates at most", Policy, BOTH)
{
    weir::keyed_quota const slow{weir::per_second(20'000), 4}, fast{weir::per_second(100'000), 4};
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {fast}, .capacity = 100}};
    std::atomic<bool> done{false};
    std::vector<std::vector<time_point>> logs(4);
    weir::duration longest{};  // from the time that a change was told until it was made: it counts at the new rate
    {
        std::jthread const flips{[&] {
            for (bool f = false; !done; f = !f) {
                auto const told = weir::steady_clock::now();
                l.reconfigure({.quotas = {f ? fast : slow}}, told);
                longest = std::max(longest, weir::steady_clock::now() - told);
                std::this_thread::yield();
            }
        }};
        together(4, [&](int t) {
            for (int i = 0; i < 50'000; ++i) {
                auto const now = weir::steady_clock::now();
                if (i % 16 == t) std::this_thread::yield();
                if (l.try_acquire(1, 1, now)) logs[static_cast<std::size_t>(t)].push_back(now);
            }
        });
        done = true;
    }
    std::vector<time_point> all;
    for (auto const& log : logs) all.insert(all.end(), log.begin(), log.end());
    CHECK(all.size() > 10);
    auto const late = int128{longest.count()} * static_cast<int128>(fast.rate.permits - slow.rate.permits);
    CHECK(worst_window(all, fast.rate) <= allowed<Policy>(fast) + late);
}
