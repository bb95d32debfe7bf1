// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <chrono>
#include <cstdint>

namespace weir {

/// So many permits per span of time, as an exact fraction: three per second is 3/1 s, not 0.333 s rounded.
/// Units:   `per` in nanoseconds. From one per 365 days up to 1e9 per second; the limiter that takes it checks.
/// Seen in: examples/01_token_bucket.cpp
struct rate {
    std::uint64_t permits = 1;
    duration per = std::chrono::seconds{1};

    friend bool operator==(rate const&, rate const&) = default;
};

[[nodiscard]] constexpr rate per_second(std::uint64_t permits) noexcept { return {permits, std::chrono::seconds{1}}; }
[[nodiscard]] constexpr rate per_minute(std::uint64_t permits) noexcept { return {permits, std::chrono::minutes{1}}; }
[[nodiscard]] constexpr rate per_hour(std::uint64_t permits) noexcept { return {permits, std::chrono::hours{1}}; }
[[nodiscard]] constexpr rate per_day(std::uint64_t permits) noexcept { return {permits, std::chrono::hours{24}}; }

}  // namespace weir
