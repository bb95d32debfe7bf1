// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/jittered.hpp>

#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

weir::time_point const start{1h};

static_assert(weir::gate<weir::jittered<weir::token_bucket&>>);
static_assert(weir::token<weir::jittered<weir::token_bucket>::token>);
static_assert(std::is_same_v<weir::jittered<weir::concurrency_limit&>::token, weir::concurrency_slot>);

}  // namespace

TEST_CASE("jittered: refusals of one instant come back spread over up_to, and never before the limiter said")
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    REQUIRE(bucket.try_acquire(1, start));
    weir::jittered polite{bucket, 400ms};
    weir::random_engine random{7};
    std::vector<weir::duration> late;
    for (int i = 0; i < 4000; ++i) {
        auto const a = polite.admit(start, random);
        REQUIRE_FALSE(a);
        late.push_back(a.refused().retry_at - (start + 1s));
    }
    auto const [least, most] = std::minmax_element(late.begin(), late.end());
    CHECK(*least >= 0ms);
    CHECK(*most < 400ms);
    for (auto from = 0ms; from < 400ms; from += 100ms) {  // about a quarter in each quarter
        auto const here =
            std::count_if(late.begin(), late.end(), [&](auto d) { return d >= from && d < from + 100ms; });
        CHECK(here > 900);
        CHECK(here < 1100);
    }
}

TEST_CASE("jittered: retry_at is spread as a refusal's is, and what is free is free now")
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    weir::jittered polite{bucket, 400ms};
    CHECK(polite.retry_at(1, start) == start);
    CHECK(polite.retry_at(2, start) == weir::never);
    REQUIRE(bucket.try_acquire(1, start));
    weir::duration least = 1h, most = 0s;
    for (int i = 0; i < 200; ++i) {
        auto const late = polite.retry_at(1, start) - (start + 1s);
        least = std::min(least, late), most = std::max(most, late);
    }
    CHECK(least >= 0ms);
    CHECK(least < 100ms);
    CHECK(most > 300ms);
    CHECK(most < 400ms);
}

TEST_CASE("jittered: reservations start later by less than up_to, each by its own, and the same seed says the same")
{
    auto const starts = [](std::uint64_t seed) {
        weir::jittered polite{weir::leaky_bucket{{.rate = weir::per_second(10), .max_wait = 1min}}, 100ms};
        weir::random_engine random{seed};
        std::vector<weir::duration> out;
        for (int i = 0; i < 20; ++i) {
            auto a = polite.reserve(1, 1min, start, random);
            REQUIRE(a);
            out.push_back(a->start_at() - start - i * 100ms);
            a->record(weir::outcome::success(), start);
        }
        return out;
    };
    auto const once = starts(1);
    CHECK(once[0] == 0ms);  // it need not wait, so there is nobody to spread
    for (std::size_t i = 1; i < once.size(); ++i) {
        CHECK(once[i] >= 0ms);
        CHECK(once[i] < 100ms);
        CHECK(once[i] != once[i - 1]);
    }
    CHECK(starts(1) == once);
    CHECK(starts(2) != once);
}

TEST_CASE("jittered: a start is never put off beyond max_wait")
{
    weir::jittered polite{weir::token_bucket{{.rate = weir::per_second(10), .burst = 1}}, 10s};
    weir::random_engine random{3};
    for (int i = 0; i < 100; ++i) {
        auto const now = start + i * 1s;
        auto first = polite.reserve(1, 0ms, now, random);
        REQUIRE(first);
        CHECK(first->start_at() == now);
        auto second = polite.reserve(1, 150ms, now, random);
        REQUIRE(second);
        CHECK(second->start_at() >= now + 100ms);
        CHECK(second->start_at() <= now + 150ms);
    }
}

TEST_CASE("jittered: what can never pass stays never, and no jitter changes nothing")
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    weir::jittered polite{bucket, 400ms};
    auto const never = polite.reserve(2, 1h, start);
    REQUIRE_FALSE(never);
    CHECK(never.refused().code == weir::errc::exceeds_burst);
    CHECK(never.refused().retry_at == weir::never);

    weir::jittered plain{bucket, 0ms};
    auto const held = plain.admit(start);
    REQUIRE(held);
    CHECK(plain.admit(start).refused().retry_at == start + 1s);
}

TEST_CASE("jittered: cancelled, its permit goes back to the limiter")
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    weir::jittered polite{bucket, 400ms};
    auto a = polite.reserve(1, 10s, start);
    REQUIRE(a);
    CHECK(bucket.available(start) == 0);
    CHECK(a->cancel());
    CHECK(bucket.available(start) == 1);
}

TEST_CASE("jittered: the other verbs are the limiter's")
{
    weir::jittered polite{weir::token_bucket{{.rate = weir::per_second(1), .burst = 4}}, 400ms};
    CHECK(polite.name() == "token_bucket");
    CHECK(polite.try_acquire(1, start));
    CHECK(polite.available(start) == 3);
    polite.drain(start);
    CHECK_FALSE(polite.try_acquire(1, start));
    polite.reconfigure(weir::token_bucket_options{.rate = weir::per_second(100), .burst = 4}, start);
    CHECK(polite.try_acquire(1, start + 10ms));
}

TEST_CASE("jittered: a negative spread is refused by name")
{
    weir::token_bucket bucket;
    CHECK_THROWS_WITH_AS((weir::jittered{bucket, -1ms}), "weir: jittered.up_to must be at least 0 ms, and is -1 ms",
                         std::invalid_argument);
}
