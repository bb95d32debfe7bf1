// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Who checks the explorer: orders that can be counted by hand, and the classic mistakes.

#include "never_over/scenario.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <set>

namespace {

using weir::exploring::explorer;
using weir::exploring::options;
using weir::exploring::result;

result explore(unsigned threads, unsigned bound, std::function<void()> begin, std::function<void(unsigned)> thread,
               std::function<std::string()> end, std::optional<std::vector<unsigned>> replay = {})
{
    explorer e{options{.bound = bound, .replay = std::move(replay)}};
    return e.explore(threads, std::move(begin), std::move(thread), std::move(end));
}

}  // namespace

TEST_CASE("explorer: two threads of two steps have six orders, and each is met")
{
    weir::atomic<int> x;
    std::string order;
    std::set<std::string> orders;
    auto const r = explore(
        2, 9, [&] { order.clear(); },
        [&](unsigned i) {
            for (int k = 0; k < 2; ++k) {
                x.store(1);
                order += static_cast<char>('a' + i);
            }
        },
        [&] { return orders.insert(order), std::string{}; });
    CHECK(r.complete);
    CHECK(orders == std::set<std::string>{"aabb", "abab", "abba", "baab", "baba", "bbaa"});
}

TEST_CASE("explorer: without preemptions threads run one after the other")
{
    weir::atomic<int> x;
    auto const r = explore(
        3, 0, [&] { x = 0; },
        [&](unsigned) {
            auto const seen = x.load();
            x.store(seen + 1);
        },
        [&] { return x.load() == 3 ? "" : "lost"; });
    CHECK(r.complete);
    CHECK(r.runs == 6);
}

TEST_CASE("explorer: an update that is lost is found with one preemption, and its order can be replayed")
{
    weir::atomic<int> x;
    auto const begin = [&] { x = 0; };
    auto const thread = [&](unsigned) {
        auto const seen = x.load();
        x.store(seen + 1);
    };
    auto const end = [&] { return x.load() == 2 ? "" : "lost"; };
    auto const r = explore(2, 3, begin, thread, end);
    CHECK(r.failure == "lost");
    CHECK(r.bound == 1);
    CHECK(explore(2, r.bound, begin, thread, end, r.decisions).failure == "lost");
    CHECK(explore(2, r.bound, begin, thread, end, std::vector<unsigned>{}).failure == "");
}

TEST_CASE("explorer: two locks taken in opposite orders are a deadlock")
{
    weir::mutex* a = nullptr;
    weir::mutex* b = nullptr;
    auto const r = explore(
        2, 2, [&] { a = new weir::mutex, b = new weir::mutex; },  // not unwound, so not deleted
        [&](unsigned i) {
            auto* const first = i == 0 ? a : b;
            auto* const second = i == 0 ? b : a;
            first->lock(), second->lock(), second->unlock(), first->unlock();
        },
        [] { return ""; });
    CHECK(r.failure == "deadlock, or a wake-up that was lost");
}

TEST_CASE("explorer: a thread that spins lets the others go on")
{
    weir::atomic<bool> locked;
    int inside = 0;
    auto const r = explore(
        2, 2, [&] { locked = false, inside = 0; },
        [&](unsigned) {
            while (locked.exchange(true))
                while (locked.load()) {}
            if (++inside != 1) explorer::current()->fail("two inside");
            (void)locked.load();
            --inside;
            locked.store(false);
        },
        [] { return ""; });
    CHECK(r.failure == "");
    CHECK(r.complete);
}

TEST_CASE("explorer: to spin for what never comes is a failure")
{
    weir::atomic<bool> never;
    auto const r = explore(
        2, 0, [&] { never = false; },
        [&](unsigned) {
            while (!never.load()) {}
        },
        [] { return ""; });
    CHECK(r.failure == "livelock");
}
