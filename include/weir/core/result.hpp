// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>

#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace weir {

/// Why a call has no value. `refused` is filled when weir itself said no.
struct error {
    std::error_code code;
    std::optional<rejection> refused = std::nullopt;

    error(std::error_code c) noexcept : code(c) {}
    error(errc c) noexcept : code(make_error_code(c)) {}
    error(rejection const& r) noexcept : code(make_error_code(r.code)), refused(r) {}
};

/// A value or an `error`: what blocking calls return. The shape of std::expected, which C++20 does not have.
/// Throws: only `value()`, std::system_error with the code.
template <class T>
class [[nodiscard]] result {
public:
    using value_type = T;
    using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    result()
        requires std::is_void_v<T>
        : state_(std::in_place_index<0>)
    {
    }
    /// An error is never taken for a value, not even where the value is a bool or a std::any.
    template <class U = stored>
        requires(!std::is_void_v<T> && std::is_convertible_v<U &&, stored> &&
                 !std::is_same_v<std::remove_cvref_t<U>, result> && !std::is_convertible_v<U &&, weir::error>)
    result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value))
    {
    }
    result(weir::error e) noexcept : state_(std::in_place_index<1>, std::move(e)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] stored& value() &
    {
        check();
        return std::get<0>(state_);
    }
    [[nodiscard]] stored const& value() const&
    {
        check();
        return std::get<0>(state_);
    }
    [[nodiscard]] stored&& value() &&
    {
        check();
        return std::get<0>(std::move(state_));
    }

    /// Precondition: has a value.
    [[nodiscard]] stored& operator*() & noexcept { return *std::get_if<0>(&state_); }
    [[nodiscard]] stored const& operator*() const& noexcept { return *std::get_if<0>(&state_); }
    [[nodiscard]] stored&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
    [[nodiscard]] stored* operator->() noexcept { return std::get_if<0>(&state_); }
    [[nodiscard]] stored const* operator->() const noexcept { return std::get_if<0>(&state_); }

    /// Precondition: has no value.
    [[nodiscard]] weir::error const& error() const noexcept { return *std::get_if<1>(&state_); }

    template <class U>
    [[nodiscard]] stored value_or(U&& other) const&
    {
        return has_value() ? **this : static_cast<stored>(std::forward<U>(other));
    }
    template <class U>
    [[nodiscard]] stored value_or(U&& other) &&
    {
        return has_value() ? *std::move(*this) : static_cast<stored>(std::forward<U>(other));
    }

private:
    void check() const
    {
        if (!has_value()) throw std::system_error(error().code);
    }

    std::variant<stored, weir::error> state_;
};

}  // namespace weir
