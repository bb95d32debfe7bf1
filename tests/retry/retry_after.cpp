// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/retry/retry_after.hpp>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using weir::duration;
using weir::parse_retry_after;

namespace {

using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

constexpr sys_seconds now = sys_days(year(1994) / 11 / 6) + 8h + 49min;  // 37 s before the date of RFC 9110

}  // namespace

TEST_CASE("retry_after: whole seconds")
{
    CHECK(parse_retry_after("0", now) == 0s);
    CHECK(parse_retry_after("1", now) == 1s);
    CHECK(parse_retry_after("120", now) == 120s);
    CHECK(parse_retry_after("000120", now) == 120s);
}

TEST_CASE("retry_after: the three forms of an HTTP date")
{
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now) == 37s);
    CHECK(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", now) == 37s);
    CHECK(parse_retry_after("Sun Nov  6 08:49:37 1994", now) == 37s);
    CHECK(parse_retry_after("Wed Nov 16 08:49:00 1994", now) == 240h);
}

TEST_CASE("retry_after: a date in the past, or just now, is zero")
{
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now) == 0s);
    CHECK(parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", now) == 0s);
    CHECK(parse_retry_after("Sat, 01 Jan 0000 00:00:00 GMT", now) == 0s);
}

TEST_CASE("retry_after: the calendar is the real one")
{
    auto const at = [](std::string_view date) { return parse_retry_after(date, sys_days(year(2024) / 2 / 28)); };
    CHECK(at("Thu, 29 Feb 2024 00:00:00 GMT") == 24h);
    CHECK(at("Wed, 28 Feb 2024 23:59:60 GMT") == 24h);  // a leap second
    CHECK_FALSE(at("Sat, 29 Feb 2025 00:00:00 GMT"));
    CHECK_FALSE(at("Fri, 31 Apr 2026 00:00:00 GMT"));
    CHECK_FALSE(at("Fri, 29 Feb 2024 00:00:00 GMT"));  // it is a Thursday
}

TEST_CASE("retry_after: two-digit years mean the nearest, and never more than fifty years ahead")
{
    auto const from = [](int y, std::string_view date) { return parse_retry_after(date, sys_days(year(y) / 12 / 31)); };
    CHECK(from(1999, "Saturday, 01-Jan-00 00:00:00 GMT") == 24h);                         // 2000
    CHECK(from(2026, "Friday, 01-Jan-27 00:00:00 GMT") == 24h);                           // 2027
    CHECK(from(2026, "Saturday, 01-Jan-77 00:00:00 GMT") == 0s);                          // 1977, not 2077
    CHECK(from(2026, "Wednesday, 01-Jan-76 00:00:00 GMT") == weir::longest_retry_after);  // 2076
}

TEST_CASE("retry_after: longer wishes are held at the longest sane one")
{
    CHECK(parse_retry_after("31536000", now) == weir::longest_retry_after);
    CHECK(parse_retry_after("31535999", now) == 31535999s);
    CHECK(parse_retry_after("9223372036854775807", now) == weir::longest_retry_after);
    CHECK(parse_retry_after("18446744073709551616", now) == weir::longest_retry_after);  // 2^64
    CHECK(parse_retry_after(std::string(100'000, '9'), now) == weir::longest_retry_after);
    CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now) == weir::longest_retry_after);
    CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", sys_seconds::min()) == weir::longest_retry_after);
    CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", sys_seconds::max()) == 0s);
    CHECK_FALSE(parse_retry_after("Friday, 31-Dec-99 23:59:59 GM", sys_seconds::max()));
    CHECK_FALSE(parse_retry_after("Friday, 31-Dec-99 23:59:59 GM", sys_seconds::min()));
}

TEST_CASE("retry_after: everything else is no wish")
{
    char const* const garbage[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        " 120",
        "120 ",
        "120s",
        "120\n",
        "1 2",
        "inf",
        "nan",
        "\xd9\xa1\xd9\xa2",  // Arabic digits
        "Sun",
        "Sun,",
        "Sunday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Mon, 06 Nov 1994 08:49:37 GMT",  // it was a Sunday
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov    08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT, 120",
    };
    for (auto const* const text : garbage) {
        CAPTURE(text);
        CHECK_FALSE(parse_retry_after(text, now));
    }
    CHECK_FALSE(parse_retry_after(std::string_view("120\0", 4), now));
}

TEST_CASE("retry_after: a date damaged anywhere is refused or still in range")
{
    std::mt19937 random(5);
    for (std::string const date :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        for (std::size_t n = 0; n < date.size(); ++n) CHECK_FALSE(parse_retry_after(date.substr(0, n), now));
        for (int i = 0; i < 100'000; ++i) {
            auto text = date;
            for (auto n = random() % 3 + 1; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
            if (auto const wish = parse_retry_after(text, now)) {
                REQUIRE(*wish >= duration::zero());
                REQUIRE(*wish <= weir::longest_retry_after);
            }
        }
    }
}
