// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/token_bucket.hpp>

#include "limit/leases.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace leases;
using weir::duration;
using weir::errc;
using weir::time_point;
using weir::token_bucket;
using weir::token_bucket_options;

namespace {

using hand_bucket = weir::basic_token_bucket<hand_clock>;

/// A million per second and a burst of 1000: leases of 20.
constexpr weir::rate million = weir::per_second(1'000'000);

struct hand_world {
    time_point t = start;
    hand_bucket b;
    explicit hand_world(token_bucket_options const& o = {.rate = million, .burst = 1000}) : b(o, hand_clock{&t}) {}

    std::uint64_t take_all()
    {
        std::uint64_t n = 0;
        while (b.try_acquire()) ++n;
        return n;
    }
};

}  // namespace

TEST_CASE("token_bucket: most permits are taken without a look at the clock")
{
    struct counting_clock {
        int* readings;
        [[nodiscard]] time_point now() const noexcept { return ++*readings, start; }
    };
    int readings = 0;
    weir::basic_token_bucket<counting_clock> leased{{.rate = million, .burst = 1000}, {&readings}};
    for (int i = 0; i < 900; ++i) REQUIRE(leased.try_acquire());
    CHECK(readings <= 2 * 900 / 20);
    readings = 0;
    weir::basic_token_bucket<counting_clock> exact{{.rate = million, .burst = 1000, .lease = 0ns}, {&readings}};
    for (int i = 0; i < 900; ++i) REQUIRE(exact.try_acquire());
    CHECK(readings == 900);
}

TEST_CASE("token_bucket: with leases the burst is still the burst")
{
    hand_world w;
    CHECK(w.take_all() == 1000);
    w.t += 10us;
    CHECK(w.take_all() == 10);
    w.t += 1h;
    CHECK(w.take_all() == 1000);
}

TEST_CASE("token_bucket: a lease that was not used up is what the burst is short by after a pause")
{
    hand_world w;
    REQUIRE(w.b.try_acquire());  // 20 more are paid for
    REQUIRE(w.b.try_acquire());
    CHECK(w.b.available() == 998);
    w.t += 1h;
    CHECK(w.b.available() == 999);
    CHECK(w.take_all() == 999);
}

TEST_CASE("token_bucket: the whole burst at once takes the lease too")
{
    hand_world w;
    for (int i = 0; i < 2; ++i) REQUIRE(w.b.try_acquire());
    w.t += 1h;
    CHECK(w.b.retry_at(1000, w.t) == w.t + 1us);
    CHECK_FALSE(w.b.try_acquire(1000));
    w.t += 1us;
    CHECK(w.b.retry_at(1000, w.t) == w.t);
    CHECK(w.b.try_acquire(1000));
    CHECK(w.take_all() == 0);

    hand_world v;
    REQUIRE(v.b.try_acquire());
    CHECK(v.b.try_acquire(999));  // 979 in the word and 20 in the lease
    CHECK_FALSE(v.b.try_acquire());
    CHECK_FALSE(v.b.try_acquire(1001));
    CHECK_FALSE(v.b.try_acquire(UINT64_MAX));
}

TEST_CASE("token_bucket: whoever brings a time is not refused for what lies in the lease")
{
    hand_world w;
    REQUIRE(w.b.try_acquire());
    CHECK(w.b.try_acquire(999, w.t));
    CHECK(w.b.retry_at(1, w.t) == w.t + 1us);

    hand_world v;
    REQUIRE(v.b.try_acquire());
    REQUIRE(v.b.try_acquire(979, v.t));
    auto held = v.b.reserve(20, 1h, v.t);
    REQUIRE(held);
    CHECK(held->start_at() == v.t);  // at once, out of the lease
    CHECK(held->cancel());           // and back, while nobody came behind
    CHECK(v.take_all() == 20);
    CHECK(v.b.admit(v.t).refused().retry_at == v.t + 1us);
}

TEST_CASE("token_bucket: a permit of a lease, given back after it was used, is not taken back")
{
    // Reserved; then the lease behind it is used up, later the bucket is full again, and then comes the cancel.
    hand_world w;
    auto held = w.b.admit(w.t);
    REQUIRE(held);
    CHECK(w.take_all() == 999);
    w.t += 1h;
    CHECK(w.take_all() == 1000);
    CHECK_FALSE(held->cancel());
    CHECK(w.take_all() == 0);
}

TEST_CASE("token_bucket: an empty bucket refuses without a write")
{
    for (auto lease : {duration{20us}, duration{0}}) {
        hand_world w{{.rate = million, .burst = 1000, .lease = lease}};
        CHECK(w.take_all() == 1000);
        std::array<std::byte, sizeof w.b> before, after;
        std::memcpy(before.data(), static_cast<void const*>(&w.b), sizeof w.b);
        for (int i = 0; i < 1000; ++i) REQUIRE_FALSE(w.b.try_acquire());
        for (int i = 0; i < 10; ++i) REQUIRE_FALSE(w.b.try_acquire(1, w.t));
        for (int i = 0; i < 10; ++i) REQUIRE_FALSE(w.b.reserve(1, 0s));
        std::memcpy(after.data(), static_cast<void const*>(&w.b), sizeof w.b);
        CHECK(before == after);
    }
}

TEST_CASE("token_bucket: drained it is empty from now on, lease and all")
{
    for (auto lease : {duration{20us}, duration{0}}) {
        hand_world w{{.rate = million, .burst = 1000, .lease = lease}};
        REQUIRE(w.b.try_acquire());
        w.b.drain();
        CHECK(w.b.available() == 0);
        CHECK_FALSE(w.b.try_acquire());
        CHECK(w.b.retry_at(1, w.t) == w.t + 1us);
        w.t += 5us;
        CHECK(w.take_all() == 5);
    }
    hand_world w;
    auto reserved = w.b.reserve(900, 0s);
    auto behind = w.b.reserve(600, 1s);
    CHECK(behind->start_at() == w.t + 500us);
    w.b.drain();  // what is owed stays owed, and no less
    CHECK(w.b.retry_at(1, w.t) == w.t + 501us);
    w.t += 1h;
    w.b.drain(w.t - 30min);  // it has been full again since
    CHECK(w.b.available() == 1000);
}

TEST_CASE("token_bucket: reconfigure takes the lease back first, in every state")
{
    token_bucket_options const with{.rate = million, .burst = 1000};
    token_bucket_options const without{.rate = million, .burst = 1000, .lease = 0ns};
    for (auto const& from : {with, without})
        for (auto const& to : {with, without, token_bucket_options{.rate = weir::per_hour(1), .burst = 1000}})
            for (auto spent : {0, 1, 20, 990, 1000}) {
                hand_world w{from};
                for (int i = 0; i < spent; ++i) REQUIRE(w.b.try_acquire());
                w.b.reconfigure(to);
                CHECK(w.b.available() == 1000u - static_cast<unsigned>(spent));
                CHECK(w.take_all() == 1000u - static_cast<unsigned>(spent));
            }
    hand_world w;
    REQUIRE(w.b.try_acquire());
    w.b.reconfigure({.rate = million, .burst = 0});
    CHECK_FALSE(w.b.try_acquire());
    w.b.reconfigure({.rate = million, .burst = 5});
    w.t += 1h;
    CHECK(w.take_all() == 5);
}

TEST_CASE("token_bucket: lease out of range names the field and the range")
{
    CHECK_THROWS_WITH_AS((token_bucket{{.lease = -1ns}}),
                         "weir: token_bucket_options.lease must be 0 to 1000 ms, and is -1e-06 ms",
                         std::invalid_argument);
    CHECK_THROWS_AS((token_bucket{{.lease = 1001ms}}), std::invalid_argument);
    token_bucket_options o{.name = "another name, too long to be kept in place"};
    CHECK(token_bucket{o}.name() == o.name);
    CHECK(token_bucket{}.name() == "token_bucket");
}

TEST_CASE("token_bucket: beside the exact bucket, in a million decisions with leases it is never ahead")
{
    std::mt19937_64 g{11};
    int refused_though_enough = 0;
    for (int round = 0; round < 500; ++round) {
        weir::rate const r = round % 3 == 0 ? weir::per_second(100'000 + g() % 16'000'000)
                                            : weir::per_second(1'000'000'000 / (1 + g() % 9'000));
        std::uint64_t const burst = 16 + g() % (round % 2 ? 100 : 100'000);
        auto const lease = duration{static_cast<std::int64_t>(g() % 100'000)};
        hand_world w{{.rate = r, .burst = burst, .lease = lease}};
        exact_bucket e{r, burst};
        auto const earned = r.permits * static_cast<std::uint64_t>(lease.count()) / 1'000'000'000;
        auto const slack = std::min({earned, burst / 8, std::uint64_t{511}});
        auto const interval = 1 + 1'000'000'000 / r.permits;
        for (int i = 0; i < 2000; ++i) {
            if (g() % 4 == 0) w.t += duration{static_cast<std::int64_t>(g() % (4 * interval))};
            if (g() % 200 == 0) w.t += duration{static_cast<std::int64_t>(g() % (2 * burst * interval))};
            std::uint64_t n = g() % 16 ? 1 : g() % (burst + 2);
            if (g() % 64 == 0) n = burst - g() % 3;
            e.to(w.t);
            bool const enough = e.has(n + slack) && n <= burst;
            bool admitted = false;
            switch (g() % 8) {
                case 0: admitted = w.b.try_acquire(n, w.t); break;
                case 1:
                    if (auto a = w.b.reserve(n, 0s)) {
                        if ((g() & 1) && n > 0) {
                            REQUIRE(a->cancel());
                            continue;
                        }
                        a->record(weir::outcome::success(), w.t);
                        admitted = true;
                    }
                    break;
                default: admitted = w.b.try_acquire(n);
            }
            INFO(r.permits, " per second, burst ", burst, ", lease ", slack, ", n = ", n, ", decision ", i);
            if (admitted) REQUIRE(e.take(n, w.t));
            if (enough && !admitted) ++refused_though_enough;
        }
    }
    CHECK(refused_though_enough == 0);  // behind by what a lease holds at most
}

TEST_CASE("token_bucket: with leases, at any instant that a jumping clock comes to there is one burst")
{
    std::mt19937_64 g{12};
    for (auto r : {weir::per_second(1'000'000), weir::per_second(16'777'213), weir::per_second(999'999'937)}) {
        hand_world w{{.rate = r, .burst = 400}};
        auto const far = start + 24h * 365 * 100;
        for (int i = 0; i < 5000; ++i) {
            switch (g() % 8) {
                case 0: w.t += duration{static_cast<std::int64_t>(g() % 100'000'000'000'000)}; break;
                case 1: w.t -= duration{static_cast<std::int64_t>(g() % 100'000'000'000'000)}; break;
                case 2: w.t = w.t < far ? w.t + 24h * 365 : start; break;
                default: w.t += duration{static_cast<std::int64_t>(g() % 1'000'000)};
            }
            std::uint64_t here = 0;
            for (auto calls = g() % 2 ? 500 : g() % 10; calls > 0; --calls) {
                auto const n = 1 + g() % 3;
                if (g() % 8 ? w.b.try_acquire(n) : w.b.try_acquire(n, w.t)) here += n;
            }
            REQUIRE(here <= 400);
            if (g() % 100 == 0) w.b.reconfigure({.rate = r, .burst = 400});
        }
        w.t = far + 24h * 365 * 2;
        auto const n = w.take_all();
        CHECK(n <= 400);
        CHECK(n >= 400 - 50);  // a lease
    }
}

TEST_CASE("token_bucket: a pause that two sleep through, before or while they pay for a lease, counts once")
{
    for (int first = 0; first < 4; ++first)
        for (int second = 0; second < 4; ++second) {
            nap_world world;
            weir::basic_token_bucket<nap_world::clock> b{{.rate = million, .burst = 1000}, {&world}};
            for (int i = 0; i < 21; ++i) REQUIRE(b.try_acquire());  // a whole lease, and nothing left of it
            INFO("asleep at readings ", first, " and ", second);
            CHECK(after_two_sleepers(world, b, first, second) <= 1000);
        }
}

TEST_CASE("token_bucket: threads that start together take exactly the burst, out of leases")
{
    for (int threads : {2, 8}) {
        time_point t = start;
        hand_bucket b{{.rate = million, .burst = 1'000'000}, hand_clock{&t}};
        std::atomic<std::uint64_t> n{0};
        together(threads, [&](int self) {
            std::uint64_t mine = 0;
            for (unsigned i = 0;; ++i) {
                std::uint64_t const k = self % 2 == 0 || i % 8 != 0 ? 1 : 3;
                if (b.try_acquire(k))
                    mine += k;
                else if (k == 1)
                    break;
            }
            n += mine;
        });
        CHECK(n == 1'000'000);
    }
}

TEST_CASE("token_bucket: with leases every window of threads that sleep anywhere is within the bound")
{
    // A step fills the bucket several times over or a little; a few hundred steps make every window countable.
    for (auto const& [burst, step] : {std::pair<std::uint64_t, duration>{64, 10us}, {64, 200us}, {1000, 300us}}) {
        constexpr std::size_t steps = 300;
        constexpr int threads = 8;
        stepped_time world{step};
        weir::basic_token_bucket<stepped_time::clock> b{{.rate = million, .burst = burst}, {&world}};
        census seen{steps};
        std::atomic<int> busy{threads};
        together(threads + 1, [&, burst = burst](int self) {
            std::mt19937 g{static_cast<unsigned>(self)};
            if (self == threads) {
                while (world.steps() < steps) {
                    for (auto naps = g() % 32; naps > 0; --naps) std::this_thread::yield();
                    world.go_on();
                }
                return;
            }
            while (world.steps() < steps) {
                auto const before = world.steps();
                std::uint64_t const n = g() % 32 ? 1 : 1 + g() % burst;
                switch (g() % 32) {
                    case 0: {
                        auto const now = world.at(before);
                        if (b.try_acquire(n, now)) seen.add(before, before, n);
                        break;
                    }
                    case 1: {
                        auto const now = world.at(before);
                        if (auto a = b.reserve(n, 0s, now); a && g() % 2) {
                            a->record(weir::outcome::success(), now);
                            seen.add(before, before, n);
                        }
                        break;
                    }
                    case 2:
                        if (g() % 64 == 0) b.drain();
                        if (g() % 64 == 0) b.reconfigure({.rate = million, .burst = burst});
                        break;
                    default:
                        if (b.try_acquire(n)) seen.add(before, std::min(world.steps(), steps), n);
                }
                if (g() % 256 == 0) std::this_thread::yield();
            }
            --busy;
        });
        CHECK(seen.total() > burst);
        auto const per_step = static_cast<double>(step.count()) / 1000.0;
        CHECK(seen.excess(per_step, burst) <= 0);
    }
}
