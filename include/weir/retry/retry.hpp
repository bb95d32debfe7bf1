// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/retry/backoff.hpp>
#include <weir/retry/pushback.hpp>
#include <weir/retry/retry_budget.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace weir {

struct retry_options {
    unsigned max_attempts = 3;  ///< attempts in all, the first included; 1: never retry
    /// The wait before each retry.
    weir::backoff backoff = exponential(std::chrono::milliseconds(100), std::chrono::seconds(10));
    /// How long a peer may ask us to wait (Retry-After). Asked for more, the call ends with the peer's error: it never
    /// retries earlier than it was asked to. Zero: any such wish ends the call.
    duration max_retry_after = std::chrono::seconds(60);
    /// No try begins later than this after the call began. Above zero; max(): no limit but the call's deadline.
    duration max_elapsed = duration::max();
    /// A delay of your own in place of the backoff's, from how try number `tries` ended: none: the backoff's; negative:
    /// no more tries. The peer's own wish is waited for all the same.
    std::function<std::optional<duration>(outcome const& o, unsigned tries)> delay_from = {};
    std::string name = "retry";
};

/// The rule of a pipeline that tries again: which failures, how often, how long apart, at whose expense. What stands to
/// its left is asked once per call, what stands to its right once per attempt.
///
///   weir::retry({.max_attempts = 3, .backoff = weir::exponential(50ms, 2s)}, budget)
///
/// Only an outcome that is a transient failure is retried; which results and errors are, the pipeline's `classify`
/// says. The wait is the longer of the backoff and of what the peer asked for; a peer that asks for no more tries
/// (`do_not_retry`) gets none. A budget is paid before the wait and repaid when the retry is not sent; when it is
/// spent, or the deadline leaves no room, the caller gets the last real error. That one result is kept through the
/// wait, in case it stays the answer; every other is destroyed before.
/// Throws:  construction, std::invalid_argument naming the field. What `delay_from` throws ends the call, tokens
///          settled.
/// Threads: immutable, except that the budget, which must outlive it, counts.
/// Seen in: examples/09_retry_backoff.cpp
class retry {
public:
    using options = retry_options;

    explicit retry(options o = {}) : options_(std::move(o)) { check(); }
    retry(options o, retry_budget& budget) : options_(std::move(o)), budget_(&budget) { check(); }

    [[nodiscard]] options const& get_options() const noexcept { return options_; }

    /// Null: retries are bounded only by max_attempts, which lets an outage multiply the load by it. Prefer a budget.
    [[nodiscard]] retry_budget* budget() const noexcept { return budget_; }

private:
    void check() const
    {
        if (options_.max_attempts == 0)
            detail::bad_option("retry_options.max_attempts", "at least 1 (1 means no retry)", options_.max_attempts);
        if (options_.max_retry_after < duration::zero())
            detail::bad_option("retry_options.max_retry_after", "at least 0 ms", options_.max_retry_after);
        if (options_.max_elapsed <= duration::zero())
            detail::bad_option("retry_options.max_elapsed", "above 0 ms", options_.max_elapsed);
    }

    options options_;
    retry_budget* budget_ = nullptr;
};

}  // namespace weir
