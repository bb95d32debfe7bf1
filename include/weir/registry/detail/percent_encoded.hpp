// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <string_view>

namespace weir::registry::detail {

/// For a piece of a path or query: everything but RFC 3986's unreserved characters, and those in `keep`, as %XX.
[[nodiscard]] inline std::string percent_encoded(std::string_view text, std::string_view keep = {})
{
    std::string out;
    for (char const c : text) {
        bool const plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                           c == '.' || c == '_' || c == '~' || keep.find(c) != keep.npos;
        if (plain) {
            out += c;
            continue;
        }
        constexpr char const* digits = "0123456789ABCDEF";
        auto const byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

}  // namespace weir::registry::detail
