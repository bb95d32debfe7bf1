// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/retry/latency_quantile.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

/// The rule of a pipeline that does not begin what will hardly end in time: an attempt is refused at once when less is
/// left of the call's deadline than the median latency of the successes seen (or another quantile of them).
///
///   weir::pipeline(weir::deadline(2s), weir::retry({}, budget), weir::enough_time(), breaker, balancer)
///
/// Until it has seen enough it lets everything pass; when nothing succeeds for a window's length it has forgotten, and
/// does so again. So it cannot lock itself out. Without a deadline it does nothing. Stands right of `retry`.
/// Refuses: errc::no_time_left. A retry whose pause would leave too little is not waited for.
/// Throws:  construction, std::invalid_argument naming the field.   Threads: any; move it only before the first call.
class enough_time {
public:
    using options = latency_quantile_options;

    explicit enough_time(options const& o = {.quantile = 0.5}, std::string name = "enough_time")
        : options_(o), seen_(std::make_shared<latency_quantile>(o)), name_(std::move(name))
    {
    }

    /// In place of another, which may be in use until its last call has ended: what that has learnt is learnt, if the
    /// options are the same.
    enough_time(options const& o, enough_time const& before) : enough_time(o, before.name_)
    {
        if (options_ == before.options_) seen_ = before.seen_;
    }

    /// Whether an attempt that begins at `start` may be hoped to end by `deadline`.
    [[nodiscard]] bool enough(time_point start, time_point deadline, time_point now) noexcept
    {
        if (deadline == never) return true;
        auto const needed = seen_->value(now);
        return !needed || between(start, deadline) >= *needed;
    }

    void record(duration latency, time_point now) noexcept { seen_->record(latency, now); }

    [[nodiscard]] std::string_view name() const noexcept { return name_; }

private:
    options options_;
    std::shared_ptr<latency_quantile> seen_;
    std::string name_;
};

}  // namespace weir
