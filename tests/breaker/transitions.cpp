// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/transitions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_state;
using weir::circuit_transition;
using weir::time_point;
using weir::detail::transition_queue;

namespace {

circuit_transition numbered(int n)
{
    return {"b", circuit_state::closed, circuit_state::open, time_point{} + n * 1s, false};
}

int number(circuit_transition const& t) { return static_cast<int>(t.at.time_since_epoch() / 1s); }

}  // namespace

TEST_CASE("transitions: every listener hears all of them in order, one that throws notwithstanding")
{
    transition_queue q;
    std::vector<int> first, second;
    q.listen([&](auto const& t) {
        first.push_back(number(t));
        throw std::runtime_error("a listener's own trouble");
    });
    q.listen([&](auto const& t) { second.push_back(number(t)); });
    q.push(numbered(1));
    q.push(numbered(2));
    q.deliver();
    q.push(numbered(3));
    q.deliver();
    CHECK(first == std::vector{1, 2, 3});
    CHECK(second == std::vector{1, 2, 3});
}

TEST_CASE("transitions: what a listener causes comes after what it hears, without recursion")
{
    transition_queue q;
    std::vector<int> heard;
    int depth = 0, deepest = 0;
    q.listen([&](auto const& t) {
        deepest = std::max(deepest, ++depth);
        if (number(t) < 10'000) {
            q.push(numbered(number(t) + 1));
            q.deliver();
        }
        heard.push_back(number(t));
        --depth;
    });
    q.push(numbered(1));
    q.deliver();
    CHECK(deepest == 1);
    CHECK(heard.size() == 10'000);
    CHECK(std::is_sorted(heard.begin(), heard.end()));
}

TEST_CASE("transitions: a listener may add a listener; it hears from the next on")
{
    transition_queue q;
    std::vector<int> heard;
    bool added = false;
    q.listen([&](auto const&) {
        if (!std::exchange(added, true)) q.listen([&](auto const& t) { heard.push_back(number(t)); });
    });
    q.push(numbered(1));
    q.push(numbered(2));
    q.deliver();
    CHECK(heard == std::vector{2});
}

TEST_CASE("transitions: without listeners nothing is kept")
{
    transition_queue q;
    for (int i = 0; i < 1000; ++i) q.push(numbered(i));
    int heard = 0;
    q.listen([&](auto const&) { ++heard; });
    q.deliver();
    CHECK(heard == 0);
}

TEST_CASE("transitions: many threads, and still one at a time, in order, each once")
{
    transition_queue q;
    std::mutex order;
    int next = 0;
    std::atomic<int> inside{0};
    bool overlapped = false;
    std::vector<int> heard;
    q.listen([&](auto const& t) {
        overlapped |= ++inside > 1;
        heard.push_back(number(t));
        --inside;
    });
    std::vector<std::thread> pool;
    for (int t = 0; t < 4; ++t)
        pool.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                {
                    std::lock_guard const lock(order);  // as the breaker's lock does
                    q.push(numbered(next++));
                }
                q.deliver();
            }
        });
    for (auto& t : pool) t.join();
    q.deliver();
    CHECK_FALSE(overlapped);
    REQUIRE(heard.size() == 8000);
    for (int i = 0; i < 8000; ++i) REQUIRE(heard[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("transitions: states have names")
{
    CHECK(to_string(circuit_state::closed) == "closed");
    CHECK(to_string(circuit_state::open) == "open");
    CHECK(to_string(circuit_state::half_open) == "half_open");
    CHECK(to_string(circuit_state::forced_open) == "forced_open");
    CHECK(to_string(circuit_state::disabled) == "disabled");
}
