// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/limit/rate.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::config {

// Quantities as people write them in a configuration. Each is read exactly or refused: nothing is rounded, no unit is
// guessed, and "250" is no duration.
// Throws: std::invalid_argument; the sentence quotes what was given and shows what would be right.

/// "250ms", "2s", "1.5m", "1h30m"; units ns us ms s m (or min) h d, larger ones first. "0"; "unlimited": the longest.
[[nodiscard]] duration parse_duration(std::string_view text);

/// "500/s", "10/min", "100/250ms", "0.5/s": so many per unit, or per duration.
[[nodiscard]] rate parse_rate(std::string_view text);

/// "50%", "12.5 %", "0.5".
[[nodiscard]] double parse_ratio(std::string_view text);

/// "512", "512B", "64KiB", "1.5MB": in thousands with k M G T, in 1024s with Ki Mi Gi Ti.
[[nodiscard]] std::uint64_t parse_bytes(std::string_view text);

/// The same and "/s".
[[nodiscard]] std::uint64_t parse_bytes_per_second(std::string_view text);

/// Digits, and nothing else.
[[nodiscard]] std::uint64_t parse_count(std::string_view text);

/// "0.25", "-3", "1e3".
[[nodiscard]] double parse_number(std::string_view text);

/// "true" or "false".
[[nodiscard]] bool parse_bool(std::string_view text);

/// The shortest text that reads back as the same.
[[nodiscard]] std::string to_text(duration d);
[[nodiscard]] std::string to_text(rate const& r);

namespace detail {

/// What was given, fit for a sentence: in quotes, one line, not longer than a line.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace detail

// Bodies

namespace detail {

inline std::string in_quotes(std::string_view text)
{
    constexpr std::size_t most = 80;
    std::string out = "\"";
    for (char const c : text.substr(0, most)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (text.size() > most) out += "...";
    return out + '"';
}

/// A non-negative decimal number as it was written: `digits` / 10^`places`, less zeros at the end of a fraction.
struct decimal {
    std::uint64_t digits = 0;
    unsigned places = 0;
};

/// Takes a decimal number off the front of `text`. Nothing: there is none, or it has too many digits.
[[nodiscard]] inline std::optional<decimal> take_decimal(std::string_view& text) noexcept
{
    constexpr auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    decimal d;
    unsigned zeros = 0;  // of the fraction, held back until a digit follows
    bool seen = false, point = false;
    std::size_t n = 0;
    auto const push = [&d](unsigned digit) {
        if (d.digits > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
        d.digits = d.digits * 10 + digit;
        return true;
    };
    for (; n < text.size(); ++n) {
        if (text[n] == '.' && !point && seen && n + 1 < text.size() && is_digit(text[n + 1])) {
            point = true;
            continue;
        }
        if (!is_digit(text[n])) break;
        seen = true;
        auto const digit = static_cast<unsigned>(text[n] - '0');
        if (!point) {
            if (!push(digit)) return std::nullopt;
        } else if (digit == 0) {
            ++zeros;
        } else {
            for (d.places += zeros + 1; zeros != 0; --zeros)
                if (!push(0)) return std::nullopt;
            if (!push(digit)) return std::nullopt;
        }
    }
    if (!seen) return std::nullopt;
    text.remove_prefix(n);
    return d;
}

/// number x unit, where that is a whole number of 64 bits.
[[nodiscard]] inline std::optional<std::uint64_t> scaled(decimal n, std::uint64_t unit) noexcept
{
    for (; n.places != 0; --n.places) {
        // 10 = 2 x 5: whatever of it the unit does not have, the digits must.
        for (std::uint64_t const factor : {2u, 5u}) {
            if (unit % factor == 0)
                unit /= factor;
            else if (n.digits % factor == 0)
                n.digits /= factor;
            else
                return std::nullopt;
        }
    }
    if (unit != 0 && n.digits > std::numeric_limits<std::uint64_t>::max() / unit) return std::nullopt;
    return n.digits * unit;
}

struct unit {
    std::string_view name;
    std::uint64_t worth;
};

inline constexpr std::array<unit, 9> time_units{{{"d", 86'400'000'000'000},
                                                 {"h", 3'600'000'000'000},
                                                 {"min", 60'000'000'000},
                                                 {"m", 60'000'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"ms", 1'000'000},
                                                 {"us", 1'000},
                                                 {"\xc2\xb5s", 1'000},
                                                 {"ns", 1}}};
inline constexpr std::array<unit, 3> more_rate_units{{{"day", 86'400'000'000'000},  // read best after a "/"
                                                      {"hour", 3'600'000'000'000},
                                                      {"sec", 1'000'000'000}}};
inline constexpr std::array<unit, 12> byte_units{{{"", 1},
                                                  {"k", 1'000},
                                                  {"K", 1'000},
                                                  {"M", 1'000'000},
                                                  {"G", 1'000'000'000},
                                                  {"T", 1'000'000'000'000},
                                                  {"Ki", 1ull << 10},
                                                  {"ki", 1ull << 10},
                                                  {"Mi", 1ull << 20},
                                                  {"Gi", 1ull << 30},
                                                  {"Ti", 1ull << 40},
                                                  {"B", 1}}};

template <std::size_t N>
[[nodiscard]] constexpr unit const* find_unit(std::array<unit, N> const& units, std::string_view name) noexcept
{
    for (auto const& u : units)
        if (u.name == name) return &u;
    return nullptr;
}

[[noreturn]] inline void bad_text(std::string_view text, std::string_view what, std::string_view right)
{
    throw std::invalid_argument(in_quotes(text) + ' ' + std::string(what) + ": " + std::string(right));
}

/// A duration, or why there is none.
[[nodiscard]] inline std::optional<duration> try_duration(std::string_view text, char const*& why) noexcept
{
    constexpr auto most = static_cast<std::uint64_t>(duration::max().count());
    why = "is not a duration";
    if (text == "0") return duration::zero();
    if (text == "unlimited") return duration::max();
    std::uint64_t total = 0, smaller_than = std::numeric_limits<std::uint64_t>::max();
    do {
        auto const n = take_decimal(text);
        if (!n) return std::nullopt;
        if (text.starts_with(' ')) text.remove_prefix(1);
        auto const end = text.find_first_of("0123456789. ");
        auto const name = text.substr(0, end);
        text.remove_prefix(name.size());
        if (name.empty()) return why = "has no unit", std::nullopt;
        auto const* const u = find_unit(time_units, name);
        if (u == nullptr) return why = "has an unknown unit", std::nullopt;
        if (u->worth >= smaller_than) return why = "has its units in a wrong order", std::nullopt;
        smaller_than = u->worth;
        auto const part = scaled(*n, u->worth);
        if (!part || *part > most - total)
            return why = "is finer than a nanosecond, or longer than 292 years", std::nullopt;
        total += *part;
    } while (!text.empty());
    return duration{static_cast<duration::rep>(total)};
}

inline constexpr std::string_view right_duration =
    "write a number and a unit of ns, us, ms, s, m, h, d, as in \"250ms\", \"1.5s\" or \"1h30m\"";

}  // namespace detail

inline duration parse_duration(std::string_view text)
{
    char const* why = nullptr;
    auto const d = detail::try_duration(text, why);
    if (!d) detail::bad_text(text, why, detail::right_duration);
    return *d;
}

inline rate parse_rate(std::string_view text)
{
    constexpr std::string_view right = "write permits per time, as in \"500/s\", \"10/min\" or \"100/250ms\"";
    auto rest = text;
    auto const n = detail::take_decimal(rest);
    if (!n) detail::bad_text(text, "is not a rate", right);
    if (!rest.starts_with('/')) detail::bad_text(text, "is a number without a time, and no rate", right);
    rest.remove_prefix(1);
    duration per{};
    auto const* u = detail::find_unit(detail::time_units, rest);
    if (u == nullptr) u = detail::find_unit(detail::more_rate_units, rest);
    if (u != nullptr) {
        per = duration{static_cast<duration::rep>(u->worth)};
    } else {
        char const* why = nullptr;
        auto const d = detail::try_duration(rest, why);
        if (!d || *d <= duration::zero() || *d == duration::max()) detail::bad_text(text, "is not a rate", right);
        per = *d;
    }
    rate r{n->digits, per};
    for (auto places = n->places; places != 0; --places) {  // 0.5 per second is 5 per 10 seconds
        if (r.per > duration::max() / 10) detail::bad_text(text, "has too many digits", right);
        r.per *= 10;
    }
    if (n->places != 0)
        if (auto const common = std::gcd(r.permits, static_cast<std::uint64_t>(r.per.count())); common > 1) {
            r.permits /= common;
            r.per /= static_cast<duration::rep>(common);
        }
    return r;
}

inline double parse_ratio(std::string_view text)
{
    constexpr std::string_view right = "write a share, as in \"50%\" or 0.5";
    auto rest = text;
    auto n = detail::take_decimal(rest);
    if (!n) detail::bad_text(text, "is not a ratio", right);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest != "" && rest != "%") detail::bad_text(text, "is not a ratio", right);
    if (rest == "%") n->places += 2;
    // Both are exact up to 2^53 and 10^22, and so is then the nearest double to their quotient.
    double power = 1;
    if (n->digits > (1ull << 53) || n->places > 22) detail::bad_text(text, "has too many digits", right);
    for (auto places = n->places; places != 0; --places) power *= 10;
    return static_cast<double>(n->digits) / power;
}

inline std::uint64_t parse_bytes(std::string_view text)
{
    constexpr std::string_view right = "write a size, as in \"512B\", \"64KiB\" (of 1024) or \"1.5MB\" (of 1000)";
    auto rest = text;
    auto const n = detail::take_decimal(rest);
    if (!n) detail::bad_text(text, "is not a size", right);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.size() > 1 && rest.ends_with('B')) rest.remove_suffix(1);
    auto const* const u = detail::find_unit(detail::byte_units, rest);
    if (u == nullptr || (rest == "B" && text.ends_with("BB"))) detail::bad_text(text, "has an unknown unit", right);
    auto const size = detail::scaled(*n, u->worth);
    if (!size) detail::bad_text(text, "is not a whole number of bytes of 64 bits", right);
    return *size;
}

inline std::uint64_t parse_bytes_per_second(std::string_view text)
{
    if (!text.ends_with("/s")) detail::bad_text(text, "is not bytes per second", "write it as in \"10MiB/s\"");
    return parse_bytes(text.substr(0, text.size() - 2));
}

inline std::uint64_t parse_count(std::string_view text)
{
    std::uint64_t n = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size())
        detail::bad_text(text, "is not a count", "write a whole number, as in 100");
    return n;
}

inline double parse_number(std::string_view text)
{
    double n = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(n))
        detail::bad_text(text, "is not a number", "write it as in 0.25");
    return n;
}

inline bool parse_bool(std::string_view text)
{
    if (text != "true" && text != "false") detail::bad_text(text, "is neither", "write true or false");
    return text == "true";
}

inline std::string to_text(duration d)
{
    if (d == duration::max()) return "unlimited";
    if (d == duration::zero()) return "0s";
    if (d < duration::zero()) return std::to_string(d.count()) + "ns";
    std::string out;
    auto rest = static_cast<std::uint64_t>(d.count());
    // Whole days, hours and minutes, then the largest unit that the rest is a multiple of.
    for (auto const* const name : {"d", "h", "m"}) {
        auto const worth = detail::find_unit(detail::time_units, name)->worth;
        if (rest >= worth) out += std::to_string(rest / worth) + name;
        rest %= worth;
    }
    for (auto const* const name : {"s", "ms", "us", "ns"}) {
        auto const worth = detail::find_unit(detail::time_units, name)->worth;
        if (rest != 0 && rest % worth == 0) {
            out += std::to_string(rest / worth) + name;
            break;
        }
    }
    return out;
}

inline std::string to_text(rate const& r)
{
    auto per = to_text(r.per);
    for (auto const* const name : {"d", "h", "m", "s", "ms", "us", "ns"})
        if (per == "1" + std::string(name)) per = name == std::string_view("m") ? "min" : name;
    return std::to_string(r.permits) + '/' + per;
}

}  // namespace weir::config
