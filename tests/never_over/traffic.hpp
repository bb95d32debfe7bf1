// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "never_over/history.hpp"

#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace never_over {

/// Marsaglia's xorshift: a few cycles, so that the limiter is what the threads spend their time in.
class cheap_random {
public:
    explicit cheap_random(std::uint64_t seed) noexcept : x_(seed * 0x9e3779b97f4a7c15u | 1u) {}
    std::uint64_t operator()() noexcept
    {
        x_ ^= x_ << 13;
        x_ ^= x_ >> 7;
        x_ ^= x_ << 17;
        return x_ * 0x2545f4914f6cdd1du >> 16;  // 48 bits
    }
    std::uint64_t below(std::uint64_t n) noexcept { return n == 0 ? 0 : (*this)() % n; }
    bool one_in(std::uint64_t n) noexcept { return (*this)() % n == 0; }

private:
    std::uint64_t x_;
};

/// The clock of a run. Either the real one, or a number that the threads themselves drive: then a year takes no time,
/// a permit per three days is as quick to test as 1e9 per second, and every thread meets every edge of the time.
class run_clock {
public:
    explicit run_clock(std::atomic<std::int64_t>* driven = nullptr) noexcept : driven_(driven) {}
    [[nodiscard]] weir::time_point now() const noexcept
    {
        if (driven_ == nullptr) return weir::steady_clock::now();
        return weir::time_point{weir::duration{driven_->load(std::memory_order_relaxed)}};
    }
    [[nodiscard]] std::int64_t count() const noexcept { return now().time_since_epoch().count(); }
    void advance(std::uint64_t ns) const noexcept
    {
        if (driven_ != nullptr) driven_->fetch_add(static_cast<std::int64_t>(ns), std::memory_order_relaxed);
    }
    [[nodiscard]] bool real() const noexcept { return driven_ == nullptr; }

private:
    std::atomic<std::int64_t>* driven_;
};

struct quota {
    weir::rate rate;
    std::uint64_t burst;
};

/// How callers behave, in terms of the quota.
struct shape {
    char const* name;
    double demand;             ///< permits asked for, per permit earned
    std::uint32_t most = 1;    ///< permits in one request: 1 to this
    double pause_after = 0;    ///< requests between pauses, in bursts; 0: no pauses
    double longest_pause = 0;  ///< in times it takes to fill an empty bucket
};

inline constexpr shape shapes[] = {
    {"steady", 1.0},
    {"flood", 8.0},
    {"several at a time", 3.0, 5},
    {"bursts and pauses", 20.0, 1, 6.0, 3.0},
    {"mixed, rare long idle", 4.0, 3, 50.0, 1e4},
};

/// One run: so many threads ask one limiter so often.
struct plan {
    quota of;
    shape traffic;
    unsigned threads = 1;
    std::uint64_t decisions = 0;
    std::uint64_t seed = 0;
    bool real_time = false;
    std::int64_t uptime = 0;  ///< where the driven clock starts
};

struct history {
    std::vector<admitted> admissions;
    std::uint64_t decisions = 0;
};

/// What a thread has at hand for one decision.
struct turn {
    unsigned thread;
    std::uint32_t n;
    weir::time_point now;
    run_clock clock;
    cheap_random& random;
    std::vector<admitted>& admissions;

    /// Admitted, in terms of the time that the limiter was told.
    void admit_at(weir::time_point t, std::uint32_t key = 0) const
    {
        admissions.push_back({t.time_since_epoch().count(), t.time_since_epoch().count(), n, key});
    }
    /// Admitted at some instant between the reading before the decision and one after it.
    void admit_by_now(std::uint32_t key = 0) const
    {
        admissions.push_back({now.time_since_epoch().count(), clock.count(), n, key});
    }
};

/// Another rate for a while: one to five times as slow, or down to a billionth.
[[nodiscard]] inline weir::rate slower(weir::rate r, cheap_random& random)
{
    std::uint64_t by = 1 + random.below(5);
    if (random.one_in(4))
        for (auto k = random.below(10); k > 0; --k) by *= 10;
    r.permits = std::max<std::uint64_t>(1, r.permits / by);
    return r;
}

/// Runs `decide(turn)` on all threads at once.
template <class Decide>
history run(plan const& p, run_clock clock, void (*start_of_thread)(std::uint64_t), Decide const& decide)
{
    auto const per_permit = static_cast<double>(p.of.rate.per.count()) / static_cast<double>(p.of.rate.permits);
    auto const mean_n = (1.0 + p.traffic.most) / 2;
    auto const burst = static_cast<double>(std::max<std::uint64_t>(p.of.burst, 1));
    // No more than 60 years in all: the clock has 292.
    auto const longest = 1.9e18 / static_cast<double>(p.decisions);
    auto const step = std::min(per_permit * mean_n / p.traffic.demand, longest);
    constexpr std::uint64_t step_every = 8;
    auto const widest_step = static_cast<std::uint64_t>(step * step_every * 2) + 1;
    auto const rarely = step * step_every < 1 ? static_cast<std::uint64_t>(1 / (step * step_every)) + 1 : 1;
    auto const pause_every = static_cast<std::uint64_t>(p.traffic.pause_after * burst / mean_n) + 2;
    auto const widest_pause = static_cast<std::uint64_t>(
        std::min(p.traffic.longest_pause * burst * per_permit, longest * static_cast<double>(pause_every)));

    std::vector<std::vector<admitted>> admissions(p.threads);
    std::atomic<unsigned> ready{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < p.threads; ++i)
        threads.emplace_back([&, i] {
            cheap_random random{p.seed * 977 + i};
            start_of_thread(p.seed * 131 + i + 1);
            auto mine = p.decisions / p.threads;
            ready.fetch_add(1);
            while (ready.load() < p.threads) std::this_thread::yield();
            for (; mine != 0; --mine) {
                auto const r = random();
                if (r % step_every == 0 && (rarely == 1 || random.one_in(rarely)))
                    clock.advance((r >> 3) % widest_step);
                if (p.traffic.pause_after > 0 && (r >> 20) % pause_every == 0)
                    clock.advance(random.below(widest_pause));
                auto const n = p.traffic.most == 1 ? 1u : static_cast<std::uint32_t>(1 + (r >> 8) % p.traffic.most);
                decide(turn{i, n, clock.now(), clock, random, admissions[i]});
            }
        });
    for (auto& t : threads) t.join();

    history h;
    h.decisions = p.decisions / p.threads * p.threads;
    for (auto& a : admissions) h.admissions.insert(h.admissions.end(), a.begin(), a.end());
    return h;
}

}  // namespace never_over
