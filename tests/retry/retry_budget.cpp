// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/random.hpp>
#include <weir/retry/retry_budget.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::retry_budget;
using weir::test::thorough;

namespace {

int spend_all(retry_budget& b)
{
    int n = 0;
    while (b.try_withdraw()) ++n;
    return n;
}

}  // namespace

TEST_CASE("retry_budget: starts with about one token")
{
    retry_budget b;
    CHECK(b.tokens() == 1);
    CHECK(b.try_withdraw());
    CHECK_FALSE(b.try_withdraw());
}

TEST_CASE("retry_budget: ten successes earn one retry, nine do not")
{
    retry_budget b({.initial = 0});
    for (int i = 0; i < 9; ++i) b.deposit();
    CHECK_FALSE(b.try_withdraw());
    b.deposit();
    CHECK(b.try_withdraw());
    CHECK_FALSE(b.try_withdraw());
}

TEST_CASE("retry_budget: fractions do not drift")
{
    retry_budget b({.per_success = 0.025, .initial = 0, .max = 1e9, .window = 0s});
    for (int i = 0; i < thorough(4'000'000); ++i) b.deposit();
    CHECK(b.tokens() == thorough(100'000));
}

TEST_CASE("retry_budget: holds at most max, refunds included")
{
    retry_budget b({.per_success = 1, .initial = 3, .max = 3});
    b.deposit();
    b.refund();
    CHECK(b.tokens() == 3);
    CHECK(b.try_withdraw());
    b.refund();
    CHECK(spend_all(b) == 3);
}

TEST_CASE("retry_budget: a refused withdrawal changes nothing")
{
    retry_budget b({.per_success = 0.1, .initial = 0.9});
    for (int i = 0; i < 100; ++i) CHECK_FALSE(b.try_withdraw());
    b.deposit();
    CHECK(b.try_withdraw());
}

TEST_CASE("retry_budget: in an outage a burst of 1000 failures retries as often as was saved, no more")
{
    retry_budget b({.per_success = 0.2, .max = 10});
    for (int i = 0; i < 100'000; ++i) b.deposit();  // a long healthy time
    int retries = 0;
    for (int i = 0; i < 1000; ++i) retries += b.try_withdraw();
    CHECK(retries == 10);
}

TEST_CASE("retry_budget: retries <= initial + per_success x successes in every prefix of a random history")
{
    std::mt19937 random(9);
    retry_budget b({.per_success = 0.3, .initial = 2, .max = 5});
    double successes = 0, taken = 0;
    for (int i = 0; i < thorough(200'000); ++i) {
        switch (random() % 4) {
            case 0:
            case 1: b.deposit(), ++successes; break;
            case 2: taken += b.try_withdraw(); break;
            default:
                if (taken > 0 && random() % 8 == 0) b.refund(), --taken;
        }
        REQUIRE(taken <= 2 + 0.3 * successes + 1e-6);
        REQUIRE(b.tokens() >= 0);
        REQUIRE(b.tokens() <= 5);
    }
}

TEST_CASE("retry_budget: the bound holds in every prefix under threads, and no token is lost")
{
    // A withdrawal is noted after it was granted and a success before it is credited, so what a thread reads of the two
    // counters can only make the observed balance look better: if the bound is broken there, it is broken.
    retry_budget b({.per_success = 0.5, .initial = 5, .max = 1e9, .window = 0s});
    std::atomic<std::int64_t> successes{0}, retries{0};
    std::atomic<bool> broken{false};
    constexpr int threads = 4, rounds = 500'000;
    std::barrier start(threads);
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            start.arrive_and_wait();
            for (int i = 0; i < rounds; ++i) {
                if ((i + t) % 2 == 0) {
                    successes.fetch_add(1);
                    b.deposit();
                } else if (b.try_withdraw()) {
                    auto const n = retries.fetch_add(1) + 1;
                    if (n * 2 > 10 + successes.load()) broken = true;
                }
            }
        });
    for (auto& t : pool) t.join();
    CHECK_FALSE(broken.load());
    auto const earned = 5.0 + 0.5 * static_cast<double>(successes.load());
    CHECK(std::abs(b.tokens() + static_cast<double>(retries.load()) - earned) < 1e-6);
}

TEST_CASE("retry_budget: N threads at one token, one wins")
{
    for (int round = 0; round < thorough(200); ++round) {
        retry_budget b;
        std::atomic<int> won{0};
        std::barrier start(4);
        std::vector<std::thread> pool;
        for (int t = 0; t < 4; ++t)
            pool.emplace_back([&] {
                start.arrive_and_wait();
                won += b.try_withdraw();
            });
        for (auto& t : pool) t.join();
        REQUIRE(won == 1);
    }
}

TEST_CASE("retry_budget: without tokens the floor gives so many a second, and not one more in any span")
{
    for (double const rate : {0.5, 1.0, 3.0, 10.0, 1000.0}) {
        CAPTURE(rate);
        weir::retry_budget budget({.per_success = 0, .initial = 0, .min_per_second = rate});
        weir::time_point const t0{1h};
        std::vector<weir::time_point> given;
        auto now = t0;
        weir::random_engine random(3);
        for (int i = 0; i < thorough(20'000); ++i) {
            now += random() % 200 == 0 ? weir::duration(3s) : weir::duration(random() % 2'000'000);
            if (budget.try_withdraw(now)) given.push_back(now);
        }
        CHECK(given.front() - t0 < 5s);
        bool over = false;
        for (std::size_t i = 0; i < given.size(); ++i)
            for (std::size_t j = i; j < std::min(given.size(), i + 3000); ++j) {
                auto const seconds = std::chrono::duration<double>(given[j] - given[i]).count();
                auto const most = std::max(rate * (seconds + 1), rate * seconds + 1);
                over = over || static_cast<double>(j - i + 1) > most + 1e-6;
            }
        CHECK_FALSE(over);
        auto const seconds = std::chrono::duration<double>(now - t0).count();
        CHECK(static_cast<double>(given.size()) > std::min(0.2 * rate * seconds, thorough(5000) * 1.0));
    }
}

TEST_CASE("retry_budget: the floor is drawn on only when the tokens are spent, and off by default")
{
    weir::time_point const t0{1h};
    weir::retry_budget budget({.per_success = 0, .initial = 1, .min_per_second = 1});
    CHECK(budget.try_withdraw(t0));
    CHECK(budget.tokens() == 0);
    CHECK(budget.try_withdraw(t0));
    CHECK_FALSE(budget.try_withdraw(t0 + 999ms));
    CHECK(budget.try_withdraw(t0 + 1s));
    CHECK_FALSE(budget.try_withdraw(t0 + 1s));
    budget.reconfigure({.per_success = 0, .min_per_second = 0});
    CHECK_FALSE(budget.try_withdraw(t0 + 1h));

    weir::retry_budget plain({.initial = 0});
    CHECK_FALSE(plain.try_withdraw(t0));
    CHECK_FALSE(plain.try_withdraw());
    weir::retry_budget by_the_clock({.initial = 0, .min_per_second = 0.001});
    CHECK(by_the_clock.try_withdraw());
    CHECK_FALSE(by_the_clock.try_withdraw());
}

TEST_CASE("retry_budget: N threads at one token of the floor, one wins")
{
    for (int round = 0; round < thorough(50); ++round) {
        weir::retry_budget budget({.per_success = 0, .initial = 0, .min_per_second = 1});
        std::atomic<int> won{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] { won += budget.try_withdraw(weir::time_point(1h)) ? 1 : 0; });
        for (auto& t : threads) t.join();
        CHECK(won == 1);
    }
}

TEST_CASE("retry_budget: credit is forgotten when it is older than the window, down to what a new one has")
{
    weir::time_point const t0{1h};
    auto const earned = [&](weir::time_point at) {
        retry_budget b;
        for (int i = 0; i < 100; ++i) b.deposit(t0);
        CHECK(b.tokens() == 10);
        int n = 0;
        while (b.try_withdraw(at)) ++n;
        return n;
    };
    CHECK(earned(t0) == 10);
    CHECK(earned(t0 + 9999ms) == 10);
    CHECK(earned(t0 + 10s) == 1);
    CHECK(earned(t0 + 24h) == 1);
    CHECK(earned(t0 - 24h) == 10);  // a clock that goes back forgets nothing

    // A rare caller still retries in one call of ten.
    retry_budget rare;
    CHECK(rare.try_withdraw(t0));
    int retries = 0;
    for (int i = 0; i < 1000; ++i) {
        rare.deposit(t0 + i * 1min);
        retries += rare.try_withdraw(t0 + i * 1min);
    }
    CHECK(retries == 100);

    // Two credits of a half window are kept together, and go together.
    retry_budget b({.per_success = 1, .initial = 0});
    b.deposit(t0);
    b.deposit(t0 + 4s);
    b.deposit(t0 + 5s);
    CHECK(b.tokens() == 3);
    b.deposit(t0 + 10s);
    CHECK(b.tokens() == 2);

    retry_budget keeps({.per_success = 1, .window = 0s});
    for (int i = 0; i < 9; ++i) keeps.deposit(t0);
    keeps.deposit(t0 + 24h);
    CHECK(keeps.tokens() == 10);
}

TEST_CASE("retry_budget: it never holds more than initial and the window's credit, and all of half a window's")
{
    std::mt19937 random(4);
    for (int round = 0; round < thorough(200); ++round) {
        double const credit = 0.1 * static_cast<double>(1 + random() % 10), initial = static_cast<double>(random() % 3);
        retry_budget b({.per_success = credit, .initial = initial, .max = 50, .window = 1s});
        std::vector<std::pair<weir::time_point, double>> credits, refunds;
        double taken = 0, all = initial;
        weir::time_point now{1h}, last_taken{};
        auto const in_the_last = [&](weir::duration age, auto const& list) {
            double sum = 0;
            for (auto const& [at, n] : list) sum += now - at < age ? n : 0;
            return sum;
        };
        for (int i = 0; i < 500; ++i) {
            now +=
                weir::duration(1us) * static_cast<long>(random() % 50 == 0 ? random() % 2'000'000 : random() % 20'000);
            switch (random() % 8) {
                case 0:
                    if (b.try_withdraw(now)) ++taken, last_taken = now;
                    break;
                case 1:
                    if (taken == 0 || random() % 4 != 0) continue;
                    b.refund(), --taken, refunds.emplace_back(now, 1.0);
                    continue;  // it has no time of its own: the next that has forgets
                default: b.deposit(now), all += credit, credits.emplace_back(now, credit);
            }
            REQUIRE(taken <= all + 1e-6);
            REQUIRE(b.tokens() <= std::min(50.0, initial + in_the_last(1s, credits) + in_the_last(1s, refunds)) + 1e-6);
            if (now - last_taken > 1s) REQUIRE(b.tokens() >= std::min(50.0, in_the_last(500ms, credits)) - 1e-6);
        }
    }
}

TEST_CASE("retry_budget: many threads at the edges of the window: nothing is minted, and afterwards it still earns")
{
    retry_budget b({.per_success = 1, .initial = 0, .max = 1e6, .window = 1ms});
    std::atomic<std::int64_t> successes{0}, retries{0};
    std::atomic<bool> broken{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            weir::time_point now{1h};
            for (int i = 0; i < thorough(200'000); ++i) {
                now += 100ns * (i % 40);
                if ((i + t) % 3 != 0) {
                    successes.fetch_add(1);
                    b.deposit(now);
                } else if (b.try_withdraw(now)) {
                    if (retries.fetch_add(1) + 1 > successes.load()) broken = true;
                }
            }
        });
    for (auto& t : threads) t.join();
    CHECK_FALSE(broken.load());
    CHECK(b.tokens() + static_cast<double>(retries.load()) <= static_cast<double>(successes.load()) + 1e-6);
    CHECK(retries.load() > successes.load() / 10);
    weir::time_point const later{100h};
    b.deposit(later);
    CHECK(b.tokens() == 1);
}

TEST_CASE("retry_budget: another window keeps the tokens and begins with the next call")
{
    weir::time_point const t0{1h};
    retry_budget b({.per_success = 1, .window = 0s});
    for (int i = 0; i < 9; ++i) b.deposit(t0);
    b.reconfigure({.per_success = 1});
    b.deposit(t0 + 1h);
    CHECK(b.tokens() == 10);
    b.deposit(t0 + 1h + 10s);
    CHECK(b.tokens() == 2);
    b.reconfigure({.per_success = 1, .window = 0s});
    b.deposit(t0 + 24h);
    CHECK(b.tokens() == 3);
}

TEST_CASE("retry_budget: reconfigure keeps the tokens, at most the new max")
{
    retry_budget b({.per_success = 0.1, .initial = 8, .max = 10, .name = "orders"});
    b.reconfigure({.per_success = 0.5, .initial = 0, .max = 20, .name = "other"});
    CHECK(b.tokens() == 8);
    b.deposit();
    CHECK(b.tokens() == 8.5);
    b.reconfigure({.initial = 0, .max = 4});
    CHECK(b.tokens() == 4);
    CHECK(b.name() == "orders");
}

TEST_CASE("retry_budget: can be moved before its first use")
{
    retry_budget a({.initial = 4, .name = "orders"});
    retry_budget b(std::move(a));
    CHECK(b.tokens() == 4);
    CHECK(b.name() == "orders");
}

TEST_CASE("retry_budget: bad options throw and name the field")
{
    auto const nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(retry_budget({.per_success = 1.5}),
                         "weir: retry_budget_options.per_success must be in [0, 1], and is 1.5", std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.per_success = -0.1}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.per_success = nan}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.initial = 11}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.initial = -1}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.initial = nan}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.initial = 0, .max = 0.5}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.max = 2e9}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.max = nan}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.window = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.window = 1us}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.window = 25h}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.min_per_second = -1}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.min_per_second = 2e6}), std::invalid_argument);
    CHECK_THROWS_AS(retry_budget({.min_per_second = nan}), std::invalid_argument);
    retry_budget b;
    CHECK_THROWS_AS(b.reconfigure({.per_success = 2}), std::invalid_argument);
    CHECK(b.tokens() == 1);
}

TEST_CASE("max_safe_budget: what the load leaves")
{
    CHECK(weir::max_safe_budget(0.5) == doctest::Approx(1.0));
    CHECK(weir::max_safe_budget(0.8) == doctest::Approx(0.25));
    CHECK(weir::max_safe_budget(1.0) == 0.0);
    CHECK(weir::max_safe_budget(3.0) == 0.0);
    CHECK_THROWS_AS((void)weir::max_safe_budget(0), std::invalid_argument);
    CHECK_THROWS_AS((void)weir::max_safe_budget(std::nan("")), std::invalid_argument);
}

namespace {

// An overloaded server in steps of 10 ms: it serves `capacity` requests a step, first come first served; what has
// waited longer than the callers' timeout is served all the same, and is a failure. A failed call retries while the
// budget pays. Returns the steps from the end of the trigger until all requests of a step succeed, or -1.
struct world {
    double load;             // offered / capacity, without retries
    double per_request = 0;  // credit per request instead of per success
    double per_success = 0;

    int recovery() const
    {
        constexpr double capacity = 100;  // per step
        constexpr int timeout = 50, trigger_begin = 100, trigger_end = 1100, end = 30'000;
        retry_budget budget({.per_success = std::max(per_request, per_success), .initial = 10, .max = 100});
        std::vector<double> arrived(end, 0.0);  // how many requests arrived in each step
        double backlog = 0, carry = 0;          // waiting requests; failures to be retried in the next step
        int oldest = 0;                         // the step whose arrivals are being served
        double oldest_left = 0;
        for (int now = 0; now < end; ++now) {
            weir::time_point const time{10ms * now};
            double const fresh = load * capacity;
            double retries = 0;
            for (; carry >= 1 && budget.try_withdraw(time); --carry) ++retries;
            carry = 0;
            if (per_request > 0)
                for (int i = 0; i < static_cast<int>(fresh); ++i) budget.deposit(time);
            arrived[static_cast<std::size_t>(now)] = fresh + retries;
            backlog += fresh + retries;
            if (now == 0) oldest_left = arrived[0];

            bool const triggered = now >= trigger_begin && now < trigger_end;
            double serve = triggered ? 0.2 * capacity : capacity;
            double good = 0, late = 0;
            while (serve > 0 && backlog > 1e-9) {
                while (oldest_left <= 1e-12 && oldest < now) oldest_left = arrived[static_cast<std::size_t>(++oldest)];
                double const n = std::min(serve, oldest_left);
                if (n <= 0) break;
                (now - oldest <= timeout ? good : late) += n;
                serve -= n, oldest_left -= n, backlog -= n;
            }
            carry = late;  // the callers gave up on these and, if they may, try again
            if (per_success > 0)
                for (int i = 0; i < static_cast<int>(good); ++i) budget.deposit(time);
            if (now >= trigger_end && late == 0 && backlog < capacity) return now - trigger_end;
        }
        return -1;
    }
};

}  // namespace

TEST_CASE("retry_budget: earned per success, an overload ends as it would without retries; per request it does not")
{
    // The trigger: ten seconds at a fifth of the capacity. The naive arm must fail, or this proves nothing.
    int const none = world{.load = 0.85}.recovery();
    int const per_success = world{.load = 0.85, .per_success = 0.2}.recovery();
    int const per_request = world{.load = 0.85, .per_request = 0.2}.recovery();
    REQUIRE(none > 0);
    CHECK(per_request == -1);
    REQUIRE(per_success > 0);
    CHECK(per_success <= none * 1.1);

    // Below the bound that max_safe_budget states, credit per request recovers too, only later.
    REQUIRE(weir::max_safe_budget(0.85) > 0.1);
    INFO("without retries ", none, ", per success ", per_success);
    int const modest = world{.load = 0.85, .per_request = 0.1}.recovery();
    CHECK(modest > none * 1.5);
}
