// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace weir::detail {

/// A string literal as a template argument.
template <std::size_t N>
struct literal {
    char text[N];
    consteval literal(char const (&from)[N]) { std::copy_n(from, N, text); }
};

/// The name of a gate in one pointer: null for the default name, which costs nothing; only another one is a copy on the
/// heap, made at construction.
template <literal Default>
class gate_name {
public:
    explicit gate_name(std::string const& name)
        : own_(name == Default.text ? nullptr : std::make_unique<std::string const>(name))
    {
    }

    [[nodiscard]] std::string_view view() const noexcept { return own_ ? std::string_view{*own_} : Default.text; }

private:
    std::unique_ptr<std::string const> own_;
};

}  // namespace weir::detail
