// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

struct retry_budget_options {
    double per_success = 0.1;  ///< tokens earned by a success; a retry or hedge costs 1. In [0, 1]; 0: none
    double initial = 1;        ///< tokens at the start; in [0, max]. Multiply it by the number of budgets
    double max = 10;           ///< it can hold: the largest burst of retries; in [1, 1e9]. Multiply it, too
    duration window = std::chrono::seconds(10);  ///< credit older than this is forgotten, down to `initial`; 0: none is
    double min_per_second = 0;                   ///< may be spent each second although nothing was earned; in [0, 1e6]
    std::string name = "retry_budget";           ///< who said no, in refusals and metrics
};

/// Bounds the extra load of retries and hedges together: share one per destination and process.
///
/// In every prefix of its history:  withdrawals - refunds <= initial + per_success x successes + floor,
/// where the floor is what `min_per_second` allows: in any T seconds that many times T + 1, or once if that is less. It
/// holds at most `max`, and at most `initial` and what was earned and refunded in the last `window`.
///
/// Why credit is forgotten. A cap alone fills up in the end however little is sent: a thousand clients that make a call
/// a minute would hold ten thousand retries for the next outage. What is kept follows the traffic of the last seconds
/// (Finagle's and Linkerd's budgets live 10 s), and after a quiet time a budget is as good as a new one. `initial` is
/// kept, so that a rare caller may still retry now and then.
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
///          Of two calls at an edge of half a window either may come first; while one forgets, another may spend.
/// Cost:    a withdrawal is one compare-exchange, a deposit one or two; into a full budget it only loads.
///          Once in half a window some call forgets: three compare-exchanges. No lock.
/// Seen in: examples/09_retry_backoff.cpp
class retry_budget {
public:
    using options = retry_budget_options;

    explicit retry_budget(options o = {});
    retry_budget(retry_budget&& other) noexcept;
    retry_budget& operator=(retry_budget&&) = delete;

    /// Takes one token. Withdraw before waiting out the backoff, so that sleepers count.
    [[nodiscard]] bool try_withdraw(time_point now) noexcept;
    [[nodiscard]] bool try_withdraw() noexcept { return try_withdraw(tsc_clock::now()); }

    /// Gives back a token whose retry was never sent.
    void refund() noexcept { add(one); }

    /// Credits one success. Failures and ignored outcomes earn nothing.
    void deposit(time_point now) noexcept;
    void deposit() noexcept { deposit(tsc_clock::now()); }

    /// As the last call left them.
    [[nodiscard]] double tokens() const noexcept;

    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// Changes per_success, max, window and min_per_second. The tokens stay, at most the new max; another window begins
    /// with the next call. `initial` is checked and stays, and so does the name.
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
    /// Of a half window that begins with the next call, or never ends.
    [[nodiscard]] static time_point first_end(duration window) noexcept
    {
        return window > duration::zero() ? time_point::min() : never;
    }
    static void raise(atomic<micro>& to, micro by, micro max) noexcept;
    static void lower(atomic<micro>& to, micro most) noexcept;
    void add(micro amount) noexcept;
    void forget_old(time_point now) noexcept;
    [[nodiscard]] bool take_token() noexcept;
    [[nodiscard]] bool take_from_floor(time_point now) noexcept;

    // Relaxed everywhere: what may be spent is one word, `held_`, and no other data is published through it. The others
    // only ever lower it.
    atomic<micro> held_;
    atomic<micro> fresh_{0};  // earned and refunded in this half window, up to max
    atomic<duration> window_;
    atomic<time_point> half_ends_;
    micro const initial_;
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
      window_(o.window),
      half_ends_(first_end(o.window)),
      initial_(to_micro(o.initial)),
      credit_(to_micro(o.per_success)),
      max_(to_micro(o.max)),
      floor_step_(to_step(o.min_per_second)),
      name_(std::move(o.name))
{
}

inline retry_budget::retry_budget(retry_budget&& other) noexcept
    : held_(other.held_.load(std::memory_order_relaxed)),
      window_(other.window_.load(std::memory_order_relaxed)),
      half_ends_(first_end(other.window_.load(std::memory_order_relaxed))),
      initial_(other.initial_),
      credit_(other.credit_.load(std::memory_order_relaxed)),
      max_(other.max_.load(std::memory_order_relaxed)),
      floor_step_(other.floor_step_.load(std::memory_order_relaxed)),
      name_(std::move(other.name_))
{
}

inline bool retry_budget::try_withdraw(time_point now) noexcept
{
    forget_old(now);
    return take_token() || take_from_floor(now);
}

inline void retry_budget::deposit(time_point now) noexcept
{
    forget_old(now);
    add(credit_.load(std::memory_order_relaxed));
}

// At the end of each half window what is left is cut to what came in during that half, so nothing is older than a
// window. One does it; what others add meanwhile may be cut, too, or be taken for the next half's: never both.
inline void retry_budget::forget_old(time_point now) noexcept
{
    auto ends = half_ends_.load(std::memory_order_relaxed);
    if (now < ends) [[likely]]
        return;
    auto const half = window_.load(std::memory_order_relaxed) / 2;
    if (half == duration::zero()) return;
    bool const begins = ends == time_point::min();
    bool const late = begins || between(ends, now) >= half;  // nothing came in during the half that has just ended
    if (!half_ends_.compare_exchange_strong(ends, later(late ? now : ends, half), std::memory_order_relaxed)) return;
    if (begins) return;
    auto const earned = fresh_.exchange(0, std::memory_order_relaxed);
    lower(held_, std::max(late ? 0 : earned, initial_));
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
    auto const max = max_.load(std::memory_order_relaxed);
    raise(fresh_, amount, max);
    raise(held_, amount, max);
}

inline void retry_budget::raise(atomic<micro>& to, micro by, micro max) noexcept
{
    auto seen = to.load(std::memory_order_relaxed);
    while (seen < max && by != 0)
        if (to.compare_exchange_weak(seen, std::min(max, seen + by), std::memory_order_relaxed)) return;
}

inline void retry_budget::lower(atomic<micro>& to, micro most) noexcept
{
    auto seen = to.load(std::memory_order_relaxed);
    while (seen > most && !to.compare_exchange_weak(seen, most, std::memory_order_relaxed)) {}
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
    lower(held_, max);
    if (window_.exchange(o.window, std::memory_order_relaxed) == o.window) return;
    fresh_.store(held_.load(std::memory_order_relaxed), std::memory_order_relaxed);  // as if it came with the next call
    half_ends_.store(first_end(o.window), std::memory_order_relaxed);
}

inline void retry_budget::check(options const& o)
{
    if (!(o.per_success >= 0 && o.per_success <= 1))
        detail::bad_option("retry_budget_options.per_success", "in [0, 1]", o.per_success);
    if (!(o.max >= 1 && o.max <= 1e9)) detail::bad_option("retry_budget_options.max", "in [1, 1e9]", o.max);
    if (!(o.initial >= 0 && o.initial <= o.max))
        detail::bad_option("retry_budget_options.initial", "in [0, max]", o.initial);
    if (o.window != duration::zero() && (o.window < std::chrono::milliseconds(1) || o.window > std::chrono::hours(24)))
        detail::bad_option("retry_budget_options.window", "0, or from 1 ms to 24 h", o.window);
    if (!(o.min_per_second >= 0 && o.min_per_second <= 1e6))
        detail::bad_option("retry_budget_options.min_per_second", "in [0, 1e6]", o.min_per_second);
}

}  // namespace weir
