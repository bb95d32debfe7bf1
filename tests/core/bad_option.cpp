// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/bad_option.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using weir::detail::bad_option;

namespace {

template <class Value>
std::string message(std::string_view field, std::string_view range, Value given)
{
    try {
        bad_option(field, range, given);
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
}

}  // namespace

TEST_CASE("bad_option: names the field, what it may be, and what was given")
{
    CHECK(message("retry_options.max_attempts", "at least 1", 0u) ==
          "weir: retry_options.max_attempts must be at least 1, and is 0");
}

TEST_CASE("bad_option: a span reads in milliseconds, a number as it was written")
{
    CHECK(message("f", "r", weir::duration(-1500us)) == "weir: f must be r, and is -1.5 ms");
    CHECK(message("f", "r", weir::duration(0)) == "weir: f must be r, and is 0 ms");
    CHECK(message("f", "r", weir::duration(1ns)) == "weir: f must be r, and is 1e-06 ms");
    CHECK(message("f", "r", -3) == "weir: f must be r, and is -3");
    CHECK(message("f", "r", 1.1) == "weir: f must be r, and is 1.1");
}

TEST_CASE("bad_option: finds room for the longest of numbers")
{
    CHECK(message("f", "r", std::numeric_limits<std::uint64_t>::max()) ==
          "weir: f must be r, and is 18446744073709551615");
    CHECK(message("f", "r", -std::numeric_limits<double>::denorm_min()) == "weir: f must be r, and is -5e-324");
    CHECK(message("f", "r", -1.7976931348623157e308) == "weir: f must be r, and is -1.7976931348623157e+308");
    CHECK(message("f", "r", std::numeric_limits<double>::quiet_NaN()) == "weir: f must be r, and is nan");
    CHECK(message("f", "r", weir::duration::min()) == "weir: f must be r, and is -9223372036854.775 ms");
}
