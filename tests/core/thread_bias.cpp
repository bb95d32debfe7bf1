// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/detail/thread_bias.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

using weir::detail::thread_bias;
using weir::test::thorough;

namespace {

/// A number that is counted up by load and store while its thread is alone with it.
struct counted {
    thread_bias bias;
    std::atomic<std::uint64_t> number{0};

    /// Whether it was alone.
    bool add()
    {
        {
            thread_bias::section const here{bias};
            if (here.alone()) {
                number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
                return true;
            }
        }
        bias.settle();
        number.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
};

/// Whether this system has what it takes.
bool possible() { return weir::detail::announce_barriers(); }

}  // namespace

TEST_CASE("thread_bias: the first thread is alone from its second time on, until another one comes")
{
    counted c;
    CHECK_FALSE(c.add());
    CHECK(c.add() == possible());
    CHECK(c.add() == possible());
    std::thread{[&] {
        CHECK_FALSE(c.add());
        CHECK_FALSE(c.add());
    }}.join();
    CHECK_FALSE(c.add());
    CHECK(c.number == 6);
}

TEST_CASE("thread_bias: nothing is lost when others come while the owner is at it")
{
    constexpr unsigned threads = 4;
    for (int round = 0; round < thorough(500); ++round) {
        counted c;
        std::barrier together{threads};
        std::vector<std::thread> all;
        for (unsigned t = 0; t < threads; ++t)
            all.emplace_back([&, t] {
                if (t == 0) c.add();
                together.arrive_and_wait();
                for (int i = 0; i < 200; ++i) c.add();
            });
        for (auto& t : all) t.join();
        CHECK(c.number == threads * 200 + 1);
    }
}

TEST_CASE("thread_bias: a thing outlives the thread that owned it")
{
    if (!possible()) return;
    counted c;
    std::thread{[&] {
        c.add();
        CHECK(c.add());
    }}.join();
    CHECK_FALSE(c.add());
    CHECK_FALSE(c.add());
    CHECK(c.number == 4);
}

TEST_CASE("thread_bias: the numbers of threads that ended are used again, and a thread without one does without")
{
    if (!possible()) return;
    for (int i = 0; i < 300; ++i)
        std::thread{[] {
            counted c;
            c.add();
            CHECK(c.add());
        }}.join();

    constexpr unsigned many = 300;
    std::atomic<unsigned> alone{0};
    std::barrier ready{many};
    std::vector<std::thread> all;
    for (unsigned t = 0; t < many; ++t)
        all.emplace_back([&] {
            counted c;
            c.add();
            ready.arrive_and_wait();
            alone += c.add() ? 1 : 0;
            ready.arrive_and_wait();
            CHECK(c.number == 2);
        });
    for (auto& t : all) t.join();
    CHECK(alone > 200);
    CHECK(alone < weir::detail::bias_numbers);
}
