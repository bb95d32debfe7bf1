// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir {

struct latency_quantile_options {
    double quantile = 0.95;      ///< the share of samples at or below the answer; in (0, 1)
    unsigned min_samples = 100;  ///< with fewer in the window there is no answer; at least 1
    /// How long a sample counts: at least half of it, at most all of it. From 2 ms to 1 day.
    duration window = std::chrono::seconds(30);

    bool operator==(latency_quantile_options const&) const = default;
};

/// A quantile of the latencies of the last while: "95 % of the answers came within 42 ms". Without enough of them,
/// none.
///
/// Log-linear buckets, sixteen to each doubling, as in G. Tene's HdrHistogram: the answer is at most 1/16 above the
/// true one, or 256 ns, and never below it. The window is two halves that take turns. The answer is worked out anew
/// once in 32 samples, so that asking is one load.
///
/// Units:   latencies up to four hours; longer ones count as that, negative ones as zero.
/// Throws:  construction, std::invalid_argument naming the field.
/// Threads: any function from any thread at once. It is a statistic: at a turn of the window a few samples may be lost.
/// Cost:    a sample is two additions; at most 1600 loads once in 32 samples. No allocation; 6 KiB.
class latency_quantile {
public:
    using options = latency_quantile_options;

    explicit latency_quantile(options const& o = {});

    void record(duration latency, time_point now) noexcept;

    [[nodiscard]] std::optional<duration> value(time_point now) noexcept;

private:
    static constexpr unsigned unit_bits = 8;  // 256 ns, the finest step
    static constexpr unsigned linear = 16;    // buckets to each doubling
    static constexpr unsigned widest = 36;    // 2^36 units: more than four hours
    static constexpr std::size_t buckets = (widest - 3) * linear;

    struct bank {
        std::array<atomic<std::uint32_t>, buckets> counts{};
        atomic<std::uint32_t> samples{0};
    };

    [[nodiscard]] static std::size_t bucket_of(duration latency) noexcept;
    [[nodiscard]] static duration upper_end(std::size_t bucket) noexcept;
    [[nodiscard]] bank& at(std::int64_t turn) noexcept { return banks_[static_cast<std::size_t>(turn % 3)]; }
    [[nodiscard]] std::int64_t turn(time_point now) noexcept;
    void work_out(std::int64_t turn) noexcept;
    static void clear(bank& b) noexcept;

    static constexpr std::int64_t none = -1;

    // Relaxed but for the turn: nothing is published through them.
    double const quantile_;
    std::uint32_t const min_samples_;
    std::int64_t const half_;
    atomic<std::int64_t> turn_{none};
    atomic<std::int64_t> answer_{none};
    std::array<bank, 3> banks_;  // of this half, of the half before, and an empty one for the next
};

// Bodies

inline latency_quantile::latency_quantile(options const& o)
    : quantile_(o.quantile), min_samples_(o.min_samples), half_(o.window.count() / 2)
{
    using namespace std::chrono_literals;
    if (!(o.quantile > 0 && o.quantile < 1))
        detail::bad_option("latency_quantile_options.quantile", "in (0, 1)", o.quantile);
    if (o.min_samples == 0) detail::bad_option("latency_quantile_options.min_samples", "at least 1", o.min_samples);
    if (o.window < 2ms || o.window > 24h)
        detail::bad_option("latency_quantile_options.window", "from 2 ms to 1 day", o.window);
}

inline void latency_quantile::record(duration latency, time_point now) noexcept
{
    auto const t = turn(now);
    auto& mine = at(t);
    mine.counts[bucket_of(latency)].fetch_add(1, std::memory_order_relaxed);
    auto const n = mine.samples.fetch_add(1, std::memory_order_relaxed) + 1;
    if (n % 32 == 0 || answer_.load(std::memory_order_relaxed) == none) work_out(t);
}

inline std::optional<duration> latency_quantile::value(time_point now) noexcept
{
    (void)turn(now);
    auto const answer = answer_.load(std::memory_order_relaxed);
    if (answer == none) return std::nullopt;
    return duration(answer);
}

inline std::size_t latency_quantile::bucket_of(duration latency) noexcept
{
    constexpr auto most = (std::uint64_t{1} << widest) - 1;
    auto const x = std::min(most, static_cast<std::uint64_t>(std::max<duration::rep>(0, latency.count())) >> unit_bits);
    if (x < linear) return static_cast<std::size_t>(x);
    auto const shift = static_cast<unsigned>(std::bit_width(x)) - 5;  // leaves 16 to 31
    return shift * linear + static_cast<std::size_t>(x >> shift);
}

inline duration latency_quantile::upper_end(std::size_t bucket) noexcept
{
    auto const shift = bucket < linear ? 0 : bucket / linear - 1;
    auto const units = bucket < linear ? bucket : bucket % linear + linear;
    return duration(static_cast<duration::rep>(((std::uint64_t{units} + 1) << shift) << unit_bits));
}

// The half that `now` belongs to, or the latest that was seen: a clock a little behind writes into that one.
inline std::int64_t latency_quantile::turn(time_point now) noexcept
{
    auto const mine = std::max<std::int64_t>(0, now.time_since_epoch().count()) / half_;
    auto seen = turn_.load(std::memory_order_acquire);
    while (seen < mine) {
        if (!turn_.compare_exchange_weak(seen, mine, std::memory_order_acq_rel)) continue;
        // The bank of this half was cleared half a window ago, unless nobody came by in between.
        if (mine - seen > 1) {
            clear(at(mine));
            clear(at(mine + 2));
        }
        clear(at(mine + 1));
        work_out(mine);
        return mine;
    }
    return seen;
}

inline void latency_quantile::clear(bank& b) noexcept
{
    for (auto& c : b.counts) c.store(0, std::memory_order_relaxed);
    b.samples.store(0, std::memory_order_relaxed);
}

inline void latency_quantile::work_out(std::int64_t turn) noexcept
{
    auto& now = at(turn);
    auto& before = at(turn + 2);
    auto const all =
        std::uint64_t{now.samples.load(std::memory_order_relaxed)} + before.samples.load(std::memory_order_relaxed);
    auto answer = none;
    if (all >= min_samples_) {
        auto const wanted =
            std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(quantile_ * static_cast<double>(all))));
        std::uint64_t below = 0;
        std::size_t i = 0;
        for (; i < buckets; ++i) {
            below += now.counts[i].load(std::memory_order_relaxed);
            below += before.counts[i].load(std::memory_order_relaxed);
            if (below >= wanted) break;
        }
        if (i == buckets) return;  // cleared meanwhile
        answer = upper_end(i).count();
    }
    // Banks of an earlier turn may have been half empty; who turned has worked it out.
    if (turn_.load(std::memory_order_acquire) != turn) return;
    answer_.store(answer, std::memory_order_relaxed);
}

}  // namespace weir
