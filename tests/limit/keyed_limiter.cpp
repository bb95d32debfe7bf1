// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/keyed_limiter.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::compact_keys;
using weir::duration;
using weir::errc;
using weir::exact_keys;
using weir::keyed_limiter;
using weir::time_point;
using weir::test::hand_clock;
using weir::test::int128;
using weir::test::thorough;

static_assert(weir::gate<keyed_limiter<>::gate>);
static_assert(weir::gate<keyed_limiter<std::string, compact_keys>::gate>);

namespace {

constexpr time_point start{1'000'000s};

/// The bucket of the textbook, with nothing rounded: permits * per, as a 128-bit integer. `steps` to a permit is how
/// finely it reads the clock; 0: to the nanosecond.
class exact_bucket {
public:
    exact_bucket(weir::rate r, std::uint64_t burst, int128 steps)
        : rate_(r), steps_(steps), full_(int128(burst) * one())
    {
    }

    bool take(std::uint64_t n, duration now)
    {
        auto const tat = std::max(tat_, at(now)) + static_cast<int128>(n) * one();
        if (tat - at(now) > full_) return false;
        tat_ = tat;
        return true;
    }
    [[nodiscard]] std::uint64_t available(duration now) const
    {
        return static_cast<std::uint64_t>((full_ - std::max<int128>(tat_ - at(now), 0)) / one());
    }

private:
    [[nodiscard]] int128 one() const { return steps_ != 0 ? steps_ : int128{rate_.per.count()}; }
    [[nodiscard]] int128 at(duration now) const
    {
        auto const permits = static_cast<int128>(now.count()) * static_cast<int128>(rate_.permits);
        return steps_ != 0 ? permits * steps_ / rate_.per.count() : permits;
    }

    weir::rate rate_;
    int128 steps_;
    int128 full_;
    int128 tat_ = 0;
};

template <class Policy>
constexpr int128 steps = std::is_same_v<Policy, compact_keys> ? 1024 : 0;

}  // namespace

#define BOTH exact_keys, compact_keys

TEST_CASE_TEMPLATE("keyed_limiter: every key starts full, then is admitted at the rate", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 100, .seed = 1}};
    for (std::uint64_t key : {0u, 1u, 2u}) {
        for (int i = 0; i < 3; ++i) CHECK(l.try_acquire(key, 1, start));
        CHECK_FALSE(l.try_acquire(key, 1, start));
    }
    for (std::uint64_t key : {0u, 1u, 2u}) {
        CHECK_FALSE(l.try_acquire(key, 1, start + 100ms - 1ns));
        CHECK(l.try_acquire(key, 1, start + 100ms));
        CHECK_FALSE(l.try_acquire(key, 1, start + 100ms));
    }
    CHECK(l.forced_evictions() == 0);
}

TEST_CASE_TEMPLATE("keyed_limiter: a million random decisions are those of an exact bucket per key", Policy, BOTH)
{
    struct shape {
        weir::keyed_quota quota;
        duration longest;
    };
    // Rates whose permits come on whole nanoseconds or not, slow and fast, with pauses from none to years.
    shape const shapes[] = {{{weir::per_second(10), 10}, 300ms},
                            {{weir::per_second(7), 3}, 500ms},
                            {{{999, 1s}, 50}, 10ms},
                            {{{1, 72h}, 2}, 100h},
                            {{{1, 365 * 24h}, 5}, 5000h},
                            {{{1'000'003, 97min}, 20}, 100ms},
                            {{weir::per_second(1000), 1}, 3ms},
                            {{weir::per_second(10'000), 100}, 200us},
                            {{weir::per_minute(1), 1'000}, 6h}};
    std::mt19937_64 random{42};
    for (auto const& s : shapes) {
        std::vector<exact_bucket> oracle(7, {s.quota.rate, s.quota.burst, steps<Policy>});
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {s.quota}, .capacity = 50, .seed = 7}};
        duration now = 0s;
        auto const zero = time_point{10h};
        (void)l.available(0, zero);  // the steps of compact keys are counted from the first question
        std::uint64_t differ = 0;
        for (int i = 0; i < thorough(110'000); ++i) {
            auto const dice = random() % 100;
            if (dice < 30)
                now += duration{static_cast<duration::rep>(random() % static_cast<std::uint64_t>(s.longest.count()))};
            else if (dice == 31)
                now += 100 * s.longest;
            else if (dice == 32 && i % 100 == 0)
                now += 20'000 * s.longest;
            else if (dice < 40)
                now += duration{static_cast<duration::rep>(random() % 3)};
            if (now > 200 * 365 * 24h) break;
            auto const key = random() % oracle.size();
            auto const n = 1 + (dice < 90 ? 0 : random() % (s.quota.burst + 1));
            bool const expected = oracle[key].take(n, now);
            differ += l.try_acquire(key, n, zero + now) != expected ? 1 : 0;
            if (dice % 10 == 0) differ += l.available(key, zero + now) != oracle[key].available(now) ? 1 : 0;
        }
        CAPTURE(s.quota.rate.permits);
        CAPTURE(s.quota.rate.per.count());
        CHECK(differ == 0);
        CHECK(l.forced_evictions() == 0);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: rates whose fractions are long are kept over their whole length", Policy, BOTH)
{
    for (weir::rate const r : {weir::rate{8209, 30 * 24h}, {10'007, 7 * 24h}, {999'983, 30 * 24h}, {131'071, 24h}}) {
        if (r.permits > static_cast<std::uint64_t>(thorough(1'000'000))) continue;
        CAPTURE(r.permits);
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{r, 1}}, .capacity = 10}};
        auto now = start;
        for (std::uint64_t i = 0; i < r.permits; ++i) {
            now = l.retry_at(1, 1, now);
            REQUIRE(l.try_acquire(1, 1, now));
        }
        auto const late = now - start - (r.per - r.per / static_cast<std::int64_t>(r.permits));
        CHECK(late >= -1us);  // never early, but for the last permit's division
        CHECK(late <= r.per / 1'000'000'000 + 1us);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: a cancel gives nothing back to the key that has taken the slot since", Policy, BOTH)
{
    // Far more keys than slots, at one instant: each forces another one out, and leaves the same debt.
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 1}}, .capacity = 1, .seed = 1}};
    std::vector<decltype(l.admit(0, start))> all;
    for (std::uint64_t key = 0; key < 200; ++key) all.push_back(l.admit(key, start));
    REQUIRE(l.forced_evictions() > 100);
    REQUIRE(all.back());
    all.back()->record(weir::outcome::success(), start);
    for (std::size_t i = 0; i + 1 < all.size(); ++i)
        if (all[i]) all[i]->cancel();
    CHECK_FALSE(l.try_acquire(199, 1, start));
}

TEST_CASE_TEMPLATE("keyed_limiter: memory is what the capacity says, and stays so", Policy, BOTH)
{
    constexpr std::size_t capacity = 1'000'000, many = capacity + thorough(2'000'000);
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_hour(1), 2}}, .capacity = capacity, .seed = 5}};
    auto const per_key = static_cast<double>(l.memory_bytes()) / capacity;
    CHECK(per_key <= (std::is_same_v<Policy, compact_keys> ? 10.1 : 24.1));
    CHECK(l.capacity() == capacity);
    std::size_t admitted = 0;
    for (std::uint64_t k = 0; k < capacity; ++k) admitted += l.try_acquire(k, 1, start);
    CHECK(admitted == capacity);
    auto const forced = static_cast<double>(l.forced_evictions()) / capacity;
    CHECK(forced < (std::is_same_v<Policy, compact_keys> ? 0.001 : 0.004));
    CHECK(l.keys_in_debt(start) + l.forced_evictions() >= capacity - 10);

    // Three times as many keys: most are forgotten, each of them counted, and nothing grows.
    auto const bytes = l.memory_bytes();
    for (std::uint64_t k = capacity; k < many; ++k) admitted += l.try_acquire(k, 1, start);
    CHECK(admitted == many);
    CHECK(l.memory_bytes() == bytes);
    CHECK(l.forced_evictions() + l.keys_in_debt(start) >= many - 40);
    CHECK(l.forced_evictions() + l.keys_in_debt(start) <= many);
}

TEST_CASE_TEMPLATE("keyed_limiter: keys that owe nothing make room for others, and nobody is evicted", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 1000, .seed = 3}};
    auto now = start;
    std::uint64_t key = 0;
    for (int wave = 0; wave < 50; ++wave, now += 300ms)
        for (int i = 0; i < 700; ++i) CHECK(l.try_acquire(key++, 3, now));
    CHECK(l.forced_evictions() == 0);
    CHECK(l.keys_in_debt(now) == 0);
}

TEST_CASE_TEMPLATE("keyed_limiter: who is forgotten is the one nearest to the end of his debt", Policy, BOTH)
{
    // One key of capacity: two buckets, in which all keys are.
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(1), 1000}}, .capacity = 1, .seed = 11}};
    std::uint64_t const slots = std::is_same_v<Policy, compact_keys> ? 16 : 8;
    auto const room = l.memory_bytes();
    for (std::uint64_t k = 1; k <= 100 * slots; ++k) (void)l.try_acquire(k, k == 5 ? 900 : 1 + k % 7, start);
    CHECK(l.forced_evictions() > 0);
    CHECK(l.available(5, start) == 100);
    CHECK(l.memory_bytes() == room);
}

TEST_CASE_TEMPLATE("keyed_limiter: keys made to collide under one seed are spread under another", Policy, BOTH)
{
    // What somebody who knew the seed would send: keys whose home is in a thousandth of the table.
    weir::detail::keyed_hash const known{1};
    std::vector<std::uint64_t> flood;
    for (std::uint64_t k = 0; flood.size() < 2000; ++k)
        if (known(k).hash >> 54 == 7) flood.push_back(k);
    auto const forced = [&](std::optional<std::uint64_t> seed) {
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_hour(1), 1}}, .capacity = 20'000, .seed = seed}};
        for (auto const k : flood) (void)l.try_acquire(k, 1, start);
        return l.forced_evictions();
    };
    // The other bucket, which is elsewhere, takes in most of them even so.
    auto const homes = [&](std::uint64_t seed) {
        weir::detail::keyed_hash const h{seed};
        return std::count_if(flood.begin(), flood.end(), [&](auto k) { return h(k).hash >> 54 == 7; });
    };
    CHECK(homes(1) == 2000);
    for (std::uint64_t seed = 2; seed < 50; ++seed) {
        CHECK(homes(seed) < 20);
        CHECK(forced(seed) == 0);
    }
    CHECK(forced(std::nullopt) == 0);
}

TEST_CASE_TEMPLATE("keyed_limiter: keys with a pattern are as good as random ones", Policy, BOTH)
{
    auto const forced = [](auto key_of) {
        using key = decltype(key_of(std::uint64_t{}));
        std::uint64_t worst = 0;
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            keyed_limiter<key, Policy> l{{.quotas = {{weir::per_hour(1), 1}}, .capacity = 20'000, .seed = seed}};
            for (std::uint64_t i = 0; i < 20'000; ++i) (void)l.try_acquire(key_of(i), 1, start);
            worst = std::max(worst, l.forced_evictions());
        }
        return worst;
    };
    CHECK(forced([](std::uint64_t i) { return i; }) < 100);
    CHECK(forced([](std::uint64_t i) { return i << 40; }) < 100);
    CHECK(forced([](std::uint64_t i) { return i * 0x100000001; }) < 100);
    CHECK(forced([](std::uint64_t i) { return ~i; }) < 100);
    CHECK(forced([](std::uint64_t i) { return std::array{i, std::uint64_t{0}, i}; }) < 100);
    CHECK(forced([](std::uint64_t i) { return "client-" + std::to_string(i); }) < 100);
    CHECK(forced([](std::uint64_t i) { return std::string(i % 100, 'a') + std::string(i / 100, 'b'); }) < 100);
}

TEST_CASE_TEMPLATE("keyed_limiter: a caller with an old reading finds the debt of a key whose slot has gone", Policy,
                   BOTH)
{
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 1, .seed = seed}};
        CHECK(l.try_acquire(1, 3, start));
        // 300 ms later it owes nothing, and others take all slots there are.
        for (std::uint64_t k = 2; k < 40; ++k) (void)l.try_acquire(k, 3, start + 300ms + 1ms * k);
        // Somebody asked the time then, and was held up.
        CHECK_FALSE(l.try_acquire(1, 1, start + 99ms));
        CHECK_FALSE(l.try_acquire(1, 3, start + 299ms));
    }
}

namespace {

/// With this the range of a TAT is 124 days, exact, or 155, compact.
template <class Policy>
constexpr weir::keyed_quota wraps_in_months{weir::per_second(std::is_same_v<Policy, compact_keys> ? 10 : 100), 3};

}  // namespace

TEST_CASE_TEMPLATE("keyed_limiter: after any pause a key is as new, however often its word has wrapped", Policy, BOTH)
{
    for (auto const pause : {1h, 24h, 100 * 24h, 116 * 24h, 124 * 24h, 125 * 24h, 144 * 24h, 150 * 24h, 155 * 24h,
                             156 * 24h, 310 * 24h, 365 * 24h, 36'500 * 24h}) {
        for (auto const shift : {-2h, -1h, 0h, 1h, 2h}) {
            keyed_limiter<std::uint64_t, Policy> l{{.quotas = {wraps_in_months<Policy>}, .capacity = 10, .seed = 1}};
            CHECK(l.try_acquire(1, 3, start));
            auto const now = start + pause + shift;
            if (now < start + 1s) continue;
            CHECK(l.available(1, now) == 3);
            CHECK(l.try_acquire(1, 3, now));
            CHECK_FALSE(l.try_acquire(1, 1, now));
        }
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: so also when others kept asking in the meantime", Policy, BOTH)
{
    struct visit {
        std::uint64_t key;
        time_point back;
    };
    std::mt19937_64 random{9};
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {wraps_in_months<Policy>}, .capacity = 2000, .seed = 1}};
    std::vector<visit> away;
    std::uint64_t next = 1, wrong = 0;
    for (auto now = start; now < start + 700 * 24h; now += weir::test::sanitized ? 9h : 90min) {
        CHECK(l.try_acquire(0, 1, now));
        CHECK(l.try_acquire(next, 3, now));
        away.push_back({next++, now + 1h * (1 + random() % (300 * 24))});
        std::erase_if(away, [&](visit const& v) {
            if (v.back > now) return false;
            wrong += l.available(v.key, now) != 3 || !l.try_acquire(v.key, 3, now) ? 1 : 0;
            return true;
        });
    }
    CHECK(wrong == 0);
    CHECK(l.forced_evictions() == 0);
    CHECK(l.keys_in_debt(start + 700 * 24h) == 0);
}

TEST_CASE_TEMPLATE("keyed_limiter: a clock that stands still or steps back makes it refuse, and mints nothing", Policy,
                   BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 10, .seed = 1}};
    CHECK(l.try_acquire(1, 3, start));
    for (int i = 0; i < 1000; ++i) CHECK_FALSE(l.try_acquire(1, 1, start));
    for (duration const back : {duration{1ns}, duration{1ms}, duration{5s}, duration{60s}})
        CHECK_FALSE(l.try_acquire(1, 1, start - back));
    // Years: it cannot tell what was then, and says when it can.
    for (auto const back : {365 * 24h, 10 * 365 * 24h}) {
        auto const a = l.admit(1, start - back);
        REQUIRE_FALSE(a);
        CHECK(a.refused().code == errc::rate_limited);
        CHECK(a.refused().retry_at > start - back);
        CHECK(a.refused().retry_at <= start);
        CHECK_FALSE(l.try_acquire(2, 1, start - back));
        CHECK(l.available(2, start - back) == 0);
    }
    CHECK_FALSE(l.try_acquire(1, 1, start + 99ms));
    CHECK(l.try_acquire(1, 1, start + 100ms));
    // The ends of time.
    CHECK_FALSE(l.try_acquire(1, 1, time_point::min()));
    CHECK(l.try_acquire(1, 3, time_point::max()));
    CHECK_FALSE(l.try_acquire(1, 1, time_point::max()));
}

TEST_CASE_TEMPLATE("keyed_limiter: n of nothing passes, more than the burst never does", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{
        {.quotas = {{weir::per_second(10), 3}, {weir::per_second(10), 0}}, .capacity = 10}};
    CHECK_FALSE(l.try_acquire(1, 4, start));
    CHECK_FALSE(l.try_acquire(1, UINT64_MAX, start));
    CHECK(l.keys_in_debt(start) == 0);
    auto const a = l.reserve(1, 4, 24h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK(a.refused().gate == "keyed_limiter");
    CHECK(l.try_acquire(1, 3, start));
    CHECK(l.try_acquire(1, 0, start));
    CHECK(l.admit(1, start).refused().code == errc::rate_limited);
    auto closed = l.of(1, 1);
    CHECK_FALSE(closed.try_acquire(1, start));
    CHECK(closed.admit(start).refused().retry_at == weir::never);
    CHECK(closed.try_acquire(0, start));
}

TEST_CASE_TEMPLATE("keyed_limiter: reservations queue behind each other, and say when", Policy, BOTH)
{
    keyed_limiter<std::string, Policy> l{{.quotas = {{weir::per_second(10), 1}}, .capacity = 10, .name = "api"}};
    for (int i = 0; i < 5; ++i) {
        auto a = l.reserve("k", 1, 450ms, start);
        REQUIRE(a);
        CHECK(a->start_at() == start + i * 100ms);
        a->record(weir::outcome::success(), start);
    }
    auto const no = l.reserve("k", 1, 450ms, start);
    REQUIRE_FALSE(no);
    CHECK(no.refused().gate == "api");
    CHECK(no.refused().retry_at == start + 50ms);
    CHECK(l.retry_at("k", 1, start) == start + 500ms);
    CHECK(l.retry_at("other", 1, start) == start);
    CHECK(l.reserve("k", 1, 450ms, start + 50ms));
    CHECK(l.reserve("k", 1, weir::duration::max(), start));
}

TEST_CASE_TEMPLATE("keyed_limiter: cancel undoes an admission exactly, or not at all", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 1, .seed = 4}};
    auto now = start;
    {
        auto a = l.reserve(1, 2, 0s, now);  // the first: it enters
        REQUIRE(a);
        CHECK(l.available(1, now) == 1);
        CHECK(a->cancel());
        CHECK_FALSE(a->cancel());
        CHECK(l.available(1, now) == 3);
        CHECK(l.keys_in_debt(now) == 0);
    }
    {
        auto a = l.admit(1, now);  // dropped unsettled
        CHECK(l.available(1, now) == 2);
    }
    CHECK(l.available(1, now) == 3);
    {
        auto a = l.admit(1, now);
        CHECK(l.try_acquire(1, 1, now));
        REQUIRE(a);
        CHECK_FALSE(a->cancel());
        CHECK(l.available(1, now) == 1);
    }
    now += 10s;
    {
        auto a = l.reserve(1, 3, 0s, now);
        REQUIRE(a);
        now += 300ms;
        for (std::uint64_t k = 2; k < 60; ++k) (void)l.try_acquire(k, 3, now + 1ms);  // its slot goes to others
        CHECK_FALSE(a->cancel());
    }
    {
        auto a = l.admit(1, now + 10s);
        REQUIRE(a);
        a->record(weir::outcome::failure(), now + 10s);
        CHECK_FALSE(a->cancel());
        CHECK(l.available(1, now + 10s) == 2);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: drain empties one key, and a key that was never seen", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 3}}, .capacity = 10}};
    CHECK(l.try_acquire(1, 1, start));
    for (std::uint64_t k : {1u, 2u}) {
        l.drain(k, start);
        CHECK(l.available(k, start) == 0);
        CHECK(l.retry_at(k, 1, start) == start + 100ms);
        CHECK(l.available(k, start + 300ms) == 3);
    }
    CHECK(l.available(3, start) == 3);
    auto a = l.reserve(4, 3, 0s, start);
    auto b = l.reserve(4, 3, 1s, start);
    l.drain(4, start);  // owes more than that already
    CHECK(l.retry_at(4, 1, start) == start + 400ms);
}

namespace {

template <class Layout>
struct by_parity : Layout {
    std::size_t quota_of(std::uint64_t key) const noexcept { return key % 2; }
};

}  // namespace

TEST_CASE_TEMPLATE("keyed_limiter: quotas by key, or by call; a key that changes its class keeps its debt", Policy,
                   BOTH)
{
    weir::keyed_limiter_options const o{.quotas = {{weir::per_second(10), 3}, {weir::per_second(100), 50}},
                                        .capacity = 100};
    keyed_limiter<std::uint64_t, by_parity<Policy>> l{o};
    CHECK(l.available(2, start) == 3);
    CHECK(l.available(3, start) == 50);
    CHECK(l.try_acquire(3, 40, start));
    CHECK_FALSE(l.try_acquire(2, 4, start));
    CHECK(l.of(3).available(start) == 10);
    CHECK(l.of(3, 0).available(start) == 0);

    keyed_limiter<std::uint64_t, Policy> by_call{o};
    CHECK(by_call.of(7, 1).try_acquire(20, start));
    CHECK(by_call.of(7, 1).available(start) == 30);
    CHECK(by_call.of(7, 0).available(start) == 0);
    CHECK(by_call.of(7, 0).try_acquire(1, start + 190ms));  // owes 1 of those, and 1 more, of the slow class now
    CHECK(by_call.of(7, 0).available(start + 190ms) == 1);
    CHECK(by_call.of(7, 0).available(start + 290ms) == 2);
    CHECK(by_call.of(7, 1).available(start + 290ms) == 49);
}

TEST_CASE_TEMPLATE("keyed_limiter: reconfigure keeps the debt of every key in permits", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 10}}, .capacity = 1000}};
    for (std::uint64_t k = 0; k < 500; ++k) CHECK(l.try_acquire(k, k % 11, start));
    auto now = start;
    auto const debts_are = [&](std::uint64_t burst, auto debt) {
        for (std::uint64_t k = 0; k < 500; ++k) CHECK(l.available(k, now) == (debt(k) < burst ? burst - debt(k) : 0));
    };
    debts_are(10, [](auto k) { return k % 11; });
    l.reconfigure({.quotas = {{weir::per_minute(60), 10}}}, now);
    debts_are(10, [](auto k) { return k % 11; });
    now += 3s;
    debts_are(10, [](auto k) { return k % 11 - std::min<std::uint64_t>(k % 11, 3); });
    l.reconfigure({.quotas = {{weir::per_second(200), 20}}}, now);
    debts_are(20, [](auto k) { return k % 11 - std::min<std::uint64_t>(k % 11, 3); });
    l.reconfigure({.quotas = {{weir::per_hour(1), 5}}}, now);
    debts_are(5, [](auto k) { return k % 11 - std::min<std::uint64_t>(k % 11, 3); });
    now += 2h;
    debts_are(5, [](auto k) { return k % 11 - std::min<std::uint64_t>(k % 11, 5); });
    CHECK(l.reserve(999, 3, 0s, now));
}

TEST_CASE_TEMPLATE("keyed_limiter: a debt is the same whatever the rates and pauses since", Policy, BOTH)
{
    // Rates of whole permits a second, so that permits * nanoseconds are whole numbers too.
    constexpr std::uint64_t rates[] = {1, 3, 10, 50, 300};
    constexpr int128 second = 1'000'000'000;
    std::mt19937_64 random{17};
    for (int round = 0; round < thorough(20); ++round) {
        weir::keyed_quota quota{weir::per_second(rates[random() % 5]), 1 + random() % 20};
        keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(10), 20}}, .capacity = 20, .seed = 2}};
        l.reconfigure({.quotas = {quota}}, start);
        std::array<int128, 5> owed{};
        auto now = start;
        int over = 0, under = 0;
        for (int i = 0; i < 20'000; ++i) {
            auto step = duration{static_cast<duration::rep>(random() % 300'000'000)};
            if (random() % 50 == 0) step *= 1'000;
            if (random() % 1000 == 0) step *= 100'000;
            now += step;
            for (auto& o : owed)
                o = std::max<int128>(o - int128{step.count()} * static_cast<int128>(quota.rate.permits), 0);
            if (random() % 20 == 0) {
                quota = {weir::per_second(rates[random() % 5]), 1 + random() % 20};
                l.reconfigure({.quotas = {quota}}, now);
            }
            auto const key = random() % owed.size();
            auto const before = owed[key];
            bool const fits = before + second <= static_cast<int128>(quota.burst) * second;
            bool const taken = l.try_acquire(key, 1, now);
            // Each change of rate rounds a debt up by less than one unit: 1/1024 of a permit, or 1e-9.
            auto const rounding = second / (std::is_same_v<Policy, compact_keys> ? 20 : 1'000'000);
            if (taken && !fits && before + second > static_cast<int128>(quota.burst) * second + rounding) ++over;
            if (!taken && fits && before + second < static_cast<int128>(quota.burst) * second - rounding) ++under;
            if (taken) owed[key] += second;
        }
        CHECK(over == 0);
        CHECK(under == 0);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: a reading from before a change of rate admits no more for it", Policy, BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(100), 10}}, .capacity = 10}};
    CHECK(l.try_acquire(1, 10, start));
    l.reconfigure({.quotas = {{weir::per_second(1), 10}}}, start + 100ms);  // all ten are back by then
    CHECK_FALSE(l.try_acquire(1, 6, start + 50ms));
    CHECK(l.available(1, start + 50ms) <= 5);
    CHECK(l.try_acquire(1, 10, start + 100ms));
}

TEST_CASE_TEMPLATE("keyed_limiter: a reading from between two changes of rate counts at the rate between them", Policy,
                   BOTH)
{
    keyed_limiter<std::uint64_t, Policy> l{{.quotas = {{weir::per_second(100), 10}}, .capacity = 10}};
    CHECK(l.try_acquire(1, 10, start));
    l.reconfigure({.quotas = {{weir::per_second(1), 10}}}, start + 1s);
    l.reconfigure({.quotas = {{weir::per_second(2), 10}}}, start + 2s);
    CHECK(l.try_acquire(2, 10, start + 1500ms));  // as it would have been then
    CHECK(l.retry_at(2, 1, start + 1500ms) == start + 2250ms);
    CHECK(l.available(2, start + 2s) == 0);
    CHECK(l.available(2, start + 2250ms) == 1);
    l.drain(3, start + 1500ms);
    CHECK(l.available(3, start + 2s) == 0);
    CHECK(l.try_acquire(3, 1, start + 2250ms));
    // Of the rate before that nothing more is known than that none has been faster than the first.
    CHECK_FALSE(l.try_acquire(4, 1, start + 500ms));
    CHECK(l.try_acquire(4, 9, start + 1s - 5ms));
    CHECK(l.available(4, start + 2s) == 2);
}

TEST_CASE_TEMPLATE("keyed_limiter: a change of rate that is held up earns nothing twice", Policy, BOTH)
{
    struct scene {
        time_point now = start;
        std::function<void()> held_up{};  // once, between reading the clock and going on
    };
    struct slow_clock {
        scene* s;
        [[nodiscard]] time_point now() const
        {
            auto const t = s->now;
            if (s->held_up) std::exchange(s->held_up, nullptr)();
            return t;
        }
    };
    scene s;
    weir::basic_keyed_limiter<std::uint64_t, Policy, slow_clock> l{
        {.quotas = {{weir::per_second(1), 20}}, .capacity = 10}, {}, {&s}};
    CHECK(l.try_acquire(1, 10, start));
    s.held_up = [&] {
        s.now += 20s;  // all are back, and are taken by others
        CHECK(l.try_acquire(1, 20, s.now));
        CHECK(l.try_acquire(2, 20, s.now));
    };
    l.reconfigure({.quotas = {{weir::per_second(1000), 20}}});
    CHECK_FALSE(s.held_up);
    for (std::uint64_t const key : {1u, 2u}) {
        CHECK(l.available(key, s.now) == 0);
        CHECK_FALSE(l.try_acquire(key, 1, s.now));
        CHECK(l.available(key, s.now + 10ms) == 10);
    }
}

TEST_CASE_TEMPLATE("keyed_limiter: a batch decides as one by one", Policy, BOTH)
{
    weir::keyed_limiter_options const o{
        .quotas = {{weir::per_second(10), 2}, {weir::per_second(20), 5}}, .capacity = 200, .seed = 6};
    keyed_limiter<std::uint64_t, by_parity<Policy>> one{o}, many{o};
    std::mt19937_64 random{8};
    auto now = start;
    for (int round = 0; round < thorough(300); ++round, now += 30ms) {
        std::vector<std::uint64_t> keys(random() % 100);
        for (auto& k : keys) k = random() % 100;
        auto const admitted = std::make_unique<bool[]>(keys.size());
        auto const count = many.try_acquire_batch(keys, {admitted.get(), keys.size()}, now);
        std::size_t expected = 0;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            bool const yes = one.try_acquire(keys[i], 1, now);
            expected += yes ? 1 : 0;
            REQUIRE(admitted[i] == yes);
        }
        CHECK(count == expected);
    }
    CHECK(one.forced_evictions() == 0);
}

TEST_CASE("keyed_limiter: keys are text, numbers, enumerations and plain values")
{
    enum class region : std::uint8_t { north, south };
    struct route {
        std::uint32_t tenant, path;
        std::uint64_t method;
    };
    keyed_limiter<std::string_view> text{{.quotas = {{weir::per_hour(1), 1}}, .capacity = 10}};
    keyed_limiter<region> small{{.quotas = {{weir::per_hour(1), 1}}, .capacity = 10}};
    keyed_limiter<route> large{{.quotas = {{weir::per_hour(1), 1}}, .capacity = 10}};
    CHECK(text.try_acquire("a", 1, start));
    CHECK_FALSE(text.try_acquire(std::string{"a"}, 1, start));
    CHECK(text.try_acquire("", 1, start));
    CHECK(text.try_acquire("b", 1, start));
    CHECK(small.try_acquire(region::north, 1, start));
    CHECK(small.try_acquire(region::south, 1, start));
    CHECK_FALSE(small.try_acquire(region::south, 1, start));
    CHECK(large.try_acquire({1, 2, 3}, 1, start));
    CHECK(large.try_acquire({1, 2, 4}, 1, start));
    CHECK_FALSE(large.try_acquire({1, 2, 4}, 1, start));
}

TEST_CASE("keyed_limiter: text is hashed with SipHash-1-3, and text that differs is told apart")
{
    weir::detail::keyed_hash const h{1};
    std::vector<std::uint64_t> seen;
    std::string text;
    for (int i = 0; i < 200; ++i, text += 'x') {
        seen.push_back(h(text).identity);
        seen.push_back(h(text + 'y').identity);
        seen.push_back(h('\0' + text).identity);
    }
    std::sort(seen.begin(), seen.end());
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    CHECK(h(std::string{"x"}).identity != weir::detail::keyed_hash{2}(std::string{"x"}).identity);
    CHECK(h(std::string{"x"}).identity == weir::detail::keyed_hash{1}(std::string_view{"x"}).identity);
}

TEST_CASE("keyed_limiter: without `now` it asks its clock, once for a call")
{
    auto now = start;
    weir::basic_keyed_limiter<std::uint64_t, exact_keys, hand_clock> l{
        {.quotas = {{weir::per_second(10), 2}}, .capacity = 10}, {}, hand_clock{&now}};
    CHECK(l.try_acquire(1));
    CHECK(l.of(1).try_acquire());
    CHECK_FALSE(l.try_acquire(1));
    CHECK(l.available(1) == 0);
    CHECK(l.reserve(1, 1, 1s)->start_at() == start + 100ms);
    l.drain(2);
    CHECK(l.of(2).available() == 0);
    now += 200ms;
    std::array<std::uint64_t, 3> const keys{1, 2, 2};
    std::array<bool, 3> admitted{};
    CHECK(l.try_acquire_batch(keys, admitted) == 3);
    l.reconfigure({.quotas = {{weir::per_second(20), 2}}});
    now += 50ms;
    CHECK(l.of(2).reserve(1, 0s));
    auto moved = std::move(l);
    CHECK(moved.available(2) == 1);
}
