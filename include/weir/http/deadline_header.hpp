// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/http/message.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

/// The header that carries a deadline, where nothing else is agreed.
inline constexpr std::string_view deadline_header_name = "grpc-timeout";

/// Time left, as gRPC writes it (PROTOCOL-HTTP2, "Timeout"): at most eight digits and a unit, H M S m u or n. What is
/// left goes over the wire and not the instant, so the two clocks need not agree; the time on the way is not counted.
/// Rounded down, to the finest unit that has room: a peer never believes in more time than there is. Negative spans are
/// zero.
[[nodiscard]] std::string format_timeout(duration left);

/// Reads it back. Nothing for anything else: no sign, no space, no fraction, no ninth digit. Eight digits of hours are
/// longer than weir's time: then `duration::max()`.
[[nodiscard]] std::optional<duration> parse_timeout(std::string_view text) noexcept;

/// When the caller of this request gives up, by its header; `never` if it does not say, or not in that form. For the
/// calls that the handler makes: `guarded.async_call(weir::until(deadline, op), token)`.
[[nodiscard]] time_point deadline_of(request const& r, time_point now,
                                     std::string_view header = deadline_header_name) noexcept;

// Bodies

namespace detail {

struct timeout_unit {
    char letter;
    std::int64_t ns;
};
inline constexpr std::array<timeout_unit, 6> timeout_units{
    {{'n', 1}, {'u', 1'000}, {'m', 1'000'000}, {'S', 1'000'000'000}, {'M', 60'000'000'000}, {'H', 3'600'000'000'000}}};

}  // namespace detail

inline std::string format_timeout(duration left)
{
    if (left <= duration::zero()) return "0n";
    for (auto const& unit : detail::timeout_units)
        if (auto const n = left.count() / unit.ns; n < 100'000'000) return std::to_string(n) + unit.letter;
    return "99999999H";  // not reached: weir's time is 2.6 million hours
}

inline std::optional<duration> parse_timeout(std::string_view text) noexcept
{
    if (text.size() < 2 || text.size() > 9) return std::nullopt;
    std::int64_t n = 0;
    for (char const c : text.substr(0, text.size() - 1)) {
        if (c < '0' || c > '9') return std::nullopt;
        n = n * 10 + (c - '0');
    }
    for (auto const& unit : detail::timeout_units)
        if (unit.letter == text.back())
            return n > duration::max().count() / unit.ns ? duration::max() : duration(n * unit.ns);
    return std::nullopt;
}

inline time_point deadline_of(request const& r, time_point now, std::string_view header) noexcept
{
    auto const found = r.find(beast::string_view(header.data(), header.size()));
    if (found == r.end()) return never;
    auto const left = parse_timeout(std::string_view(found->value().data(), found->value().size()));
    return left ? later(now, *left) : never;
}

}  // namespace weir::http
