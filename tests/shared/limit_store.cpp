// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/limit_store.hpp>

#include <weir/core/random.hpp>
#include <weir/shared/detail/shared_gcra.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using weir::permit_request;
using weir::permit_return;
using weir::store_errc;
using weir::detail::shared_gcra;

namespace {

// 1000 per second, burst 100: T is 1000 us.
permit_request ask(std::uint64_t want, std::uint64_t least = 1, double share = 1)
{
    return {.interval = 1000us, .tolerance = 100'000us, .want = want, .least = least, .share = share, .hold = 50ms};
}

constexpr double start = 1e12;

}  // namespace

TEST_CASE("limit_store: its errors have words, and only unavailable is transient")
{
    std::error_code const gone = store_errc::unavailable;
    CHECK(gone.message() == "the store of a shared limit is not available");
    CHECK(gone == weir::condition::transient);
    CHECK(std::error_code(store_errc::refused) != weir::condition::transient);
    CHECK(std::error_code(store_errc::bad_answer) != weir::condition::transient);
    CHECK(gone != weir::condition::rejected);
}

TEST_CASE("shared_gcra: the burst at once, then one permit per interval")
{
    shared_gcra word;
    CHECK(word.acquire(ask(500), start).permits == 100);
    auto const no = word.acquire(ask(1), start + 400);
    CHECK(no.permits == 0);
    CHECK(no.retry_after == 600us);
    CHECK(word.acquire(ask(1), start + 1000).permits == 1);
    CHECK(word.acquire(ask(10), start + 6000).permits == 5);
}

TEST_CASE(
    "shared_gcra: a clock that goes back mints nothing and forgives nothing, and stops nobody until it has caught up")
{
    for (double const step : {1.0, 1e3, 6e4, 3.6e9}) {
        CAPTURE(step);
        shared_gcra word;
        auto const first = word.acquire(ask(500), start);
        CHECK(first.permits == 100);
        auto const after = start - step;
        CHECK(word.acquire(ask(1), after).permits == 0);
        word.give_back({.interval = 1000us, .permits = 100, .stamp = first.stamp}, after);
        CHECK(word.acquire(ask(1), after + 999).permits == 0);
        CHECK(word.acquire(ask(500), after + 1000).permits == 1);
        CHECK(word.acquire(ask(500), after + 101'000).permits == 100);

        shared_gcra other;
        CHECK(other.acquire(ask(10), start).permits == 10);
        CHECK(other.acquire(ask(500), after).permits == 90);
    }
}

TEST_CASE("shared_gcra: all of `least` or nothing, and no more than the share beyond it")
{
    shared_gcra word;
    CHECK(word.acquire(ask(100, 1, 0.5), start).permits == 50);
    CHECK(word.acquire(ask(100, 40, 0.5), start).permits == 40);
    auto const no = word.acquire(ask(100, 20), start);
    CHECK(no.permits == 0);
    CHECK(no.retry_after == 10ms);
}

TEST_CASE("shared_gcra: what comes back can be granted again, but not what time has paid for already")
{
    shared_gcra word;
    auto const g = word.acquire(ask(100), start);
    word.give_back({.interval = 1000us, .permits = 60, .stamp = g.stamp}, start + 1000);
    CHECK(word.acquire(ask(100), start + 1000).permits == 61);

    // Without the 50 that come back, the bucket would have been full until 10 were taken: 90 are left, not 100.
    shared_gcra other;
    auto const held = other.acquire(ask(50), start);
    CHECK(other.acquire(ask(10), start + 49'000).permits == 10);
    other.give_back({.interval = 1000us, .permits = 50, .stamp = held.stamp}, start + 49'000);
    CHECK(other.acquire(ask(100), start + 49'000).permits == 90);
}

TEST_CASE("shared_gcra: a grant of long ago gets nothing back")
{
    shared_gcra word;
    auto const old = word.acquire(ask(100), start);
    for (double t = 20'000; t <= 140'000; t += 20'000) CHECK(word.acquire(ask(100), start + t).permits == 20);
    word.give_back({.interval = 1000us, .permits = 100, .stamp = old.stamp}, start + 140'000);
    CHECK(word.acquire(ask(100), start + 140'000).permits == 0);
}

// What is used, whatever was granted and came back in between, was granted within burst + rate * t; counted at the
// moment of the grant. The naive arm takes off what comes back as it is.
TEST_CASE("shared_gcra: permits that are not given back stay within the bound, over every interval")
{
    auto const worst_of = [](bool naive) {
        double worst = -1e9;
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            weir::random_engine random(seed);
            shared_gcra word;
            struct grant {
                double at;
                std::uint64_t permits, kept;
                double due;
                std::uint64_t stamp;
            };
            std::vector<grant> all;
            double now = start;
            for (int i = 0; i < 3000; ++i) {
                now += std::floor(weir::uniform_unit(random) * (i % 400 < 200 ? 2000 : 20'000));
                for (auto& g : all) {
                    if (g.due > now || g.due < 0) continue;
                    g.due = -1;
                    auto const back = weir::uniform_below(random, g.permits + 1);
                    g.kept -= back;
                    if (naive)
                        word.tat = std::max(now, word.tat - static_cast<double>(back) * 1000);
                    else
                        word.give_back({.interval = 1000us, .permits = back, .stamp = g.stamp}, now);
                }
                auto const g = word.acquire(ask(1 + weir::uniform_below(random, 60)), now);
                if (g.permits) all.push_back({now, g.permits, g.permits, now + 45'000, g.stamp});
                if (all.size() > 2000) break;
            }
            double lowest = 0, count = 0;
            for (auto const& g : all) {
                if (g.due > 0) continue;
                auto const t = (g.at - start) / 1000;
                lowest = std::min(lowest, count - t);
                count += static_cast<double>(g.kept);
                worst = std::max(worst, count - t - lowest - 100);
            }
        }
        return worst;
    };
    CHECK(worst_of(false) <= 1e-6);
    CHECK(worst_of(true) > 5);
}
