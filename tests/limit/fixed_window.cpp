// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/fixed_window.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::fixed_window;
using weir::time_point;
using weir::test::int128;
using weir::test::thorough;
using weir::test::together;
using weir::test::up_to;

static_assert(weir::gate<fixed_window>);

namespace {

constexpr time_point start{1'000'000s};

/// Counts the permits of every window, in integers of 128 bits.
class counted {
public:
    counted(std::uint64_t limit, duration window) : limit_(limit), window_(window.count()) {}

    /// When n pass at the earliest: in the window of now, or when a later one begins. Never before who came earlier.
    std::optional<time_point> earliest(std::uint64_t n, time_point now) const
    {
        if (n == 0) return now;
        if (n > limit_) return std::nullopt;
        auto w = std::max(index(now), last_);
        if (w == last_ && used_ + n > limit_) ++w;
        return std::max(now, time_point{duration{static_cast<std::int64_t>(w * window_)}});
    }
    void take(std::uint64_t n, time_point at)
    {
        if (n == 0) return;
        if (index(at) != last_) used_ = 0;
        last_ = index(at);
        used_ += n;
    }
    std::uint64_t available(time_point now) const
    {
        auto const w = index(now);
        return w < last_ ? 0 : w > last_ ? limit_ : limit_ - used_;
    }

private:
    int128 index(time_point t) const
    {
        int128 const ns = t.time_since_epoch().count();
        return ns >= 0 ? ns / window_ : -((-ns + window_ - 1) / window_);
    }

    std::uint64_t limit_, used_ = 0;
    int128 window_, last_ = -(int128{1} << 100);
};

}  // namespace

TEST_CASE("fixed_window: a window's permits, and new ones when the next begins")
{
    fixed_window w{{.limit = 3, .window = 10s}};
    CHECK(w.try_acquire(2, start + 4s));
    CHECK(w.available(start + 4s) == 1);
    CHECK_FALSE(w.try_acquire(2, start + 4s));
    CHECK(w.try_acquire(1, start + 10s - 1ns));
    CHECK_FALSE(w.try_acquire(1, start + 10s - 1ns));
    CHECK(w.try_acquire(3, start + 10s));
    CHECK_FALSE(w.try_acquire(1, start + 10s));
}

TEST_CASE("fixed_window: twice the limit may pass within a moment, across the edge of two windows, and no more")
{
    fixed_window w{{.limit = 50, .window = 1s}};
    int n = 0;
    for (int i = 0; i < 80; ++i) n += w.try_acquire(1, start - 1ns) ? 1 : 0;
    for (int i = 0; i < 80; ++i) n += w.try_acquire(1, start) ? 1 : 0;
    CHECK(n == 100);
    CHECK_FALSE(w.try_acquire(1, start + 1s - 1ns));
}

TEST_CASE("fixed_window: a refusal says when the next window begins, and who refused")
{
    fixed_window w{{.limit = 2, .window = 1min, .name = "quota"}};
    auto const t = start + 30s;
    CHECK(w.try_acquire(2, t));
    auto const a = w.admit(t);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "quota");
    auto const edge = time_point{duration{(t.time_since_epoch().count() / 60'000'000'000 + 1) * 60'000'000'000}};
    CHECK(a.refused().retry_at == edge);
    CHECK_FALSE(w.try_acquire(1, edge - 1ns));
    CHECK(w.admit(edge));
}

TEST_CASE("fixed_window: more than the limit never passes, nothing always does")
{
    fixed_window w{{.limit = 5, .window = 1s}};
    auto const a = w.reserve(6, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK(w.retry_at(6, start) == weir::never);
    CHECK_FALSE(w.try_acquire(UINT64_MAX, start));
    CHECK(w.available(start) == 5);
    CHECK(w.try_acquire(5, start));
    CHECK(w.try_acquire(0, start));
    CHECK(w.reserve(0, 0s, start));

    fixed_window none{{.limit = 0, .window = 1s}};
    CHECK(none.try_acquire(0, start));
    CHECK_FALSE(none.try_acquire(1, start));
    CHECK(none.admit(start).refused().code == errc::exceeds_burst);
    CHECK(none.available(start) == 0);
    none.drain(start);
    none.reconfigure({.limit = 1, .window = 1s}, start);
    CHECK(none.try_acquire(1, start));
}

TEST_CASE("fixed_window: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((fixed_window{{.limit = 1'000'000'001}}),
                         "weir: fixed_window_options.limit must be at most 1000000000, and is 1000000001",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((fixed_window{{.window = 0s}}),
                         "weir: fixed_window_options.window must be more than 0 and at most 365 days, and is 0 ms",
                         std::invalid_argument);
    CHECK_THROWS_AS((fixed_window{{.window = 24h * 366}}), std::invalid_argument);
    fixed_window w;
    CHECK_THROWS_AS(w.reconfigure({.window = -1s}, start), std::invalid_argument);
    CHECK(w.try_acquire());
    CHECK(w.available() <= 100);
    w.drain();
    w.reconfigure({.limit = 1});
}

TEST_CASE("fixed_window: reservations fill window after window, and those who ask later queue behind")
{
    fixed_window w{{.limit = 2, .window = 1s}};
    std::vector<weir::admission<fixed_window::token>> held;
    for (auto at : {0s, 0s, 1s, 1s, 2s}) {
        held.push_back(w.reserve(1, 2s, start + 300ms));
        REQUIRE(held.back());
        CHECK(held.back()->start_at() == std::max(start + 300ms, start + at));
    }
    CHECK_FALSE(w.try_acquire(1, start + 1s));
    CHECK_FALSE(w.try_acquire(2, start + 2s));
    CHECK(w.available(start + 2s) == 1);
    auto const a = w.reserve(2, 2s, start + 300ms);
    REQUIRE_FALSE(a);
    CHECK(a.refused().retry_at == start + 1s);  // two seconds before the window that has two
    CHECK(w.reserve(2, 2s, start + 1s)->start_at() == start + 3s);
    for (auto& h : held) h->record(weir::outcome::success(), h->start_at());
}

TEST_CASE("fixed_window: a cancelled admission goes back while it is the last, and mints nothing later")
{
    fixed_window w{{.limit = 2, .window = 1s}};
    {
        auto a = w.admit(start);
        auto b = w.admit(start);
        CHECK_FALSE(w.try_acquire(1, start));
        CHECK_FALSE(a->cancel());  // b was admitted behind it
        CHECK(b->cancel());
        CHECK_FALSE(b->cancel());
        CHECK(w.available(start) == 1);
    }
    auto c = w.admit(start);
    CHECK(w.try_acquire(2, start + 1s));
    CHECK_FALSE(c->cancel());
    CHECK_FALSE(w.try_acquire(1, start + 1s));
    auto d = w.admit(start + 2s);
    CHECK(d->cancel());
    CHECK(w.available(start + 2s) == 2);
    auto e = w.admit(start + 2s);
    CHECK(e);
    CHECK(w.available(start + 3s) == 2);
    CHECK(e->cancel());  // of a window that is over
    CHECK(w.available(start + 3s) == 2);
    auto f = w.admit(start + 3s);
    f->record(weir::outcome::success(), start + 3s);
    CHECK_FALSE(f->cancel());
    auto g = w.admit(start + 3s);
    w.reconfigure({.limit = 5, .window = 1s}, start + 3s);
    CHECK_FALSE(g->cancel());
    CHECK(w.available(start + 3s) == 3);
}

TEST_CASE("fixed_window: drained, it is empty until the next window")
{
    fixed_window w{{.limit = 4, .window = 1s}};
    CHECK(w.try_acquire(1, start));
    w.drain(start + 100ms);
    CHECK(w.available(start + 100ms) == 0);
    CHECK_FALSE(w.try_acquire(1, start + 999ms));
    CHECK(w.try_acquire(4, start + 1s));
    w.drain(start + 1s);
    CHECK_FALSE(w.try_acquire(1, start + 1s));
    CHECK(w.available(start + 2s) == 4);
}

TEST_CASE("fixed_window: another limit keeps what this window has spent")
{
    fixed_window w{{.limit = 10, .window = 1s}};
    CHECK(w.try_acquire(7, start));
    w.reconfigure({.limit = 20, .window = 1s}, start);
    CHECK(w.available(start) == 13);
    w.reconfigure({.limit = 5, .window = 1s}, start);
    CHECK(w.available(start) == 0);
    w.reconfigure({.limit = 20, .window = 1s}, start);
    CHECK(w.available(start) == 0);  // two over the limit of five went to the next window, and stay there
    CHECK(w.available(start + 1s) == 18);

    fixed_window longer{{.limit = 10, .window = 1s}};
    CHECK(longer.try_acquire(5, start));
    longer.reconfigure({.limit = 8, .window = 10s}, start + 200ms);
    CHECK(longer.available(start + 200ms) == 3);
    CHECK(longer.available(start + 10s) == 8);

    fixed_window full{{.limit = 2, .window = 1s}};
    auto a = full.reserve(2, 0s, start);
    auto b = full.reserve(1, 5s, start);  // of the next window
    full.reconfigure({.limit = 3, .window = 1s}, start);
    CHECK_FALSE(full.try_acquire(1, start));
    CHECK(full.available(start + 1s) == 2);
}

TEST_CASE("fixed_window: equals the count of every window in a million decisions")
{
    std::mt19937_64 g{1};
    for (int round = 0; round < thorough(500); ++round) {
        std::uint64_t const limit = 1 + (g() % 3 == 0 ? g() % 1'000'000'000 : g() % 12);
        std::uint64_t const longest = g() % 3 == 0 ? 1'000'000'000'000'000u : g() % 2 == 0 ? 1'000'000'000 : 20;
        auto const window = 1ns + up_to(g, longest);
        auto const w_ns = static_cast<std::uint64_t>(window.count());
        fixed_window w{{.limit = limit, .window = window}};
        counted c{limit, window};
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
                                          : g() % std::min<std::uint64_t>(limit + 2, 1'000'000'002);
            auto const first = c.earliest(n, t);
            INFO("limit ", limit, ", window ", w_ns, " ns, n = ", n, ", decision ", round, " ", i);
            REQUIRE(w.available(t) == c.available(t));
            REQUIRE(w.retry_at(n, t) == first.value_or(weir::never));
            if (g() % 3 != 0) {
                REQUIRE(w.try_acquire(n, t) == (first == t));
                if (first == t) c.take(n, t);
                continue;
            }
            auto const wait = up_to(g, 3 * w_ns);
            auto a = w.reserve(n, wait, t);
            bool const in_time = first && *first - t <= wait;
            REQUIRE(static_cast<bool>(a) == in_time);
            if (!a) {
                REQUIRE(a.refused().retry_at == (first ? *first - wait : weir::never));
            } else {
                REQUIRE(a->start_at() == *first);
                if (g() % 3 == 0) {
                    bool const back = a->cancel();
                    REQUIRE(back == (n != 0));
                } else {
                    a->record(weir::outcome::success(), t);
                    c.take(n, *first);
                }
            }
            if (g() % 100 == 0 && t >= start) {
                auto const left = c.available(t);
                w.drain(t);
                c.take(left, t);
            }
        }
    }
}

TEST_CASE("fixed_window: any instant of the clock can be the first, and any idle time finds one window's permits")
{
    for (auto window : {duration{1ns}, duration{999'999'937ns}, duration{24h * 365}})
        for (std::uint64_t limit : {1ull, 7ull, 1'000'000'000ull})
            for (auto t : {time_point::min(), time_point::min() + 1ns, time_point{-1h}, time_point{}, start,
                           time_point::max() - 1h}) {
                fixed_window w{{.limit = limit, .window = window}};
                CHECK(w.available(t) == limit);
                CHECK(w.try_acquire(limit, t));
                CHECK_FALSE(w.try_acquire(1, t));
            }
    std::mt19937_64 g{3};
    fixed_window w{{.limit = 1'000'000'000, .window = 1us}};
    auto t = start;
    for (int i = 0; i < thorough(5000); ++i) {
        t += 1h + up_to(g, 400'000'000'000'000);
        REQUIRE(w.available(t) == 1'000'000'000);
        REQUIRE(w.try_acquire(1'000'000'000, t));
        REQUIRE_FALSE(w.try_acquire(1, t));
    }
}

TEST_CASE("fixed_window: a clock that steps back refuses meanwhile, mints nothing, recovers")
{
    for (auto window : {duration{1us}, duration{1s}}) {
        fixed_window w{{.limit = 1'000'000, .window = window}};
        CHECK(w.try_acquire(1'000'000, start));
        for (auto back : {window, duration{5h}, duration{24h * 365 * 3}}) {
            CHECK_FALSE(w.try_acquire(1, start - back));
            CHECK(w.available(start - back) == 0);
            CHECK(w.retry_at(1, start - back) > start - back);
            w.drain(start - back);
        }
        CHECK_FALSE(w.try_acquire(1, start));
        CHECK(w.try_acquire(1'000'000, start + window));
        CHECK_FALSE(w.try_acquire(1, start + window));
    }
}

TEST_CASE("fixed_window: a clock that stands still admits the limit and no more")
{
    fixed_window w{{.limit = 100, .window = 1ms}};
    int n = 0;
    for (int i = 0; i < 10'000; ++i) n += w.try_acquire(1, start) ? 1 : 0;
    CHECK(n == 100);
}

TEST_CASE("fixed_window: many threads get exactly the limit of each window, while the limit flips")
{
    constexpr int threads = 8;
    constexpr int windows = 300;
    fixed_window w{{.limit = 40, .window = 1us}};
    std::vector<std::vector<int>> admitted(threads, std::vector<int>(windows));
    std::barrier in_step{threads};
    together(threads, [&](int me) {
        for (int k = 0; k < windows; ++k) {
            auto const t = start + k * 1us;
            if (me == 0 && k % 3 == 0)
                for (std::uint64_t flip = 0; flip < 5; ++flip) w.reconfigure({.limit = 36 + flip, .window = 1us}, t);
            for (int i = 0; i < 12; ++i) {
                if (i % 3 == 0) {
                    auto a = w.admit(t);
                    if (a && i == 3)
                        a->cancel();
                    else if (a)
                        a->record(weir::outcome::success(), t),
                            ++admitted[static_cast<std::size_t>(me)][static_cast<std::size_t>(k)];
                } else if (w.try_acquire(1, t)) {
                    ++admitted[static_cast<std::size_t>(me)][static_cast<std::size_t>(k)];
                }
            }
            in_step.arrive_and_wait();
            if (me == 0 && k % 7 == 0) w.drain(t + 1us), w.reconfigure({.limit = 40, .window = 1us}, t + 1us);
            in_step.arrive_and_wait();
        }
    });
    for (std::size_t k = 0; k < windows; ++k) {
        int sum = 0;
        for (auto const& a : admitted) sum += a[k];
        bool const drained = k > 0 && (k - 1) % 7 == 0;
        INFO("window ", k);
        CHECK(sum <= 40);
        CHECK(sum >= (drained ? 0 : 36 - threads - 8));  // cancelled too late, and over a lowered limit
        if (drained) CHECK(sum == 0);
    }
}

TEST_CASE("fixed_window: reservations of many threads never share a slot")
{
    fixed_window w{{.limit = 7, .window = 1ms}};
    constexpr int threads = 8;
    std::vector<std::vector<time_point>> starts(threads);
    together(threads, [&](int me) {
        for (int i = 0; i < 2000; ++i) {
            auto a = w.reserve(1, 24h, start);
            starts[static_cast<std::size_t>(me)].push_back(a->start_at());
            a->record(weir::outcome::success(), start);
        }
    });
    std::map<time_point, int> per_window;
    for (auto const& s : starts)
        for (auto t : s) ++per_window[t];
    CHECK(per_window.size() == (threads * 2000 + 6) / 7);
    for (auto const& [t, n] : per_window) CHECK(n <= 7);
}
