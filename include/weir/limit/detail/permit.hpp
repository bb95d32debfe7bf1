// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <utility>

namespace weir::detail {

/// Permits taken from `State`, for one send at `start_at()`: what rate_permit is to the word of the token bucket.
/// `record`, with any outcome, says that it was sent: the permits stay spent. Destroyed or cancelled before that, it
/// gives them back, but only while nothing was admitted behind it; later than that a refund could mint a permit.
/// Threads: one at a time. Lifetimes: the limiter outlives it.
template <class State>
class [[nodiscard]] permit {
public:
    using answer = typename State::answer;

    permit(State& state, answer const& taken) noexcept : state_(&state), taken_(taken) {}
    permit(permit&& other) noexcept : state_(std::exchange(other.state_, nullptr)), taken_(other.taken_) {}
    permit& operator=(permit&& other) noexcept
    {
        if (this == &other) return *this;
        cancel();
        state_ = std::exchange(other.state_, nullptr);
        taken_ = other.taken_;
        return *this;
    }
    ~permit() { cancel(); }

    /// Not to be sent before this instant. It is the time of asking, unless it was reserved ahead.
    [[nodiscard]] time_point start_at() const noexcept { return taken_.at; }

    /// It was sent.
    void record(outcome const&, time_point) noexcept { state_ = nullptr; }

    /// It will not be sent. True when the permits went back.
    bool cancel() noexcept
    {
        auto* const state = std::exchange(state_, nullptr);
        return state != nullptr && state->undo(taken_);
    }

private:
    State* state_;
    answer taken_;
};

}  // namespace weir::detail
