// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::registry::detail {

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, 4: the standard alphabet, padded.
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// The bytes, or nothing unless `text` is exactly what `to_base64` makes of them.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

// Bodies

inline std::string to_base64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (char const c : bytes) {
        held = held << 8 | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6) out += base64_digits[held >> (bits - 6) & 63];
    }
    if (bits != 0) out += base64_digits[held << (6 - bits) & 63];
    while (out.size() % 4 != 0) out += '=';
    return out;
}

inline std::optional<std::string> from_base64(std::string_view text)
{
    if (text.size() % 4 != 0) return std::nullopt;
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (char const c : text) {
        auto const digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                           : c >= 'a' && c <= 'z' ? c - 'a' + 26
                           : c >= '0' && c <= '9' ? c - '0' + 52
                           : c == '+'             ? 62
                           : c == '/'             ? 63
                                                  : -1;
        if (digit < 0) return std::nullopt;
        held = held << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(held >> bits & 0xff);
        }
    }
    // Bits that make no byte are zero, so that one string of bytes has one spelling. Six of them are a digit too many.
    if (bits >= 6 || (held & ((1u << bits) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace weir::registry::detail
