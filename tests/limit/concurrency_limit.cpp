// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/concurrency_limit.hpp>

#include <weir/core/gate.hpp>

#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <deque>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::concurrency_limit;
using weir::duration;
using weir::errc;
using weir::outcome;
using weir::time_point;
using weir::test::together;

static_assert(weir::gate<concurrency_limit>);

namespace {

constexpr time_point start{1'000'000s};

/// A waiter that keeps the slot it is given, and says in which order it came.
struct keeper final : concurrency_limit::waiter {
    explicit keeper(std::vector<int>* order = nullptr, int name = 0) : order_(order), name_(name) {}

    std::optional<concurrency_limit::token> slot;

private:
    void granted(concurrency_limit::token t) noexcept override
    {
        slot.emplace(std::move(t));
        if (order_ != nullptr) order_->push_back(name_);
    }

    std::vector<int>* order_;
    int name_;
};

/// The highest number of callers inside at once.
class gauge {
public:
    void enter()
    {
        auto const now = ++inside_;
        for (auto seen = highest_.load(); now > seen && !highest_.compare_exchange_weak(seen, now);) {}
    }
    void leave() { --inside_; }
    [[nodiscard]] int highest() const { return highest_; }

private:
    std::atomic<int> inside_{0}, highest_{0};
};

}  // namespace

TEST_CASE("concurrency_limit: admits the limit and not one more")
{
    concurrency_limit limit{{.limit = 2, .name = "db"}};
    auto a = limit.admit(start);
    auto b = limit.admit(start);
    auto const c = limit.admit(start);
    CHECK((a && b));
    REQUIRE_FALSE(c);
    CHECK(c.refused().code == errc::too_many_calls);
    CHECK(c.refused().gate == "db");
    CHECK(limit.in_flight() == 2);
    a->record(outcome::failure(), start);
    CHECK(limit.in_flight() == 1);
    CHECK(limit.admit(start));
}

TEST_CASE("concurrency_limit: a slot is given back once, by record or by the destructor")
{
    concurrency_limit limit{{.limit = 3}};
    {
        auto a = limit.admit(start);
        auto b = limit.admit(start);
        a->record(outcome::success(), start);
        a->record(outcome::success(), start);
        CHECK(limit.in_flight() == 1);
        auto c = std::move(*b);
        concurrency_limit::token d{std::move(c)};
        CHECK(limit.in_flight() == 1);
        auto e = limit.admit(start);
        *e = std::move(d);
        CHECK(limit.in_flight() == 1);
    }
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS(concurrency_limit{{.limit = 0}},
                         "weir: concurrency_limit_options.limit must be from 1 to 1000000000, and is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(concurrency_limit{{.limit = 1'000'000'001}}, std::invalid_argument);
    concurrency_limit limit{{.limit = 1'000'000'000}};
    CHECK_THROWS_AS(limit.reconfigure({.limit = 0}), std::invalid_argument);
    CHECK(limit.limit() == 1'000'000'000);
}

TEST_CASE("concurrency_limit: a refusal estimates when to come back from how long slots are held")
{
    concurrency_limit limit{{.limit = 2}};
    auto a = limit.admit(start);
    auto b = limit.admit(start);
    CHECK(limit.admit(start).refused().retry_at == start);  // nothing known yet
    a->record(outcome::success(), start + 100ms);
    CHECK(limit.hold_time() == 100ms);
    auto c = limit.admit(start + 100ms);
    CHECK(limit.admit(start + 100ms).refused().retry_at == start + 150ms);
    keeper w;
    CHECK_FALSE(limit.enqueue(w, start));
    CHECK(limit.admit(start + 100ms).refused().retry_at == start + 200ms);
    CHECK(limit.cancel(w));
    c->record(outcome::success(), start + 1100ms + 800ms);
    CHECK(limit.hold_time() > 100ms);
}

TEST_CASE("concurrency_limit: a clock that steps back does no harm to the estimate")
{
    concurrency_limit limit{{.limit = 1}};
    limit.admit(start)->record(outcome::success(), start - 1h);
    CHECK(limit.hold_time() == 0s);
}

TEST_CASE("concurrency_limit: a freed slot goes to the oldest waiter, and nobody overtakes")
{
    concurrency_limit limit{{.limit = 1}};
    auto slot = limit.admit(start);
    std::vector<int> order;
    std::deque<keeper> waiters;
    for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.enqueue(waiters.emplace_back(&order, i), start));
    CHECK(limit.waiting() == 3);
    slot->record(outcome::success(), start);
    CHECK(order == std::vector{0});
    CHECK(limit.in_flight() == 1);
    CHECK_FALSE(limit.admit(start));
    waiters[0].slot.reset();
    CHECK_FALSE(limit.admit(start));
    waiters[1].slot.reset();
    CHECK(order == std::vector{0, 1, 2});
    waiters[2].slot.reset();
    CHECK(limit.in_flight() == 0);
    CHECK(limit.admit(start));
}

TEST_CASE("concurrency_limit: enqueue with a free slot answers at once")
{
    concurrency_limit limit{{.limit = 1}};
    keeper w;
    auto answer = limit.enqueue(w, start);
    REQUIRE(answer);
    CHECK(*answer);
    CHECK(limit.waiting() == 0);
}

TEST_CASE("concurrency_limit: the queue is bounded, and a queue of zero refuses")
{
    concurrency_limit limit{{.limit = 1, .max_queue = 1}};
    auto slot = limit.admit(start);
    keeper a, b;
    CHECK_FALSE(limit.enqueue(a, start));
    auto const answer = limit.enqueue(b, start);
    REQUIRE(answer);
    CHECK(answer->refused().code == errc::too_many_calls);
    CHECK(limit.cancel(a));

    concurrency_limit none{{.limit = 1, .max_queue = 0}};
    auto only = none.admit(start);
    REQUIRE(none.enqueue(a, start));
    CHECK_FALSE(none.acquire(1ms));
}

TEST_CASE("concurrency_limit: cancel takes any waiter out, and the others keep their order")
{
    for (int leaver : {0, 1, 2}) {
        concurrency_limit limit{{.limit = 1}};
        auto slot = limit.admit(start);
        std::vector<int> order;
        std::deque<keeper> waiters;
        for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.enqueue(waiters.emplace_back(&order, i), start));
        CHECK(limit.cancel(waiters[static_cast<std::size_t>(leaver)]));
        CHECK_FALSE(limit.cancel(waiters[static_cast<std::size_t>(leaver)]));
        slot->record(outcome::success(), start);
        for (auto& w : waiters) w.slot.reset();
        for (auto& w : waiters) w.slot.reset();
        std::vector<int> expected{0, 1, 2};
        expected.erase(expected.begin() + leaver);
        CHECK(order == expected);
        CHECK(limit.in_flight() == 0);
    }
}

TEST_CASE("concurrency_limit: cancel after the hand-over is false, and the slot is still to be given back")
{
    concurrency_limit limit{{.limit = 1}};
    auto slot = limit.admit(start);
    keeper w;
    CHECK_FALSE(limit.enqueue(w, start));
    slot->record(outcome::success(), start);
    CHECK_FALSE(limit.cancel(w));
    REQUIRE(w.slot);
    CHECK(limit.in_flight() == 1);
    w.slot.reset();
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: a waiter may destroy itself and enqueue again while being granted")
{
    struct heir final : concurrency_limit::waiter {
        heir(concurrency_limit& l, int& n) : limit(l), left(n) {}
        concurrency_limit& limit;
        int& left;
        void granted(concurrency_limit::token slot) noexcept override
        {
            auto& l = limit;
            auto& n = left;
            delete this;
            if (--n > 0) {
                auto* next = new heir{l, n};
                if (l.enqueue(*next, start)) delete next;
            }
            slot.record(outcome::success(), start);
        }
    };
    concurrency_limit limit{{.limit = 1}};
    int left = 5;
    auto slot = limit.admit(start);
    auto* first = new heir{limit, left};
    CHECK_FALSE(limit.enqueue(*first, start));
    slot->record(outcome::success(), start);
    CHECK(left == 0);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: lowering drains, raising lets waiters in")
{
    concurrency_limit limit{{.limit = 3}};
    auto a = limit.admit(start);
    auto b = limit.admit(start);
    auto c = limit.admit(start);
    limit.reconfigure({.limit = 1});
    CHECK(limit.limit() == 1);
    CHECK(limit.in_flight() == 3);
    std::vector<int> order;
    std::deque<keeper> waiters;
    for (int i = 0; i < 4; ++i) CHECK_FALSE(limit.enqueue(waiters.emplace_back(&order, i), start));
    a->record(outcome::success(), start);
    b->record(outcome::success(), start);
    CHECK(order.empty());  // two slots out of service, the third is taken
    CHECK(limit.in_flight() == 1);
    c->record(outcome::success(), start);
    CHECK(order == std::vector{0});
    limit.reconfigure({.limit = 3});
    CHECK(order == std::vector{0, 1, 2});
    CHECK(limit.in_flight() == 3);
    CHECK(limit.waiting() == 1);
    limit.reconfigure({.limit = 10});
    CHECK(order == std::vector{0, 1, 2, 3});
    CHECK(limit.admit(start));
    waiters.clear();
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: acquire gives up after max_wait and takes no slot with it")
{
    concurrency_limit limit{{.limit = 1}};
    {
        auto slot = limit.acquire(0s);
        REQUIRE(slot);
        auto const none = limit.acquire(2ms);
        REQUIRE_FALSE(none);
        CHECK(none.refused().code == errc::too_many_calls);
        CHECK(limit.waiting() == 0);
        CHECK_FALSE(limit.acquire(-1s));
    }
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: acquire without end wakes when the slot falls free")
{
    concurrency_limit limit{{.limit = 1}};
    auto slot = limit.try_acquire();
    std::jthread other{[&] {
        auto mine = limit.acquire(duration::max());
        CHECK(mine);
    }};
    while (limit.waiting() == 0) std::this_thread::yield();
    slot->record(outcome::success(), weir::steady_clock::now());
    other.join();
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: threads that start together are never more than the limit inside")
{
    for (std::uint32_t n : {1u, 3u, 10u}) {
        concurrency_limit limit{{.limit = n, .max_queue = 1000}};
        gauge inside;
        std::atomic<int> done{0};
        together(16, [&](int self) {
            for (int i = 0; i < 1500; ++i) {
                auto slot = (self + i) % 3 == 0 ? limit.acquire(5s) : limit.try_acquire();
                if (!slot) continue;
                inside.enter();
                if (i % 7 == 0) std::this_thread::yield();
                inside.leave();
                ++done;
                if (i % 2) slot->record(outcome::success(), weir::steady_clock::now());
            }
        });
        CHECK(inside.highest() <= static_cast<int>(n));
        CHECK(done >= 16 * 500);  // those who wait always get in
        CHECK(limit.in_flight() == 0);
        CHECK(limit.waiting() == 0);
    }
}

TEST_CASE("concurrency_limit: threads that take and give back without pause keep the count exact")
{
    concurrency_limit limit{{.limit = 3}};
    gauge inside;
    together(6, [&](int) {
        for (int i = 0; i < 200'000; ++i) {
            auto slot = limit.admit(start);
            if (!slot) continue;
            inside.enter();
            inside.leave();
        }
    });
    CHECK(inside.highest() <= 3);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("concurrency_limit: no waiter is left behind with a free slot")
{
    concurrency_limit limit{{.limit = 1, .max_queue = 8}};
    std::atomic<int> left_behind{0};
    together(3, [&](int) {
        for (int i = 0; i < 20'000 && left_behind == 0; ++i)
            if (!limit.acquire(10s)) ++left_behind;
    });
    CHECK(left_behind == 0);
    CHECK(limit.waiting() == 0);
}

TEST_CASE("concurrency_limit: waits that run out while slots are handed over lose no slot")
{
    concurrency_limit limit{{.limit = 2, .max_queue = 64}};
    gauge inside;
    together(8, [&](int self) {
        std::mt19937_64 g{static_cast<std::uint64_t>(self)};
        for (int i = 0; i < 1000; ++i) {
            auto slot = limit.acquire(duration{static_cast<std::int64_t>(g() % 40'000)});
            if (!slot) continue;
            inside.enter();
            if (g() % 4 == 0) std::this_thread::yield();
            inside.leave();
        }
    });
    CHECK(inside.highest() <= 2);
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
    auto a = limit.admit(start);
    auto b = limit.admit(start);
    CHECK((a && b));
}

TEST_CASE("concurrency_limit: cancel racing the hand-over has exactly one winner")
{
    struct racer final : concurrency_limit::waiter {
        std::atomic<bool> got{false};
        void granted(concurrency_limit::token slot) noexcept override
        {
            slot.record(outcome::success(), start);
            got = true;
        }
    };
    constexpr int rounds = 20'000;
    concurrency_limit limit{{.limit = 1}};
    std::optional<racer> w;
    std::optional<weir::admission<concurrency_limit::token>> slot;
    bool left = false;
    bool sound = true;
    std::barrier begin{2};
    std::barrier end{2};
    together(2, [&](int self) {
        std::mt19937_64 g{static_cast<std::uint64_t>(self)};
        for (int round = 0; round < rounds; ++round) {
            if (self == 0) {
                slot.emplace(limit.admit(start));
                w.emplace();
                sound &= slot->operator bool() && !limit.enqueue(*w, start);
            }
            begin.arrive_and_wait();
            if (g() % 3 == 0) std::this_thread::yield();  // either may come first
            if (self == 0)
                (*slot)->record(outcome::success(), start);
            else
                left = limit.cancel(*w);
            end.arrive_and_wait();
            if (self == 0) { sound &= left != w->got && limit.in_flight() == 0 && limit.waiting() == 0; }
        }
    });
    CHECK(sound);
}

TEST_CASE("concurrency_limit: reconfigured under load it is never over the highest limit and loses no slot")
{
    concurrency_limit limit{{.limit = 4, .max_queue = 1000}};
    gauge inside;
    std::atomic<int> busy{6};
    together(7, [&](int self) {
        if (self == 6) {
            for (std::uint32_t i = 0; busy > 0; ++i) {
                limit.reconfigure({.limit = 1 + i % 4, .max_queue = 1000});
                std::this_thread::yield();
            }
            limit.reconfigure({.limit = 4, .max_queue = 1000});
            return;
        }
        for (int i = 0; i < 3000; ++i) {
            auto slot = i % 2 ? limit.acquire(10s) : limit.try_acquire();
            if (!slot) continue;
            inside.enter();
            inside.leave();
        }
        --busy;
    });
    CHECK(inside.highest() <= 4);
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}
