// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/retry/backoff.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <climits>
#include <limits>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::backoff;
using weir::duration;
using weir::jitter;

namespace {

duration plain(backoff const& b, unsigned retry)
{
    weir::random_engine random(1);
    return b.with(jitter::none).delay(retry, duration::zero(), random);
}

std::string message(auto make)
{
    try {
        (void)make();
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "no exception";
}

}  // namespace

TEST_CASE("backoff: the plain delays of each kind")
{
    struct row {
        backoff b;
        unsigned retry;
        duration expected;
    };
    row const table[] = {
        {weir::constant(200ms), 1, 200ms},
        {weir::constant(200ms), 1000, 200ms},
        {weir::linear(100ms, 1s), 1, 100ms},
        {weir::linear(100ms, 1s), 3, 300ms},
        {weir::linear(100ms, 1s), 10, 1s},
        {weir::linear(100ms, 1s), 11, 1s},
        {weir::exponential(50ms, 2s), 1, 50ms},
        {weir::exponential(50ms, 2s), 2, 100ms},
        {weir::exponential(50ms, 2s), 6, 1600ms},
        {weir::exponential(50ms, 2s), 7, 2s},
        {weir::exponential(100ms, 10s, 3.0), 4, 2700ms},
        {weir::exponential(100ms, 10s, 1.0), 50, 100ms},
        {weir::exponential(100ms, 10s, 1.5), 3, 225ms},
        {weir::exponential(0ms, 10s), 30, 0ms},
        {weir::exponential(5ms, 5ms), 9, 5ms},
    };
    for (auto const& r : table) {
        CAPTURE(r.retry);
        CHECK(plain(r.b, r.retry) == r.expected);
        CHECK(r.b.ceiling(r.retry) == r.expected);
    }
}

TEST_CASE("backoff: the first attempt, number zero, waits for nothing")
{
    weir::random_engine random(1);
    for (auto const j : {jitter::none, jitter::full, jitter::equal, jitter::decorrelated})
        CHECK(weir::exponential(1s, 10s).with(j).delay(0, 5s, random) == 0ms);
}

TEST_CASE("backoff: no count and no base overflows (attempt 1025, base one day, the longest durations)")
{
    for (unsigned const retry : {1u, 2u, 63u, 64u, 65u, 1024u, 1025u, UINT_MAX - 1, UINT_MAX})
        for (duration const base : {duration(1), duration(24h), duration(24h * 365 * 200), duration::max()})
            for (double const multiplier : {1.0, 1.0000001, 2.0, 1e6})
                for (auto const b : {weir::exponential(base, duration::max(), multiplier),
                                     weir::linear(base, duration::max()), weir::constant(base)})
                    for (auto const j : {jitter::none, jitter::full, jitter::equal, jitter::decorrelated}) {
                        weir::random_engine random(retry);
                        auto const d = b.with(j).delay(retry, duration::max(), random);
                        CHECK(d >= duration::zero());
                        CHECK(d <= b.max());
                        CHECK(b.ceiling(retry) >= base);
                    }
    CHECK(weir::exponential(24h, 7 * 24h).ceiling(1025) == 7 * 24h);
}

TEST_CASE("backoff: full jitter fills [0, delay], equal jitter [delay / 2, delay], over 100000 seeds")
{
    auto const b = weir::exponential(100ms, 10s);
    duration full_low = duration::max(), full_high{}, full_sum{}, equal_low = duration::max(), equal_high{};
    constexpr int seeds = 100'000;
    for (int seed = 0; seed < seeds; ++seed) {
        weir::random_engine random(static_cast<unsigned>(seed));
        auto const f = b.delay(3, 0ms, random);  // full is the default
        auto const e = b.with(jitter::equal).delay(3, 0ms, random);
        full_low = std::min(full_low, f), full_high = std::max(full_high, f), full_sum += f;
        equal_low = std::min(equal_low, e), equal_high = std::max(equal_high, e);
    }
    CHECK(full_low >= 0ms);
    CHECK(full_low < 1ms);
    CHECK(full_high <= 400ms);
    CHECK(full_high > 399ms);
    CHECK(full_sum / seeds > 198ms);
    CHECK(full_sum / seeds < 202ms);
    CHECK(equal_low >= 200ms);
    CHECK(equal_low < 201ms);
    CHECK(equal_high <= 400ms);
    CHECK(equal_high > 399ms);
}

TEST_CASE("backoff: decorrelated jitter stays in [base, min(max, 3 x previous)] in every chain")
{
    auto const b = weir::exponential(50ms, 2s).with(jitter::decorrelated);
    duration longest_first{};
    for (unsigned seed = 0; seed < 20'000; ++seed) {
        weir::random_engine random(seed);
        duration previous{};
        for (unsigned retry = 1; retry <= 10; ++retry) {
            auto const d = b.delay(retry, previous, random);
            auto const high = std::min<duration>(2s, 3 * std::max<duration>(50ms, previous));
            REQUIRE(d >= 50ms);
            REQUIRE(d <= high);
            previous = d;
            if (retry == 1) longest_first = std::max(longest_first, d);
        }
    }
    CHECK(longest_first > 149ms);  // the first retry is spread too: a delay of zero before it means base
}

TEST_CASE("backoff: decorrelated jitter is calm about a previous delay that makes no sense")
{
    auto const b = weir::exponential(50ms, 2s).with(jitter::decorrelated);
    weir::random_engine random(7);
    for (duration const previous : {duration::min(), duration(-1), duration::zero(), duration(1h), duration::max()})
        for (int i = 0; i < 1000; ++i) {
            auto const d = b.delay(2, previous, random);
            CHECK(d >= 50ms);
            CHECK(d <= 2s);
        }
}

TEST_CASE("backoff: the same seed gives the same delays")
{
    weir::random_engine a(42), b(42);
    auto const policy = weir::exponential(50ms, 2s);
    for (unsigned retry = 1; retry < 50; ++retry) CHECK(policy.delay(retry, 0ms, a) == policy.delay(retry, 0ms, b));
}

TEST_CASE("backoff: a burst of 1000 callers does not come back together")
{
    // The slots of 1 ms that 1000 callers choose for their third retry; without jitter, one slot.
    weir::random_engine random(3);
    int slots[400] = {};
    for (int i = 0; i < 1000; ++i) {
        auto const d = weir::exponential(100ms, 10s).delay(3, 0ms, random);
        ++slots[std::min<long>(399, static_cast<long>(d / 1ms))];
    }
    CHECK(*std::max_element(slots, slots + 400) <= 15);
}

TEST_CASE("backoff: bad values throw and name the argument, the range and the value")
{
    CHECK(message([] { return weir::constant(-1ms); }) == "weir: backoff.base must be at least 0 ms, and is -1 ms");
    CHECK(message([] { return weir::exponential(-1ms, 1s); }).find("backoff.base") != std::string::npos);
    CHECK(message([] { return weir::linear(2s, 1s); }).find("backoff.max") != std::string::npos);
    for (double const m :
         {0.99, 0.0, -2.0, 1e7, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
        CHECK(message([=] { return weir::exponential(1s, 2s, m); }).find("backoff.multiplier must be in [1, 1e6]") !=
              std::string::npos);
}
