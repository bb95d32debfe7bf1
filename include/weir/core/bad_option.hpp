// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <charconv>
#include <chrono>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::detail {

[[nodiscard]] inline std::string option_text(duration d)
{
    char digits[32];
    auto const ms = std::chrono::duration<double, std::milli>(d).count();
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, ms).ptr) + " ms";
}

template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
[[nodiscard]] std::string option_text(Number n)
{
    char digits[64];
    return {digits, std::to_chars(digits, digits + sizeof digits, n).ptr};
}

/// What every check of options throws: the field, what it may be, and what was given.
template <class Value>
[[noreturn]] void bad_option(std::string_view field, std::string_view range, Value given)
{
    throw std::invalid_argument("weir: " + std::string(field) + " must be " + std::string(range) + ", and is " +
                                option_text(given));
}

}  // namespace weir::detail
