// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/retry/backoff.hpp>

#include <chrono>
#include <cstdint>

namespace weir::registry {

/// What to make of an answer without a single serving instance, after answers that had some.
enum class empty_answer : std::uint8_t {
    hold,    ///< believe it when a second answer, `hold` later, says the same
    accept,  ///< believe it at once
    never,   ///< keep the last good set for ever
};

struct watch_options {
    empty_answer on_empty = empty_answer::hold;

    /// How long a doubted answer is held back before the registry is asked again.
    duration hold = std::chrono::seconds(10);

    /// Share of the serving instances that one answer may take away without being doubted like an empty one, in [0, 1].
    /// 1: only emptiness is doubted.
    double max_loss = 0.5;

    /// Time limit of reading everything.
    duration list_timeout = std::chrono::seconds(5);

    /// Time limit of waiting for a change: longer than the registry itself waits, or every quiet wait is a failure.
    duration await_timeout = std::chrono::seconds(65);

    /// Pause before asking again after a failure.
    weir::backoff backoff =
        exponential(std::chrono::milliseconds(100), std::chrono::seconds(30)).with(jitter::decorrelated);

    /// A registry that says with an answer of 429 or 503 when to come back (Retry-After) is not asked before that, but
    /// waited for no longer than this and a tenth: no answer silences a watch for a day. 0: it is not heeded. Where
    /// there are several servers, the wish of one does not keep from asking another.
    duration max_retry_after = std::chrono::minutes(1);

    /// A conversation that lasted this long starts the backoff afresh. Without it, a registry that answers once and
    /// fails is asked in a tight loop.
    duration settled = std::chrono::seconds(10);

    /// Shortest average pause between two questions, with two at once allowed: against registries that wake their
    /// watchers for nothing. 0: no limit.
    duration pace = std::chrono::seconds(1);

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;
};

// Bodies

inline void watch_options::check() const
{
    using weir::detail::bad_option;
    if (hold < duration::zero()) bad_option("watch_options.hold", "at least 0 ms", hold);
    if (!(max_loss >= 0 && max_loss <= 1)) bad_option("watch_options.max_loss", "in [0, 1]", max_loss);
    if (list_timeout <= duration::zero()) bad_option("watch_options.list_timeout", "above 0 ms", list_timeout);
    if (await_timeout <= duration::zero()) bad_option("watch_options.await_timeout", "above 0 ms", await_timeout);
    if (backoff.max() <= duration::zero()) bad_option("watch_options.backoff", "above 0 ms", backoff.max());
    if (max_retry_after < duration::zero() || max_retry_after > std::chrono::hours(24))
        bad_option("watch_options.max_retry_after", "in [0, 86400000] ms", max_retry_after);
    if (settled < duration::zero()) bad_option("watch_options.settled", "at least 0 ms", settled);
    if (pace < duration::zero()) bad_option("watch_options.pace", "at least 0 ms", pace);
}

}  // namespace weir::registry
