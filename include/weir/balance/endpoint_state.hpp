// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/detail/thread_bias.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

namespace weir {

/// What is known of one endpoint from the calls to it: how many are in flight, a latency that jumps to every peak and
/// then comes down over time (the peak-sensitive EWMA of Twitter's Finagle), and whether the latest call failed. It
/// lives as long as the endpoint's id is in the set, across updates.
/// Threads: any. Cost: one word each; observing is one compare-exchange, counting a plain store while a single thread
/// does it (core/detail/thread_bias.hpp).
class endpoint_state {
public:
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_.load(std::memory_order_relaxed); }
    void enter() noexcept { count(1); }
    void leave() noexcept { count(std::uint32_t(-1)); }

    /// A call took this long. A longer latency than the present one replaces it; a shorter one is mixed in by how much
    /// time has passed since the last: e^(-t/decay) of the old stays.
    void observe(duration latency, time_point now, duration decay, bool failed = false) noexcept
    {
        auto const sample = std::max(static_cast<float>(latency.count()), 1.0f);
        auto word = latency_.load(std::memory_order_relaxed);
        for (;;) {
            auto const old = value(word);
            auto const keep = weight_of_past(word, now, decay);
            auto const next = sample >= old ? sample : keep * old + (1 - keep) * sample;
            auto const after = pack(failed ? -next : next, now);
            if (after == word || latency_.compare_exchange_weak(word, after, std::memory_order_relaxed)) return;
        }
    }

    /// The latency as it has faded until `now`, in nanoseconds, not below a microsecond; 0: no call has ended yet.
    /// It fades so that an endpoint that was slow once is tried again.
    [[nodiscard]] float latency(time_point now, duration decay) const noexcept
    {
        auto const word = latency_.load(std::memory_order_relaxed);
        return word == 0 ? 0.0f : std::max(value(word) * weight_of_past(word, now, decay), 1000.0f);
    }

    /// Whether the latest call to end was one that failed.
    [[nodiscard]] bool failing() const noexcept { return (latency_.load(std::memory_order_relaxed) & sign) != 0; }

private:
    // Latency as a float, negative after a failure | the clock in ticks of 2^20 ns, about 1 ms, modulo 2^32. A clock
    // reading that is older by up to a minute counts as "now", and no more than that: it is what an endpoint idle for
    // the 52 days of a turn is taken for, until the clock has moved on.
    static constexpr std::uint64_t sign = std::uint64_t{1} << 63;
    static constexpr std::uint32_t oldest = 0u - (1u << 16);

    static float value(std::uint64_t word) noexcept
    {
        return std::bit_cast<float>(static_cast<std::uint32_t>((word & ~sign) >> 32));
    }
    static std::uint32_t stamp(time_point t) noexcept
    {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(t.time_since_epoch().count()) >> 20);
    }
    static std::uint64_t pack(float value, time_point now) noexcept
    {
        return static_cast<std::uint64_t>(std::bit_cast<std::uint32_t>(value)) << 32 | stamp(now);
    }
    static float weight_of_past(std::uint64_t word, time_point now, duration decay) noexcept
    {
        auto const age = stamp(now) - static_cast<std::uint32_t>(word);
        if (age >= oldest) return 1.0f;
        auto const x = static_cast<float>(age) * 0x1p20f / static_cast<float>(decay.count());
        // Under load x is small, and the beginning of the series is e^-x to within 5e-5 at a fraction of its cost.
        return x < 0.0625f ? 1.0f - x * (1.0f - 0.5f * x) : std::exp(-x);
    }

    void count(std::uint32_t more) noexcept
    {
        {
            detail::thread_bias::section const here{bias_};
            if (here.alone())
                return in_flight_.store(in_flight_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
        }
        bias_.settle();
        in_flight_.fetch_add(more, std::memory_order_relaxed);
    }

    atomic<std::uint32_t> in_flight_{0};
    detail::thread_bias bias_;  // of in_flight_
    atomic<std::uint64_t> latency_{0};
};

}  // namespace weir
