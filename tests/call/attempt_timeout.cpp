// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/attempt_timeout.hpp>

#include <weir/call/pipeline.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using weir::attempt;
using weir::duration;

TEST_CASE("attempt_timeout: a span that is not above zero is refused, by name")
{
    for (auto const span : {0ns, -1ns, duration::min()}) {
        CAPTURE(span.count());
        CHECK_THROWS_WITH_AS(weir::attempt_timeout{span}, doctest::Contains("attempt_timeout must be above 0 ms"),
                             std::invalid_argument);
    }
    CHECK(weir::attempt_timeout(1ns).span() == 1ns);
}

TEST_CASE("attempt_timeout: each attempt gets the whole span, and never more than is left of the call")
{
    weir::testing::manual_clock clock;
    auto guarded = weir::pipeline(
        weir::deadline(1s), weir::retry({.max_attempts = 4, .backoff = weir::constant(200ms).with(weir::jitter::none)}),
        weir::attempt_timeout(500ms));
    std::vector<duration> left;
    (void)guarded.call(
        [&](attempt const& a) {
            left.push_back(a.time_left(clock.now()));
            clock.advance(100ms);
            return std::make_error_code(std::errc::timed_out);
        },
        clock);
    CHECK(left == std::vector<duration>{500ms, 500ms, 400ms, 100ms});
}
