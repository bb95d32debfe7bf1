// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/observe.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/retry/retry.hpp>

#include <algorithm>
#include <optional>

namespace weir::detail {

struct retry_plan {
    duration wait{};
    std::optional<no_retry> why_not{};
};

/// What holds of two wishes of peers: "do not retry" above all, then the longer wait.
[[nodiscard]] inline std::optional<duration> longer_wish(std::optional<duration> a, std::optional<duration> b) noexcept
{
    if (!a || !b) return a ? a : b;
    return *a < duration::zero() || *b < duration::zero() ? std::min(*a, *b) : std::max(*a, *b);
}

/// The pause before another try, or why there is none, as far as the rule and the outcome decide it. `tries` were
/// begun; `was_sent`: the last of them was, and `o` is the peer's word, not a gate's.
[[nodiscard]] inline retry_plan plan_retry(retry const& rule, outcome const& o, bool was_sent, unsigned tries,
                                           duration& previous_delay, random_engine& random)
{
    auto const& options = rule.get_options();
    if (!o.transient) return {{}, no_retry::permanent};
    if (o.retry_after && *o.retry_after < duration::zero()) return {{}, no_retry::pushback};
    if (tries >= options.max_attempts) return {{}, no_retry::attempts};
    auto delay = options.backoff.delay(tries, previous_delay, random);
    previous_delay = delay;
    if (was_sent && options.delay_from) {
        if (auto const own = options.delay_from(o, tries)) {
            if (*own < duration::zero()) return {{}, no_retry::pushback};
            delay = *own;
        }
    }
    if (o.retry_after) {
        auto const longest = was_sent ? options.max_retry_after : options.backoff.ceiling(tries);
        if (*o.retry_after > longest) return {{}, no_retry::too_long};
        delay = std::max(delay, *o.retry_after);
    }
    return {delay};
}

}  // namespace weir::detail
