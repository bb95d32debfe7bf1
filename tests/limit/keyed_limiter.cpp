// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/keyed_limiter.hpp>

#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;
using weir::compact_keys;
using weir::duration;
using weir::errc;
using weir::exact_keys;
using weir::keyed_limiter;
using weir::time_point;

static_assert(weir::gate<keyed_limiter<>::gate>);
static_assert(weir::gate<keyed_limiter<std::string, compact_keys>::gate>);

namespace {

__extension__ using int128 = __int128;

constexpr time_point start{1'000'000s};

struct hand_clock {
    time_point const* t;
    [[nodiscard]] time_point now() const noexcept { return *t; }
};

/// The bucket of the textbook, with nothing rounded: permits * per, as a 128-bit integer. `steps` to a permit is how
/// finely it reads the clock; 0: to the nanosecond.
class exact_bucket {
public:
    exact_bucket(weir::rate r, std::uint64_t burst, int128 steps)
        : rate_(r), steps_(steps), full_(int128(burst) * one())
    {
    }

    bool take(std::uint64_t n, duration now)
    {
        auto const tat = std::max(tat_, at(now)) + static_cast<int128>(n) * one();
        if (tat - at(now) > full_) return false;
        tat_ = tat;
        return true;
    }
    [[nodiscard]] std::uint64_t available(duration now) const
    {
        return static_cast<std::uint64_t>((full_ - std::max<int128>(tat_ - at(now), 0)) / one());
    }

private:
    [[nodiscard]] int128 one() const { return steps_ != 0 ? steps_ : int128{rate_.per.count()}; }
    [[nodiscard]] int128 at(duration now) const
    {
        auto const permits = static_cast<int128>(now.count()) * static_cast<int128>(rate_.permits);
        return steps_ != 0 ? permits * steps_ / rate_.per.count() : permits;
    }

    weir::rate rate_;
    int128 steps_;
    int128 full_;
    int128 tat_ = 0;
};

struct admitted {
    time_point before, after;
};

/// The most that any window holds beyond rate * t, in permits * per. An admission lies somewhere in [before, after], as
/// its own thread read the clock; a window counts those that lie in it entirely.
int128 worst_window(std::vector<admitted> const& all, weir::rate r)
{
    auto by_start = all;
    std::sort(by_start.begin(), by_start.end(), [](auto const& a, auto const& b) { return a.before < b.before; });
    int128 worst = 0;
    for (auto const& first : by_start) {
        // Few admissions per key: all windows, one by one.
        std::vector<time_point> ends;
        for (auto const& a : by_start)
            if (a.before >= first.before) ends.push_back(a.after);
        std::sort(ends.begin(), ends.end());
        for (std::size_t i = 0; i < ends.size(); ++i)
            worst = std::max(
                worst, static_cast<int128>(i + 1) * r.per.count() -
                           static_cast<int128>((ends[i] - first.before).count()) * static_cast<int128>(r.permits));
    }
    return worst;
}

template <class Body>
void together(int n, Body body)
{
    std::barrier gate{n};
    std::vector<std::jthread> threads;
    for (int i = 0; i < n; ++i)
        threads.emplace_back([&, i] {
            gate.arrive_and_wait();
            body(i);
        });
}

template <class Policy>
constexpr int128 steps = std::is_same_v<Policy, compact_keys> ? 1024 : 0;

}  // namespace

#define BOTH exact_keys, compact_keys

TEST_CASE_TEMPLATE("keyed_limiter: every key starts full, then is admitted at the rate", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 100, .seed = 1}};
    for (std::uint64_t key : {0u, 1u, 2u}) {
        for (int i = 0; i < 3; ++i) CHECK(l.try_acquire(key, 1, start));
        CHECK_FALSE(l.try_acquire(key, 1, start));
    }
    for (std::uint64_t key : {0u, 1u, 2u}) {
        CHECK_FALSE(l.try_acquire(key, 1, start + 100ms - 1ns));
        CHECK(l.try_acquire(key, 1, start + 100ms));
        CHECK_FALSE(l.try_acquire(key, 1, start + 100ms));
    }
    CHECK(l.forced_evictions() == 0);
}

TEST_CASE_TEMPLATE("keyed_limiter: a million random decisions are those of an exact bucket per key", Policy, BOTH)
{
    struct shape {
        weir::keyed_quota quota;
        duration longest;
    };
    // Rates whose permits come on whole nanoseconds or not, slow and fast, with pauses from none to years.
    shape const shapes[] = {{{weir::per_second(10), 10}, 300ms},
                            {{weir::per_second(7), 3}, 500ms},
                            {{{999, 1s}, 50}, 10ms},
                            {{{1, 72h}, 2}, 100h},
                            {{{1, 365 * 24h}, 5}, 5000h},
                            {{{1'000'003, 97min}, 20}, 100ms},
                            {{weir::per_second(1000), 1}, 3ms},
                            {{weir::per_second(10'000), 100}, 200us},
                            {{weir::per_minute(1), 1'000}, 6h}};
    std::mt19937_64 random{42};
    for (auto const& s : shapes) {
        std::vector<exact_bucket> oracle(7, {s.quota.rate, s.quota.burst, steps<Policy>});
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {s.quota}, .capacity = 50, .seed = 7}};
        duration now = 0s;
        auto const zero = time_point{10h};
        (void)l.available(0, zero);  // the steps of compact keys are counted from the first question
        std::uint64_t differ = 0;
        for (int i = 0; i < 110'000; ++i) {
            auto const dice = random() % 100;
            if (dice < 30)
                now += duration{static_cast<duration::rep>(random() % static_cast<std::uint64_t>(s.longest.count()))};
            else if (dice == 31)
                now += 100 * s.longest;
            else if (dice == 32 && i % 100 == 0)
                now += 20'000 * s.longest;
            else if (dice < 40)
                now += duration{static_cast<duration::rep>(random() % 3)};
            if (now > 200 * 365 * 24h) break;
            auto const key = random() % oracle.size();
            auto const n = 1 + (dice < 90 ? 0 : random() % (s.quota.burst + 1));
            bool const expected = oracle[key].take(n, now);
            differ += l.try_acquire(key, n, zero + now) != expected ? 1 : 0;
            if (dice % 10 == 0) differ += l.available(key, zero + now) != oracle[key].available(now) ? 1 : 0;
        }
        CAPTURE(s.quota.rate.permits);
        CAPTURE(s.quota.rate.per.count());
        CHECK(differ == 0);
        CHECK(l.forced_evictions() == 0);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: no key is admitted too often while slots change hands between threads", Policy, BOTH)
{
    // 20000 keys on 4096 slots, out of debt after 60 us, so that slots are taken over all the time.
    constexpr std::uint64_t keys = 20'000;
    weir::keyed_quota const quota{weir::per_second(50'000), 3};
    constexpr auto slots = std::is_same_v<Policy, compact_keys> ? 4096 * 0.8 : 4096 * 2.0 / 3;
    for (int threads : {2, 8}) {
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {quota}, .capacity = static_cast<std::size_t>(slots)}};
        std::vector<std::vector<std::pair<std::uint64_t, admitted>>> logs(static_cast<std::size_t>(threads));
        together(threads, [&](int t) {
            std::mt19937_64 random{static_cast<std::uint64_t>(t) + 1};
            auto& log = logs[static_cast<std::size_t>(t)];
            for (int i = 0; i < 200'000 / threads; ++i) {
                auto const before = weir::steady_clock::now();
                // All threads walk over the keys together, and ask for the same few at a time.
                auto const base = static_cast<std::uint64_t>(before.time_since_epoch() / 20us) * 7919;
                auto const key = (base + random() % 24) % keys;
                if (random() % 64 == 0) std::this_thread::yield();
                if (l.try_acquire(key, 1, before)) log.push_back({key, {before, weir::steady_clock::now()}});
            }
        });
        std::vector<std::vector<admitted>> by_key(keys);
        std::size_t all = 0;
        for (auto const& log : logs)
            for (auto const& [key, a] : log) by_key[key].push_back(a), ++all;
        CHECK(all > 1000);
        CHECK(l.forced_evictions() == 0);
        int128 worst = 0;
        for (auto& log : by_key) worst = std::max(worst, worst_window(log, quota.rate));
        auto const allowed = static_cast<int128>(quota.burst) * quota.rate.per.count() +
                             (steps<Policy> != 0 ? int128{quota.rate.per.count()} / steps<Policy> + 1 : 0);
        CHECK(worst <= allowed);
    }
}
