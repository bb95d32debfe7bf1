// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir {

/// Who an address stands for, as a key of limits, in 8 bytes: an IPv4 address, or the first 64 bits of an IPv6 address.
///
/// A customer of IPv6 is given a /64 at least, 2^64 addresses to choose from, so a limit per address limits nothing
/// (RFC 6177; RFC 7421 on why it is 64). IPv4 inside IPv6 is IPv4: mapped (::ffff:0:0/96, RFC 4291) and translated
/// (64:ff9b::/96, RFC 6052), where all of the world would share one /64. Others embed an address of their own choice
/// (6to4, Teredo) and are taken as IPv6.
///
/// Cost: no allocation.   Seen in: examples/17_keyed_limiter.cpp
class ip_key {
public:
    using v4_bytes = std::array<std::uint8_t, 4>;
    using v6_bytes = std::array<std::uint8_t, 16>;

    constexpr ip_key() = default;  ///< of 0.0.0.0

    /// From network order, most significant byte first: what asio's to_bytes() gives, or sockaddr_in.
    [[nodiscard]] static constexpr ip_key v4(v4_bytes const& bytes) noexcept;
    /// prefix: how many bits count, at most 64; providers that give a household a /56 or /48 can be counted so.
    [[nodiscard]] static constexpr ip_key v6(v6_bytes const& bytes, unsigned prefix = 64) noexcept;
    /// 4 or 16 bytes; nothing for any other number.
    [[nodiscard]] static constexpr std::optional<ip_key> from_bytes(std::span<std::uint8_t const> bytes,
                                                                    unsigned prefix = 64) noexcept;
    /// "203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", "fe80::1%eth0"; no brackets, no port. Nothing for text that
    /// is not an address as RFC 4291 and inet_pton have it: "1.2.3" and "01.2.3.4" mean different hosts to different
    /// programs.
    [[nodiscard]] static constexpr std::optional<ip_key> parse(std::string_view text, unsigned prefix = 64) noexcept;

    [[nodiscard]] constexpr bool is_v4() const noexcept { return value_ >> 32 == 0xffff; }

    friend constexpr auto operator<=>(ip_key const&, ip_key const&) = default;

private:
    explicit constexpr ip_key(std::uint64_t value) noexcept : value_(value) {}

    [[nodiscard]] static constexpr std::optional<v4_bytes> parse_v4(std::string_view text) noexcept;
    [[nodiscard]] static constexpr std::optional<v6_bytes> parse_v6(std::string_view text) noexcept;

    // IPv4 as 0:ffff:a.b.c.d, in 0000::/8, which is reserved: no host has an address there.
    std::uint64_t value_ = 0xffff'0000'0000;
};

constexpr ip_key ip_key::v4(v4_bytes const& b) noexcept
{
    return ip_key{std::uint64_t{0xffff} << 32 | std::uint64_t{b[0]} << 24 | std::uint64_t{b[1]} << 16 |
                  std::uint64_t{b[2]} << 8 | b[3]};
}

constexpr ip_key ip_key::v6(v6_bytes const& b, unsigned prefix) noexcept
{
    std::uint64_t high = 0, low = 0;
    for (std::size_t i = 0; i < 8; ++i) high = high << 8 | b[i], low = low << 8 | b[i + 8];
    bool const mapped = high == 0 && low >> 32 == 0xffff;
    bool const translated = high == 0x0064'ff9b'0000'0000 && low >> 32 == 0;
    if (mapped || translated) return v4({b[12], b[13], b[14], b[15]});
    if (prefix == 0) return ip_key{0};
    return ip_key{prefix < 64 ? high & ~std::uint64_t{0} << (64 - prefix) : high};
}

constexpr std::optional<ip_key> ip_key::from_bytes(std::span<std::uint8_t const> bytes, unsigned prefix) noexcept
{
    v6_bytes copy{};
    if (bytes.size() != 4 && bytes.size() != copy.size()) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); ++i) copy[i] = bytes[i];
    return bytes.size() == 4 ? v4({copy[0], copy[1], copy[2], copy[3]}) : v6(copy, prefix);
}

constexpr std::optional<ip_key> ip_key::parse(std::string_view text, unsigned prefix) noexcept
{
    if (text.find(':') == text.npos) {
        auto const bytes = parse_v4(text);
        return bytes ? std::optional{v4(*bytes)} : std::nullopt;
    }
    // The zone says which interface, not who.
    if (auto const zone = text.find('%'); zone != text.npos) {
        if (zone + 1 == text.size()) return std::nullopt;
        text = text.substr(0, zone);
    }
    auto const bytes = parse_v6(text);
    return bytes ? std::optional{v6(*bytes, prefix)} : std::nullopt;
}

/// Four decimal numbers, without leading zeros, which some read as octal.
constexpr auto ip_key::parse_v4(std::string_view text) noexcept -> std::optional<v4_bytes>
{
    v4_bytes bytes{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0 && (at == text.size() || text[at++] != '.')) return std::nullopt;
        auto const first = at;
        unsigned value = 0;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - first < 3; ++at)
            value = value * 10 + static_cast<unsigned>(text[at] - '0');
        if (at == first || value > 255 || (text[first] == '0' && at - first > 1)) return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(value);
    }
    return at == text.size() ? std::optional{bytes} : std::nullopt;
}

/// Eight groups of up to four hexadecimal digits; "::" once for the groups of zeros that are left out; the last two
/// groups may be written as IPv4. No zone.
constexpr auto ip_key::parse_v6(std::string_view text) noexcept -> std::optional<v6_bytes>
{
    v6_bytes bytes{};
    std::size_t size = 0;              // bytes so far
    std::optional<std::size_t> gap{};  // where "::" stands
    std::size_t at = 0;
    if (text.substr(0, 2) == "::") {
        gap = 0;
        at = 2;
    }
    while (at < text.size()) {
        if (size == bytes.size()) return std::nullopt;
        auto const end = text.find(':', at);
        auto const group = text.substr(at, end == text.npos ? text.npos : end - at);
        if (end == text.npos && group.find('.') != group.npos) {
            auto const v4 = parse_v4(group);
            if (!v4 || size > bytes.size() - v4->size()) return std::nullopt;
            for (auto const b : *v4) bytes[size++] = b;
            at = text.size();
            break;
        }
        if (group.empty() || group.size() > 4) return std::nullopt;
        unsigned value = 0;
        for (char const c : group) {
            unsigned const digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                                   : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                                   : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                          : 16;
            if (digit == 16) return std::nullopt;
            value = value << 4 | digit;
        }
        bytes[size++] = static_cast<std::uint8_t>(value >> 8);
        bytes[size++] = static_cast<std::uint8_t>(value & 0xff);
        if (end == text.npos) break;
        at = end + 1;
        if (at == text.size()) return std::nullopt;  // ends in a single colon
        if (text[at] == ':') {
            if (gap) return std::nullopt;
            gap = size;
            ++at;
        }
    }
    if (!gap) return size == bytes.size() ? std::optional{bytes} : std::nullopt;
    if (size == bytes.size()) return std::nullopt;  // "::" stands for one group at least
    // What came after the gap belongs at the end.
    auto const tail = size - *gap;
    for (std::size_t i = 0; i < tail; ++i) {
        bytes[bytes.size() - 1 - i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = 0;
    }
    return bytes;
}

}  // namespace weir
