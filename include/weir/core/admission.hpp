// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <cassert>
#include <concepts>
#include <optional>
#include <string_view>
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

    admission(Token t) noexcept : token_(std::move(t)) {}
    admission(rejection r) noexcept : rejection_(r) {}

    [[nodiscard]] explicit operator bool() const noexcept { return token_.has_value(); }

    /// Precondition: admitted.
    [[nodiscard]] Token& operator*() & noexcept
    {
        assert(token_);
        return *token_;
    }
    [[nodiscard]] Token&& operator*() && noexcept
    {
        assert(token_);
        return std::move(*token_);
    }
    [[nodiscard]] Token* operator->() noexcept
    {
        assert(token_);
        return &*token_;
    }

    /// Precondition: refused.
    [[nodiscard]] rejection const& refused() const noexcept
    {
        assert(!token_);
        return rejection_;
    }

private:
    std::optional<Token> token_;
    rejection rejection_;
};

}  // namespace weir
