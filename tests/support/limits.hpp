// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/limit/rate.hpp>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

/// What the tests of limiters share.
namespace weir::test {

__extension__ using int128 = __int128;

/// A clock that a test holds in its hand.
struct hand_clock {
    time_point const* t;
    [[nodiscard]] time_point now() const noexcept { return *t; }
};

/// The bucket of the textbook, with nothing rounded: permits * per, as a 128-bit integer.
class exact_bucket {
public:
    exact_bucket(rate r, std::uint64_t burst)
        : rate_(r), full_(static_cast<int128>(burst) * r.per.count()), level_(full_)
    {
    }

    void to(time_point now)
    {
        if (now <= last_) return;
        int128 const passed = int128{now.time_since_epoch().count()} - last_.time_since_epoch().count();
        level_ = std::min(full_, level_ + passed * static_cast<int128>(rate_.permits));
        last_ = now;
    }
    [[nodiscard]] bool has(std::uint64_t n) const { return level_ >= cost(n); }
    bool take(std::uint64_t n, time_point now)
    {
        to(now);
        if (!has(n)) return false;
        level_ -= cost(n);
        return true;
    }
    std::uint64_t available(time_point now)
    {
        to(now);
        return static_cast<std::uint64_t>(level_ / rate_.per.count());
    }

private:
    [[nodiscard]] int128 cost(std::uint64_t n) const { return static_cast<int128>(n) * rate_.per.count(); }

    rate rate_;
    int128 full_, level_;
    time_point last_ = time_point::min();
};

struct admitted {
    time_point at;
    std::uint64_t n = 1;
};

inline std::vector<admitted> flatten(std::vector<std::vector<admitted>> const& parts)
{
    std::vector<admitted> all;
    for (auto const& p : parts) all.insert(all.end(), p.begin(), p.end());
    return all;
}

/// Whether every window [s, t] of these admissions holds at most rate * (t - s) + burst permits, in O(n log n):
/// sum(j..k) * per <= permits * (t_k - t_j) + burst * per for all j <= k is a running minimum. Reservations start on
/// whole nanoseconds, each rounded up, so two of them may stand up to one nanosecond closer than the rate says:
/// `rounding`.
inline bool within_bound(std::vector<admitted> all, rate r, std::uint64_t burst, duration rounding = duration::zero())
{
    std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
    int128 sum = 0;
    int128 lowest = 0;
    bool first = true;
    for (auto const& a : all) {
        auto const refilled = static_cast<int128>(a.at.time_since_epoch().count()) * static_cast<int128>(r.permits);
        auto const before = sum * r.per.count() - refilled;
        lowest = first ? before : std::min(lowest, before);
        first = false;
        sum += static_cast<int128>(a.n);
        auto const allowed = static_cast<int128>(burst) * r.per.count() +
                             static_cast<int128>(rounding.count()) * static_cast<int128>(r.permits);
        if (sum * r.per.count() - refilled - lowest > allowed) return false;
    }
    return true;
}

/// Runs `body(thread index)` on n threads that start together.
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

inline duration up_to(std::mt19937_64& g, std::uint64_t ns)
{
    return duration{static_cast<std::int64_t>(g() % (ns + 1))};
}

}  // namespace weir::test
