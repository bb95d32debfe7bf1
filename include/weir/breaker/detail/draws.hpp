// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/detail/stripe_index.hpp>
#include <weir/core/random.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace weir::detail {

/// Random numbers for the rare moments of a breaker, from any thread. Each is made from the seed and its place in line,
/// so there is no state to guard. Each thread has a line of its own; with a seed that was given there is one line for
/// all, so that it replays.
class draws {
public:
    using result_type = std::uint64_t;
    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }

    explicit draws(std::optional<std::uint64_t> seed)
        : seed_(seed ? *seed : thread_random()()), replays_(seed.has_value())
    {
    }

    std::uint64_t operator()() noexcept { return random_engine::nth(seed_, place()); }

    /// Uniform in [0, 1).
    [[nodiscard]] double unit() noexcept { return uniform_unit(*this); }

private:
    [[nodiscard]] std::uint64_t place() noexcept
    {
        if (replays_) return 1 + drawn_.fetch_add(1, std::memory_order_relaxed);
        thread_local std::uint64_t last = std::uint64_t{thread_index()} << 40;
        return ++last;
    }

    std::uint64_t const seed_;
    bool const replays_;
    atomic<std::uint64_t> drawn_{0};
};

}  // namespace weir::detail
