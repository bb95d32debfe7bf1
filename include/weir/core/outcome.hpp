// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <cstdint>
#include <optional>

namespace weir {

/// How one attempt ended, in the only words that policies understand. A classifier makes it from a result, an error
/// code or an exception; the driver fills in the latency.
struct outcome {
    enum class kind : std::uint8_t {
        success,  ///< counts for the peer
        failure,  ///< counts against the peer
        ignored,  ///< says nothing about the peer: the caller gave up, or the request itself was wrong
    };

    kind what = kind::success;
    bool transient = false;               ///< another try may do better; only a failure can be
    bool opens = false;                   ///< a failure that says enough by itself: a circuit breaker opens at once
    duration latency{};                   ///< from sending to the end
    std::optional<duration> retry_after;  ///< the peer's own wish: not before this long from the end

    [[nodiscard]] bool ok() const noexcept { return what == kind::success; }
    [[nodiscard]] bool failed() const noexcept { return what == kind::failure; }

    [[nodiscard]] static constexpr outcome success(duration latency = {}) noexcept
    {
        return {kind::success, false, false, latency, std::nullopt};
    }
    /// A failure that another try may repair.
    [[nodiscard]] static constexpr outcome failure(duration latency = {}) noexcept
    {
        return {kind::failure, true, false, latency, std::nullopt};
    }
    /// A failure that another try would only repeat.
    [[nodiscard]] static constexpr outcome permanent_failure(duration latency = {}) noexcept
    {
        return {kind::failure, false, false, latency, std::nullopt};
    }
    [[nodiscard]] static constexpr outcome ignored(duration latency = {}) noexcept
    {
        return {kind::ignored, false, false, latency, std::nullopt};
    }
};

}  // namespace weir
