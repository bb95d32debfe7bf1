// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace weir {

/// As `outcome::retry_after`: the peer asks not to be tried again. Any negative wish means that.
inline constexpr duration do_not_retry{-1};

/// Reads gRPC's `grpc-retry-pushback-ms` (proposal A6): so many milliseconds, or `do_not_retry` where it is negative or
/// not a 32-bit integer. For an outcome's `retry_after`, where a classifier sees such metadata.
/// Threads: a function of its argument.
[[nodiscard]] inline duration parse_pushback(std::string_view value) noexcept
{
    std::int32_t ms = 0;
    auto const* const end = value.data() + value.size();
    auto const [stopped, failed] = std::from_chars(value.data(), end, ms);
    if (failed != std::errc{} || stopped != end || ms < 0) return do_not_retry;
    return std::chrono::milliseconds(ms);
}

}  // namespace weir
