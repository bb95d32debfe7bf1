// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/random.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace weir::detail {

/// Random numbers for the rare moments of a breaker, from any thread: splitmix64 (Steele, Lea and Flood, Fast splittable
/// pseudorandom number generators, 2014) makes each from the seed and its place in line, so there is no state to guard.
class draws {
public:
    using result_type = std::uint64_t;
    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }

    explicit draws(std::optional<std::uint64_t> seed) : state_(seed ? *seed : thread_random()()) {}

    std::uint64_t operator()() noexcept
    {
        constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
        auto z = state_.fetch_add(golden, std::memory_order_relaxed) + golden;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    /// Uniform in [0, 1).
    [[nodiscard]] double unit() noexcept { return uniform_unit(*this); }

private:
    atomic<std::uint64_t> state_;
};

}  // namespace weir::detail
