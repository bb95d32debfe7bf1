// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/count_window.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <stdexcept>

using weir::circuit_tally;
using weir::count_window;
using weir::detail::count_ring;
using weir::detail::one_call;

TEST_CASE("count_window: really slides: 10000 successes do not drown 60 failures in the last 100")
{
    count_ring ring(count_window{100});
    for (int i = 0; i < 10'000; ++i) ring.add(one_call(false, false));
    for (int i = 0; i < 100; ++i) ring.add(one_call(i % 5 < 3, false));
    CHECK(ring.total() == circuit_tally{100, 60, 0});
    ring.add_successes(1);  // pushes out the oldest, a failure
    CHECK(ring.total() == circuit_tally{100, 59, 0});
}

TEST_CASE("count_window: equals a plain list of the last N in 200000 random steps")
{
    std::mt19937 random(1);
    for (unsigned const n : {1u, 2u, 63u, 64u, 100u}) {
        count_ring ring(count_window{n});
        std::deque<circuit_tally> list;
        for (int i = 0; i < 40'000; ++i) {
            auto const call = one_call(random() % 3 == 0, random() % 5 == 0);
            ring.add(call);
            list.push_back(call);
            if (list.size() > n) list.pop_front();
            circuit_tally sum;
            for (auto const& c : list) sum += c;
            REQUIRE(ring.total() == sum);
            REQUIRE(ring.full_of_successes() == (sum == circuit_tally{n, 0, 0}));
        }
    }
}

TEST_CASE("count_window: another size takes over the newest outcomes, in order")
{
    count_ring old(count_window{10});
    for (int i = 0; i < 13; ++i) old.add(one_call(i >= 10, false));  // the last three failed
    count_ring smaller(count_window{4});
    smaller.take_over(old);
    CHECK(smaller.total() == circuit_tally{4, 3, 0});
    count_ring larger(count_window{20});
    larger.take_over(old);
    CHECK(larger.total() == circuit_tally{10, 3, 0});
    larger.add_successes(17);
    CHECK(larger.total() == circuit_tally{20, 3, 0});
    larger.add_successes(1000);
    CHECK(larger.total() == circuit_tally{20, 0, 0});
}

TEST_CASE("count_window: totals of another kind of window keep their proportion")
{
    count_ring ring(count_window{100});
    ring.take_over(circuit_tally{1000, 250, 100});
    CHECK(ring.total() == circuit_tally{100, 25, 10});
    ring.clear();
    ring.take_over(circuit_tally{30, 10, 0});
    CHECK(ring.total() == circuit_tally{30, 10, 0});
}

TEST_CASE("count_window: a bad length throws and is named")
{
    CHECK_THROWS_WITH_AS(count_ring(count_window{0}), "weir: count_window.calls must be in [1, 1000000], and is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(count_ring(count_window{1'000'001}), std::invalid_argument);
}

TEST_CASE("count_window: many successes at once are as many one by one, and the total says so before")
{
    std::mt19937 random(3);
    for (unsigned const size : {1u, 2u, 7u, 10u}) {
        count_ring at_once(count_window{size}), singly(count_window{size});
        for (int i = 0; i < 1000; ++i) {
            auto const n = random() % (2 * size + 2);
            auto const before = at_once.total(weir::never, n);
            at_once.add_successes(n);
            for (auto k = n; k > 0; --k) singly.add(one_call(false, false));
            REQUIRE(at_once.total() == singly.total());
            REQUIRE(at_once.total() == before);
            auto const call = one_call(random() % 2 == 0, random() % 3 == 0);
            at_once.add(call);
            singly.add(call);
            REQUIRE(at_once.total() == singly.total());
        }
    }
}
