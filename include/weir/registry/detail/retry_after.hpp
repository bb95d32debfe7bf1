// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/random.hpp>
#include <weir/core/time.hpp>

#include <concepts>
#include <cstdint>

namespace weir::registry::detail {

/// How long the registry behind a backend wishes not to be asked, from now on; 0 where there is no wish, or no
/// `retry_after()` to tell it.
template <class Backend>
[[nodiscard]] duration retry_after_of(Backend const& b)
{
    if constexpr (requires { b.retry_after(); }) {
        static_assert(std::same_as<decltype(b.retry_after()), duration>, "a backend's retry_after() gives a duration");
        return b.retry_after();
    } else {
        static_assert(
            !requires(Backend& c) { c.retry_after(); }, "a backend's retry_after() must be const");
        return duration::zero();
    }
}

/// `d`, at least 0, and up to a tenth more: others have been told the same, and should not come in step.
template <random_source G>
[[nodiscard]] duration and_a_tenth(duration d, G& random)
{
    auto const more = uniform_below(random, static_cast<std::uint64_t>(d.count() / 10 + 1));
    return d + duration{static_cast<duration::rep>(more)};
}

}  // namespace weir::registry::detail
