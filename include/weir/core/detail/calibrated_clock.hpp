// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <utility>

namespace weir::detail {

/// A fast counter, and the reference that it is measured against. `trusted` is asked once, before the counter is read.
template <class S>
concept counter_source = requires(S& s) {
    {
        s.trusted()
    } noexcept -> std::same_as<bool>;
    {
        s.ticks()
    } noexcept -> std::same_as<std::uint64_t>;
    {
        s.reference()
    } noexcept -> std::same_as<time_point>;
};

/// Tells the reference's time from a counter that is cheaper to read.
///
/// A line through two samples of both, the last one its anchor, turns ticks into time, from the third sample on, which
/// shows that the line holds. It is used for a second at most: then whoever comes first compares counter and reference
/// and draws the next line, while others read the reference. Nobody waits. More than 500 ppm apart, or a counter that
/// stands still or goes back: the reference for good.
///
/// `seen` is the latest time its thread was told, kept by the caller. A reading is never earlier than it: not where one
/// line follows another, and not where the counter had run ahead before it was found out; there time stands still until
/// the reference catches up, a second at most.
/// Threads: any.   Cost: one reading of the counter, seven loads, one multiplication.
template <counter_source Source>
class calibrated_clock {
public:
    static constexpr duration shortest_baseline = std::chrono::milliseconds(10);
    static constexpr duration longest_use = std::chrono::seconds(1);
    static constexpr double tolerance = 500e-6;

    constexpr calibrated_clock() = default;
    constexpr explicit calibrated_clock(Source s) : source_(std::move(s)) {}

    [[nodiscard, gnu::always_inline]] time_point now(duration& seen) noexcept;

    /// A count that is reached at least ten microseconds before t is told, and while the line in use is good: it may be
    /// that of an earlier instant. 0: there is no line.
    [[nodiscard]] std::uint64_t ticks_before(time_point t) const noexcept;

    /// Whether the counter tells the time: not before there is a baseline, and not after it was found wrong.
    [[nodiscard]] bool live() const noexcept { return valid_.load(std::memory_order_relaxed) != 0; }

private:
    struct sample {
        std::uint64_t tick = 0;
        duration::rep time = 0;
        double blur = 0;  // ticks that passed while the reference was read
    };

    [[gnu::cold, gnu::noinline]] time_point read_reference(duration& seen, bool suspicious) noexcept;
    void check() noexcept;
    void publish(sample const& now, double per_tick) noexcept;
    void give_up() noexcept;
    [[nodiscard]] sample take() noexcept;

    // What every reading loads: one cache line. A line is disabled (`valid_`) while it is written, and has another
    // number (`generation_`) before it is enabled. Who meets either reads the reference.
    alignas(64) weir::atomic<std::uint64_t> generation_{0};
    weir::atomic<std::uint64_t> tick_{0};      // of the anchor
    weir::atomic<duration::rep> time_{0};      // of the anchor
    weir::atomic<std::uint64_t> per_tick_{0};  // ns << 32; times a second of ticks it is below 2^63
    weir::atomic<std::uint64_t> valid_{0};     // ticks after the anchor; 0: there is no line

    alignas(64) weir::atomic<bool> checking_{false};            // guards what follows, and `publish`
    weir::atomic<duration::rep> due_{duration::min().count()};  // while there is no line: when to check
    Source source_{};
    bool started_ = false;
    sample last_{};
    double pace_ = 0;    // ns per tick that it must keep to; 0: not known yet
    double period_ = 0;  // for which the line is meant to be used, ns
};

template <counter_source Source>
inline time_point calibrated_clock<Source>::now(duration& seen) noexcept
{
    constexpr auto acquire = std::memory_order_acquire;  // plain loads on x86
    bool const counting = valid_.load(std::memory_order_relaxed) != 0;
    if (counting) [[likely]] {
        // All stores are releases. Who loads anything new, and then `valid_`, finds the line disabled, or enabled and
        // with another number than it began with.
        auto const generation = generation_.load(acquire);
        auto const tick = tick_.load(acquire);
        auto const time = time_.load(acquire);
        auto const per_tick = per_tick_.load(acquire);
        auto const valid = valid_.load(acquire);
        // Negative, because another core's counter is a little behind or it was set back, is far beyond `valid`.
        auto const passed = source_.ticks() - tick;
        auto const told = duration(time + static_cast<duration::rep>((passed * per_tick) >> 32));
        if (passed < valid && told > seen && generation_.load(std::memory_order_relaxed) == generation) [[likely]] {
            seen = told;
            return time_point(told);
        }
    }
    return read_reference(seen, counting);
}

template <counter_source Source>
std::uint64_t calibrated_clock<Source>::ticks_before(time_point t) const noexcept
{
    constexpr auto acquire = std::memory_order_acquire;
    constexpr duration::rep margin = 10'000;  // another line, or the reference, may be ahead of this one
    auto const generation = generation_.load(acquire);
    auto const tick = tick_.load(acquire);
    auto const from = later(time_point{duration{time_.load(acquire)}}, duration{margin});
    auto const per_tick = per_tick_.load(acquire);
    auto const valid = valid_.load(acquire);
    if (valid == 0 || t <= from || generation_.load(std::memory_order_relaxed) != generation) return 0;
    auto const ahead = std::min(between(from, t), longest_use).count();
    return tick + std::min(valid, (static_cast<std::uint64_t>(ahead) << 32) / per_tick);
}

template <counter_source Source>
time_point calibrated_clock<Source>::read_reference(duration& seen, bool suspicious) noexcept
{
    auto const time = source_.reference().time_since_epoch();
    if ((suspicious || time.count() >= due_.load(std::memory_order_relaxed)) &&
        !checking_.exchange(true, std::memory_order_acquire)) {
        check();
        checking_.store(false, std::memory_order_release);
    }
    seen = std::max(seen, time);
    return time_point(seen);
}

template <counter_source Source>
void calibrated_clock<Source>::check() noexcept
{
    if (!started_) {
        if (!source_.trusted()) return give_up();
        started_ = true;
        last_ = take();
        due_.store(last_.time + shortest_baseline.count(), std::memory_order_relaxed);
        return;
    }
    if (due_.load(std::memory_order_relaxed) == never.time_since_epoch().count()) return;  // given up meanwhile

    auto const now = take();
    auto const ticks = static_cast<double>(static_cast<std::int64_t>(now.tick - last_.tick));
    auto const elapsed = static_cast<double>(now.time - last_.time);
    if (pace_ != 0) {
        constexpr double slack = 10'000;  // ns: cores a little apart, a counter slow to start after a halt
        auto const apart = std::abs(ticks * pace_ - elapsed);
        if (apart > elapsed * tolerance + (now.blur + last_.blur) * pace_ + slack) return give_up();
        if (elapsed < period_ / 2) return;  // only asked whether the counter stands still: it does not
    }
    if (elapsed < static_cast<double>(shortest_baseline.count())) return;
    if (ticks <= 0) return give_up();
    auto const per_tick = elapsed / ticks;
    auto const confirmed = pace_ != 0;
    auto const longest = static_cast<double>(longest_use.count());
    // The pace it is held to is that of the first long baseline: one that creeps away is found out too.
    if (period_ < longest) pace_ = per_tick;
    last_ = now;
    if (!confirmed) {  // nothing says yet that this is the counter's pace, and not a leap
        due_.store(now.time + shortest_baseline.count(), std::memory_order_relaxed);
        return;
    }
    // The first baselines are short, so their lines are used for a short time; each is about twice the one before.
    period_ = std::min(elapsed * 2, longest);
    publish(now, per_tick);
}

template <counter_source Source>
void calibrated_clock<Source>::publish(sample const& now, double per_tick) noexcept
{
    constexpr auto release = std::memory_order_release;
    valid_.store(0, release);
    tick_.store(now.tick, release);
    time_.store(now.time, release);
    per_tick_.store(static_cast<std::uint64_t>(std::llround(per_tick * 0x1p32)), release);
    generation_.store(generation_.load(std::memory_order_relaxed) + 1, release);
    valid_.store(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(period_ / per_tick)), release);
}

template <counter_source Source>
void calibrated_clock<Source>::give_up() noexcept
{
    due_.store(never.time_since_epoch().count(), std::memory_order_relaxed);
    valid_.store(0, std::memory_order_relaxed);
}

/// Both at one instant, as nearly as can be had: a thread may be interrupted between any two readings.
template <counter_source Source>
auto calibrated_clock<Source>::take() noexcept -> sample
{
    sample best{};
    for (int i = 0; i < 8; ++i) {
        auto const before = source_.ticks();
        auto const time = source_.reference().time_since_epoch().count();
        auto const between = source_.ticks() - before;
        if (auto const blur = static_cast<double>(between); i == 0 || blur < best.blur)
            best = {before + between / 2, time, blur};
    }
    return best;
}

}  // namespace weir::detail
