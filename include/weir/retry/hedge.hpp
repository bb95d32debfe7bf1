// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/retry/latency_quantile.hpp>
#include <weir/retry/retry_budget.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace weir {

struct hedge_options {
    /// How long an attempt runs alone before the next is sent beside it: a fixed time, or a quantile of the latencies
    /// seen (0.95: about 5 % more load). A quantile hedges nothing until it has its `min_samples`.
    std::variant<duration, latency_quantile_options> delay = latency_quantile_options{};
    unsigned max_extra = 1;                             ///< hedges in one call, all its tries together; 1 to 3
    duration min_delay = std::chrono::milliseconds(1);  ///< a quantile below counts as this; at least 0
    duration max_delay = std::chrono::hours(1);         ///< a quantile above counts as this; at least min_delay
    std::string name = "hedge";
};

/// The rule of a pipeline that sends a second copy of a slow request to another endpoint and takes the first success.
///
///   weir::hedge({.delay = 50ms}, budget)          // or {}: at the 95th percentile of what it has seen
///
///   auto guarded = weir::pipeline(weir::deadline(2s), weir::retry({}, budget), weir::hedge({}, budget), breaker,
///                                 balancer, weir::attempt_timeout(300ms));
///   guarded.async_call(weir::hedgeable(op), token);
///
/// A hedge answers slowness, `retry` answers failure: an attempt that fails before its hedge is due gets none. The
/// losers are cancelled, and say nothing of their peers. If all fail, the first copy's outcome is the try's. With a
/// balancer, every copy goes to an endpoint where no other is in flight; if there is none, there is no hedge.
///
/// Each hedge costs one token of the budget, the one that `retry` draws on. Without a token, or refused by a gate,
/// there is no hedge, and nothing else changes: the first copy goes on. (Dean and Barroso, "The Tail at Scale", CACM
/// 2013. A hedge without a budget turns a slow service into a dead one: it adds load exactly when there is none to
/// spare.)
///
/// The quantile is taken over first copies: those that succeeded, and those that a hedge overtook, with the time they
/// had taken until then. Leaving the latter out would make the tail look shorter, and hedge more and more.
/// Throws:  construction, std::invalid_argument naming the field.
/// Threads: any. Move it only before the first call. The budget outlives it.
/// Seen in: examples/24_hedge.cpp
class hedge {
public:
    using options = hedge_options;

    /// The largest max_extra: the room that a call has.
    static constexpr unsigned most_extra = 3;

    hedge(options o, retry_budget& budget);

    /// In place of another, which may be in use until its last call has ended: the two have one quantile, with what it
    /// has learnt, if its options are the same.
    hedge(options o, retry_budget& budget, hedge const& before) : hedge(std::move(o), budget)
    {
        if (quantile_ && before.quantile_ && options_.delay == before.options_.delay) quantile_ = before.quantile_;
    }

    template <class Sentence = void>
    explicit hedge(options = {})
    {
        static_assert(!std::is_void_v<Sentence>,
                      "weir::hedge: a hedge needs a retry_budget, the one that retry draws on: without it, slowness "
                      "multiplies the load; write weir::hedge({...}, budget)");
    }

    /// How long to wait before the next copy; none while too little is known.
    [[nodiscard]] std::optional<duration> delay(time_point now) noexcept;

    /// A first copy took this long, or was overtaken after this long.
    void record(duration latency, time_point now) noexcept
    {
        if (quantile_) quantile_->record(latency, now);
    }

    [[nodiscard]] options const& get_options() const noexcept { return options_; }
    [[nodiscard]] retry_budget& budget() const noexcept { return *budget_; }

private:
    options options_;
    retry_budget* budget_ = nullptr;
    std::shared_ptr<latency_quantile> quantile_;  // on the heap, so that a hedge can move into its pipeline
};

// Bodies

inline hedge::hedge(options o, retry_budget& budget) : options_(std::move(o)), budget_(&budget)
{
    if (options_.max_extra == 0 || options_.max_extra > most_extra)
        detail::bad_option("hedge_options.max_extra", "from 1 to 3", options_.max_extra);
    if (options_.min_delay < duration::zero())
        detail::bad_option("hedge_options.min_delay", "at least 0 ms", options_.min_delay);
    if (options_.max_delay < options_.min_delay)
        detail::bad_option("hedge_options.max_delay", "at least min_delay", options_.max_delay);
    if (auto const* fixed = std::get_if<duration>(&options_.delay)) {
        if (*fixed < duration::zero()) detail::bad_option("hedge_options.delay", "at least 0 ms", *fixed);
    } else {
        quantile_ = std::make_shared<latency_quantile>(std::get<latency_quantile_options>(options_.delay));
    }
}

inline std::optional<duration> hedge::delay(time_point now) noexcept
{
    if (!quantile_) return *std::get_if<duration>(&options_.delay);
    auto const seen = quantile_->value(now);
    if (!seen) return std::nullopt;
    return std::clamp(*seen, options_.min_delay, options_.max_delay);
}

}  // namespace weir
