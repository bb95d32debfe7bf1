// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/units.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <string>

using namespace std::chrono_literals;
using weir::duration;
using weir::rate;
using weir::config::parse_bytes;
using weir::config::parse_bytes_per_second;
using weir::config::parse_count;
using weir::config::parse_duration;
using weir::config::parse_rate;
using weir::config::parse_ratio;
using weir::config::to_text;

namespace {

// Why `parse` refuses `text`.
template <class Parse>
std::string refusal(Parse parse, std::string_view text)
{
    try {
        (void)parse(text);
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "taken";
}

}  // namespace

TEST_CASE("units: durations are read exactly")
{
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("2s") == 2s);
    CHECK(parse_duration("2 s") == 2s);
    CHECK(parse_duration("1.5m") == 90s);
    CHECK(parse_duration("5min") == 5min);
    CHECK(parse_duration("1h30m") == 90min);
    CHECK(parse_duration("1d") == 24h);
    CHECK(parse_duration("0.1us") == 100ns);
    CHECK(parse_duration("20\xc2\xb5s") == 20us);
    CHECK(parse_duration("1.123456789s") == 1'123'456'789ns);
    CHECK(parse_duration("1.50000000000000000000s") == 1500ms);
    CHECK(parse_duration("0") == duration::zero());
    CHECK(parse_duration("0s") == duration::zero());
    CHECK(parse_duration("unlimited") == duration::max());
    CHECK(parse_duration("9223372036854775807ns") == duration::max());
}

TEST_CASE("units: what is no duration is refused, with what would be right")
{
    CHECK(refusal(parse_duration, "250") ==
          "\"250\" has no unit: write a number and a unit of ns, us, ms, s, m, h, d, as in \"250ms\", \"1.5s\" or "
          "\"1h30m\"");
    CHECK(refusal(parse_duration, "2 weeks").find("\"2 weeks\" has an unknown unit: ") == 0);
    CHECK(refusal(parse_duration, "30m1h").find("wrong order") != std::string::npos);
    CHECK(refusal(parse_duration, "1m1min").find("wrong order") != std::string::npos);
    CHECK(refusal(parse_duration, "0.5ns").find("finer than a nanosecond") != std::string::npos);
    CHECK(refusal(parse_duration, "9223372036854775808ns").find("292 years") != std::string::npos);
    CHECK(refusal(parse_duration, "106751d24h").find("292 years") != std::string::npos);
    for (auto const* bad : {"", " ", "ms", "-2s", "+2s", ".5s", "1.s", "1..5s", "1e3s", "2s ", " 2s", "2  s", "2S",
                            "2s,", "99999999999999999999s", "0.0000000000000000000000000000001s"})
        CHECK_MESSAGE(refusal(parse_duration, bad) != "taken", bad);
}

TEST_CASE("units: what was given is quoted in one bounded line")
{
    auto const why = refusal(parse_duration, "x\n\x01" + std::string(1000, 'y'));
    CHECK(why.find('\n') == std::string::npos);
    CHECK(why.size() < 250);
}

TEST_CASE("units: rates stay exact fractions")
{
    CHECK(parse_rate("500/s") == rate{500, 1s});
    CHECK(parse_rate("10/min") == rate{10, 1min});
    CHECK(parse_rate("10/m") == rate{10, 1min});
    CHECK(parse_rate("3/hour") == rate{3, 1h});
    CHECK(parse_rate("3/day") == rate{3, 24h});
    CHECK(parse_rate("100/250ms") == rate{100, 250ms});
    CHECK(parse_rate("1/1.5s") == rate{1, 1500ms});
    CHECK(parse_rate("0.5/s") == rate{1, 2s});
    CHECK(parse_rate("2.5/s") == rate{1, 400ms});
    CHECK(parse_rate("0/s") == rate{0, 1s});  // the limiter says what it thinks of that
    CHECK(refusal(parse_rate, "500") ==
          "\"500\" is a number without a time, and no rate: write permits per time, as in \"500/s\", \"10/min\" or "
          "\"100/250ms\"");
    for (auto const* bad : {"", "/s", "500/", "500 per s", "-1/s", "500/0s", "500/s/s", "500/unlimited", "x/s",
                            "0.00000000000000000001/s", "5/-1s", "5/week"})
        CHECK_MESSAGE(refusal(parse_rate, bad) != "taken", bad);
}

TEST_CASE("units: ratios are the nearest double")
{
    CHECK(parse_ratio("50%") == 0.5);
    CHECK(parse_ratio("12.5 %") == 0.125);
    CHECK(parse_ratio("0.1%") == 0.001);
    CHECK(parse_ratio("0.1") == 0.1);
    CHECK(parse_ratio("0.7") == 0.7);
    CHECK(parse_ratio("70%") == 0.7);
    CHECK(parse_ratio("100%") == 1);
    CHECK(parse_ratio("0") == 0);
    CHECK(parse_ratio("250%") == 2.5);
    CHECK(refusal(parse_ratio, "half") == "\"half\" is not a ratio: write a share, as in \"50%\" or 0.5");
    for (auto const* bad : {"", "%", "-5%", "5%%", "5 p", "0.12345678901234567890"})
        CHECK_MESSAGE(refusal(parse_ratio, bad) != "taken", bad);
}

TEST_CASE("units: sizes count in 1000 or in 1024, as they say")
{
    CHECK(parse_bytes("0") == 0);
    CHECK(parse_bytes("512") == 512);
    CHECK(parse_bytes("512B") == 512);
    CHECK(parse_bytes("64KiB") == 65536);
    CHECK(parse_bytes("64Ki") == 65536);
    CHECK(parse_bytes("64 kB") == 64000);
    CHECK(parse_bytes("1.5MB") == 1'500'000);
    CHECK(parse_bytes("1.5MiB") == 1'572'864);
    CHECK(parse_bytes("3GiB") == 3ull << 30);
    CHECK(parse_bytes("2T") == 2'000'000'000'000);
    CHECK(parse_bytes("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    CHECK(parse_bytes_per_second("10MiB/s") == 10u << 20);
    CHECK(refusal(parse_bytes, "5XB").find("\"5XB\" has an unknown unit: write a size, as in") == 0);
    CHECK(refusal(parse_bytes, "1.5B").find("whole number of bytes") != std::string::npos);
    for (auto const* bad : {"", "B", "-1", "1BB", "1MBB", "1kk", "18446744073709551616", "20000000TiB"})
        CHECK_MESSAGE(refusal(parse_bytes, bad) != "taken", bad);
    CHECK(refusal(parse_bytes_per_second, "10MiB") != "taken");
}

TEST_CASE("units: counts, numbers and truth")
{
    CHECK(parse_count("100") == 100);
    for (auto const* bad : {"", "-1", "1.5", "1e3", " 1", "18446744073709551616", "1k"})
        CHECK_MESSAGE(refusal(parse_count, bad) != "taken", bad);
    CHECK(weir::config::parse_number("1e3") == 1000);
    CHECK(weir::config::parse_number("-0.25") == -0.25);
    for (auto const* bad : {"", "inf", "nan", "1e999", "0x10", "1 "})
        CHECK_MESSAGE(refusal(weir::config::parse_number, bad) != "taken", bad);
    CHECK(weir::config::parse_bool("true"));
    CHECK_FALSE(weir::config::parse_bool("false"));
    CHECK(refusal(weir::config::parse_bool, "yes") == "\"yes\" is neither: write true or false");
}

TEST_CASE("units: what is written reads back as the same")
{
    for (duration const d :
         {duration(0), duration(1), duration(250ms), duration(90s), duration(1500ms), duration(36h + 1ns),
          duration(20us), duration::max() - 1ns, duration::max(), duration(61s)})
        CHECK(parse_duration(to_text(d)) == d);
    CHECK(to_text(duration(250ms)) == "250ms");
    CHECK(to_text(duration(90s)) == "1m30s");
    for (rate const r : {rate{500, 1s}, rate{10, 1min}, rate{1, 1500ms}, rate{7, 24h}, rate{1, 1ns}})
        CHECK(parse_rate(to_text(r)) == r);
    CHECK(to_text(rate{500, 1s}) == "500/s");
    CHECK(to_text(rate{10, 1min}) == "10/min");
}
