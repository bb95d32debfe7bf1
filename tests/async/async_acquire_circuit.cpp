// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_acquire_circuit.hpp>
#include <weir/testing/virtual_time.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::circuit_state;
using weir::outcome;
using permit = weir::circuit_breaker::permit;

namespace {

/// A breaker that one failure opens for 5 s and one probe closes, and those who wait for it, by number.
struct world : weir::testing::virtual_time {
    explicit world(weir::circuit_breaker_options o = {.minimum_calls = 1, .half_open_probes = 1}) : breaker(o) {}

    weir::time_point const begin = now();
    [[nodiscard]] weir::duration elapsed() const { return now() - begin; }

    weir::circuit_breaker breaker;
    struct ending {
        int who;
        error_code ec;
        weir::duration at;
        friend bool operator==(ending const&, ending const&) = default;
    };
    std::vector<ending> endings;
    std::deque<permit> leaves;  // of those who got through, in order
    std::deque<asio::cancellation_signal> cancels;

    void open()
    {
        auto a = breaker.admit(now());
        REQUIRE(a);
        a->record(outcome::failure(), now());
        REQUIRE(breaker.state(now()) == circuit_state::open);
    }
    void wait(int who, weir::duration max_wait = weir::duration::max())
    {
        auto& cancel = cancels.emplace_back();
        weir::async_acquire(get_executor(), breaker, max_wait,
                            asio::bind_cancellation_slot(cancel.slot(), [this, who](error_code ec, permit leave) {
                                endings.push_back({who, ec, elapsed()});
                                if (!ec) leaves.push_back(std::move(leave));
                            }));
    }
    void settle(outcome const& o)
    {
        REQUIRE_FALSE(leaves.empty());
        leaves.front().record(o, now());
        leaves.pop_front();
    }
    [[nodiscard]] std::vector<int> who() const
    {
        std::vector<int> all;
        for (auto const& e : endings) all.push_back(e.who);
        return all;
    }
};

std::vector<int> from_to(int first, int last)
{
    std::vector<int> v(static_cast<std::size_t>(last - first + 1));
    std::iota(v.begin(), v.end(), first);
    return v;
}

}  // namespace

TEST_CASE("async_acquire of a breaker: closed, it is let through at once, and not inside the initiating function")
{
    world w;
    w.wait(1, 0s);
    CHECK(w.endings.empty());
    w.poll();
    CHECK(w.endings == std::vector<world::ending>{{1, {}, 0s}});
    w.settle(outcome::success());
    CHECK(w.breaker.tally(w.now()).calls == 1);
}

TEST_CASE("async_acquire of a breaker: a coroutine waits for its peer")
{
    world w;
    w.open();
    bool done = false;
    asio::co_spawn(
        w.get_executor(),
        [&]() -> asio::awaitable<void> {
            auto leave = co_await weir::async_acquire(w.breaker, 30s, asio::use_awaitable);
            CHECK(w.elapsed() == 5s);
            leave.record(outcome::success(), w.now());
            done = true;
        },
        asio::detached);
    w.run();
    CHECK(done);
    CHECK(w.breaker.state(w.now()) == circuit_state::closed);
}

TEST_CASE("async_acquire of a breaker: half open, only the probes go; when they succeed all go, in order")
{
    world w({.minimum_calls = 1, .half_open_probes = 3, .half_open_success_rate = 1});
    w.open();
    for (int i = 0; i < 1000; ++i) w.wait(i);
    w.run_for(7s);
    CHECK(w.who() == from_to(0, 2));
    CHECK(w.endings.back().at == 5s);
    auto const asked = w.breaker.refusals();
    CHECK(asked <= 1000 + 10);  // each when it came; and not a thousand times again when it was half open

    w.settle(outcome::success());
    w.settle(outcome::success());
    w.poll();
    CHECK(w.endings.size() == 3);
    w.settle(outcome::success());
    w.poll();
    CHECK(w.who() == from_to(0, 999));
    CHECK(std::all_of(w.endings.begin(), w.endings.end(), [](auto const& e) { return !e.ec; }));
    CHECK(w.endings.back().at == 7s);
    CHECK(w.breaker.refusals() <= asked + 10);
    CHECK(w.waiting() == 0);
}

TEST_CASE("async_acquire of a breaker: when the probe fails, the next in line probes when it is half open again")
{
    world w;
    w.open();
    for (int i = 0; i < 4; ++i) w.wait(i);
    w.run_for(6s);
    w.settle(outcome::failure());  // open until 6 s + 7.5 s
    w.run_for(7s);
    CHECK(w.who() == from_to(0, 0));
    w.run_for(500ms);
    CHECK(w.who() == from_to(0, 1));
    CHECK(w.endings.back().at == 13500ms);
    CHECK(w.breaker.refusals() < 20);

    // One that never reports: its lease ends with the third opening.
    w.run();
    CHECK(w.who() == from_to(0, 3));
    CHECK(w.endings[2].at == 13500ms + 5s + 11250ms);
}

TEST_CASE("async_acquire of a breaker: a probe given back unused goes to the next in line, at once")
{
    world w;
    w.open();
    for (int i = 0; i < 3; ++i) w.wait(i);
    w.run_for(6s);
    w.leaves.clear();
    w.poll();
    CHECK(w.who() == from_to(0, 1));
    w.settle(outcome::ignored());
    w.poll();
    CHECK(w.who() == from_to(0, 2));
    CHECK(w.endings.back().at == 6s);
}

TEST_CASE("async_acquire of a breaker: what is open for longer than max_wait fails at once, else after max_wait")
{
    world w;
    w.open();
    w.wait(0, 4999ms);
    w.wait(1, 5s);
    w.poll();
    CHECK(w.endings == std::vector<world::ending>{{0, make_error_code(weir::errc::circuit_open), 0s}});
    w.run_for(5s);
    CHECK(w.who() == from_to(0, 1));
    CHECK_FALSE(w.endings.back().ec);

    w.wait(2, 2s);  // a probe is out, and may be back any time
    w.wait(3, 3s);
    w.wait(4, 4s);
    w.run_for(2s);
    CHECK(w.endings.back() == world::ending{2, make_error_code(weir::errc::circuit_open), 7s});
    w.run_for(500ms);
    w.settle(outcome::success());
    w.poll();
    CHECK(w.who() == from_to(0, 4));
    CHECK(w.endings.back() == world::ending{4, {}, 7500ms});
    CHECK(w.waiting() == 0);
}

TEST_CASE("async_acquire of a breaker: whoever is cancelled leaves the line, and the next sees to it")
{
    for (int const gone : {0, 1, 4}) {
        CAPTURE(gone);
        world w;
        w.open();
        for (int i = 0; i < 5; ++i) w.wait(i);
        w.run_for(1s);
        w.cancels[static_cast<std::size_t>(gone)].emit(asio::cancellation_type::total);
        CHECK(w.endings.empty());
        w.poll();
        CHECK(w.endings == std::vector<world::ending>{{gone, error_code(asio::error::operation_aborted), 1s}});
        w.run_for(4s);
        REQUIRE(w.leaves.size() == 1);
        CHECK(w.endings.back() == world::ending{gone == 0 ? 1 : 0, {}, 5s});
        w.settle(outcome::success());
        w.poll();
        CHECK(w.endings.size() == 5);
        CHECK(std::is_sorted(w.endings.begin() + 1, w.endings.end(),
                             [](auto const& a, auto const& b) { return a.who < b.who; }));
    }
}

TEST_CASE("async_acquire of a breaker: forced open, it waits until told otherwise, and asks no more meanwhile")
{
    world w;
    w.breaker.force_open(w.now());
    w.wait(0, 24h);
    w.wait(1);
    w.wait(2);
    w.run_for(48h);
    CHECK(w.endings == std::vector<world::ending>{{0, make_error_code(weir::errc::circuit_open), 0s}});
    CHECK(w.breaker.refusals() < 10);
    w.breaker.reset(w.now());
    w.poll();
    CHECK(w.who() == from_to(0, 2));
    CHECK(w.endings.back().at == 48h);

    w.breaker.force_open(w.now());
    w.wait(3);
    w.poll();
    w.breaker.disable(w.now());
    w.poll();
    CHECK(w.who() == from_to(0, 3));
}

TEST_CASE("async_acquire of a breaker: an instant to come back that is now, time and again, is no reason to spin")
{
    // No open time at all, and a lease that is over with the next tick: a refusal may name the present.
    world w({.minimum_calls = 1, .open_for = 0s, .half_open_probes = 1, .probe_timeout = 1ns});
    auto a = w.breaker.admit(w.now());
    a->record(outcome::failure(), w.now());
    for (int i = 0; i < 50; ++i) w.wait(i);
    w.run();
    CHECK(w.who() == from_to(0, 49));
    CHECK(w.elapsed() <= 50ms);
    CHECK(w.breaker.refusals() < 300);
}

TEST_CASE("async_acquire of a breaker: with a ramp those who wait come spread over it, all by its end")
{
    world w({.minimum_calls = 1, .half_open_probes = 1, .ramp_for = 10s, .ramp_from = 0.1, .seed = 7});
    w.open();
    for (int i = 0; i <= 1000; ++i) w.wait(i);
    w.run_for(5s);
    REQUIRE(w.leaves.size() == 1);
    w.settle(outcome::success());
    w.run();
    REQUIRE(w.endings.size() == 1001);
    std::array<int, 11> in_second{};
    for (auto const& e : w.endings) {
        CHECK_FALSE(e.ec);
        ++in_second.at(static_cast<std::size_t>((e.at - 5s) / 1s));
    }
    CHECK(*std::max_element(in_second.begin(), in_second.end()) < 350);
    CHECK(in_second[10] < 50);
    CHECK(w.elapsed() <= 15s);
}

TEST_CASE("async_acquire of a breaker: a context that goes leaves the line to others, and the breaker as it was")
{
    weir::circuit_breaker breaker({.minimum_calls = 1, .half_open_probes = 1});
    world stays;
    auto first = std::make_unique<weir::testing::virtual_time>();
    breaker.admit(stays.now())->record(outcome::failure(), stays.now());
    auto const alive = std::make_shared<int>();
    int called = 0;
    for (int i = 0; i < 3; ++i)
        weir::async_acquire(first->get_executor(), breaker, 1h, [&, alive](error_code, permit) { ++called; });
    bool through = false;
    weir::async_acquire(stays.get_executor(), breaker, 1h, [&](error_code ec, permit) { through = !ec; });
    first->poll();
    CHECK(alive.use_count() == 4);
    first.reset();
    CHECK(alive.use_count() == 1);
    CHECK(called == 0);
    stays.run();
    CHECK(through);
    CHECK(stays.elapsed() == 5s);
}

TEST_CASE("async_acquire of a breaker: many threads that open, close, cancel: each wait ends once, none is forgotten")
{
    weir::circuit_breaker breaker(
        {.minimum_calls = 1, .open_for = 1ms, .open_multiplier = 1, .half_open_probes = 2, .probe_timeout = 5ms});
    constexpr int waits = 2000;
    std::atomic<int> ended{0}, through{0}, aborted{0}, in_time{0};
    auto const rounds = weir::test::thorough(10);
    for (int round = 0; round < rounds; ++round) {
        breaker.force_open();
        asio::thread_pool pool(3);
        std::deque<asio::cancellation_signal> cancels(waits);
        for (int i = 0; i < waits; ++i) {
            auto strand = asio::make_strand(pool);
            asio::post(strand, [&, i, strand] {
                weir::async_acquire(strand, breaker, i % 5 == 0 ? 3ms : weir::duration::max(),
                                    asio::bind_cancellation_slot(
                                        cancels[static_cast<std::size_t>(i)].slot(), [&, i](error_code ec, permit p) {
                                            ++ended;
                                            if (ec) return void(++(ec == weir::errc::circuit_open ? in_time : aborted));
                                            ++through;
                                            if (i % 4 != 0)
                                                p.record(i % 3 == 0 ? outcome::failure() : outcome::success());
                                        }));
            });
            if (i % 7 == 0)
                asio::post(strand,
                           [&, i] { cancels[static_cast<std::size_t>(i)].emit(asio::cancellation_type::terminal); });
        }
        std::thread by_hand([&] {
            for (int i = 0; i < 100; ++i) {
                std::this_thread::yield();
                i % 3 == 0 ? breaker.half_open() : i % 3 == 1 ? breaker.open() : breaker.force_open();
            }
            breaker.reset();
        });
        by_hand.join();
        pool.join();
    }
    CHECK(ended == rounds * waits);
    CHECK(ended == through + aborted + in_time);
    CHECK(through > 0);
    CHECK(aborted > 0);
}
