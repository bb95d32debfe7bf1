// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

namespace weir {

/// What a breaker's window holds. A call may be both slow and failed; it then counts in both.
struct circuit_tally {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t slow = 0;

    circuit_tally& operator+=(circuit_tally const& o) noexcept
    {
        calls += o.calls, failures += o.failures, slow += o.slow;
        return *this;
    }
    circuit_tally& operator-=(circuit_tally const& o) noexcept
    {
        calls -= o.calls, failures -= o.failures, slow -= o.slow;
        return *this;
    }
    friend bool operator==(circuit_tally const&, circuit_tally const&) = default;
};

namespace detail {

/// One call, as a window counts it.
[[nodiscard]] constexpr circuit_tally one_call(bool failed, bool slow) noexcept
{
    return {1, failed ? 1u : 0u, slow ? 1u : 0u};
}

/// part / whole >= threshold. By division, because the quotient of two integers rounds to the same double as the
/// literal that means it (55 / 100 is 0.55), while the product 0.55 x 100 does not round to 55.
[[nodiscard]] inline bool reaches(std::uint64_t part, std::uint64_t whole, double threshold) noexcept
{
    return static_cast<double>(part) / static_cast<double>(whole) >= threshold;
}

}  // namespace detail
}  // namespace weir
