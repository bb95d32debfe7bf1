// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/sliding_window_log.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::errc;
using weir::sliding_window_log;
using weir::time_point;
using weir::test::admitted;
using weir::test::thorough;
using weir::test::together;
using weir::test::up_to;

static_assert(weir::gate<sliding_window_log>);

namespace {

constexpr time_point start{1'000'000s};

/// Remembers every start, and looks for the first instant at which few enough are younger than a window.
class all_starts {
public:
    all_starts(std::uint64_t limit, duration window) : limit_(limit), window_(window) {}

    bool passes(std::uint64_t n, time_point at) const
    {
        auto const young = starts_.end() - std::upper_bound(starts_.begin(), starts_.end(), at - window_);
        return static_cast<std::uint64_t>(young) + n <= limit_;
    }
    /// Precondition: n <= limit.
    time_point earliest(std::uint64_t n, time_point now) const
    {
        if (passes(n, now)) return now;
        auto no = now;
        auto yes = std::max(now, starts_.back()) + window_;
        while (yes - no > 1ns) {
            auto const middle = no + (yes - no) / 2;
            (passes(n, middle) ? yes : no) = middle;
        }
        return yes;
    }
    void take(std::uint64_t n, time_point at)
    {
        auto const last = starts_.empty() ? at : std::max(at, starts_.back());
        starts_.insert(starts_.end(), n, last);
    }
    void take_back(std::uint64_t n) { starts_.resize(starts_.size() - n); }
    std::uint64_t available(time_point now) const
    {
        std::uint64_t n = 0;
        while (n < limit_ && passes(n + 1, now)) ++n;
        return n;
    }
    void reconfigure(std::uint64_t limit, duration window) { limit_ = limit, window_ = window; }

private:
    std::uint64_t limit_;
    duration window_;
    std::vector<time_point> starts_;
};

/// Whether every span shorter than a window holds at most limit.
bool within_limit(std::vector<admitted> all, std::uint64_t limit, duration window)
{
    std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
    std::uint64_t sum = 0;
    for (std::size_t first = 0, last = 0; last < all.size(); ++last) {
        sum += all[last].n;
        while (all[last].at - all[first].at >= window) sum -= all[first++].n;
        if (sum > limit) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("sliding_window_log: a permit comes back exactly a window after its start")
{
    sliding_window_log w{{.limit = 3, .window = 10s}};
    CHECK(w.try_acquire(1, start));
    CHECK(w.try_acquire(2, start + 9s));
    CHECK_FALSE(w.try_acquire(1, start + 10s - 1ns));
    CHECK(w.try_acquire(1, start + 10s));
    CHECK_FALSE(w.try_acquire(1, start + 19s - 1ns));
    CHECK(w.available(start + 19s) == 2);
    CHECK_FALSE(w.try_acquire(3, start + 19s));
    CHECK(w.retry_at(3, start + 19s) == start + 20s);
    CHECK(w.try_acquire(3, start + 20s));
}

TEST_CASE("sliding_window_log: no double burst at any edge")
{
    sliding_window_log w{{.limit = 50, .window = 1s}};
    std::vector<admitted> all;
    for (auto t = start - 300ms; t < start + 5s; t += 1ms)
        for (int i = 0; i < 3; ++i)
            if (w.try_acquire(1, t)) all.push_back({t});
    CHECK(all.size() == 6 * 50);
    CHECK(within_limit(all, 50, 1s));
    CHECK_FALSE(within_limit(all, 49, 1s));
}

TEST_CASE("sliding_window_log: a refusal says when to come back and who refused")
{
    sliding_window_log w{{.limit = 2, .window = 1min, .name = "contract"}};
    CHECK(w.try_acquire(1, start));
    CHECK(w.try_acquire(1, start + 5s));
    auto const a = w.admit(start + 30s);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "contract");
    CHECK(a.refused().retry_at == start + 60s);
    CHECK(w.admit(start + 60s));
}

TEST_CASE("sliding_window_log: more than the limit never passes, nothing always does")
{
    sliding_window_log w{{.limit = 5, .window = 1s}};
    auto const a = w.reserve(6, 1h, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK_FALSE(w.try_acquire(UINT64_MAX, start));
    CHECK(w.try_acquire(5, start));
    CHECK(w.try_acquire(0, start));
    CHECK(w.reserve(0, 0s, start));
    sliding_window_log none{{.limit = 0, .window = 1s}};
    CHECK(none.try_acquire(0, start));
    CHECK_FALSE(none.try_acquire(1, start));
    CHECK(none.admit(start).refused().code == errc::exceeds_burst);
    CHECK(none.available(start) == 0);
}

TEST_CASE("sliding_window_log: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((sliding_window_log{{.limit = 6, .capacity = 5}}),
                         "weir: sliding_window_log_options.limit must be at most the capacity of 5, and is 6",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((sliding_window_log{{.capacity = 100'000'001}}),
                         "weir: sliding_window_log_options.capacity must be at most 100000000, and is 100000001",
                         std::invalid_argument);
    CHECK_THROWS_AS((sliding_window_log{{.limit = 100'000'001}}), std::invalid_argument);
    CHECK_THROWS_WITH_AS(
        (sliding_window_log{{.window = 0s}}),
        "weir: sliding_window_log_options.window must be more than 0 and at most 365 days, and is 0 ms",
        std::invalid_argument);
    sliding_window_log w;
    CHECK_THROWS_AS(w.reconfigure({.window = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(w.reconfigure({.limit = 101}), std::invalid_argument);
    CHECK(w.try_acquire());
    CHECK(w.available() <= 100);
    w.drain();
    w.reconfigure({.limit = 1});
}

TEST_CASE("sliding_window_log: reservations start as permits grow old, and those who ask later queue behind")
{
    sliding_window_log w{{.limit = 2, .window = 10s}};
    CHECK(w.try_acquire(1, start));
    auto a = w.reserve(2, 10s, start + 1s);
    REQUIRE(a);
    CHECK(a->start_at() == start + 10s);
    CHECK_FALSE(w.try_acquire(1, start + 2s));
    CHECK_FALSE(w.try_acquire(1, start + 10s));
    auto const b = w.reserve(1, 10s, start + 2s);
    REQUIRE_FALSE(b);
    CHECK(b.refused().retry_at == start + 10s);
    CHECK(w.reserve(1, 10s, start + 10s)->start_at() == start + 20s);  // and at once given back
    CHECK(a->cancel());
    CHECK(w.try_acquire(2, start + 10s));
}

TEST_CASE("sliding_window_log: a cancelled admission goes back while it is the last, and mints nothing later")
{
    sliding_window_log w{{.limit = 2, .window = 1s}};
    auto a = w.admit(start);
    auto b = w.admit(start);
    CHECK_FALSE(a->cancel());
    CHECK(b->cancel());
    CHECK_FALSE(b->cancel());
    CHECK(w.available(start) == 1);
    auto c = w.admit(start);
    CHECK(w.try_acquire(1, start + 1s));
    CHECK_FALSE(c->cancel());
    CHECK(w.available(start + 1s) == 1);
    auto d = w.admit(start + 1s);
    w.reconfigure({.limit = 1, .window = 1s});
    CHECK_FALSE(d->cancel());
    auto e = w.admit(start + 2s);
    w.drain(start + 2s);
    CHECK_FALSE(e->cancel());
}

TEST_CASE("sliding_window_log: drained, nothing passes until a window is over")
{
    sliding_window_log w{{.limit = 4, .window = 1s}};
    CHECK(w.try_acquire(1, start));
    w.drain(start + 300ms);
    CHECK(w.available(start + 300ms) == 0);
    CHECK(w.retry_at(1, start + 300ms) == start + 1s);
    CHECK(w.retry_at(2, start + 300ms) == start + 1300ms);
    CHECK(w.available(start + 1300ms) == 4);
}

TEST_CASE("sliding_window_log: another limit or window is measured against the same log")
{
    sliding_window_log w{{.limit = 2, .window = 1s, .capacity = 5}};
    CHECK(w.try_acquire(2, start));
    CHECK(w.try_acquire(2, start + 1s));
    w.reconfigure({.limit = 5, .window = 1s});
    CHECK(w.available(start + 1s) == 3);
    w.reconfigure({.limit = 5, .window = 2s});
    CHECK(w.available(start + 1s) == 1);
    w.reconfigure({.limit = 1, .window = 1s});
    CHECK(w.retry_at(1, start + 1s) == start + 2s);
    auto r = w.reserve(1, 10s, start + 1s);
    w.reconfigure({.limit = 2, .window = 1ms});
    CHECK(w.retry_at(1, start + 1500ms) == start + 1500ms);
    CHECK(w.try_acquire(1, start + 1500ms));
    CHECK_FALSE(w.try_acquire(1, start + 1500ms));  // it shares the window of the reservation that it overtook
}

TEST_CASE("sliding_window_log: equals the whole history in half a million decisions")
{
    std::mt19937_64 g{1};
    for (int round = 0; round < thorough(500); ++round) {
        std::uint64_t const capacity = 1 + (g() % 4 == 0 ? g() % 1000 : g() % 12);
        auto limit = capacity;
        std::uint64_t const longest = g() % 3 == 0 ? 1'000'000'000'000'000u : g() % 2 == 0 ? 1'000'000'000 : 20;
        auto const window = 1ns + up_to(g, longest);
        auto const w_ns = static_cast<std::uint64_t>(window.count());
        sliding_window_log w{{.limit = limit, .window = window, .capacity = capacity}};
        all_starts c{limit, window};
        auto t = time_point{duration{static_cast<std::int64_t>(g() % (1ull << 62)) - (1ll << 61)}};
        bool const back = round % 2 == 0;
        for (int i = 0; i < 1000; ++i) {
            switch (g() % 40) {
                case 0: t += up_to(g, std::min<std::uint64_t>(1000 * w_ns, 1ull << 50)); break;
                case 1: t -= back ? up_to(g, 2 * w_ns) : 0ns; break;
                case 2: t += up_to(g, w_ns); break;
                default: t += up_to(g, w_ns / 8);
            }
            auto const n = g() % 2 == 0 ? 1 : g() % (limit + 2);
            bool const possible = n <= limit;
            auto const first = n == 0 ? t : possible ? c.earliest(n, t) : weir::never;
            INFO("limit ", limit, ", window ", w_ns, " ns, n = ", n, ", decision ", round, " ", i);
            REQUIRE(w.available(t) == c.available(t));
            REQUIRE(w.retry_at(n, t) == first);
            if (g() % 3 != 0) {
                REQUIRE(w.try_acquire(n, t) == (first == t));
                if (first == t) c.take(n, t);
                continue;
            }
            auto const wait = up_to(g, 3 * w_ns);
            auto a = w.reserve(n, wait, t);
            REQUIRE(static_cast<bool>(a) == (possible && first - t <= wait));
            if (!a) {
                REQUIRE(a.refused().retry_at == (possible ? first - wait : weir::never));
            } else {
                REQUIRE(a->start_at() == first);
                // Several permits in one go come back as from their start, one as if it had never been.
                if (!back && n == 1 && g() % 2 == 0) {
                    REQUIRE(a->cancel());
                } else {
                    a->record(weir::outcome::success(), t);
                    c.take(n, first);
                }
            }
            if (g() % 100 == 0) {
                c.take(c.available(t), t);
                w.drain(t);
            }
            if (!back && g() % 200 == 0 && w.retry_at(limit, t) == t) {  // while nothing is reserved ahead
                limit = 1 + g() % capacity;
                w.reconfigure({.limit = limit, .window = window});
                c.reconfigure(limit, window);
            }
        }
    }
}

TEST_CASE("sliding_window_log: cancels, drains and a clock that jumps anywhere never let one too many in")
{
    std::mt19937_64 g{2};
    for (int round = 0; round < thorough(300); ++round) {
        std::uint64_t const limit = 1 + g() % 8;
        sliding_window_log w{{.limit = limit, .window = 1us}};
        std::vector<admitted> all;
        struct holding {
            sliding_window_log::token token;
            std::uint64_t n;
        };
        std::vector<holding> held;
        auto t = start;
        for (int i = 0; i < 2000; ++i) {
            t += g() % 20 == 0 ? up_to(g, 3000) : g() % 20 == 0 ? -up_to(g, 2000) : up_to(g, 100);
            auto const n = 1 + g() % limit;
            if (auto a = w.reserve(n, up_to(g, 2000), t)) held.push_back({*std::move(a), n});
            while (held.size() > g() % 4) {
                auto h = std::move(held.back());
                held.pop_back();
                auto const at = h.token.start_at();
                if (g() % 2 != 0 && h.token.cancel()) continue;
                h.token.record(weir::outcome::success(), at);
                all.push_back({at, h.n});
            }
            if (g() % 200 == 0) w.drain(t);
        }
        for (auto& h : held) h.token.record(weir::outcome::success(), t);
        REQUIRE(all.size() > 30);
        REQUIRE(within_limit(all, limit, 1us));
    }
}

TEST_CASE("sliding_window_log: any instant of the clock can be the first, and no idle time is too long")
{
    for (auto window : {duration{1ns}, duration{999'999'937ns}, duration{24h * 365}})
        for (auto t : {time_point::min(), time_point::min() + 1ns, time_point{-1h}, time_point{}, start,
                       time_point::max() - 1h}) {
            sliding_window_log w{{.limit = 7, .window = window}};
            CHECK(w.available(t) == 7);
            CHECK(w.try_acquire(7, t));
            CHECK_FALSE(w.try_acquire(1, t));
        }
}

TEST_CASE("sliding_window_log: a clock that stands still admits the limit and no more")
{
    sliding_window_log w{{.limit = 100, .window = 1ms}};
    int n = 0;
    for (int i = 0; i < 10'000; ++i) n += w.try_acquire(1, start) ? 1 : 0;
    CHECK(n == 100);
}

TEST_CASE("sliding_window_log: many threads on a running clock never share a window with more than the limit")
{
    for (std::uint64_t limit : {1ull, 3ull, 200ull}) {
        constexpr int threads = 8;
        sliding_window_log w{{.limit = limit, .window = 50us, .capacity = 200}};
        std::vector<std::vector<admitted>> all(threads);
        together(threads, [&](int me) {
            std::mt19937_64 g{static_cast<std::uint64_t>(me)};
            auto& mine = all[static_cast<std::size_t>(me)];
            for (int i = 0; i < thorough(20'000); ++i) {
                auto const n = 1 + g() % std::min<std::uint64_t>(limit, 3);
                auto const now = weir::steady_clock::now();
                if (g() % 8 != 0) {
                    if (w.try_acquire(n, now)) mine.push_back({now, n});
                } else if (auto a = w.reserve(n, 20us, now)) {
                    if (g() % 2 == 0 && a->cancel()) continue;
                    mine.push_back({a->start_at(), n});
                    a->record(weir::outcome::success(), now);
                }
                if (g() % 512 == 0) w.reconfigure({.limit = limit, .window = 50us});
            }
        });
        std::vector<admitted> flat;
        for (auto const& a : all) flat.insert(flat.end(), a.begin(), a.end());
        CHECK(flat.size() > 10);
        CHECK(within_limit(flat, limit, 50us));
    }
}

TEST_CASE("sliding_window_log: many threads at one instant get the limit, no more and no less")
{
    constexpr int threads = 8;
    for (int round = 0; round < thorough(200); ++round) {
        sliding_window_log w{{.limit = 100, .window = 1s}};
        std::vector<int> admitted(threads);
        together(threads, [&](int me) {
            for (int i = 0; i < 30; ++i) admitted[static_cast<std::size_t>(me)] += w.try_acquire(1, start) ? 1 : 0;
        });
        int sum = 0;
        for (int a : admitted) sum += a;
        REQUIRE(sum == 100);
    }
}

TEST_CASE("sliding_window_log: who only looks, while others take and give back, sees one moment and not two")
{
    sliding_window_log w{{.limit = 2, .window = 1s}};
    CHECK(w.try_acquire(2, start - 2s));
    std::vector<int> wrong(2);
    together(2, [&](int me) {
        for (int i = 0; i < thorough(200'000); ++i) {
            if (me == 0) {
                auto a = w.admit(start);  // one of two at most is taken
                wrong[0] += a && a->cancel() ? 0 : 1;
            } else {
                auto const n = w.available(start);
                wrong[1] += (n == 1 || n == 2) && w.retry_at(1, start) == start ? 0 : 1;
            }
        }
    });
    CHECK(wrong[0] == 0);
    CHECK(wrong[1] == 0);
}
