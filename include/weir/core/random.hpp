// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <random>

namespace weir {

/// The generator that weir's drivers hand to policies. Policies take any 64-bit generator as an argument and own none,
/// so a seed replays a decision. Not for secrets.
using random_engine = std::mt19937_64;

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
