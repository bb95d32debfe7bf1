// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Oracles for what is counted rather than earned: windows, slots, and the budget of retries.

#include "never_over/history.hpp"
#include "never_over/restless.hpp"
#include "support/thorough.hpp"

#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/partitioned_limit.hpp>
#include <weir/limit/shedding_queue.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/retry/retry_budget.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <list>
#include <optional>
#include <random>

namespace {

using namespace never_over;
using namespace std::chrono_literals;
using generator = std::mt19937_64;

weir::time_point at(std::int64_t ns) { return weir::time_point{weir::duration{ns}}; }

std::uint64_t any_size(generator& g, std::uint64_t most)
{
    auto const x = std::exp2(static_cast<double>(g() % 1'000'000) * 1e-6 * std::log2(static_cast<double>(most)));
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(x), 1, most);
}

std::int64_t place(std::int64_t now, std::int64_t length) { return now / length - (now % length < 0 ? 1 : 0); }

/// One count, for the window of the clock in which it was last asked.
struct counted_window {
    std::uint64_t limit;
    std::int64_t length;
    std::int64_t index = INT64_MIN;
    std::uint64_t count = 0;

    bool take(std::uint64_t n, std::int64_t now)
    {
        auto const k = place(now, length);
        if (n == 0) return true;
        if (n > limit || k < index) return false;
        auto const in = index == k ? count : 0;
        if (n > limit - in) return false;
        index = k;
        count = in + n;
        return true;
    }
};

/// This window and the one before, which counts for the part of it that is less than a window ago, rounded up.
struct two_windows {
    std::uint64_t limit;
    std::int64_t length;
    std::int64_t index = INT64_MIN;
    std::uint64_t before = 0, count = 0;

    bool take(std::uint64_t n, std::int64_t now)
    {
        auto const k = place(now, length);
        if (n == 0) return true;
        if (n > limit || k < index) return false;
        auto const old = index == k ? before : index == k - 1 ? count : 0;
        auto const in = index == k ? count : 0;
        auto const weight = (int128{old} * (length - (now - k * length)) + length - 1) / length;
        if (weight + in + n > limit) return false;
        index = k, before = old, count = in + n;
        return true;
    }
};

/// Every start, and nothing else.
struct all_starts {
    std::uint64_t limit;
    std::int64_t length;
    std::deque<std::int64_t> starts = {};

    bool take(std::uint64_t n, std::int64_t now)
    {
        if (n == 0) return true;
        while (!starts.empty() && int128{now} - starts.front() >= length) starts.pop_front();
        if (n > limit || starts.size() + n > limit) return false;
        starts.insert(starts.end(), n, now);
        return true;
    }
};

template <class Limiter, class Oracle>
void beside_the_oracle(std::uint64_t seed, std::uint64_t most)
{
    generator g{seed};
    for (int quota = 0; quota < 500; ++quota) {
        auto const limit = g() % 50 == 0 ? 0 : any_size(g, most);
        auto const length = static_cast<std::int64_t>(any_size(g, 31'536'000'000'000'000));
        CAPTURE(quota);
        CAPTURE(limit);
        CAPTURE(length);
        Limiter limiter{{.limit = limit, .window = weir::duration{length}}};
        Oracle oracle{limit, length};
        constexpr std::int64_t starts[] = {0, -1'000'000'007, 31'557'600'000'000'000, INT64_MIN / 2,
                                           4'000'000'000'000'000'000};
        auto now = starts[g() % std::size(starts)];
        auto const gap = 2 * length / static_cast<std::int64_t>(std::max<std::uint64_t>(limit, 1)) + 1;
        for (int i = 0; i < 2'000; ++i) {
            CAPTURE(i);
            auto const room = INT64_MAX - length - 1'000'000'000 - std::max<std::int64_t>(now, 0);
            std::int64_t step = static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(gap));
            if (g() % 64 == 0) step = length - (now - place(now, length) * length) - static_cast<std::int64_t>(g() % 2);
            if (g() % 128 == 0) step = static_cast<std::int64_t>(any_size(g, 100'000'000'000'000'000));
            now += std::min(step, room);
            CAPTURE(now);
            std::uint64_t const sizes[] = {0, limit, limit + 1, limit / 2, UINT64_MAX, std::uint64_t{1} << (g() % 64)};
            auto const n = g() % 8 == 0 ? sizes[g() % std::size(sizes)] : 1;
            CAPTURE(n);
            bool const admitted = limiter.try_acquire(n, at(now));
            REQUIRE(admitted == oracle.take(n, now));
        }
    }
}

}  // namespace

TEST_CASE("fixed_window: a million decisions as counting has them")
{
    beside_the_oracle<weir::fixed_window, counted_window>(1, 1'000'000'000);
}

TEST_CASE("sliding_window_limiter: a million decisions as counting has them")
{
    beside_the_oracle<weir::sliding_window_limiter, two_windows>(2, 16'000'000);
}

TEST_CASE("sliding_window_log: a million decisions as counting has them")
{
    beside_the_oracle<weir::sliding_window_log, all_starts>(3, 2'000);
}

TEST_CASE("concurrency_limit: a million steps as a list of callers has them")
{
    struct in_line final : weir::concurrency_waiter {
        void granted(weir::concurrency_slot s) noexcept override { slot.emplace(std::move(s)); }
        std::optional<weir::concurrency_slot> slot;
    };
    generator g{4};
    for (int round = 0; round < 200; ++round) {
        CAPTURE(round);
        std::size_t limit = 1 + g() % 6;
        std::size_t most = g() % 5;
        weir::concurrency_limit limiter{
            {.limit = static_cast<std::uint32_t>(limit), .max_queue = static_cast<std::uint32_t>(most)}};
        std::list<weir::concurrency_slot> in;
        std::list<in_line> queue;  // as the oracle has it
        auto const let_in = [&] {  // who must have been granted by now, the oldest first
            while (!queue.empty() && in.size() < limit) {
                REQUIRE(queue.front().slot.has_value());
                in.push_back(std::move(*queue.front().slot));
                queue.pop_front();
            }
            for (auto const& w : queue) REQUIRE_FALSE(w.slot.has_value());
        };
        for (int i = 0; i < 5'000; ++i) {
            CAPTURE(i);
            bool const free = in.size() < limit && queue.empty();
            switch (g() % 6) {
                case 0: {
                    auto a = limiter.admit(at(i));
                    REQUIRE(static_cast<bool>(a) == free);
                    if (a) in.push_back(*std::move(a));
                    break;
                }
                case 1: {
                    queue.emplace_back();
                    auto a = limiter.enqueue(queue.back(), at(i));
                    REQUIRE(a.has_value() == (free || queue.size() > most));
                    if (!a) break;
                    REQUIRE(static_cast<bool>(*a) == free);
                    if (*a) in.push_back(**std::move(a));
                    queue.pop_back();
                    break;
                }
                case 2:
                    if (queue.empty()) break;
                    {
                        auto const w = std::next(queue.begin(), static_cast<std::ptrdiff_t>(g() % queue.size()));
                        REQUIRE(limiter.cancel(*w));
                        queue.erase(w);
                    }
                    break;
                case 3:
                    if (g() % 16 != 0) break;
                    limit = 1 + g() % 6, most = g() % 5;
                    limiter.reconfigure(
                        {.limit = static_cast<std::uint32_t>(limit), .max_queue = static_cast<std::uint32_t>(most)});
                    let_in();
                    break;
                default:
                    if (in.empty()) break;
                    in.erase(std::next(in.begin(), static_cast<std::ptrdiff_t>(g() % in.size())));
                    let_in();
            }
            REQUIRE(limiter.in_flight() == in.size());
            REQUIRE(limiter.waiting() == queue.size());
        }
        for (auto& w : queue) REQUIRE(limiter.cancel(w));
    }
}

TEST_CASE("adaptive_limit: a million steps as a list of callers has them")
{
    generator g{6};
    for (int round = 0; round < weir::test::thorough(200); ++round) {
        CAPTURE(round);
        std::uint32_t most = 1 + static_cast<std::uint32_t>(g() % 6);
        weir::adaptive_limit<restless> limiter{{.concurrency = {most}}};
        restless oracle{{most}};
        std::list<weir::adaptive_limit<restless>::token> in;
        for (int i = 0; i < 5'000; ++i) {
            CAPTURE(i);
            if (g() % 64 == 0) {
                most = 1 + static_cast<std::uint32_t>(g() % 6);
                limiter.reconfigure({.concurrency = {most}});
                oracle.reconfigure({most});
            } else if (g() % 2 == 0) {
                auto a = limiter.admit(at(i));
                REQUIRE(static_cast<bool>(a) == (in.size() < oracle.limit()));
                if (a) in.push_back(*std::move(a));
            } else if (!in.empty()) {
                auto const one = std::next(in.begin(), static_cast<std::ptrdiff_t>(g() % in.size()));
                if (g() % 2 == 0) {  // else it teaches nothing
                    one->record(weir::outcome::success(), at(i));
                    oracle.update({});
                }
                in.erase(one);
            }
            REQUIRE(limiter.in_flight() == in.size());
            REQUIRE(limiter.limit() == oracle.limit());
        }
    }
}

TEST_CASE("partitioned_limit: a million steps as lists of callers have them")
{
    using limit_type = weir::partitioned_limit<restless>;
    generator g{7};
    for (int round = 0; round < weir::test::thorough(200); ++round) {
        CAPTURE(round);
        std::uint32_t const most = 1 + static_cast<std::uint32_t>(g() % 12);
        constexpr std::int64_t claim = 20;
        limit_type limiter{{.concurrency = {most}, .shares = {0.5, 0.25, 0.125}, .claim = weir::duration{claim}}};
        restless oracle{{most}};
        std::array<std::list<limit_type::token>, 3> in;
        std::int64_t claimed_until = 0;  // nobody has been refused below his share since
        std::size_t all = 0;
        for (int i = 0; i < 5'000; ++i) {
            CAPTURE(i);
            auto const k = g() % 3;
            auto& mine = in[k];
            if (g() % 2 == 0) {
                auto const share = std::max<std::size_t>(oracle.limit() * (k == 0 ? 4 : k == 1 ? 2 : 1) / 8, 1);
                bool const own = mine.size() < share;
                bool const free = all < oracle.limit();
                auto a = limiter.admit(k, at(i));
                if (!free) REQUIRE_FALSE(a);
                if (free && (own || i >= claimed_until)) REQUIRE(static_cast<bool>(a));
                if (!a && own) claimed_until = i + claim;
                if (a) mine.push_back(*std::move(a)), ++all;
            } else if (!mine.empty()) {
                auto const one = std::next(mine.begin(), static_cast<std::ptrdiff_t>(g() % mine.size()));
                if (g() % 2 == 0) {
                    one->record(weir::outcome::success(), at(i));
                    oracle.update({});
                }
                mine.erase(one), --all;
            }
            REQUIRE(limiter.in_flight() == all);
            REQUIRE(limiter.in_flight(k) == mine.size());
            REQUIRE(limiter.limit() == oracle.limit());
        }
    }
}

TEST_CASE("shedding_queue: a million steps, and whoever waits is told once, while all slots are taken")
{
    using queue = weir::shedding_queue<>;
    struct in_queue final : weir::shedding_waiter<queue> {
        void granted(weir::shedding_slot<queue> s) noexcept override { slot = std::move(s), ++told; }
        void shed(weir::rejection) noexcept override { ++told; }
        weir::shedding_slot<queue> slot;
        int told = 0;
    };
    generator g{8};
    for (int round = 0; round < weir::test::thorough(200); ++round) {
        CAPTURE(round);
        auto limit = static_cast<std::uint32_t>(1 + g() % 6);
        auto most = static_cast<std::uint32_t>(g() % 8);
        auto const options = [&] {
            return queue::options{.concurrency = {limit},
                                  .max_queue = most,
                                  .interval = weir::duration{static_cast<std::int64_t>(g() % 200)},
                                  .target = weir::duration{static_cast<std::int64_t>(g() % 50)},
                                  .slack = static_cast<double>(g() % 4)};
        };
        queue limiter{options()};
        std::list<weir::shedding_slot<queue>> in;
        std::list<in_queue> waiting;
        auto const look = [&] {
            for (auto w = waiting.begin(); w != waiting.end();) {
                REQUIRE(w->told <= 1);
                if (w->slot) in.push_back(std::move(w->slot));
                w = w->told == 1 ? waiting.erase(w) : std::next(w);
            }
        };
        for (int i = 0; i < 5'000; ++i) {
            CAPTURE(i);
            auto const before = in.size();
            switch (g() % 6) {
                case 0:
                    if (auto a = limiter.admit(at(i))) in.push_back(*std::move(a));
                    break;
                case 1:
                case 2: {
                    auto const deadline = g() % 2 == 0 ? weir::never : at(i + static_cast<std::int64_t>(g() % 100));
                    bool const free = in.size() < limit && waiting.empty();
                    waiting.emplace_back();
                    auto a =
                        limiter.enqueue(waiting.back(), {deadline, static_cast<weir::criticality>(g() % 4)}, at(i));
                    if (free) REQUIRE((a.has_value() && (*a || deadline != weir::never)));
                    if (!a) break;
                    REQUIRE(waiting.back().told == 0);
                    waiting.pop_back();
                    if (*a) in.push_back(**std::move(a));
                    break;
                }
                case 3:
                    if (waiting.empty()) break;
                    {
                        auto const w = std::next(waiting.begin(), static_cast<std::ptrdiff_t>(g() % waiting.size()));
                        REQUIRE(limiter.cancel(*w));
                        REQUIRE(w->told == 0);
                        waiting.erase(w);
                    }
                    break;
                case 4:
                    if (g() % 16 != 0) break;
                    limit = static_cast<std::uint32_t>(1 + g() % 6), most = static_cast<std::uint32_t>(g() % 8);
                    limiter.reconfigure(options());
                    break;
                default:
                    if (in.empty()) break;
                    {
                        auto const one = std::next(in.begin(), static_cast<std::ptrdiff_t>(g() % in.size()));
                        if (g() % 2 == 0) one->record(weir::outcome::success(), at(i));
                        in.erase(one);
                    }
            }
            look();
            REQUIRE((in.size() <= limit || in.size() <= before));  // a limit that falls takes nobody's slot
            REQUIRE((waiting.empty() || in.size() >= limit));
            REQUIRE(limiter.in_flight() == in.size());
            REQUIRE(limiter.waiting() == waiting.size());
        }
        for (auto& w : waiting) REQUIRE(limiter.cancel(w));
    }
}

TEST_CASE("retry_budget: a million steps as whole numbers have them")
{
    generator g{5};
    for (int round = 0; round < 500; ++round) {
        CAPTURE(round);
        // Millionths, so that each option is exactly one number of them.
        auto credit = static_cast<std::int64_t>(g() % 1'000'001);
        auto max = static_cast<std::int64_t>(1'000'000 + any_size(g, 1'000'000'000'000) * 7 % 999'000'000'000);
        auto held = static_cast<std::int64_t>(g() % static_cast<std::uint64_t>(max + 1));
        auto const tokens = [](std::int64_t millionths) { return static_cast<double>(millionths) / 1e6; };
        weir::retry_budget budget{{.per_success = tokens(credit), .initial = tokens(held), .max = tokens(max)}};
        auto const add = [&](std::int64_t x) { held = std::max(held, std::min(max, held + x)); };
        for (int i = 0; i < 2'000; ++i) {
            CAPTURE(i);
            switch (g() % 8) {
                case 0:
                    budget.refund();
                    add(1'000'000);
                    break;
                case 1:
                    if (g() % 16 != 0) break;
                    credit = static_cast<std::int64_t>(g() % 1'000'001);
                    max = static_cast<std::int64_t>(1'000'000 + any_size(g, 100'000'000));
                    budget.reconfigure({.per_success = tokens(credit), .initial = 0, .max = tokens(max)});
                    held = std::min(held, max);
                    break;
                case 2:
                case 3:
                case 4:
                    budget.deposit();
                    add(credit);
                    break;
                default: {
                    bool const yes = held >= 1'000'000;
                    REQUIRE(budget.try_withdraw() == yes);
                    if (yes) held -= 1'000'000;
                }
            }
            REQUIRE(std::llround(budget.tokens() * 1e6) == held);
        }
    }
}
