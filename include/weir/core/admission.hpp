// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <cassert>
#include <concepts>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

/// A gate's "no". Every refusal says when to come back, or that it never can.
struct rejection {
    errc code = errc::rate_limited;
    time_point retry_at = never;  ///< earliest instant at which asking again can help; `never`: not by waiting
    std::string_view gate;        ///< who said no; points at the gate's own name, valid as long as the gate

    [[nodiscard]] bool possible_later() const noexcept { return retry_at != never; }
};

/// Proof of admission. Move-only. `record` settles it with how the work ended; destroyed unsettled it gives back what
/// it may: a slot always, a spent rate permit never later than the send. Both are noexcept and happen at most once.
template <class T>
concept token = std::movable<T> && !std::copyable<T> && requires(T t, outcome const& o, time_point now) {
    {
        t.record(o, now)
    } noexcept;
};

/// What `admit` answers: a token, or a rejection.
/// Cost: one branch; no allocation.
template <token Token>
class [[nodiscard]] admission {
public:
    using token_type = Token;

    /// A refusal that nobody made: the place for an answer.
    admission() noexcept : rejection_{}, admitted_(false) {}
    admission(Token t) noexcept : token_(std::move(t)), admitted_(true) {}
    admission(rejection refusal) noexcept : rejection_(refusal), admitted_(false) {}

    /// Admitted, with a token made in its place: for gates whose decision is cheaper than moving their token.
    template <class... Args>
    explicit admission(std::in_place_t, Args&&... args) noexcept(std::is_nothrow_constructible_v<Token, Args...>)
        : token_(std::forward<Args>(args)...), admitted_(true)
    {
    }

    admission(admission&& other) noexcept : admitted_(other.admitted_)
    {
        if (admitted_)
            std::construct_at(&token_, std::move(other.token_));
        else
            std::construct_at(&rejection_, other.rejection_);
    }
    ~admission()
    {
        if (admitted_) std::destroy_at(&token_);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return admitted_; }

    /// Precondition: admitted.
    [[nodiscard]] Token& operator*() & noexcept
    {
        assert(admitted_);
        return token_;
    }
    [[nodiscard]] Token&& operator*() && noexcept
    {
        assert(admitted_);
        return std::move(token_);
    }
    [[nodiscard]] Token* operator->() noexcept
    {
        assert(admitted_);
        return &token_;
    }
    [[nodiscard]] Token const* operator->() const noexcept
    {
        assert(admitted_);
        return &token_;
    }

    /// Precondition: refused.
    [[nodiscard]] rejection const& refused() const noexcept
    {
        assert(!admitted_);
        return rejection_;
    }

private:
    union {
        rejection rejection_;
        Token token_;
    };
    bool admitted_;
};

}  // namespace weir
