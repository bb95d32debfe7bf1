// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/striped_token_bucket.hpp>

#include "limit/leases.hpp"

#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace leases;
using weir::duration;
using weir::errc;
using weir::striped_token_bucket;
using weir::striped_token_bucket_options;
using weir::time_point;

static_assert(weir::gate<striped_token_bucket>);

namespace {

using hand_bucket = weir::basic_striped_token_bucket<hand_clock>;

constexpr weir::rate million = weir::per_second(1'000'000);

/// Four stripes of 100, and so for two handles if there are any: 400 of 10'000 are outside, or 600.
struct hand_world {
    time_point t = start;
    hand_bucket b;
    explicit hand_world(striped_token_bucket_options const& o = {.rate = million, .burst = 10'000, .stripes = 4})
        : b(o, hand_clock{&t})
    {
    }

    std::uint64_t take_all()
    {
        std::uint64_t n = 0;
        while (b.try_acquire()) ++n;
        return n;
    }
};

}  // namespace

TEST_CASE("striped_token_bucket: starts full, and one thread alone gets all of it")
{
    hand_world w;
    CHECK(w.b.available() == 10'000);
    std::uint64_t n = w.take_all();
    CHECK(n <= 10'000);
    CHECK(n >= 10'000 - 400);
    for (int i = 0; i < 4; ++i) w.t += 100us, n += w.take_all();  // what lay in other stripes: a look per lease
    CHECK(n <= 10'400);
    CHECK(n >= 10'300);
}

TEST_CASE("striped_token_bucket: most permits are taken without a look at the clock")
{
    struct counting_clock {
        int* readings;
        [[nodiscard]] time_point now() const noexcept { return ++*readings, start; }
    };
    int readings = 0;
    weir::basic_striped_token_bucket<counting_clock> b{{.rate = million, .burst = 10'000, .stripes = 1}, {&readings}};
    for (int i = 0; i < 9000; ++i) REQUIRE(b.try_acquire());
    CHECK(readings <= 3 * 9000 / 100);
    readings = 0;
    weir::basic_striped_token_bucket<counting_clock> c{{.rate = million, .burst = 10'000, .stripes = 1, .handles = 1},
                                                       {&readings}};
    auto h = c.handle();
    for (int i = 0; i < 9000; ++i) REQUIRE(h.try_acquire());
    CHECK(readings <= 9000 / 100 + 1);
}

TEST_CASE("striped_token_bucket: too slow for leases, or without them, it is exact")
{
    for (auto const& o : {striped_token_bucket_options{.rate = weir::per_second(10), .burst = 5, .stripes = 4},
                          {.rate = weir::per_second(10), .burst = 5, .lease = 0ns, .stripes = 1}}) {
        hand_world w{o};
        CHECK(w.take_all() == 5);
        CHECK(w.b.admit(w.t).refused().retry_at == w.t + 100ms);
        w.t += 100ms - 1ns;
        CHECK_FALSE(w.b.try_acquire());
        w.t += 1ns;
        CHECK(w.b.try_acquire());
        CHECK_FALSE(w.b.try_acquire());
        w.t += 1h;
        CHECK(w.take_all() == 5);
    }
}

TEST_CASE("striped_token_bucket: the whole burst at once takes what is set aside for the stripes")
{
    hand_world w;
    REQUIRE(w.b.try_acquire());
    CHECK(w.b.try_acquire(9'999));
    CHECK(w.take_all() == 0);
    w.t += 1h;
    CHECK(w.b.try_acquire(10'000));
    w.t += 1h;
    REQUIRE(w.b.try_acquire());
    CHECK(w.b.try_acquire(9'999, w.t));
    w.t += 1h;
    REQUIRE(w.b.try_acquire());
    CHECK(w.b.reserve(9'999, 0s));
    CHECK_FALSE(w.b.try_acquire(10'001));
    CHECK_FALSE(w.b.try_acquire(UINT64_MAX));
    CHECK(w.b.reserve(10'001, 1h).refused().code == errc::exceeds_burst);
    CHECK(w.b.reserve(10'001, 1h).refused().retry_at == weir::never);
    CHECK(w.b.try_acquire(0));
}

TEST_CASE("striped_token_bucket: reserves ahead, refuses with the time, takes back what is last")
{
    hand_world w{{.rate = weir::per_second(10), .burst = 1, .stripes = 2, .name = "front"}};
    auto first = w.b.reserve(1, 1s);
    auto second = w.b.reserve(1, 1s);
    CHECK(first->start_at() == w.t);
    CHECK(second->start_at() == w.t + 100ms);
    auto const no = w.b.reserve(1, 100ms);
    CHECK(no.refused().code == errc::rate_limited);
    CHECK(no.refused().gate == "front");
    CHECK(no.refused().retry_at == w.t + 100ms);
    CHECK_FALSE(first->cancel());
    CHECK(second->cancel());
    CHECK(w.b.reserve(1, 100ms)->start_at() == w.t + 100ms);
}

TEST_CASE("striped_token_bucket: permits in stripes that nobody meets any more are found, once per lease")
{
    // A bucket with one stripe more than this thread ever meets: three hold permits after the first call.
    hand_world w;
    REQUIRE(w.b.try_acquire());
    REQUIRE(w.b.try_acquire(w.b.available() - 399, w.t));  // all of the word, with its time
    std::uint64_t n = w.take_all();
    CHECK(n >= 99);
    for (int i = 0; i < 3; ++i) {
        w.t += 100us;  // earns 100, and one more look
        auto const more = w.take_all();
        CHECK(more >= 100);
        n += more;
    }
    CHECK(n <= 399 + 300);
    CHECK(w.b.available() <= 100);
}

TEST_CASE("striped_token_bucket: a handle takes from its own lease, and leaves the rest behind")
{
    hand_world w{{.rate = million, .burst = 10'000, .stripes = 4, .handles = 2}};
    CHECK(w.b.available() == 9'800);  // 200 are set aside
    {
        auto h = w.b.handle();
        CHECK(h.try_acquire());
        CHECK(w.b.available() == 9'800 - 101);
        CHECK(h.try_acquire(50));
        CHECK(w.b.available() == 9'800 - 101);
        CHECK(h.try_acquire(200));  // more than it holds
        CHECK_FALSE(h.try_acquire(9'801));
        CHECK(h.try_acquire(0));
    }
    CHECK(w.b.available() == 9'800 - 251);
    {
        auto again = w.b.handle();
        auto other = w.b.handle();
        auto third = w.b.handle();  // through the stripes
        for (auto* h : {&again, &other, &third}) CHECK(h->try_acquire());
        auto moved = std::move(other);
        CHECK(moved.try_acquire());
        third = std::move(moved);
        CHECK(third.try_acquire());
    }
    w.t += 1h;
    CHECK(w.b.available() <= 10'000);
    CHECK(w.b.available() >= 9'600);
    CHECK(w.b.reserve(9'801, 1h).refused().code == errc::exceeds_burst);
}

TEST_CASE("striped_token_bucket: what a handle keeps while the bucket fills is part of the burst")
{
    hand_world w{{.rate = million, .burst = 10'000, .stripes = 4, .handles = 1}};
    auto h = w.b.handle();
    REQUIRE(h.try_acquire());
    w.t += 1h;
    auto n = w.take_all();
    while (h.try_acquire()) ++n;
    CHECK(n <= 10'000);
    CHECK(n >= 10'000 - 500);
}

TEST_CASE("striped_token_bucket: drained it is empty from now on")
{
    hand_world w{{.rate = million, .burst = 10'000, .stripes = 4, .handles = 1}};
    REQUIRE(w.b.try_acquire());
    REQUIRE(w.b.handle().try_acquire());  // gone, and has left something
    w.b.drain();
    CHECK(w.b.available() == 0);
    CHECK(w.take_all() == 0);
    CHECK(w.b.admit(w.t).refused().retry_at == w.t + 1us);
    w.t += 200us;
    CHECK(w.take_all() == 200);
}

TEST_CASE("striped_token_bucket: reconfigure keeps what was spent, wherever it lay")
{
    striped_token_bucket_options const with{.rate = million, .burst = 10'000, .stripes = 4};
    auto without = with;
    without.lease = 0ns;
    auto slow = with;
    slow.rate = weir::per_hour(1);
    for (auto const& from : {with, without})
        for (auto const& to : {with, without, slow})
            for (auto spent : {0u, 1u, 150u, 9'500u}) {
                hand_world w{from};
                for (unsigned i = 0; i < spent; ++i) REQUIRE(w.b.try_acquire());
                w.b.reconfigure(to);
                CHECK(w.b.available() == 10'000 - spent);
            }
    // A refusal is remembered for a lease at most, and not beyond a change.
    hand_world w{slow};
    CHECK(w.take_all() == 10'000);
    w.b.reconfigure(with);
    w.t += 50us;
    CHECK(w.take_all() == 50);
}

TEST_CASE("striped_token_bucket: a burst smaller than what handles may hold is refused")
{
    hand_world w{{.rate = million, .burst = 10'000, .stripes = 4, .handles = 4}};
    CHECK_THROWS_WITH_AS(
        (w.b.reconfigure({.rate = million, .burst = 399, .handles = 4})),
        "weir: striped_token_bucket_options.burst must be at least 400, which handles may hold, and is 399",
        std::invalid_argument);
    CHECK(w.b.available() == 9'600);
    w.b.reconfigure({.rate = million, .burst = 400});
    w.t += 1h;
    CHECK(w.take_all() == 0);
}

TEST_CASE("striped_token_bucket: options out of range name the field and the range")
{
    auto const says = [](striped_token_bucket_options const& o) {
        try {
            striped_token_bucket b{o};
        } catch (std::invalid_argument const& e) {
            return std::string{e.what()};
        }
        return std::string{};
    };
    std::string const of = "weir: striped_token_bucket_options.";
    CHECK(says({.rate = {0, 1s}}) == of + "rate.permits must be at least 1, and at most 1e9 per second, and is 0");
    CHECK(says({.burst = 1'000'000'001}) == of + "burst must be at most 1000000000, and is 1000000001");
    CHECK(says({.lease = 2s}) == of + "lease must be 0 to 1000 ms, and is 2000 ms");
    CHECK(says({.stripes = 1025}) == of + "stripes must be at most 1024, and is 1025");
    CHECK(says({.handles = 1025}) == of + "handles must be at most 1024, and is 1025");
    CHECK(says({.burst = 0}).empty());
    striped_token_bucket b;
    CHECK(b.try_acquire());
    CHECK(b.name() == "striped_token_bucket");
}

TEST_CASE("striped_token_bucket: retry_at is when a reservation starts at once, the stripes' permits put back or not")
{
    hand_world w;
    CHECK(w.b.retry_at(10'001, w.t) == weir::never);
    REQUIRE(w.b.try_acquire());  // four stripes hold 399
    CHECK(w.b.retry_at(9'600, w.t) == w.t);
    for (std::uint64_t n : {1u, 500u, 9'599u, 9'700u, 9'999u, 10'000u}) {
        for (std::uint64_t spent : {0u, 400u, 5'000u}) {
            CAPTURE(n);
            CAPTURE(spent);
            hand_world own;
            REQUIRE(own.b.try_acquire());
            REQUIRE(own.b.try_acquire(spent, own.t));
            auto const at = own.b.retry_at(n, own.t);
            CHECK(at >= own.t);
            CHECK(at < own.t + 11ms);
            if (at > own.t) {
                auto const early = own.b.reserve(n, 0s, own.t);
                REQUIRE_FALSE(early);
                CHECK(early.refused().retry_at == at);
                CHECK_FALSE(own.b.reserve(n, 0s, at - 1ns));
            }
            own.t = at;
            CHECK(own.b.reserve(n, 0s));
        }
    }
}

TEST_CASE("striped_token_bucket: a clock that stands still or jumps gives a burst at most")
{
    for (auto r : {million, weir::per_second(999'999'937), weir::per_second(10)}) {
        hand_world w{{.rate = r, .burst = 10'000, .stripes = 4, .handles = 1}};
        auto h = w.b.handle();
        auto const take_all = [&] {
            auto n = w.take_all();
            for (int i = 0; i < 1000; ++i) n += h.try_acquire() ? 1 : 0;
            return n;
        };
        std::uint64_t n = 0;
        for (int i = 0; i < 10; ++i) n += take_all();  // it stands still
        CHECK(n <= 10'000);
        CHECK(n >= 10'000 - 10'000 / 4 - 125);
        for (auto const jump : {duration{24h}, duration{24h * 365 * 40}, duration{24h * 365 * 90}}) {
            w.t += jump;
            n = 0;
            for (int i = 0; i < 10; ++i) n += take_all();
            CHECK(n <= 10'000);
            CHECK(n >= 10'000 - 10'000 / 4 - 125);
        }
        w.t = weir::never;
        CHECK(take_all() <= 10'000);
        CHECK(w.b.retry_at(1, w.t) == weir::never);
    }
}

TEST_CASE("striped_token_bucket: a clock that goes back refuses meanwhile, and recovers")
{
    for (auto r : {million, weir::per_second(999'999'937), weir::per_second(10)}) {
        hand_world w{{.rate = r, .burst = 10'000, .stripes = 4, .handles = 1}};
        auto h = w.b.handle();
        REQUIRE(h.try_acquire());
        for (int year = 0; year < 100; ++year) {
            w.t += 24h * 365;
            auto n = w.take_all();
            CHECK(n <= 10'000);
            CHECK(n >= 10'000 - 10'000 / 4 - 125);  // nor the last microsecond's worth
            w.t -= 1h;
            n = w.take_all();
            for (int i = 0; i < 100; ++i) n += h.try_acquire() ? 1 : 0;
            CHECK(n <= 10'000 / 4);  // what lay in stripes and handle
            w.t += 1h;
        }
    }
}

TEST_CASE("striped_token_bucket: beside the exact bucket, in a million decisions it is never ahead")
{
    std::mt19937_64 g{21};
    for (int round = 0; round < 500; ++round) {
        weir::rate const r = round % 3 == 0 ? weir::per_second(100'000 + g() % 16'000'000)
                                            : weir::per_second(1'000'000'000 / (1 + g() % 9'000));
        std::uint64_t const burst = 16 + g() % (round % 2 ? 100 : 100'000);
        hand_world w{{.rate = r,
                      .burst = burst,
                      .lease = duration{static_cast<std::int64_t>(g() % 400'000)},
                      .stripes = 1u << g() % 4,
                      .handles = static_cast<unsigned>(g() % 3)}};
        exact_bucket e{r, burst};
        std::optional<hand_bucket::handle_type> h;
        auto const interval = 1 + 1'000'000'000 / r.permits;
        for (int i = 0; i < 2000; ++i) {
            if (g() % 4 == 0) w.t += duration{static_cast<std::int64_t>(g() % (4 * interval))};
            if (g() % 200 == 0) w.t += duration{static_cast<std::int64_t>(g() % (2 * burst * interval))};
            if (g() % 300 == 0) h.emplace(w.b.handle());
            if (g() % 300 == 0) h.reset();
            std::uint64_t n = g() % 16 ? 1 : g() % (burst + 2);
            if (g() % 64 == 0) n = burst - g() % 3;
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
                case 2:
                case 3:
                case 4:
                    if (h) {
                        admitted = h->try_acquire(n);
                        break;
                    }
                    [[fallthrough]];
                default: admitted = w.b.try_acquire(n);
            }
            INFO(r.permits, " per second, burst ", burst, ", n = ", n, ", decision ", i);
            if (admitted) REQUIRE(e.take(n, w.t));
        }
    }
}

TEST_CASE("striped_token_bucket: a stripe takes from the others no more than it may hold itself")
{
    time_point t = start;
    hand_clock const clock{&t};
    weir::detail::striped_gcra b{{million, 10'000, "test"}, 100us, 4, 0};
    REQUIRE(b.acquire(1, clock, 0));    // every stripe has its 100 now
    REQUIRE(b.spend(9'599, t, clock));  // and the word nothing
    for (int i = 0; i < 100; ++i) REQUIRE(b.acquire(1, clock, 0));
    REQUIRE(b.acquire(1, clock, 0));  // out of another one
    t += 1h;
    for (unsigned stripe : {1u, 2u, 3u}) REQUIRE(b.acquire(1, clock, stripe));
    t += 1h;
    int n = 0;
    for (unsigned stripe : {0u, 1u, 2u, 3u})
        while (b.acquire(1, clock, stripe)) ++n;
    CHECK(n <= 10'000);
    CHECK(n >= 9'600);
}

TEST_CASE("striped_token_bucket: met at every stripe in turn it is never ahead of the exact bucket")
{
    std::mt19937_64 g{22};
    for (int round = 0; round < 200; ++round) {
        weir::rate const r = weir::per_second(100'000 + g() % 16'000'000);
        std::uint64_t const burst = 100 + g() % (round % 2 ? 100 : 100'000);
        time_point t = start;
        weir::detail::striped_gcra b{{r, burst, "test"}, 100us, 4, 0};
        exact_bucket e{r, burst};
        auto const interval = 1 + 1'000'000'000 / r.permits;
        for (int i = 0; i < 5000; ++i) {
            if (g() % 4 == 0) t += duration{static_cast<std::int64_t>(g() % (4 * interval))};
            if (g() % 500 == 0) t += duration{static_cast<std::int64_t>(g() % (2 * burst * interval))};
            auto const n = g() % 16 ? 1 : g() % 20;
            // Phases in which one stripe is met alone take the others' permits away.
            auto const stripe = i / 500 % 2 ? 0u : static_cast<unsigned>(g() % 4);
            if (b.acquire(n, hand_clock{&t}, stripe)) REQUIRE(e.take(n, t));
        }
    }
}

TEST_CASE("striped_token_bucket: a pause that two sleep through, before or while they pay for a lease, counts once")
{
    for (int first = 0; first < 5; ++first)
        for (int second = 0; second < 5; ++second) {
            nap_world world;
            weir::basic_striped_token_bucket<nap_world::clock> b{
                {.rate = weir::per_second(200'000), .burst = 1000, .stripes = 1}, {&world}};
            for (int i = 0; i < 20; ++i) REQUIRE(b.try_acquire());  // a whole lease, and nothing left of it
            INFO("asleep at readings ", first, " and ", second);
            CHECK(after_two_sleepers(world, b, first, second) <= 1000);
        }
}

TEST_CASE("striped_token_bucket: threads that start together take the burst and no more")
{
    for (int threads : {2, 8}) {
        time_point t = start;
        hand_bucket b{{.rate = million, .burst = 1'000'000, .stripes = 4, .handles = 2}, hand_clock{&t}};
        std::atomic<std::uint64_t> n{0};
        together(threads, [&](int self) {
            std::uint64_t mine = 0;
            if (self % 3 == 0) {
                auto h = b.handle();
                while (h.try_acquire()) ++mine;
            } else {
                while (b.try_acquire()) ++mine;
            }
            n += mine;
        });
        CHECK(n <= 1'000'000);
        CHECK(n >= 1'000'000 - 600);  // what others had paid for when the last one looked
    }
}

TEST_CASE("striped_token_bucket: every window of threads that sleep anywhere is within the bound")
{
    for (auto const& [burst, step] : {std::pair<std::uint64_t, duration>{128, 30us}, {128, 500us}, {2000, 1ms}}) {
        constexpr std::size_t steps = 300;
        constexpr int threads = 8;
        stepped_time world{step};
        striped_token_bucket_options const options{.rate = million, .burst = burst, .stripes = 2, .handles = 2};
        weir::basic_striped_token_bucket<stepped_time::clock> b{options, {&world}};
        census seen{steps};
        together(threads + 1, [&, burst = burst](int self) {
            std::mt19937 g{static_cast<unsigned>(self)};
            if (self == threads) {
                while (world.steps() < steps) {
                    for (auto naps = g() % 32; naps > 0; --naps) std::this_thread::yield();
                    world.go_on();
                }
                return;
            }
            auto h = b.handle();
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
                        if (g() % 64 == 0) b.reconfigure(options);
                        if (g() % 64 == 0) h = b.handle();
                        break;
                    default:
                        if (self % 2 ? b.try_acquire(n) : h.try_acquire(n))
                            seen.add(before, std::min(world.steps(), steps), n);
                }
                if (g() % 256 == 0) std::this_thread::yield();
            }
        });
        CHECK(seen.total() > burst);
        CHECK(seen.excess(static_cast<double>(step.count()) / 1000.0, burst) <= 0);
    }
}
