// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/sliding_window_limiter.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::sliding_window_limiter;
using weir::time_point;
using weir::test::admitted;
using weir::test::int128;
using weir::test::thorough;
using weir::test::together;
using weir::test::up_to;

static_assert(weir::gate<sliding_window_limiter>);

namespace {

constexpr time_point start{1'000'000s};

/// The counter of two windows as it is written down in a book; the first instant is searched for, not worked out.
class two_windows {
public:
    two_windows(std::uint64_t limit, duration window) : limit_(limit), window_(window.count()) {}

    bool passes(int128 n, time_point at) const
    {
        auto const w = index(at);
        if (w < index_) return false;
        int128 const before = w == index_ ? before_ : w == index_ + 1 ? now_ : 0;
        int128 const now = w == index_ ? now_ : 0;
        int128 const passed = at.time_since_epoch().count() - w * window_;
        return before * (window_ - passed) + (now + n) * window_ <= limit_ * window_;
    }
    /// Precondition: n <= limit.
    time_point earliest(int128 n, time_point now) const
    {
        if (passes(n, now)) return now;
        auto no = now;
        auto yes = time_point{duration{static_cast<std::int64_t>((std::max(index(now), index_) + 2) * window_)}};
        while (yes - no > 1ns) {
            auto const middle = no + (yes - no) / 2;
            (passes(n, middle) ? yes : no) = middle;
        }
        return yes;
    }
    void take(int128 n, time_point at)
    {
        auto const w = index(at);
        if (w > index_) {
            before_ = w == index_ + 1 ? now_ : 0;
            now_ = 0;
            index_ = w;
        }
        now_ += n;
    }
    std::uint64_t available(time_point now) const
    {
        std::uint64_t n = 0;
        for (std::uint64_t bit = 1 << 24; bit != 0; bit /= 2)
            if (passes(n + bit, now)) n += bit;
        return n;
    }

private:
    int128 index(time_point t) const
    {
        int128 const ns = t.time_since_epoch().count();
        return ns >= 0 ? ns / window_ : -((-ns + window_ - 1) / window_);
    }

    int128 limit_, window_, index_ = -(int128{1} << 70), before_ = 0, now_ = 0;
};

/// Whether every span up to a window holds at most limit * (1 + span / window), and the fullest span shorter than that.
bool within_excess(std::vector<admitted> const& all, std::uint64_t limit, duration window,
                   std::uint64_t* most = nullptr)
{
    bool good = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        int128 sum = 0;
        for (std::size_t j = i; j < all.size() && all[j].at - all[i].at < window; ++j) {
            sum += static_cast<int128>(all[j].n);
            int128 const span = (all[j].at - all[i].at).count();
            good = good && sum * window.count() <= static_cast<int128>(limit) * (window.count() + span);
            if (most != nullptr) *most = std::max(*most, static_cast<std::uint64_t>(sum));
        }
    }
    return good;
}

}  // namespace

TEST_CASE("sliding_window_limiter: the window before counts by the share of it that is still near")
{
    sliding_window_limiter w{{.limit = 10, .window = 10s}};
    CHECK(w.try_acquire(10, start + 9s));
    CHECK_FALSE(w.try_acquire(1, start + 10s));
    CHECK_FALSE(w.try_acquire(1, start + 11s - 1ns));
    CHECK(w.try_acquire(1, start + 11s));
    CHECK_FALSE(w.try_acquire(1, start + 11s));
    CHECK(w.available(start + 15s) == 4);
    CHECK(w.try_acquire(4, start + 15s));
    CHECK_FALSE(w.try_acquire(1, start + 15s));
    CHECK(w.available(start + 20s) == 5);
    CHECK(w.available(start + 30s) == 10);
}

TEST_CASE("sliding_window_limiter: nearly twice the limit can pass within a window, and that is all")
{
    constexpr std::uint64_t limit = 50;
    sliding_window_limiter w{{.limit = limit, .window = 1s}};
    std::vector<admitted> all;
    CHECK(w.try_acquire(limit, start - 1ns));
    all.push_back({start - 1ns, limit});
    for (auto t = start; t < start + 3s; t += 100us)
        if (w.try_acquire(1, t)) all.push_back({t});
    std::uint64_t most = 0;
    CHECK(within_excess(all, limit, 1s, &most));
    CHECK(most == 2 * limit - 1);
}

TEST_CASE("sliding_window_limiter: random traffic stays within limit * (1 + span / window)")
{
    std::mt19937_64 g{5};
    for (int round = 0; round < thorough(200); ++round) {
        std::uint64_t const limit = 1 + g() % 20;
        sliding_window_limiter w{{.limit = limit, .window = 1us}};
        std::vector<admitted> all;
        auto t = start;
        for (int i = 0; i < 2000; ++i) {
            t += g() % 50 == 0 ? up_to(g, 2500) : up_to(g, 60);
            auto const n = 1 + g() % std::min<std::uint64_t>(limit, 4);
            if (w.try_acquire(n, t)) all.push_back({t, n});
        }
        REQUIRE(all.size() > 30);
        REQUIRE(within_excess(all, limit, 1us));
    }
}

TEST_CASE("sliding_window_limiter: a refusal says when to come back and who refused")
{
    sliding_window_limiter w{{.limit = 3, .window = 9s, .name = "api"}};
    auto const begin = time_point{duration{start.time_since_epoch().count() / 9'000'000'000 * 9'000'000'000}};
    CHECK(w.try_acquire(3, begin));
    auto const a = w.admit(begin + 1s);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "api");
    CHECK(a.refused().retry_at == begin + 12s);  // two thirds of three count, one passes
    CHECK_FALSE(w.admit(begin + 12s - 1ns));
    CHECK(w.admit(begin + 12s));
}

TEST_CASE("sliding_window_limiter: more than the limit never passes, nothing always does")
{
    sliding_window_limiter w{{.limit = 5, .window = 1s}};
    auto const a = w.reserve(6, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK_FALSE(w.try_acquire(UINT64_MAX, start));
    CHECK(w.try_acquire(5, start));
    CHECK(w.try_acquire(0, start));
    CHECK(w.reserve(0, 0s, start));
    sliding_window_limiter none{{.limit = 0, .window = 1s}};
    CHECK(none.try_acquire(0, start));
    CHECK_FALSE(none.try_acquire(1, start));
    CHECK(none.admit(start).refused().code == errc::exceeds_burst);
    CHECK(none.available(start) == 0);
}

TEST_CASE("sliding_window_limiter: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((sliding_window_limiter{{.limit = 16'777'216}}),
                         "weir: sliding_window_limiter_options.limit must be at most 16777215, and is 16777216",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(
        (sliding_window_limiter{{.window = 0s}}),
        "weir: sliding_window_limiter_options.window must be more than 0 and at most 365 days, and is 0 ms",
        std::invalid_argument);
    sliding_window_limiter w;
    CHECK_THROWS_AS(w.reconfigure({.window = -1s}, start), std::invalid_argument);
    CHECK(w.try_acquire());
    CHECK(w.available() <= 100);
    w.drain();
    w.reconfigure({.limit = 1});
}

TEST_CASE("sliding_window_limiter: a reservation starts when it passes, and those who ask later queue behind")
{
    sliding_window_limiter w{{.limit = 4, .window = 4s}};
    auto a = w.reserve(4, 0s, start);
    auto b = w.reserve(3, 8s, start);  // start is the first instant of a window
    REQUIRE((a && b));
    CHECK(b->start_at() == start + 7s);  // a fourth of four counts
    CHECK_FALSE(w.try_acquire(1, start + 6s));
    CHECK_FALSE(w.try_acquire(1, start + 7s));
    auto const c = w.reserve(1, 100ms, start);
    REQUIRE_FALSE(c);
    CHECK(c.refused().retry_at == start + 8s - 100ms);
    CHECK(w.reserve(1, 8s, start)->start_at() == start + 8s);  // and at once given back
    a->record(weir::outcome::success(), start);
    CHECK(b->cancel());
    CHECK(w.available(start + 5s) == 1);
}

TEST_CASE("sliding_window_limiter: a wait of very many windows is refused, with the instant from which it is none")
{
    sliding_window_limiter w{{.limit = 1, .window = 1s}};
    std::vector<weir::admission<sliding_window_limiter::token>> held;
    for (int i = 0; i < 61; ++i) {  // one every other window
        held.push_back(w.reserve(1, 1h, start));
        REQUIRE(held.back());
        REQUIRE(held.back()->start_at() == start + i * 2s);
    }
    auto const a = w.reserve(1, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().retry_at == start + 2s);
    CHECK(w.reserve(1, 1h, start + 2s)->start_at() == start + 122s);
    w.reconfigure({.limit = 1, .window = 1s}, start);
    CHECK(w.retry_at(1, start) == start + 122s);
}

TEST_CASE("sliding_window_limiter: a cancelled admission goes back while it is the last, and mints nothing later")
{
    sliding_window_limiter w{{.limit = 2, .window = 1s}};
    auto a = w.admit(start);
    auto b = w.admit(start);
    CHECK_FALSE(a->cancel());
    CHECK(b->cancel());
    CHECK_FALSE(b->cancel());
    CHECK(w.available(start) == 1);
    auto c = w.admit(start);
    CHECK(w.try_acquire(1, start + 1600ms));
    CHECK_FALSE(c->cancel());
    auto d = w.admit(start + 10s);
    CHECK(d->cancel());
    CHECK(w.available(start + 10s) == 2);
    auto e = w.admit(start + 10s);
    w.reconfigure({.limit = 3, .window = 1s}, start + 10s);
    CHECK_FALSE(e->cancel());
    CHECK(w.available(start + 10s) == 2);
}

TEST_CASE("sliding_window_limiter: drained, nothing passes until weight has come off")
{
    sliding_window_limiter w{{.limit = 4, .window = 4s}};
    CHECK(w.try_acquire(1, start));
    w.drain(start + 1s);
    CHECK(w.available(start + 1s) == 0);
    CHECK_FALSE(w.try_acquire(1, start + 4s));
    CHECK(w.try_acquire(1, start + 5s));
    w.drain(start + 6s);
    CHECK_FALSE(w.try_acquire(1, start + 6s));
}

TEST_CASE("sliding_window_limiter: another limit or window keeps what has been counted")
{
    sliding_window_limiter w{{.limit = 10, .window = 1s}};
    CHECK(w.try_acquire(8, start));
    w.reconfigure({.limit = 5, .window = 1s}, start);
    CHECK(w.available(start) == 0);
    CHECK_FALSE(w.try_acquire(1, start + 1s));
    CHECK(w.available(start + 1500ms) == 1);
    w.reconfigure({.limit = 10, .window = 1s}, start);
    CHECK(w.available(start) == 2);
    w.reconfigure({.limit = 10, .window = 10s}, start + 1500ms);
    CHECK(w.available(start + 1500ms) == 6);
    w.reconfigure({.limit = 10, .window = 1s}, start + 1600ms);
    CHECK(w.available(start + 1600ms) == 6);
    auto r = w.reserve(10, 1h, start + 1600ms);
    w.reconfigure({.limit = 10, .window = 2s}, start + 1600ms);
    CHECK_FALSE(w.try_acquire(1, r->start_at()));
    CHECK(w.available(start + 1h) == 10);
}

TEST_CASE("sliding_window_limiter: equals the two windows of the book in a million decisions")
{
    std::mt19937_64 g{1};
    for (int round = 0; round < thorough(500); ++round) {
        std::uint64_t const limit = 1 + (g() % 3 == 0 ? g() % 16'777'215 : g() % 12);
        std::uint64_t const longest = g() % 3 == 0 ? 1'000'000'000'000'000u : g() % 2 == 0 ? 1'000'000'000 : 20;
        auto const window = 1ns + up_to(g, longest);
        auto const w_ns = static_cast<std::uint64_t>(window.count());
        sliding_window_limiter w{{.limit = limit, .window = window}};
        two_windows c{limit, window};
        auto t = time_point{duration{static_cast<std::int64_t>(g() % (1ull << 62)) - (1ll << 61)}};
        for (int i = 0; i < 2000; ++i) {
            switch (g() % 40) {
                case 0: t += up_to(g, std::min<std::uint64_t>(1000 * w_ns, 1ull << 50)); break;
                case 1: t -= up_to(g, 2 * w_ns); break;
                case 2: t += up_to(g, 1ull << 50); break;
                case 3: t += up_to(g, w_ns); break;
                default: t += up_to(g, w_ns / 8);
            }
            auto const n = g() % 4 == 0   ? 1
                           : g() % 3 == 0 ? limit - g() % std::min<std::uint64_t>(limit, 3)
                                          : g() % (limit + 2);
            bool const possible = n <= limit;
            auto const first = n == 0 ? t : possible ? c.earliest(n, t) : weir::never;
            INFO("limit ", limit, ", window ", w_ns, " ns, n = ", n, ", decision ", round, " ", i);
            REQUIRE(w.available(t) == c.available(t));
            REQUIRE(w.retry_at(n, t) == first);
            if (g() % 3 != 0) {
                REQUIRE(w.try_acquire(n, t) == (first == t));
                if (first == t && n != 0) c.take(n, t);
                continue;
            }
            auto const wait = up_to(g, 3 * w_ns);
            auto a = w.reserve(n, wait, t);
            REQUIRE(static_cast<bool>(a) == (possible && first - t <= wait));
            if (!a) {
                REQUIRE(a.refused().retry_at == (possible ? first - wait : weir::never));
            } else {
                REQUIRE(a->start_at() == first);
                if (g() % 3 == 0) {
                    bool const back = a->cancel();
                    REQUIRE(back == (n != 0));
                } else {
                    a->record(weir::outcome::success(), t);
                    if (n != 0) c.take(n, first);
                }
            }
            if (auto const left = c.available(t); left != 0 && g() % 100 == 0) {
                w.drain(t);
                c.take(left, t);
            }
        }
    }
}

TEST_CASE(
    "sliding_window_limiter: any instant of the clock can be the first, and any idle time is too long for nothing")
{
    for (auto window : {duration{1ns}, duration{999'999'937ns}, duration{24h * 365}})
        for (std::uint64_t limit : {1ull, 7ull, 16'777'215ull})
            for (auto t : {time_point::min(), time_point::min() + 1ns, time_point{-1h}, time_point{}, start,
                           time_point::max() - 1h}) {
                sliding_window_limiter w{{.limit = limit, .window = window}};
                CHECK(w.available(t) == limit);
                CHECK(w.try_acquire(limit, t));
                CHECK_FALSE(w.try_acquire(1, t));
            }
    std::mt19937_64 g{3};
    sliding_window_limiter w{{.limit = 1000, .window = 1us}};
    auto t = start;
    for (int i = 0; i < thorough(5000); ++i) {
        t += 2us + up_to(g, g() % 2 != 0 ? 400'000'000'000'000 : 600'000);
        REQUIRE(w.available(t) == 1000);
        REQUIRE(w.try_acquire(1000, t));
        REQUIRE_FALSE(w.try_acquire(1, t));
    }
}

TEST_CASE("sliding_window_limiter: a clock that steps back refuses meanwhile, mints nothing, recovers")
{
    for (auto window : {duration{1us}, duration{1s}}) {
        sliding_window_limiter w{{.limit = 1000, .window = window}};
        CHECK(w.try_acquire(1000, start));
        for (auto back : {window, duration{5h}, duration{24h * 365 * 3}}) {
            CHECK_FALSE(w.try_acquire(1, start - back));
            CHECK(w.available(start - back) == 0);
            CHECK(w.retry_at(1, start - back) > start - back);
            w.drain(start - back);
        }
        CHECK_FALSE(w.try_acquire(1, start + window));
        CHECK(w.try_acquire(1000, start + 2 * window));
        CHECK_FALSE(w.try_acquire(1, start + 2 * window));
        w.reconfigure({.limit = 1000, .window = window}, start - 5h);
        CHECK_FALSE(w.try_acquire(1, start + 2 * window));
        CHECK_FALSE(w.try_acquire(1, start + 3 * window));
    }
}

TEST_CASE("sliding_window_limiter: a clock that stands still admits the limit and no more")
{
    sliding_window_limiter w{{.limit = 100, .window = 1ms}};
    int n = 0;
    for (int i = 0; i < 10'000; ++i) n += w.try_acquire(1, start) ? 1 : 0;
    CHECK(n == 100);
}

TEST_CASE("sliding_window_limiter: many threads together get what the two windows of the book give, instant by instant")
{
    constexpr int threads = 8;
    constexpr int instants = 400;
    sliding_window_limiter w{{.limit = 40, .window = 1us}};
    two_windows c{40, 1us};
    std::vector<std::vector<std::uint64_t>> admitted(threads, std::vector<std::uint64_t>(instants));
    std::barrier in_step{threads};
    together(threads, [&](int me) {
        for (std::size_t k = 0; k < instants; ++k) {
            auto const t = start + k * 130ns;
            for (int i = 0; i < 12; ++i) admitted[static_cast<std::size_t>(me)][k] += w.try_acquire(1, t) ? 1 : 0;
            if (me == 0 && k % 5 == 0) w.reconfigure({.limit = 40, .window = 1us}, t);
            in_step.arrive_and_wait();
        }
    });
    for (std::size_t k = 0; k < instants; ++k) {
        auto const t = start + k * 130ns;
        std::uint64_t sum = 0;
        for (auto const& a : admitted) sum += a[k];
        REQUIRE(sum == c.available(t));
        c.take(sum, t);
    }
}
