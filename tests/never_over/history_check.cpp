// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Who checks the checker: its clever passes against looking at every interval.

#include "never_over/history.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <random>

namespace {

using namespace never_over;
using namespace std::chrono_literals;

std::vector<admitted> some_history(std::mt19937_64& g)
{
    std::vector<admitted> h;
    auto const size = g() % 30;
    auto const span = static_cast<std::int64_t>(1 + g() % 60);
    auto const lag = static_cast<std::int64_t>(1 + g() % 8);
    for (std::uint64_t i = 0; i < size; ++i) {
        auto const from = static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(span));
        auto const late = static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(lag));
        h.push_back({from, from + late, static_cast<std::uint32_t>(1 + g() % 3)});
    }
    return h;
}

std::uint64_t inside(std::vector<admitted> const& h, std::int64_t s, std::int64_t t)
{
    std::uint64_t n = 0;
    for (auto const& e : h)
        if (s <= e.from && e.to <= t) n += e.n;
    return n;
}

}  // namespace

TEST_CASE("history: the worst interval is the worst of all intervals")
{
    std::mt19937_64 g{1};
    for (int round = 0; round < 3000; ++round) {
        CAPTURE(round);
        auto const h = some_history(g);
        allowance a{{1 + g() % 5, 7ns}};
        std::int64_t t = 0;
        for (auto flips = g() % 4; flips != 0; --flips) {
            t += static_cast<std::int64_t>(g() % 20);
            a.change(t, {1 + g() % 9, 7ns});
        }
        int128 most = 0;
        for (auto const& x : h)
            for (auto const& y : h)
                if (x.from <= y.to)
                    most = std::max(most, int128{inside(h, x.from, y.to)} * 7 - (a.at(y.to) - a.at(x.from)));
        auto const w = worst_interval(h, a);
        REQUIRE(w.excess == most);
        if (most > 0) REQUIRE(int128{inside(h, w.from, w.to)} * 7 == w.excess + w.earned);
    }
}

TEST_CASE("history: the fullest window is the fullest of all windows")
{
    std::mt19937_64 g{2};
    for (int round = 0; round < 3000; ++round) {
        CAPTURE(round);
        auto const h = some_history(g);
        auto const length = static_cast<std::int64_t>(1 + g() % 15);
        std::uint64_t most = 0;
        for (std::int64_t s = -1; s < 70; ++s) most = std::max(most, inside(h, s, s + length - 1));
        REQUIRE(fullest_window(h, length) == most);
    }
}

TEST_CASE("history: between the two instants of a flip the faster rate counts")
{
    auto const a = with_flips({2, 1s}, {{10, 20, {5, 1s}}, {30, 40, {1, 1s}}}, {});
    CHECK(a.at(10) - a.at(0) == 20);
    CHECK(a.at(40) - a.at(10) == 150);
    CHECK(a.at(50) - a.at(40) == 10);
}

TEST_CASE("history: a faster rate counts from the time of the first caller that was held up across the flip")
{
    auto const a = with_flips({2, 1s}, {{10, 20, {5, 1s}}}, {{1, 9, 1}, {4, 15, 1}, {7, 30, 1}});
    CHECK(a.at(4) - a.at(0) == 8);
    CHECK(a.at(10) - a.at(4) == 30);
}
