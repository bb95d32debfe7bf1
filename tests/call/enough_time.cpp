// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/call.hpp>
#include <weir/call/enough_time.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

struct service {
    weir::testing::manual_clock clock{};
    weir::duration takes = 100ms;
    int failures = 0;
    int asked = 0;

    auto operation()
    {
        return [this](weir::attempt const&) -> weir::result<int> {
            ++asked;
            clock.sleep_until(clock.now() + takes);
            if (failures > 0) return --failures, weir::error(std::make_error_code(std::errc::connection_reset));
            return 1;
        };
    }
};

auto pipeline_of(weir::latency_quantile_options o)
{
    return weir::pipeline(weir::deadline(10s),
                          weir::retry({.max_attempts = 2, .backoff = weir::constant(1s).with(weir::jitter::none)}),
                          weir::enough_time(o));
}

}  // namespace

TEST_CASE("enough_time: what is left is below the median, and nothing is sent")
{
    service s;
    auto p = pipeline_of({.quantile = 0.5, .min_samples = 10});
    for (int i = 0; i < 10; ++i) {
        s.takes = i < 6 ? 100ms : 200ms;
        REQUIRE(p.call(s.operation(), s.clock));
    }
    s.takes = 100ms;
    auto const refused = p.call(weir::until(s.clock.now() + 99ms, s.operation()), s.clock);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == weir::errc::no_time_left);
    CHECK(refused.error().refused->gate == "enough_time");
    CHECK(s.asked == 10);
    CHECK(p.call(weir::until(s.clock.now() + 110ms, s.operation()), s.clock));
    CHECK(p.call(s.operation(), s.clock));
}

TEST_CASE("enough_time: before it knows enough, everything passes, and without a deadline always")
{
    service s;
    auto p = pipeline_of({.quantile = 0.5, .min_samples = 10});
    for (int i = 0; i < 9; ++i) REQUIRE(p.call(s.operation(), s.clock));
    CHECK(p.call(weir::until(s.clock.now() + 1ms, s.operation()), s.clock));
    CHECK_FALSE(p.call(weir::until(s.clock.now() + 1ms, s.operation()), s.clock));

    auto endless = weir::pipeline(weir::enough_time({.min_samples = 1}));
    for (int i = 0; i < 100; ++i) CHECK(endless.call(s.operation(), s.clock));
}

TEST_CASE("enough_time: a pause that would leave too little is not waited for, and the real error comes back")
{
    service s;
    auto p = pipeline_of({.quantile = 0.5, .min_samples = 10});
    for (int i = 0; i < 10; ++i) REQUIRE(p.call(s.operation(), s.clock));
    s.failures = 1;
    s.asked = 0;
    auto const began = s.clock.now();
    auto const r = p.call(weir::until(s.clock.now() + 1150ms, s.operation()), s.clock);  // 50 ms left after the pause
    REQUIRE_FALSE(r);
    CHECK(r.error().code == std::errc::connection_reset);
    CHECK(s.asked == 1);
    CHECK(s.clock.now() == began + 100ms);
    s.failures = 1;
    CHECK(p.call(weir::until(s.clock.now() + 1250ms, s.operation()), s.clock));
}

TEST_CASE("enough_time: refusing everybody, it forgets in a window's time and cannot lock itself out")
{
    service s;
    auto p = pipeline_of({.quantile = 0.5, .min_samples = 10, .window = 60s});
    s.takes = 2s;
    for (int i = 0; i < 10; ++i) REQUIRE(p.call(s.operation(), s.clock));
    s.takes = 1ms;
    auto const ask = [&] { return p.call(weir::until(s.clock.now() + 1s, s.operation()), s.clock).has_value(); };
    CHECK_FALSE(ask());
    s.clock.advance(60s);
    CHECK(ask());
}
