// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra.hpp>

#include <cstdint>
#include <utility>

namespace weir {

/// Permits taken from a limiter on one word (token_bucket, leaky_bucket, striped_token_bucket), for one send at
/// `start_at()`.
/// `record`, with any outcome, says that it was sent: the permits stay spent. Destroyed or cancelled before that, it
/// gives them back, but only while nothing was admitted behind it; later than that a refund could mint a permit.
/// Threads: one at a time. Lifetimes: the limiter outlives it. Cost: cancel is one compare-exchange; no allocation.
class [[nodiscard]] rate_permit {
public:
    rate_permit(rate_permit&& other) noexcept
        : word_(std::exchange(other.word_, nullptr)), start_at_(other.start_at_), made_(other.made_)
    {
    }
    rate_permit& operator=(rate_permit&& other) noexcept
    {
        if (this == &other) return *this;
        cancel();
        word_ = std::exchange(other.word_, nullptr);
        start_at_ = other.start_at_;
        made_ = other.made_;
        return *this;
    }
    ~rate_permit() { cancel(); }

    /// Not to be sent before this instant. It is the time of asking, unless it was reserved ahead.
    [[nodiscard]] time_point start_at() const noexcept { return start_at_; }

    /// It was sent.
    void record(outcome const&, time_point) noexcept { word_ = nullptr; }

    /// It will not be sent. True when the permits went back.
    bool cancel() noexcept
    {
        auto* const word = std::exchange(word_, nullptr);
        return word != nullptr && word->undo(made_);
    }

    /// For limiters: the permits of an admission.
    rate_permit(detail::gcra& word, time_point start_at, detail::gcra::passage made) noexcept
        : word_(&word), start_at_(start_at), made_(made)
    {
    }

private:
    detail::gcra* word_;
    time_point start_at_;
    detail::gcra::passage made_;
};

}  // namespace weir
