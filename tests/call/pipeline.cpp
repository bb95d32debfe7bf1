// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct counting_token {
    std::atomic<int>* settled;
    explicit counting_token(std::atomic<int>& s) : settled(&s) {}
    counting_token(counting_token&& o) noexcept : settled(std::exchange(o.settled, nullptr)) {}
    counting_token& operator=(counting_token&& o) noexcept
    {
        std::swap(settled, o.settled);
        return *this;
    }
    ~counting_token()
    {
        if (settled) *settled += 1000;
    }
    void record(weir::outcome const&, weir::time_point) noexcept { ++*std::exchange(settled, nullptr); }
};

struct counting_gate {
    std::atomic<int> admitted{0}, settled{0};
    weir::admission<counting_token> admit(weir::time_point)
    {
        ++admitted;
        return counting_token(settled);
    }
};

}  // namespace

TEST_CASE("pipeline: lvalues are shared by reference, rvalues move in")
{
    weir::testing::manual_clock clock;
    weir::token_bucket shared({.rate = weir::per_hour(1), .burst = 1});
    auto first = weir::pipeline(shared);
    auto second = weir::pipeline(shared);
    auto const op = [](weir::attempt const&) { return 1; };
    CHECK(first.call(op, clock));
    CHECK_FALSE(second.call(op, clock));

    auto owns = weir::pipeline(weir::token_bucket({.rate = weir::per_hour(1), .burst = 1}));
    auto moved = std::move(owns);  // before its first call
    CHECK(moved.call(op, clock));
    CHECK_FALSE(moved.call(op, clock));
}

TEST_CASE("pipeline: unchecked_order takes the order as written")
{
    weir::testing::manual_clock clock;
    auto odd = weir::pipeline(weir::unchecked_order{}, weir::attempt_timeout(300ms), weir::retry(), weir::deadline(1s));
    CHECK(odd.call([&](weir::attempt const& a) { return a.deadline() - clock.now(); }, clock).value() == 300ms);
}

TEST_CASE("pipeline: the nearer of two limits of one kind holds")
{
    weir::testing::manual_clock clock;
    auto p = weir::pipeline(weir::deadline(2s), weir::deadline(1s), weir::retry(), weir::attempt_timeout(700ms),
                            weir::attempt_timeout(5s));
    CHECK(p.call([&](weir::attempt const& a) { return a.deadline() - clock.now(); }, clock).value() == 700ms);
    auto q = weir::pipeline(weir::deadline(2s), weir::deadline(1s));
    CHECK(q.call([&](weir::attempt const& a) { return a.deadline() - clock.now(); }, clock).value() == 1s);
}

TEST_CASE("pipeline: an empty one calls, and nothing else")
{
    auto p = weir::pipeline<>();
    CHECK(p.call([](weir::attempt const& a) { return a.deadline() == weir::never; }).value());
}

TEST_CASE("pipeline: many threads through one pipeline, every token settled exactly once")
{
    constexpr int threads = 8;
    constexpr int calls = 3000;
    counting_gate outer, inner;
    weir::retry_budget budget({.per_success = 0.1, .initial = 10, .max = 10});
    weir::circuit_breaker breaker({.failure_rate = 0.99, .minimum_calls = 1000});
    auto p =
        weir::pipeline(outer, weir::retry({.max_attempts = 2, .backoff = weir::constant(0ns)}, budget), inner, breaker);
    std::atomic<int> sent{0};
    std::barrier start(threads);
    std::vector<std::jthread> team;
    for (int t = 0; t < threads; ++t)
        team.emplace_back([&, t] {
            start.arrive_and_wait();
            for (int i = 0; i < calls; ++i) {
                auto const fails = (i + t) % 7 == 0;
                try {
                    (void)p.call([&](weir::attempt const& a) -> weir::result<int> {
                        ++sent;
                        if (fails && a.number() == 1)
                            return weir::error(std::make_error_code(std::errc::connection_reset));
                        if (fails && i % 2) throw std::runtime_error("x");
                        return 1;
                    });
                } catch (std::runtime_error const&) {
                }
            }
        });
    team.clear();
    CHECK(outer.admitted == threads * calls);
    CHECK(outer.settled == threads * calls);
    CHECK(inner.admitted == sent);
    CHECK(inner.settled == sent);
    CHECK(sent > threads * calls);
}
