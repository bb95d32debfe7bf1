// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/partitioned_limit.hpp>

#include <weir/core/gate.hpp>
#include <weir/limit/aimd.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
using weir::outcome;
using weir::time_point;
using limit_of_ten = weir::partitioned_limit<>;

static_assert(weir::gate<limit_of_ten::handle>);

namespace {

constexpr time_point start{1h};

std::vector<limit_of_ten::token> take(limit_of_ten& limit, std::size_t partition, int n, time_point now = start)
{
    std::vector<limit_of_ten::token> slots;
    for (int i = 0; i < n; ++i)
        if (auto slot = limit.admit(partition, now)) slots.push_back(*std::move(slot));
    return slots;
}

}  // namespace

TEST_CASE("partitioned_limit: what one partition leaves unused another may have, up to the limit and not one more")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.5, 0.3}, .name = "tenants"}};
    auto const a = take(limit, 0, 20);
    CHECK(a.size() == 10);
    CHECK(limit.in_flight(0) == 10);
    auto const refused = limit.admit(1, start);
    REQUIRE(!refused);
    CHECK(refused.refused().code == errc::too_many_calls);
    CHECK(refused.refused().gate == "tenants");
    CHECK(limit.in_flight() == 10);
}

TEST_CASE("partitioned_limit: a partition refused below its share has it before anybody borrows again")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.5, 0.3}}};
    auto a = take(limit, 0, 10);
    CHECK(take(limit, 1, 5).empty());  // claims its three
    a.resize(8);
    CHECK(take(limit, 0, 1).empty());  // two are free, and claimed
    auto const b = take(limit, 1, 2);
    CHECK(b.size() == 2);
    a.resize(6);
    CHECK(take(limit, 0, 2).size() == 1);  // of two, one is still claimed
    CHECK(take(limit, 1, 1).size() == 1);
}

TEST_CASE("partitioned_limit: within its share a partition needs no leave, also while others claim theirs")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.5, 0.5}}};
    auto a = take(limit, 0, 10);
    CHECK(take(limit, 1, 5).empty());
    a.clear();
    CHECK(take(limit, 0, 10).size() == 5);
}

TEST_CASE("partitioned_limit: a claim lapses")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.5, 0.5}, .claim = 1s}};
    auto a = take(limit, 0, 10);
    CHECK(take(limit, 1, 5).empty());
    a.resize(9);
    CHECK(take(limit, 0, 1, start + 999ms).empty());
    CHECK(take(limit, 0, 1, start + 1s).size() == 1);
}

TEST_CASE("partitioned_limit: the greedy cannot starve the modest, who ask all the time")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.2, 0.5}}};
    std::vector<limit_of_ten::token> greedy, modest;
    std::size_t least = 10;
    for (int step = 0; step < 1000; ++step) {
        auto const now = start + step * 1ms;
        if (!greedy.empty()) greedy.erase(greedy.begin());
        if (modest.size() == 5) modest.erase(modest.begin());
        for (int i = 0; i < 10; ++i)
            if (auto s = limit.admit(0, now)) greedy.push_back(*std::move(s));
        while (modest.size() < 5)
            if (auto s = limit.admit(1, now))
                modest.push_back(*std::move(s));
            else
                break;
        REQUIRE(limit.in_flight() <= 10);
        if (step > 20) least = std::min(least, modest.size());
    }
    CHECK(least >= 4);  // five, or the one just ended has not come again yet
}

TEST_CASE("partitioned_limit: learns with any algorithm, and a share follows the limit")
{
    weir::partitioned_limit<weir::aimd> limit{{.concurrency = {.initial_limit = 4}, .shares = {0.25, 0.75}}};
    auto p = limit.partition(1);
    std::vector<weir::partitioned_limit<weir::aimd>::token> slots;
    for (int i = 0; i < 4; ++i) slots.push_back(*p.admit(start));
    CHECK(!p.admit(start));
    slots.back().record(outcome::success(), start + 1ms);
    CHECK(limit.limit() == 5);
    slots.front().record(outcome::failure(), start + 1ms);
    CHECK(limit.limit() == 4);
    CHECK(limit.in_flight() == 2);
}

TEST_CASE("partitioned_limit: reconfigure keeps the calls in progress; bad options are refused by name")
{
    limit_of_ten limit{{.concurrency = {.limit = 10}, .shares = {0.5, 0.3}}};
    auto const a = take(limit, 0, 7);
    limit.reconfigure({.concurrency = {.limit = 5}, .shares = {0.2, 0.8}});
    CHECK(limit.in_flight() == 7);
    CHECK(take(limit, 1, 1).empty());
    CHECK_THROWS_AS(limit.reconfigure({.shares = {0.2}}), std::invalid_argument);
    auto const refused = [](limit_of_ten::options o) { CHECK_THROWS_AS(limit_of_ten{o}, std::invalid_argument); };
    refused({.shares = {}});
    refused({.shares = {0.5, 0}});
    refused({.shares = {0.5, 0.0 / 0.0}});
    refused({.shares = {0.5, 0.6}});
    refused({.claim = -1ns});
    refused({.concurrency = {.limit = 0}});
    limit_of_ten tenths{{.shares = std::vector<double>(10, 0.1)}};
    CHECK_THROWS_WITH((limit_of_ten{{.shares = {2}}}),
                      "weir: partitioned_limit_options.shares must be in (0, 1], and is 2");
}

TEST_CASE("partitioned_limit: with many threads never one over")
{
    limit_of_ten limit{{.concurrency = {.limit = 3}, .shares = {0.4, 0.3}}};
    std::atomic<int> inside{0}, over{0};
    {
        std::vector<std::jthread> crowd;
        for (std::size_t t = 0; t < 4; ++t)
            crowd.emplace_back([&, t] {
                for (int i = 0; i < 10'000; ++i) {
                    auto slot = limit.admit(t % 2, start);
                    if (!slot) continue;
                    if (++inside > 3) ++over;
                    --inside;
                }
            });
    }
    CHECK(over == 0);
    CHECK(limit.in_flight() == 0);
}
