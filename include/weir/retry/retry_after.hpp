// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

namespace weir {

/// No Retry-After is read as longer than this, so that adding it to any instant stays sane. `retry` has its own, much
/// nearer limit.
inline constexpr duration longest_retry_after = std::chrono::days(365);

/// Reads the value of an HTTP Retry-After header (RFC 9110, 10.2.3): whole seconds, or a date in any of the three forms
/// of 5.6.7. `now` is the wall clock, which only dates need.
///
/// Strict: no sign, no fraction, no spaces around, no unknown day or month, the weekday must be that of the date.
/// Anything else is nullopt, which means "no wish", and the caller's own backoff decides. A date in the past is zero.
/// Threads: a function of its arguments.   Cost: under 100 ns; no allocation.
/// Seen in: examples/09_retry_backoff.cpp
[[nodiscard]] std::optional<duration> parse_retry_after(std::string_view value, std::chrono::sys_seconds now) noexcept;

// Bodies

namespace detail {

/// Eats an HTTP-date from left to right. After the first mismatch it stays failed, whatever follows.
class http_date_reader {
public:
    explicit http_date_reader(std::string_view text) noexcept : rest_(text) {}

    void literal(std::string_view expected) noexcept
    {
        if (rest_.starts_with(expected))
            rest_.remove_prefix(expected.size());
        else
            failed_ = true;
    }

    /// Exactly `digits` digits. With `padded`, the first may be a space (asctime writes the day so).
    int number(std::size_t digits, bool padded = false) noexcept
    {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            char const c = i < rest_.size() ? rest_[i] : 'x';
            if (padded && i == 0 && c == ' ') continue;
            if (c < '0' || c > '9') {
                failed_ = true;
                return 0;
            }
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }

    /// The index of the name that the text begins with.
    template <std::size_t N>
    unsigned one_of(std::array<std::string_view, N> const& names) noexcept
    {
        for (unsigned i = 0; i < N; ++i)
            if (rest_.starts_with(names[i])) {
                rest_.remove_prefix(names[i].size());
                return i;
            }
        failed_ = true;
        return 0;
    }

    [[nodiscard]] bool at_end() const noexcept { return !failed_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool failed_ = false;
};

inline constexpr std::array<std::string_view, 7> short_days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
inline constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                           "Thursday", "Friday", "Saturday"};
inline constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

[[nodiscard]] inline std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text,
                                                                             std::chrono::sys_seconds now) noexcept
{
    http_date_reader in(text);
    unsigned weekday = 0, month = 0;
    int year = 0, day = 0, hour = 0, minute = 0, second = 0;
    auto const time_of_day = [&] {
        hour = in.number(2), in.literal(":");
        minute = in.number(2), in.literal(":");
        second = in.number(2);
    };

    if (text.size() > 3 && text[3] == ',') {  // Sun, 06 Nov 1994 08:49:37 GMT
        weekday = in.one_of(short_days), in.literal(", ");
        day = in.number(2), in.literal(" ");
        month = in.one_of(months), in.literal(" ");
        year = in.number(4), in.literal(" ");
        time_of_day(), in.literal(" GMT");
    } else if (text.size() > 3 && text[3] == ' ') {  // Sun Nov  6 08:49:37 1994
        weekday = in.one_of(short_days), in.literal(" ");
        month = in.one_of(months), in.literal(" ");
        day = in.number(2, true), in.literal(" ");
        time_of_day(), in.literal(" ");
        year = in.number(4);
    } else {  // Sunday, 06-Nov-94 08:49:37 GMT
        weekday = in.one_of(long_days), in.literal(", ");
        day = in.number(2), in.literal("-");
        month = in.one_of(months), in.literal("-");
        year = in.number(2), in.literal(" ");
        time_of_day(), in.literal(" GMT");
        // The year with those two digits that is nearest; more than fifty years ahead is the past (RFC 9110, 5.6.7).
        auto const today = std::chrono::floor<std::chrono::days>(now);
        auto const this_year = static_cast<int>(std::chrono::year_month_day(today).year());
        year += this_year - this_year % 100;
        if (year > this_year + 50) year -= 100;
        if (year <= this_year - 50) year += 100;
    }

    using namespace std::chrono;
    year_month_day const date{std::chrono::year(year), std::chrono::month(month + 1),
                              std::chrono::day(static_cast<unsigned>(day))};
    // 60 is a leap second.
    if (!in.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    if (std::chrono::weekday(sys_days(date)).c_encoding() != weekday) return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
}

}  // namespace detail

inline std::optional<duration> parse_retry_after(std::string_view value, std::chrono::sys_seconds now) noexcept
{
    using std::chrono::seconds;
    constexpr auto longest = std::chrono::duration_cast<seconds>(longest_retry_after);
    if (value.empty()) return std::nullopt;

    if (value.find_first_not_of("0123456789") == std::string_view::npos) {
        seconds wish{0};
        for (char const c : value) {
            wish = wish * 10 + seconds(c - '0');
            if (wish >= longest) return longest_retry_after;  // also keeps the next step from overflowing
        }
        return wish;
    }

    auto const date = detail::parse_http_date(value, now);
    if (!date) return std::nullopt;
    if (*date <= now) return duration::zero();
    // In this order, because `*date - now` overflows for a clock far out of range.
    return *date - longest >= now ? longest_retry_after : duration(*date - now);
}

}  // namespace weir
