// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/detail/stripe_index.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>

namespace weir::detail {

/// Where nearly all calls of a healthy peer are counted: plain successes, each on a cache line of its own processor,
/// until somebody drains them. Each word carries the generation it counts for, so a success is added to its own
/// generation or to none. Beside them, the refusals. Which stripe a thread meets matters to speed alone.
class success_front {
public:
    static constexpr unsigned max_stripes = 64;
    static constexpr std::uint32_t most = 0xffff'ffff;

    /// 0 stripes: one per processor, but at most 16, because whoever drains looks at all of them.
    success_front(unsigned stripes, std::uint64_t generation)
        : stripes_(std::bit_ceil(stripes != 0 ? stripes : std::clamp(std::thread::hardware_concurrency(), 1u, 16u))),
          parts_(std::make_unique<part[]>(stripes_))
    {
        (void)restart(generation);
    }

    /// The number this stripe has now; 0: it counts for another generation; `most`: it is full, and this one not in.
    [[nodiscard]] std::uint32_t count(std::uint64_t generation) noexcept
    {
        auto& word = mine().successes;
        auto seen = word.load(std::memory_order_relaxed);
        do {
            if ((seen & ~mask) != first(generation)) return 0;
            if ((seen & mask) == most - 1) return most;
        } while (!word.compare_exchange_weak(seen, seen + 1, std::memory_order_seq_cst, std::memory_order_relaxed));
        return static_cast<std::uint32_t>(seen + 1);
    }

    /// All of them, taken out.
    [[nodiscard]] std::uint64_t drain() noexcept
    {
        std::uint64_t sum = 0;
        for (auto& p : parts())
            if ((p.successes.load(std::memory_order_seq_cst) & mask) != 0)
                sum += p.successes.fetch_and(~mask, std::memory_order_seq_cst) & mask;
        return sum;
    }

    /// All of them, taken out, and from now on counts for another generation.
    std::uint64_t restart(std::uint64_t generation) noexcept
    {
        std::uint64_t sum = 0;
        for (auto& p : parts()) sum += p.successes.exchange(first(generation), std::memory_order_seq_cst) & mask;
        return sum;
    }

    [[nodiscard]] std::uint64_t total() const noexcept
    {
        std::uint64_t sum = 0;
        for (auto const& p : parts()) sum += p.successes.load(std::memory_order_seq_cst) & mask;
        return sum;
    }

    void count_refusal() noexcept { mine().refusals.fetch_add(1, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t refusals() const noexcept
    {
        std::uint64_t sum = 0;
        for (auto const& p : parts()) sum += p.refusals.load(std::memory_order_relaxed);
        return sum;
    }

private:
    // 32 bits of generation, then 32 bits of count. A success would have to sleep through exactly 2^32 changes of
    // state, between the breaker's check of the whole generation and this one, to be taken for one of another.
    static constexpr std::uint64_t mask = most;
    static constexpr std::uint64_t first(std::uint64_t generation) noexcept { return generation << 32; }

    // Apart by two cache lines: Intel's processors fetch them in pairs.
    struct alignas(128) part {
        atomic<std::uint64_t> successes{0};
        atomic<std::uint64_t> refusals{0};
    };

    [[nodiscard]] part& mine() const noexcept { return parts_[stripe_index() & (stripes_ - 1)]; }
    [[nodiscard]] std::span<part> parts() const noexcept { return {parts_.get(), stripes_}; }

    unsigned stripes_;
    std::unique_ptr<part[]> parts_;
};

}  // namespace weir::detail
