// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct retry_budget_options {
    double per_success = 0.1;           ///< tokens earned by a success; a retry or hedge costs 1. In [0, 1]; 0: none
    double initial = 1;                 ///< tokens at the start; in [0, max]. Multiply it by the number of budgets
    double max = 10;                    ///< it can hold: the largest burst of retries; in [1, 1e9]. Multiply it, too
    double min_per_second = 0;          ///< may be spent each second although nothing was earned; in [0, 1e6]
    std::string name = "retry_budget";  ///< who said no, in refusals and metrics
};

/// Bounds the extra load of retries and hedges together: share one per destination and process.
///
/// In every prefix of its history:  withdrawals - refunds <= initial + per_success x successes + floor,
/// where the floor is what `min_per_second` allows: in any T seconds that many times T + 1, or once if that is less.
///
/// Why credit comes from successes and not from requests. When a server of capacity c is overloaded, callers who may
/// retry a share b of their *requests* keep offering load x (1 + b) although nothing succeeds, and once load x (1 + b)
/// >= c the overload feeds itself for ever, long after its cause is gone. For the usual b of 20 % that is every load of
/// 83 % or more. Credit earned per *success* dries up with the successes: the server then sees the plain load, drains,
/// and recovers as if nobody retried; in health both allow the same retries. (gRPC's A6 proposal and the AWS SDKs
/// credit successes too; the metastable loop is Bronson et al., HotOS 2021.) With credit per success the amplification
/// is at most 1 + per_success in the long run; `max_safe_budget` says how much a loaded server can carry.
/// Start small: a thousand clients that each begin with ten tokens are a storm of ten thousand retries. The same holds
/// for the floor, which goes on all through an outage: it is for callers so rare that they earn nothing, and off by
/// default. It is drawn on only when the tokens are spent.
///
/// Units:   tokens; one per retry. Held in millionths.
/// Throws:  construction and reconfigure, std::invalid_argument naming the field; nothing else throws.
/// Threads: any function from any thread at once. May be moved only before its first use.
/// Cost:    one word. A withdrawal or a deposit is one compare-exchange; a deposit into a full budget only loads.
/// Seen in: examples/09_retry_backoff.cpp
class retry_budget {
public:
    using options = retry_budget_options;

    explicit retry_budget(options o = {});
    retry_budget(retry_budget&& other) noexcept;
    retry_budget& operator=(retry_budget&&) = delete;

    /// Takes one token. Withdraw before waiting out the backoff, so that sleepers count.
    [[nodiscard]] bool try_withdraw(time_point now) noexcept;

    /// The same; asks tsc_clock, if it comes to the floor.
    [[nodiscard]] bool try_withdraw() noexcept;

    /// Gives back a token whose retry was never sent.
    void refund() noexcept { add(one); }

    /// Credits one success. Failures and ignored outcomes earn nothing.
    void deposit() noexcept { add(credit_.load(std::memory_order_relaxed)); }

    [[nodiscard]] double tokens() const noexcept;

    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// Changes per_success, max and min_per_second. The tokens stay, at most the new max; `initial` is checked, the
    /// name is kept.
    void reconfigure(options const& o);

private:
    using micro = std::int64_t;
    static constexpr micro one = 1'000'000;

    static void check(options const& o);
    [[nodiscard]] static micro to_micro(double tokens) noexcept { return std::llround(tokens * one); }
    [[nodiscard]] static std::int64_t to_step(double per_second) noexcept
    {
        return per_second > 0 ? std::llround(1e9 / per_second) : 0;
    }
    void add(micro amount) noexcept;
    [[nodiscard]] bool take_token() noexcept;
    [[nodiscard]] bool take_from_floor(time_point now) noexcept;

    // Relaxed everywhere: the word is the whole truth, and no other data is published through it.
    atomic<micro> held_;
    atomic<micro> credit_;
    atomic<micro> max_;
    atomic<std::int64_t> floor_step_;  // nanoseconds to one token of the floor; 0: there is none
    atomic<std::int64_t> floor_used_to_{std::numeric_limits<std::int64_t>::min()};  // the floor's GCRA
    mutex reconfiguring_;
    std::string name_;
};

/// The largest per-request credit with which a server at this load (offered / capacity) still recovers from an
/// overload: load x (1 + budget) stays below 1. A limit for budgets, hedges included; zero for a server that is already
/// full. Throws std::invalid_argument unless load > 0.
[[nodiscard]] inline double max_safe_budget(double load)
{
    if (!(load > 0)) detail::bad_option("max_safe_budget: load", "greater than 0", load);
    return std::max(0.0, 1.0 / load - 1.0);
}

// Bodies

inline retry_budget::retry_budget(options o)
    : held_((check(o), to_micro(o.initial))),
      credit_(to_micro(o.per_success)),
      max_(to_micro(o.max)),
      floor_step_(to_step(o.min_per_second)),
      name_(std::move(o.name))
{
}

inline retry_budget::retry_budget(retry_budget&& other) noexcept
    : held_(other.held_.load(std::memory_order_relaxed)),
      credit_(other.credit_.load(std::memory_order_relaxed)),
      max_(other.max_.load(std::memory_order_relaxed)),
      floor_step_(other.floor_step_.load(std::memory_order_relaxed)),
      name_(std::move(other.name_))
{
}

inline bool retry_budget::try_withdraw(time_point now) noexcept { return take_token() || take_from_floor(now); }

inline bool retry_budget::try_withdraw() noexcept
{
    return take_token() || (floor_step_.load(std::memory_order_relaxed) != 0 && take_from_floor(tsc_clock::now()));
}

// The generic cell rate algorithm: one word says until when the floor is used up, and a second of it may be used at
// once.
inline bool retry_budget::take_from_floor(time_point now) noexcept
{
    auto const step = floor_step_.load(std::memory_order_relaxed);
    if (step == 0) return false;
    constexpr std::int64_t second = 1'000'000'000;
    auto const t = now.time_since_epoch().count();
    auto used_to = floor_used_to_.load(std::memory_order_relaxed);
    for (;;) {
        auto const next = std::max(used_to, t) + step;
        if (next - t > std::max(second, step)) return false;
        if (floor_used_to_.compare_exchange_weak(used_to, next, std::memory_order_relaxed)) return true;
    }
}

inline bool retry_budget::take_token() noexcept
{
    auto held = held_.load(std::memory_order_relaxed);
    while (held >= one)
        if (held_.compare_exchange_weak(held, held - one, std::memory_order_relaxed)) return true;
    return false;
}

inline void retry_budget::add(micro amount) noexcept
{
    auto held = held_.load(std::memory_order_relaxed);
    for (;;) {
        auto const max = max_.load(std::memory_order_relaxed);
        if (held >= max || amount == 0) return;
        if (held_.compare_exchange_weak(held, std::min(max, held + amount), std::memory_order_relaxed)) return;
    }
}

inline double retry_budget::tokens() const noexcept
{
    return static_cast<double>(held_.load(std::memory_order_relaxed)) / one;
}

inline void retry_budget::reconfigure(options const& o)
{
    check(o);
    std::scoped_lock const lock(reconfiguring_);
    credit_.store(to_micro(o.per_success), std::memory_order_relaxed);
    auto const max = to_micro(o.max);
    max_.store(max, std::memory_order_relaxed);
    floor_step_.store(to_step(o.min_per_second), std::memory_order_relaxed);
    auto held = held_.load(std::memory_order_relaxed);
    while (held > max && !held_.compare_exchange_weak(held, max, std::memory_order_relaxed)) {}
}

inline void retry_budget::check(options const& o)
{
    if (!(o.per_success >= 0 && o.per_success <= 1))
        detail::bad_option("retry_budget_options.per_success", "in [0, 1]", o.per_success);
    if (!(o.max >= 1 && o.max <= 1e9)) detail::bad_option("retry_budget_options.max", "in [1, 1e9]", o.max);
    if (!(o.initial >= 0 && o.initial <= o.max))
        detail::bad_option("retry_budget_options.initial", "in [0, max]", o.initial);
    if (!(o.min_per_second >= 0 && o.min_per_second <= 1e6))
        detail::bad_option("retry_budget_options.min_per_second", "in [0, 1e6]", o.min_per_second);
}

}  // namespace weir
