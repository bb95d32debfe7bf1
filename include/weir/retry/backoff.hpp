// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <cstdint>

namespace weir {

/// How a delay is spread, so that callers who failed together do not come back together.
/// The names and formulas are those of M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
enum class jitter : std::uint8_t {
    none,          ///< the plain delay
    full,          ///< uniform in [0, delay]: the fewest calls of all in that study, hence the default
    equal,         ///< uniform in [delay / 2, delay]: never comes back at once
    decorrelated,  ///< uniform in [base, 3 x the previous delay], at most max: follows what was drawn, not the count
};

/// How long to wait before each retry. A plain value: copy it, share it, keep it in options.
///
///   weir::exponential(50ms, 2s)                                     // full jitter
///   weir::constant(200ms).with(weir::jitter::none)
///
/// Units:   retries count from 1, the first try after the first failure; delays are in [0, max].
/// Throws:  the makers, std::invalid_argument, for a negative delay, max < base, or a multiplier below 1.
/// Threads: a value; `delay` changes nothing but the engine.
/// Cost:    under 20 ns; no allocation, no overflow whatever the count.
/// Seen in: examples/09_retry_backoff.cpp
class backoff {
public:
    /// The delay before retry number `retry`. `previous` is what this returned for the retry before (zero for the
    /// first); only decorrelated jitter looks at it.
    [[nodiscard]] duration delay(unsigned retry, duration previous, random_engine& random) const noexcept;

    /// The delay before jitter: what `delay` returns with jitter::none.
    [[nodiscard]] duration ceiling(unsigned retry) const noexcept;

    [[nodiscard]] backoff with(jitter j) const noexcept;

    [[nodiscard]] duration base() const noexcept { return base_; }
    [[nodiscard]] duration max() const noexcept { return max_; }

    friend bool operator==(backoff const&, backoff const&) = default;

    friend backoff constant(duration delay);
    friend backoff linear(duration step, duration max);
    friend backoff exponential(duration base, duration max, double multiplier);

private:
    enum class growth : std::uint8_t { none, linear, exponential };

    backoff(growth g, duration base, duration max, double multiplier);

    duration base_;
    duration max_;
    double multiplier_;
    growth growth_;
    jitter jitter_ = jitter::full;
};

/// The same delay before every retry.
[[nodiscard]] backoff constant(duration delay);

/// step, 2 x step, 3 x step, ... at most `max`.
[[nodiscard]] backoff linear(duration step, duration max);

/// base, base x multiplier, base x multiplier^2, ... at most `max`.
[[nodiscard]] backoff exponential(duration base, duration max, double multiplier = 2.0);

// Bodies

inline backoff::backoff(growth g, duration base, duration max, double multiplier)
    : base_(base), max_(max), multiplier_(multiplier), growth_(g)
{
    if (base < duration::zero()) detail::bad_option("backoff.base", "at least 0 ms", base);
    if (max < base) detail::bad_option("backoff.max", "at least the first delay", max);
    if (!(multiplier >= 1.0 && multiplier <= 1e6)) detail::bad_option("backoff.multiplier", "in [1, 1e6]", multiplier);
}

inline backoff constant(duration delay) { return {backoff::growth::none, delay, delay, 1.0}; }

inline backoff linear(duration step, duration max) { return {backoff::growth::linear, step, max, 1.0}; }

inline backoff exponential(duration base, duration max, double multiplier)
{
    return {backoff::growth::exponential, base, max, multiplier};
}

inline backoff backoff::with(jitter j) const noexcept
{
    auto copy = *this;
    copy.jitter_ = j;
    return copy;
}

inline duration backoff::ceiling(unsigned retry) const noexcept
{
    if (retry == 0 || base_ == duration::zero()) return duration::zero();
    double factor = 1.0;
    if (growth_ == growth::linear) factor = retry;
    if (growth_ == growth::exponential) {
        // By squaring, and not std::pow, so that a seed gives the same delays with every C library. It may reach
        // infinity, which the comparison below holds at max; with base > 0 it cannot become NaN.
        double square = multiplier_;
        for (auto n = retry - 1; n != 0; n >>= 1, square *= square)
            if (n & 1u) factor *= square;
    }
    auto const ns = static_cast<double>(base_.count()) * factor;
    if (!(ns < static_cast<double>(max_.count()))) return max_;
    return std::min(max_, duration{static_cast<duration::rep>(ns)});
}

inline duration backoff::delay(unsigned retry, duration previous, random_engine& random) const noexcept
{
    // Uniform between two delays, low <= high. The difference of two non-negative delays cannot overflow.
    auto const between = [&random](duration low, duration high) {
        auto const span = static_cast<double>((high - low).count());
        return std::min(high, low + duration{static_cast<duration::rep>(uniform_unit(random) * span)});
    };
    auto const full = ceiling(retry);
    switch (jitter_) {
        case jitter::none: return full;
        case jitter::full: return between(duration::zero(), full);
        case jitter::equal: return between(full / 2, full);
        case jitter::decorrelated: break;
    }
    if (retry == 0) return duration::zero();
    auto const before = std::clamp(previous, base_, max_);
    auto const high = before > max_ / 3 ? max_ : std::min(max_, before * 3);
    return between(base_, std::max(base_, high));
}

}  // namespace weir
