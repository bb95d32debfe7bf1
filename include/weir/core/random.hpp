// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <random>

namespace weir {

/// The generator that weir's drivers hand to policies. They take it as an argument and own none, so a seed replays a
/// decision, everywhere the same. Not for secrets.
///
/// SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014; the constants are
/// Stafford's 13th variant): the state counts in steps of the golden ratio, a number is the state well mixed. Unlike
/// std::mt19937_64 it has one word of state and not 2.5 kB, which a call would have to fetch; its period is 2^64.
class random_engine {
public:
    using result_type = std::uint64_t;
    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }

    constexpr explicit random_engine(std::uint64_t seed = 0) noexcept : state_(seed) {}
    constexpr void seed(std::uint64_t s) noexcept { state_ = s; }

    constexpr std::uint64_t operator()() noexcept
    {
        auto const number = nth(state_, 1);
        state_ += step;
        return number;
    }

    /// The n-th number after a seed, without those before it.
    [[nodiscard]] static constexpr std::uint64_t nth(std::uint64_t seed, std::uint64_t n) noexcept
    {
        auto z = seed + step * n;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

private:
    static constexpr std::uint64_t step = 0x9e3779b97f4a7c15u;

    std::uint64_t state_;
};

/// A generator for this thread, seeded once from the system.
[[nodiscard]] inline random_engine& thread_random()
{
    thread_local random_engine engine{[] {
        std::random_device device;
        return (static_cast<std::uint64_t>(device()) << 32) | device();
    }()};
    return engine;
}

/// A generator of the full 64-bit range: what weir's policies accept.
template <class G>
concept random_source = std::uniform_random_bit_generator<G> && G::min() == 0 && G::max() == UINT64_MAX;

/// Uniform in [0, 1). The standard distributions differ between libraries, and a seed must mean the same everywhere.
template <random_source G>
[[nodiscard]] double uniform_unit(G& g)
{
    return static_cast<double>(g() >> 11) * 0x1.0p-53;
}

/// Uniform in [0, n); 0 when n is 0. The bias is below n / 2^53.
template <random_source G>
[[nodiscard]] std::uint64_t uniform_below(G& g, std::uint64_t n)
{
    auto const x = static_cast<std::uint64_t>(uniform_unit(g) * static_cast<double>(n));
    return x < n || n == 0 ? x : n - 1;
}

}  // namespace weir
