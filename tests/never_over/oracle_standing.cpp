// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// At one instant nothing comes back. So whatever is taken and cancelled, and however often rates, windows and bursts
// change in between, from one per year to 1e9 per second and back: no more is ever admitted than the largest of the
// bursts.

#include <weir/limit/fixed_window.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/rate_permit.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::vector<weir::rate> const rates{weir::per_second(10),
                                    weir::per_second(999'999'937),
                                    weir::per_second(1'000'000'000),
                                    weir::per_hour(3),
                                    {1, 72h},
                                    weir::per_day(1),
                                    weir::per_day(10'000'019),
                                    {1, 365 * 24h}};

/// All rates with all bursts.
template <class Options>
std::vector<Options> rates_with(std::vector<std::uint64_t> const& bursts)
{
    std::vector<Options> all;
    for (auto const& r : rates)
        for (auto const b : bursts) all.push_back({.rate = r, .burst = b});
    return all;
}

/// All windows with all limits.
template <class Options>
std::vector<Options> windows_with(std::vector<std::uint64_t> const& limits)
{
    std::vector<Options> all;
    for (auto const w : {1s, 10s, 60s})
        for (auto const n : limits) all.push_back({.limit = n, .window = w});
    return all;
}

template <class Limiter>
void never_over(std::vector<typename Limiter::options> const& options, std::uint64_t most)
{
    std::mt19937_64 random{7};
    auto const any = [&]() -> auto& { return options[random() % options.size()]; };
    std::uint64_t largest = 0;
    for (int round = 0; round < 3000; ++round) {
        weir::time_point const now{1000h + std::chrono::nanoseconds(random() % 1'000'000'000)};
        Limiter limiter{any()};
        std::uint64_t taken = 0;
        for (int i = 0; i < 60; ++i) {
            switch (random() % 8) {
                case 0: limiter.reconfigure(any(), now); break;
                case 1: {
                    auto const n = 1 + random() % most;
                    auto a = limiter.reserve(n, 0s, now);
                    if (!a || (random() % 2 == 0 && a->cancel())) break;
                    a->record(weir::outcome::success(), now);
                    taken += n;
                    break;
                }
                default: {
                    auto const n = 1 + random() % (most / 4 + 1);
                    taken += limiter.try_acquire(n, now) ? n : 0;
                }
            }
        }
        REQUIRE(taken <= most);
        largest = std::max(largest, taken);
    }
    CHECK(largest == most);
}

}  // namespace

TEST_CASE("at one instant, token_bucket: changes of rate and burst make no permit")
{
    never_over<weir::token_bucket>(rates_with<weir::token_bucket_options>({0, 1, 7, 100}), 100);
    never_over<weir::token_bucket>(rates_with<weir::token_bucket_options>({1, 1000}), 1000);
}

TEST_CASE("at one instant, striped_token_bucket: changes of rate and burst make no permit")
{
    never_over<weir::striped_token_bucket>(rates_with<weir::striped_token_bucket_options>({0, 1, 7, 100, 1000}), 1000);
}

TEST_CASE("at one instant, leaky_bucket: changes of rate and burst make no permit")
{
    auto options = rates_with<weir::leaky_bucket_options>({1, 7, 100});
    for (auto& o : options) o.max_wait = 0s;
    never_over<weir::leaky_bucket>(options, 100);
}

TEST_CASE("at one instant, warm_up: changes of rate and burst make no permit")
{
    never_over<weir::warm_up>(rates_with<weir::warm_up_options>({0, 1, 7, 100, 1000}), 1000);
}

TEST_CASE("at one instant, fixed_window: changes of window and limit make no permit")
{
    never_over<weir::fixed_window>(windows_with<weir::fixed_window_options>({0, 1, 7, 100}), 100);
}

TEST_CASE("at one instant, sliding_window_limiter: changes of window and limit make no permit")
{
    never_over<weir::sliding_window_limiter>(windows_with<weir::sliding_window_limiter_options>({0, 1, 7, 100}), 100);
}

TEST_CASE("at one instant, sliding_window_log: changes of window and limit make no permit")
{
    auto options = windows_with<weir::sliding_window_log_options>({0, 1, 7, 100});
    for (auto& o : options) o.capacity = 100;
    never_over<weir::sliding_window_log>(options, 100);
}

TEST_CASE("a debt that no word can tell in the ticks of the new rate is told in longer ones")
{
    weir::time_point const now{1000h};
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1000}};
    REQUIRE(bucket.try_acquire(1000, now));
    bucket.reconfigure({.rate = weir::per_day(1), .burst = 1000}, now);
    CHECK(bucket.retry_at(1, now) >= now + 24h);
    CHECK(bucket.retry_at(1, now) <= now + 24h + 1s);
    bucket.reconfigure({.rate = weir::per_second(1), .burst = 1000}, now);
    CHECK_FALSE(bucket.try_acquire(1, now + 999ms));
    CHECK(bucket.try_acquire(1, now + 1001ms));

    // A queue of a thousand seconds, in permits of ten a second; then one a year; then as before.
    weir::leaky_bucket queue{{.rate = weir::per_second(10), .max_wait = 1000s}};
    std::vector<weir::rate_permit> sends;
    for (int i = 0; i < 10'000; ++i) sends.push_back(*queue.reserve(1, 1000s, now));
    queue.reconfigure({.rate = {1, 365 * 24h}, .max_wait = 1000s}, now);
    queue.reconfigure({.rate = weir::per_second(10), .max_wait = 1000s}, now);
    auto const last = queue.reserve(1, 2000s, now);
    REQUIRE(last);
    CHECK(last->start_at() >= now + 1000s);
    CHECK(last->start_at() <= now + 1001s);
}
