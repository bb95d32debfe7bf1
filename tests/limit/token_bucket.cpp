// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/token_bucket.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::time_point;
using weir::token_bucket;
using weir::test::admitted;
using weir::test::exact_bucket;
using weir::test::flatten;
using weir::test::hand_clock;
using weir::test::int128;
using weir::test::thorough;
using weir::test::together;
using weir::test::within_bound;

static_assert(weir::gate<token_bucket>);

namespace {

constexpr time_point start{1'000'000s};

/// A clock that counts, one tick to ten nanoseconds, and how often it was asked for the time. Its counter may be wrong.
struct counting_hand {
    struct state {
        time_point t = start;
        std::int64_t off = 0;
        int asked = 0;
    };
    state* s;

    [[nodiscard]] time_point now() const noexcept { return ++s->asked, s->t; }
    [[nodiscard]] std::uint64_t ticks() const noexcept
    {
        return ticks_before(s->t) + 1 + static_cast<std::uint64_t>(s->off);
    }
    [[nodiscard]] std::uint64_t ticks_before(time_point t) const noexcept
    {
        return static_cast<std::uint64_t>(t.time_since_epoch() / 10ns) - 1;
    }
};

/// Two permits, one a second, both spent; and a refusal that was told.
struct refused {
    counting_hand::state state;
    weir::basic_token_bucket<counting_hand> bucket{{.rate = weir::per_second(1), .burst = 2}, {&state}};

    refused()
    {
        REQUIRE(bucket.try_acquire(2));
        pass(100ms);
        REQUIRE_FALSE(bucket.try_acquire());
        state.asked = 0;
    }
    void pass(duration d) { state.t += d; }
    /// The answer, and whether the clock was asked for it.
    std::pair<bool, bool> ask(std::uint64_t n = 1)
    {
        auto const before = state.asked;
        auto const got = bucket.try_acquire(n);
        return {got, state.asked != before};
    }
};

constexpr std::pair told_again{false, false}, asked_and_refused{false, true}, asked_and_admitted{true, true};

}  // namespace

TEST_CASE("token_bucket: starts full, then admits at the rate")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 3}};
    for (int i = 0; i < 3; ++i) CHECK(b.try_acquire(1, start));
    CHECK_FALSE(b.try_acquire(1, start));
    CHECK_FALSE(b.try_acquire(1, start + 100ms - 1ns));
    CHECK(b.try_acquire(1, start + 100ms));
    CHECK_FALSE(b.try_acquire(1, start + 100ms));
}

TEST_CASE("token_bucket: burst plus one is refused after a long idle")
{
    token_bucket b{{.rate = weir::per_second(1000), .burst = 10}};
    CHECK(b.try_acquire(1, start));
    for (auto idle : {duration{2s}, duration{24h * 365}, duration{24h * 365 * 200}}) {
        auto const t = start + idle;
        int n = 0;
        for (int i = 0; i < 30; ++i) n += b.try_acquire(1, t) ? 1 : 0;
        CHECK(n == 10);
    }
}

TEST_CASE("token_bucket: three per second is three per second, for a million seconds")
{
    constexpr int seconds = thorough(1'000'000);
    token_bucket b{{.rate = weir::per_second(3), .burst = 2}};
    auto t = start;
    REQUIRE(b.try_acquire(1, t));  // one in hand: a full bucket would rightly forget thirds of a nanosecond
    for (std::int64_t i = 0; i < 3ll * seconds; ++i) {
        REQUIRE(b.try_acquire(1, t));
        auto const next = b.retry_at(1, t);
        REQUIRE(next == start + duration{((i + 1) * 1'000'000'000 + 2) / 3});
        t = next;
    }
    CHECK(t == start + std::chrono::seconds(seconds));
}

TEST_CASE("token_bucket: one per three days is exact to the nanosecond")
{
    token_bucket b{{.rate = {1, 72h}, .burst = 2}};
    CHECK(b.try_acquire(2, start));
    CHECK(b.retry_at(1, start) == start + 72h);
    CHECK_FALSE(b.try_acquire(1, start + 72h - 1ns));
    CHECK(b.try_acquire(1, start + 72h));
    CHECK_FALSE(b.try_acquire(1, start + 72h));
}

TEST_CASE("token_bucket: a thousand million per second is exact to the nanosecond")
{
    token_bucket b{{.rate = weir::per_second(1'000'000'000), .burst = 5}};
    CHECK(b.try_acquire(5, start));
    CHECK_FALSE(b.try_acquire(1, start));
    CHECK(b.try_acquire(3, start + 3ns));
    CHECK_FALSE(b.try_acquire(1, start + 3ns));
}

TEST_CASE("token_bucket: more than the burst can never be admitted, and takes nothing")
{
    token_bucket b{{.rate = weir::per_second(100), .burst = 5}};
    auto const a = b.reserve(6, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK_FALSE(b.try_acquire(UINT64_MAX, start));
    CHECK(b.retry_at(6, start) == weir::never);
    CHECK(b.available(start) == 5);
    CHECK(b.try_acquire(5, start));
}

TEST_CASE("token_bucket: zero permits always pass, burst zero admits nothing else")
{
    token_bucket b{{.rate = weir::per_second(100), .burst = 0}};
    CHECK(b.try_acquire(0, start));
    CHECK(b.reserve(0, 0s, start));
    CHECK_FALSE(b.try_acquire(1, start));
    CHECK(b.admit(start).refused().code == errc::exceeds_burst);
    CHECK(b.available(start) == 0);
}

TEST_CASE("token_bucket: a refusal says when to come back and who refused")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 2, .name = "orders"}};
    CHECK(b.try_acquire(2, start));
    auto const a = b.admit(start + 30ms);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().retry_at == start + 100ms);
    CHECK(a.refused().gate == "orders");
    CHECK(b.admit(a.refused().retry_at));
}

TEST_CASE("token_bucket: admit refuses as a reservation without a wait does, at once and with the same answer")
{
    std::mt19937_64 random{29};
    for (auto const lease : {0us, 100us})
        for (std::uint64_t const burst : {0u, 1u, 20u, 1000u}) {
            auto now = start;
            weir::basic_token_bucket b{{.rate = weir::per_second(300'000), .burst = burst, .lease = lease},
                                       hand_clock{&now}};
            int refused = 0;
            for (int i = 0; i < 20'000; ++i) {
                now += duration{static_cast<duration::rep>(random() % 3'000)};
                if (random() % 4 == 0) (void)b.try_acquire(1 + random() % 8);  // from a lease, if there is one
                auto const asked = random() % 50 == 0 ? now - 1h : now;        // before the beginning of its time
                auto const a = b.admit(asked);
                if (a) continue;
                ++refused;
                auto const same = b.reserve(1, 0s, asked);
                REQUIRE_FALSE(same);
                CHECK(a.refused().code == same.refused().code);
                CHECK(a.refused().retry_at == same.refused().retry_at);
            }
            CHECK(refused > 100);
        }
}

TEST_CASE("token_bucket: options out of range name the field and the range")
{
    auto const says = [](weir::token_bucket_options o) {
        try {
            token_bucket b{o};
        } catch (std::invalid_argument const& e) {
            return std::string{e.what()};
        }
        return std::string{};
    };
    std::string const permits =
        "weir: token_bucket_options.rate.permits must be at least 1, and at most 1e9 per second";
    std::string const per = "weir: token_bucket_options.rate.per must be more than 0 and at most 365 days";
    CHECK(says({.rate = {0, 1s}}) == permits + ", and is 0");
    CHECK(says({.rate = {1'000'000'001, 1s}}) == permits + ", and is 1000000001");
    CHECK(says({.rate = {1, 0s}}) == per + ", and is 0 ms");
    CHECK(says({.rate = {1, -1s}}) == per + ", and is -1000 ms");
    CHECK(says({.rate = {1, 24h * 366}}) == per + ", and is 31622400000 ms");
    CHECK(says({.burst = 1'000'000'001}) ==
          "weir: token_bucket_options.burst must be at most 1000000000, and is 1000000001");
    token_bucket b{{.rate = weir::per_second(1), .burst = 1}};
    CHECK_THROWS_AS(b.reconfigure({.rate = {0, 1s}}, start), std::invalid_argument);
    CHECK(b.available(start) == 1);
}

TEST_CASE("token_bucket: equals the exact bucket in a million decisions")
{
    // Rates that are counted exactly: p <= 2^24 in lowest terms.
    std::mt19937_64 g{1};
    for (int round = 0; round < thorough(900); ++round) {
        weir::rate const r = [&]() -> weir::rate {
            switch (g() % 4) {
                case 0: return weir::per_second(1 + g() % 16'000'000);
                case 1: return weir::per_second(1'000'000'000 / (1 + g() % 60));
                case 2: return {1 + g() % 1000, duration{static_cast<std::int64_t>(1000 + g() % 1'000'000'000'000)}};
                default: return {1, duration{static_cast<std::int64_t>(1 + g() % 2'000'000'000'000'000)}};
            }
        }();
        auto const lowest_terms = r.permits / std::gcd(r.permits, static_cast<std::uint64_t>(r.per.count()));
        if (lowest_terms > (1u << 24)) continue;
        std::uint64_t const burst = 1 + g() % (g() % 2 ? 5 : 60);
        auto const ticks_per_permit = static_cast<std::uint64_t>(r.per.count()) / (r.permits / lowest_terms);
        if (static_cast<int128>(burst) * ticks_per_permit > int128{1} << 54) continue;
        token_bucket b{{.rate = r, .burst = burst}};
        exact_bucket e{r, burst};
        auto t = start;
        auto const interval = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(r.per.count()) / r.permits);
        auto const longest_pause =
            std::min<std::uint64_t>(200 * interval * burst + 5'000'000'000, 100'000'000'000'000'000);
        for (int i = 0; i < 2000; ++i) {
            if (g() % 500 == 0) t += duration{static_cast<std::int64_t>(g() % longest_pause)};
            t += duration{static_cast<std::int64_t>(g() % (2 * interval + 2))};
            auto const n = g() % (burst + 2);
            bool const expected = n == 0 || e.take(n, t);
            INFO(r.permits, " per ", r.per.count(), " ns, burst ", burst, ", n = ", n, ", decision ", i);
            REQUIRE(b.try_acquire(n, t) == expected);
        }
    }
}

TEST_CASE("token_bucket: where the tick is rounded it stays below the exact bucket, by less than a millionth")
{
    struct shape {
        weir::rate rate;
        std::uint64_t burst;
    };
    for (auto const& [rate, burst] :
         {shape{weir::per_second(999'999'937), 1000}, shape{weir::per_second(50'000'017), 50},
          shape{weir::per_second(999'999'937), 1'000'000'000}, shape{{1, 72h}, 1'000'000'000},
          shape{{7, 24h * 365}, 365}, shape{weir::per_day(1), 10'000}}) {
        token_bucket b{{.rate = rate, .burst = burst}};
        auto t = start;
        REQUIRE(b.try_acquire(burst, t));
        CHECK(b.available(t) == 0);
        // Earliest next permits, followed one by one: never before their exact time, and hardly after it.
        for (std::int64_t k = 1; k <= 300; ++k) {
            auto const next = b.retry_at(1, t);
            auto const exact = static_cast<int128>(k) * rate.per.count();  // times permits
            auto const waited = static_cast<int128>((next - start).count()) * static_cast<int128>(rate.permits);
            REQUIRE(waited >= exact);
            REQUIRE(static_cast<double>(waited - exact) <=
                    1e-6 * static_cast<double>(exact) + static_cast<double>(rate.permits));
            REQUIRE_FALSE(b.try_acquire(1, next - 1ns));
            REQUIRE(b.try_acquire(1, next));
            t = next;
        }
    }
}

TEST_CASE("token_bucket: random traffic at rounded rates is never over the bound")
{
    std::mt19937_64 g{2};
    for (int round = 0; round < thorough(60); ++round) {
        weir::rate const r = round % 2 ? weir::per_second(20'000'000 + g() % 980'000'000)
                                       : weir::rate{1 + g() % 9, 24h * static_cast<int>(1 + g() % 365)};
        std::uint64_t const burst = round % 2 ? 1 + g() % 100 : 1000 + g() % 1'000'000;
        token_bucket b{{.rate = r, .burst = burst}};
        exact_bucket e{r, burst};
        auto t = start;
        auto const interval = 1 + static_cast<std::uint64_t>(r.per.count()) / r.permits;
        for (int i = 0; i < (round % 2 ? 3000 : 200); ++i) {  // the slow ones cross the whole clock in that
            t += duration{static_cast<std::int64_t>(g() % (2 * interval + 2))};
            auto const n = 1 + g() % (round % 2 ? 4 : burst);
            if (b.try_acquire(n, t)) REQUIRE(e.take(n, t));
        }
    }
}

TEST_CASE("token_bucket: any instant of the 64-bit clock can be the first")
{
    for (auto t :
         {time_point::min(), time_point::min() + 1ns, time_point{-1h}, time_point{}, start, time_point::max() - 1h}) {
        for (auto r :
             {weir::per_second(1), weir::per_second(999'983), weir::per_second(999'999'937), weir::rate{1, 72h}}) {
            token_bucket b{{.rate = r, .burst = 7}};
            CHECK(b.available(t) == 7);
            CHECK(b.try_acquire(7, t));
            CHECK_FALSE(b.try_acquire(1, t));
            CHECK(b.available(t) == 0);
        }
    }
}

TEST_CASE("token_bucket: idle longer than the word can count, at every scale, finds exactly the burst")
{
    std::mt19937_64 g{3};
    for (auto r : {weir::per_second(999'983), weir::per_second(16'777'213), weir::per_second(999'999'937),
                   weir::per_second(7)}) {
        token_bucket b{{.rate = r, .burst = 20}};
        auto t = start;
        for (int i = 0; i < 2000; ++i) {
            t += 1h + duration{static_cast<std::int64_t>(g() % 40'000'000'000'000)};
            REQUIRE(b.available(t) == 20);
            REQUIRE(b.try_acquire(20, t));
            REQUIRE_FALSE(b.try_acquire(1, t));
        }
    }
}

TEST_CASE("token_bucket: a clock that steps back refuses meanwhile, mints nothing, recovers")
{
    for (auto r : {weir::per_second(10), weir::per_second(999'983), weir::per_second(999'999'937)}) {
        auto const interval = duration{1 + 1'000'000'000 / static_cast<std::int64_t>(r.permits)};
        token_bucket b{{.rate = r, .burst = 3}};
        CHECK(b.try_acquire(3, start));
        for (auto back : {duration{1ns}, duration{5s}, duration{24h * 365 * 3}}) {
            CHECK_FALSE(b.try_acquire(1, start - back));
            CHECK(b.available(start - back) == 0);
            CHECK(b.retry_at(1, start - back) > start - back);
        }
        CHECK_FALSE(b.try_acquire(1, start));
        CHECK(b.try_acquire(1, start + interval));
        CHECK_FALSE(b.try_acquire(1, start + interval));
    }
}

TEST_CASE("token_bucket: a clock that stands still admits the burst and no more")
{
    token_bucket b{{.rate = weir::per_second(1'000'000), .burst = 100}};
    int n = 0;
    for (int i = 0; i < 10'000; ++i) n += b.try_acquire(1, start) ? 1 : 0;
    CHECK(n == 100);
}

TEST_CASE("token_bucket: a clock that jumps anywhere never admits more than the bound")
{
    std::mt19937_64 g{4};
    for (auto r : {weir::per_second(1000), weir::per_second(16'777'213), weir::per_second(999'999'937)}) {
        token_bucket b{{.rate = r, .burst = 5}};
        std::vector<admitted> all;
        auto t = start;
        for (int i = 0; i < thorough(20'000); ++i) {
            switch (g() % 8) {
                case 0: t += duration{static_cast<std::int64_t>(g() % 100'000'000'000'000)}; break;
                case 1: t -= duration{static_cast<std::int64_t>(g() % 100'000'000'000'000)}; break;
                default: t += duration{static_cast<std::int64_t>(g() % 1'000'000)};
            }
            if (b.try_acquire(1, t)) all.push_back({t});
        }
        CHECK(all.size() > 10);
        CHECK(within_bound(all, r, 5));
    }
}

TEST_CASE("token_bucket: a reservation waits its turn, and those behind it wait longer")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 1}};
    auto first = b.reserve(1, 1s, start);
    auto second = b.reserve(1, 1s, start);
    auto third = b.reserve(1, 1s, start);
    REQUIRE((first && second && third));
    CHECK(first->start_at() == start);
    CHECK(second->start_at() == start + 100ms);
    CHECK(third->start_at() == start + 200ms);
    CHECK_FALSE(b.try_acquire(1, start + 100ms));
    first->record(weir::outcome::success(), start);
    second->record(weir::outcome::success(), start + 100ms);
    third->record(weir::outcome::success(), start + 200ms);
    CHECK(b.try_acquire(1, start + 300ms));
}

TEST_CASE("token_bucket: a reservation longer than max_wait is refused, with the time when it would fit")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 1}};
    auto held = b.reserve(1, 0s, start);
    CHECK_FALSE(b.reserve(1, 99ms, start));
    auto const a = b.reserve(1, 60ms, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().retry_at == start + 40ms);
    CHECK(b.reserve(1, 100ms, start));  // and at once given back
    CHECK(b.reserve(1, 60ms, start + 40ms)->start_at() == start + 100ms);
    CHECK_FALSE(b.reserve(1, -1s, start));
}

TEST_CASE("token_bucket: a wait without end is held by the word's own range")
{
    for (auto late : {duration{0s}, duration{24h * 180}}) {  // early and late in the reach of one origin
        token_bucket b{{.rate = {1, 24h * 100}, .burst = 1}};
        CHECK(b.available(start) == 1);
        auto const now = start + late;
        std::vector<weir::rate_permit> held;
        for (int i = 0; i < 20; ++i) {
            auto a = b.reserve(1, duration::max(), now);
            if (!a) {
                CHECK(a.refused().retry_at > now);
                break;
            }
            CHECK(a->start_at() == now + i * duration{24h * 100});
            held.push_back(std::move(*a));
        }
        CHECK(held.size() >= 3);
        CHECK(held.size() < 20);
        CHECK_FALSE(b.try_acquire(1, now));
    }
}

namespace {

/// Admissions of a bucket of one per second, burst one, when a permit that was taken at `start` is handed back late,
/// after the bucket was full again and another caller took from it.
template <class Take, class GiveBack>
std::vector<admitted> late_refund(Take take, GiveBack give_back)
{
    std::vector<admitted> all;
    (void)take(start);
    auto const t = start + 1h;
    if (take(t)) all.push_back({t});
    give_back();
    for (int i = 0; i < 3; ++i)
        if (take(t)) all.push_back({t});
    return all;
}

}  // namespace

TEST_CASE("token_bucket: a late refund cannot mint a permit")
{
    auto const r = weir::per_second(1);
    {
        // The control: giving back by subtraction admits two at once, and the checker sees it.
        std::int64_t tat = 0;
        auto const take = [&](time_point t) {
            auto const now = t.time_since_epoch().count();
            auto const next = std::max(tat, now) + 1'000'000'000;
            if (next - now > 1'000'000'000) return false;
            tat = next;
            return true;
        };
        CHECK_FALSE(within_bound(late_refund(take, [&] { tat -= 1'000'000'000; }), r, 1));
    }
    token_bucket b{{.rate = r, .burst = 1}};
    std::optional<weir::rate_permit> first;
    auto const take = [&](time_point t) {
        auto a = b.admit(t);
        if (!a) return false;
        if (!first)
            first.emplace(std::move(*a));
        else
            a->record(weir::outcome::success(), t);
        return true;
    };
    auto const all = late_refund(take, [&] { CHECK_FALSE(first->cancel()); });
    CHECK(all.size() == 1);
    CHECK(within_bound(all, r, 1));
}

TEST_CASE("token_bucket: refunds at random moments never mint")
{
    std::mt19937_64 g{5};
    for (int round = 0; round < thorough(200); ++round) {
        auto const r = weir::per_second(1 + g() % 1000);
        std::uint64_t const burst = 1 + g() % 5;
        token_bucket b{{.rate = r, .burst = burst}};
        std::vector<admitted> sent;
        std::vector<std::pair<weir::rate_permit, admitted>> open;
        auto t = start;
        for (int i = 0; i < 500; ++i) {
            t += duration{static_cast<std::int64_t>(g() % (3'000'000'000 / r.permits))};
            if (auto a = b.reserve(1, duration{static_cast<std::int64_t>(g() % 2'000'000'000 / r.permits)}, t))
                open.emplace_back(std::move(*a), admitted{a->start_at()});
            if (!open.empty() && g() % 2) {
                auto const i_open = static_cast<std::ptrdiff_t>(g() % open.size());
                auto& [permit, when] = open[static_cast<std::size_t>(i_open)];
                if (g() % 2) {
                    permit.cancel();
                } else {
                    permit.record(weir::outcome::success(), t);
                    sent.push_back(when);
                }
                open.erase(open.begin() + i_open);
            }
        }
        REQUIRE(within_bound(sent, r, burst, 1ns));
    }
}

TEST_CASE("token_bucket: reconfigure keeps what was spent, counted in permits")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 10}};
    CHECK(b.try_acquire(4, start));
    b.reconfigure({.rate = weir::per_second(1000), .burst = 10}, start);
    CHECK(b.available(start) == 6);
    CHECK(b.retry_at(10, start) == start + 4ms);
    b.reconfigure({.rate = {1, 72h}, .burst = 10}, start);
    CHECK(b.available(start) == 6);
    CHECK(b.retry_at(10, start) == start + 4 * 72h);
    b.reconfigure({.rate = weir::per_second(999'999'937), .burst = 20}, start);
    CHECK(b.available(start) == 16);
    b.reconfigure({.rate = weir::per_second(10), .burst = 3}, start);
    CHECK(b.available(start) == 0);
    CHECK(b.retry_at(1, start) <= start + 200ms + 1us);
    CHECK(b.retry_at(1, start) >= start + 200ms);
}

TEST_CASE("token_bucket: reconfigure before the first use starts full")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 10}};
    b.reconfigure({.rate = weir::per_second(1), .burst = 7}, start);
    CHECK(b.available(start) == 7);
    CHECK(b.available(start - 1h) == 7);
}

TEST_CASE("token_bucket: the overloads without a time ask the clock")
{
    auto t = start;
    weir::basic_token_bucket<hand_clock> b{{.rate = weir::per_second(1), .burst = 2}, hand_clock{&t}};
    CHECK(b.try_acquire());
    CHECK(b.try_acquire());
    CHECK_FALSE(b.try_acquire());
    t += 1s;
    CHECK(b.available() == 1);
    CHECK(b.reserve(1, 0s));
    b.reconfigure({.rate = weir::per_second(2), .burst = 2});
    t += 500ms;
    CHECK(b.available() == 2);
    token_bucket real{{.rate = weir::per_second(1), .burst = 2}};
    CHECK(real.try_acquire());
}

TEST_CASE("token_bucket: threads that start together take exactly the burst")
{
    constexpr int burst = 1'000'000;  // enough for threads to meet inside try_acquire, again and again
    for (int threads : {2, 8, 24}) {
        token_bucket b{{.rate = weir::per_hour(1), .burst = burst}};
        std::atomic<int> n{0};
        together(threads, [&](int) {
            int mine = 0;
            while (b.try_acquire(1, start)) ++mine;
            n += mine;
        });
        CHECK(n == burst);
    }
}

TEST_CASE("token_bucket: every window of threads with their own clock readings is within the bound")
{
    struct shape {
        weir::rate rate;
        std::uint64_t burst;
    };
    for (auto const& [rate, burst] :
         {shape{weir::per_second(5'000'000), 100}, shape{weir::per_second(16'777'213), 50},
          shape{weir::per_second(999'999'937), 1000}, shape{weir::per_second(100'000), 1}}) {
        token_bucket b{{.rate = rate, .burst = burst}};
        constexpr int threads = 8;
        std::vector<std::vector<admitted>> sent(threads);
        together(threads, [&](int self) {
            std::mt19937_64 g{static_cast<std::uint64_t>(self)};
            auto& mine = sent[static_cast<std::size_t>(self)];
            for (int i = 0; i < thorough(20'000); ++i) {
                auto const now = weir::steady_clock::now();
                if (g() % 16 == 0) std::this_thread::yield();  // between reading the clock and using it
                std::uint64_t const n = 1 + g() % std::min<std::uint64_t>(burst, 3);
                switch (g() % 4) {
                    case 0:
                        if (auto a = b.reserve(n, 20us, now)) {
                            if (g() % 2) break;  // given back
                            mine.push_back({a->start_at(), n});
                            a->record(weir::outcome::success(), now);
                        }
                        break;
                    default:
                        if (b.try_acquire(n, now)) mine.push_back({now, n});
                }
            }
        });
        auto const all = flatten(sent);
        CHECK(all.size() > burst);
        CHECK(within_bound(all, rate, burst, 1ns));
    }
}

TEST_CASE("token_bucket: reconfigured under load it admits at most what the faster setting would")
{
    auto const fast = weir::per_second(2'000'000);
    token_bucket b{{.rate = fast, .burst = 200}};
    constexpr int threads = 6;
    std::vector<std::vector<admitted>> sent(threads);
    std::atomic<int> busy{threads};
    together(threads + 1, [&](int self) {
        if (self == threads) {
            weir::token_bucket_options const settings[] = {{.rate = weir::per_second(1'000'003), .burst = 200},
                                                           {.rate = fast, .burst = 100},
                                                           {.rate = weir::per_second(7), .burst = 150},
                                                           {.rate = fast, .burst = 200}};
            for (std::size_t i = 0; busy > 0; ++i) {
                b.reconfigure(settings[i % 4]);
                if (i % 8 == 0) std::this_thread::yield();
            }
            return;
        }
        auto& mine = sent[static_cast<std::size_t>(self)];
        for (int i = 0; i < thorough(20'000); ++i) {
            auto const now = weir::steady_clock::now();
            if (i % 32 == 0) std::this_thread::yield();
            if (b.try_acquire(1, now)) mine.push_back({now});
        }
        --busy;
    });
    auto const all = flatten(sent);
    CHECK(all.size() > 200);
    CHECK(within_bound(all, fast, 200));
}

TEST_CASE("token_bucket: reconfigured under load on a standing clock, not a permit appears")
{
    token_bucket b{{.rate = weir::per_second(1000), .burst = 5000}};
    std::atomic<int> n{0};
    std::atomic<int> busy{6};
    together(7, [&](int self) {
        if (self == 6) {
            while (busy > 0)
                for (auto r :
                     {weir::per_second(1), weir::per_second(999'999'937), weir::per_day(3), weir::per_second(1000)})
                    b.reconfigure({.rate = r, .burst = 5000}, start);
            return;
        }
        for (int i = 0; i < 3000; ++i) n += b.try_acquire(1, start) ? 1 : 0;
        --busy;
    });
    CHECK(n <= 5000);
    CHECK(n > 0);
    // Each change may round a debt up by one tick, so a few permits can go missing; none is ever made.
}

TEST_CASE("token_bucket: who was refused is refused again by the counter alone, until permits are back")
{
    refused r;
    for (int i = 0; i < 80; ++i) {
        r.pass(10ms);
        CHECK(r.ask() == told_again);
        r.pass(1us);
        CHECK(r.ask(2) == told_again);
        CHECK(r.ask(0).first);
    }
    r.pass(100ms - 80us);
    CHECK(r.ask() == asked_and_admitted);
    CHECK(r.ask() == asked_and_refused);
    r.pass(1us);
    CHECK(r.ask() == told_again);
}

TEST_CASE("token_bucket: a refusal is not told again when permits came back")
{
    refused r;
    r.pass(1ms);
    CHECK(r.ask() == told_again);
    SUBCASE("by another configuration") { r.bucket.reconfigure({.rate = weir::per_second(1000), .burst = 10}); }
    SUBCASE("by a reservation that was cancelled")
    {
        r.pass(900ms);
        auto a = r.bucket.reserve(1, 0s, r.state.t);
        REQUIRE(a);
        CHECK(r.ask() == asked_and_refused);
        r.pass(1us);
        CHECK(r.ask() == told_again);
        REQUIRE(a->cancel());
    }
    r.pass(1ms);
    CHECK(r.ask() == asked_and_admitted);
}

TEST_CASE("token_bucket: a refusal is remembered of one bucket, and of one thread")
{
    refused r;
    r.pass(1ms);
    counting_hand::state later{.t = start};
    weir::basic_token_bucket<counting_hand> other{{.rate = weir::per_second(1), .burst = 2}, {&later}};
    CHECK(other.try_acquire(2));  // the very same word
    later.t += 101ms;
    CHECK_FALSE(other.try_acquire());
    CHECK(later.asked == 2);
    CHECK(r.ask() == asked_and_refused);
    r.pass(1us);
    CHECK(r.ask() == told_again);
    std::thread{[&] { CHECK(r.ask() == asked_and_refused); }}.join();
}

TEST_CASE("token_bucket: a counter that stands still, or goes back, refuses nobody")
{
    refused r;
    r.pass(1ms);
    CHECK(r.ask() == told_again);
    SUBCASE("still") {}
    SUBCASE("a little back") { r.state.off = -1; }
    SUBCASE("far back") { r.state.off = -1'000'000'000; }
    SUBCASE("beyond") { r.state.off = 1'000'000'000; }
    CHECK(r.ask() == asked_and_refused);
}

TEST_CASE("token_bucket: threads that come upon one that leases take exactly the burst with it")
{
    auto const now = start;
    for (int round = 0; round < thorough(2000); ++round) {
        weir::basic_token_bucket<hand_clock> b{{.rate = weir::per_second(1'000'000'000), .burst = 1000, .lease = 100ns},
                                               {&now}};
        std::atomic<std::uint64_t> n{0};
        together(3, [&](int self) {
            std::uint64_t mine = 0;
            if (self == 0)  // the owner of the lease, if it is the first
                while (b.try_acquire()) ++mine;
            else
                for (int i = 0; i < 20; ++i) mine += b.try_acquire() ? 1 : 0;
            n += mine;
        });
        while (b.try_acquire()) ++n;
        CHECK(n == 1000);
    }
}

#if !defined(WEIR_ATOMIC_HEADER) && defined(__x86_64__)
TEST_CASE("token_bucket: is one cache line, and allocates nothing")
{
    static_assert(sizeof(token_bucket) == 64);
    static_assert(alignof(token_bucket) == 64);
}
#endif
