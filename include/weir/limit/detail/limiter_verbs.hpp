// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/permit.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace weir::detail {

/// What every limiter on a `State` can be asked, told the time or by its own clock. The limiter itself says what it
/// admits, and has the options: the constructor and `reconfigure`.
///
/// State: take(n, now), reserve(n, now, max_wait) and look(...), which takes nothing, with an answer {admitted, why, at};
///        undo(answer), drain(now), available(now).
template <class State, clock Clock>
class limiter_verbs {
public:
    using token = permit<State>;

    /// Takes n permits, or none. They are spent; to be able to give them back, use admit or reserve.
    [[nodiscard]] bool try_acquire(std::uint64_t n = 1) noexcept { return try_acquire(n, clock_.now()); }
    [[nodiscard]] bool try_acquire(std::uint64_t n, time_point now) noexcept { return state_.take(n, now); }

    /// One permit for one call, now.
    admission<token> admit(time_point now) noexcept { return reserve(1, duration::zero(), now); }

    /// n permits for use at `start_at()`, all at once and at most max_wait from now. They are taken at once, so those
    /// who ask later queue behind. Refused when the wait would be longer; retry_at is when it no longer is.
    admission<token> reserve(std::uint64_t n, duration max_wait) noexcept { return reserve(n, max_wait, clock_.now()); }
    admission<token> reserve(std::uint64_t n, duration max_wait, time_point now) noexcept
    {
        auto const a = state_.reserve(n, now, max_wait);
        if (a.admitted) return token{state_, a};
        return rejection{a.why, a.at, name_};
    }

    /// Spends what passes now.
    void drain() noexcept { drain(clock_.now()); }
    void drain(time_point now) noexcept { state_.drain(now); }

    /// How many permits pass now, in one go.
    [[nodiscard]] std::uint64_t available() const noexcept { return available(clock_.now()); }
    [[nodiscard]] std::uint64_t available(time_point now) const noexcept { return state_.available(now); }

    /// When n permits pass if nobody else asks: `now` or later, `never` when n are more than ever pass.
    [[nodiscard]] time_point retry_at(std::uint64_t n, time_point now) const noexcept
    {
        return state_.look(n, now, duration::zero()).at;
    }

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

protected:
    limiter_verbs(State state, std::string name, Clock clock)
        : state_(std::move(state)), name_(std::move(name)), clock_(std::move(clock))
    {
    }
    limiter_verbs(limiter_verbs&&) = default;
    ~limiter_verbs() = default;

    State state_;
    std::string name_;
    [[no_unique_address]] Clock clock_;
};

}  // namespace weir::detail
