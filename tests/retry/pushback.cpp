// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/retry/pushback.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::parse_pushback;

TEST_CASE("pushback: so many milliseconds")
{
    CHECK(parse_pushback("0") == 0ms);
    CHECK(parse_pushback("250") == 250ms);
    CHECK(parse_pushback("2147483647") == 2147483647ms);
}

TEST_CASE("pushback: negative, or not an integer of 32 bits, means: do not retry")
{
    for (auto const* text : {"-1", "-2147483648", "2147483648", "", " 1", "1 ", "+1", "1.5", "1ms", "soon", "0x1"}) {
        CAPTURE(text);
        CHECK(parse_pushback(text) == weir::do_not_retry);
        CHECK(parse_pushback(text) < 0ms);
    }
}
