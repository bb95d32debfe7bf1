// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/random.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cfenv>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <thread>

using weir::random_engine;
using weir::uniform_below;
using weir::uniform_unit;

static_assert(weir::random_source<random_engine>);
static_assert(!weir::random_source<std::mt19937>, "32 bits do not fill a double");
static_assert(!weir::random_source<std::minstd_rand>);

namespace {

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

/// A generator that gives what it is told.
struct always {
    using result_type = std::uint64_t;
    std::uint64_t value;
    static constexpr std::uint64_t min() { return 0; }
    static constexpr std::uint64_t max() { return largest; }
    std::uint64_t operator()() const { return value; }
};
static_assert(weir::random_source<always>);

}  // namespace

TEST_CASE("uniform_unit: from 0 to just below 1")
{
    always lowest{0}, highest{largest}, middle{std::uint64_t{1} << 63};
    CHECK(uniform_unit(lowest) == 0.0);
    CHECK(uniform_unit(middle) == 0.5);
    CHECK(uniform_unit(highest) < 1.0);
    CHECK(uniform_unit(highest) == 1.0 - std::numeric_limits<double>::epsilon() / 2);
}

TEST_CASE("uniform_below: reaches both ends and never n, for every size of n")
{
    for (std::uint64_t const n : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1000},
                                  std::uint64_t{1} << 32, (std::uint64_t{1} << 52) + 1}) {
        CAPTURE(n);
        always lowest{0}, highest{largest};
        CHECK(uniform_below(lowest, n) == 0);
        CHECK(uniform_below(highest, n) == n - 1);
    }
    // Beyond 2^53 a double cannot name each value, and n itself may be rounded up; below n it is all the same.
    for (std::uint64_t const n : {(std::uint64_t{1} << 53) + 1, (std::uint64_t{1} << 62) - 1, largest - 1, largest}) {
        CAPTURE(n);
        always lowest{0}, highest{largest};
        CHECK(uniform_below(lowest, n) == 0);
        CHECK(uniform_below(highest, n) < n);
        CHECK(uniform_below(highest, n) > n / 2);
    }
}

TEST_CASE("uniform_below: never n in a program that rounds upwards either")
{
    auto const before = std::fegetround();
    REQUIRE(std::fesetround(FE_UPWARD) == 0);
    always highest{largest};
    auto const drawn = uniform_below(highest, 1000);
    std::fesetround(before);
    CHECK(drawn == 999);
}

TEST_CASE("uniform_below: 0 has nothing below it, and gives 0")
{
    always highest{largest};
    CHECK(uniform_below(highest, 0) == 0);
}

TEST_CASE("uniform_below: every value comes about equally often")
{
    random_engine random(7);
    std::array<int, 6> seen{};
    for (int i = 0; i < 60'000; ++i) ++seen[uniform_below(random, seen.size())];
    for (auto const n : seen) {  // the standard deviation is 91
        CHECK(n > 9'500);
        CHECK(n < 10'500);
    }
}

TEST_CASE("random: a seed means the same with every compiler and library")
{
    CHECK(random_engine(0)() == 0xe220'a839'7b1d'cdafu);  // of Vigna's splitmix64.c, too
    random_engine random(42);
    CHECK(uniform_below(random, 1000) == 741);
    CHECK(uniform_below(random, 1'000'000'000'000) == 159'910'392'876);
    CHECK(uniform_unit(random) == 0x1.1d499d5c4c3e6p-2);
    CHECK(random() == 6'349'198'060'258'255'764u);
    CHECK(random_engine::nth(42, 4) == 6'349'198'060'258'255'764u);
}

TEST_CASE("thread_random: one generator for a thread, another for each other thread")
{
    auto* const mine = &weir::thread_random();
    CHECK(mine == &weir::thread_random());
    std::set<std::uint64_t> first;
    for (int i = 0; i < 4; ++i) {
        std::thread([&] {
            CHECK(&weir::thread_random() != mine);
            first.insert(weir::thread_random()());
        }).join();
    }
    CHECK(first.size() == 4);  // by chance fewer: once in 10^18
}
