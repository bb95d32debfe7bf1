// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/testing/virtual_time.hpp>

#include <weir/async/timer.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::time_point;
using weir::timer;
using weir::testing::virtual_time;

namespace {

/// Calls itself `times` times, each time by a post.
struct chain {
    asio::any_io_executor executor;
    std::size_t times;
    void operator()()
    {
        if (--times != 0) asio::post(executor, *this);
    }
};

}  // namespace

TEST_CASE("virtual_time: a year passes in no time, and each wait ends exactly on time")
{
    auto const real = std::chrono::steady_clock::now();
    virtual_time world(time_point(5s));
    std::vector<weir::duration> woke;
    asio::co_spawn(
        world.get_executor(),
        [&]() -> asio::awaitable<void> {
            timer t(co_await asio::this_coro::executor);
            for (auto const pause : {weir::duration(1ns), weir::duration(1h), weir::duration(24h * 365)}) {
                co_await t.async_wait_for(pause, asio::use_awaitable);
                woke.push_back(world.now() - time_point(5s));
                CHECK(weir::now(co_await asio::this_coro::executor) == world.now());
            }
        },
        asio::detached);
    world.run();
    CHECK(woke == std::vector<weir::duration>{1ns, 1h + 1ns, 24h * 365 + 1h + 1ns});
    CHECK(std::chrono::steady_clock::now() - real < 60s);
}

TEST_CASE("virtual_time: time moves only when nothing is left to do now")
{
    virtual_time world;
    auto const begin = world.now();
    std::string order;
    timer t(world.get_executor());
    t.async_wait_for(1s, [&](error_code) { order += 'c'; });
    asio::post(world.get_executor(), [&] {
        order += 'a';
        t.async_wait_for(0s, [&](error_code) {
            order += 'b';
            CHECK(world.now() == begin);
        });
    });
    asio::post(asio::make_strand(world.get_executor()), [&] { order += 's'; });
    world.run();
    CHECK(order == "asbc");
    CHECK(world.now() == begin + 1s);
}

TEST_CASE("virtual_time: the same program runs the same way every time")
{
    auto const play = [] {
        virtual_time world;
        std::string order;
        auto a = asio::make_strand(world.get_executor());
        auto b = asio::make_strand(world.get_executor());
        timer t(a), u(b);
        for (char who = 'a'; who < 'z'; ++who) {
            auto& which = who % 2 ? t : u;
            which.async_wait_for(std::chrono::milliseconds(who % 3), [&order, who](error_code) { order += who; });
        }
        world.run();
        return order + std::to_string(world.steps());
    };
    auto const first = play();
    for (int i = 0; i < 10; ++i) CHECK(play() == first);
}

TEST_CASE("virtual_time: poll runs what is ready and leaves the time alone")
{
    virtual_time world;
    auto const begin = world.now();
    int ready = 0, waited = 0;
    timer t(world.get_executor());
    t.async_wait_for(1ns, [&](error_code) { ++waited; });
    t.async_wait_for(0s, [&](error_code) { ++ready; });
    asio::post(world.get_executor(), [&] { ++ready; });
    world.poll();
    CHECK(ready == 2);
    CHECK(waited == 0);
    CHECK(world.now() == begin);
    CHECK(world.waiting() == 1);
}

TEST_CASE("virtual_time: run_until runs what ends by then, and leaves the clock there")
{
    virtual_time world;
    auto const begin = world.now();
    std::vector<weir::duration> ended;
    timer t(world.get_executor());
    for (auto const span : {weir::duration(1s), weir::duration(2s), weir::duration(2s + 1ns), weir::duration(10s)})
        t.async_wait_for(span, [&](error_code) { ended.push_back(world.now() - begin); });
    world.run_until(begin + 2s);
    CHECK(ended == std::vector<weir::duration>{1s, 2s});
    CHECK(world.now() == begin + 2s);
    world.run_until(begin + 5s);  // to an instant at which nothing happens
    CHECK(ended.size() == 3);
    CHECK(world.now() == begin + 5s);
    world.run_until(begin);  // and never back
    CHECK(world.now() == begin + 5s);
    world.run_for(5s);
    CHECK(ended.size() == 4);
    CHECK(world.now() == begin + 10s);
    world.run_for(24h);  // with nothing left at all
    CHECK(world.now() == begin + 10s + 24h);
}

TEST_CASE("virtual_time: counts its steps, so that a scenario can be interrupted at each of them")
{
    auto const scenario = [](virtual_time& world, std::vector<int>& done) {
        asio::co_spawn(
            world.get_executor(),
            [&]() -> asio::awaitable<void> {
                timer t(world.get_executor());
                for (int i = 0; i < 3; ++i) {
                    co_await t.async_wait_for(1h, asio::use_awaitable);
                    done.push_back(i);
                }
            },
            asio::detached);
    };
    virtual_time whole;
    std::vector<int> done;
    scenario(whole, done);
    CHECK(whole.steps() == 0);
    whole.run();
    auto const steps = whole.steps();
    CHECK(done.size() == 3);
    CHECK(steps >= 4);  // the start and three waits

    std::size_t most = 0;
    for (std::size_t stop = 0; stop <= steps; ++stop) {
        virtual_time part;
        std::vector<int> so_far;
        scenario(part, so_far);
        while (part.steps() < stop && part.step()) {}
        CHECK(part.steps() == stop);
        CHECK(so_far.size() >= most);
        most = so_far.size();
    }
    CHECK(most == 3);
}

TEST_CASE("virtual_time: step says when there is nothing more to do, and work that comes later runs all the same")
{
    virtual_time world;
    CHECK(!world.step());
    int ran = 0;
    asio::post(world.get_executor(), [&] { ++ran; });
    CHECK(world.step());
    CHECK(!world.step());
    CHECK(ran == 1);
    timer t(world.get_executor());
    t.async_wait_for(5s, [&](error_code) { ++ran; });
    CHECK(!world.step(world.now() + 4s));
    CHECK(world.step(world.now() + 5s));  // time moves
    CHECK(ran == 1);
    CHECK(world.step());  // the handler runs
    CHECK(ran == 2);
    CHECK(!world.step());
}

TEST_CASE("virtual_time: a wait for never does not keep run going")
{
    virtual_time world;
    auto const begin = world.now();
    timer t(world.get_executor());
    bool ended = false;
    t.async_wait_until(weir::never, [&](error_code) { ended = true; });
    t.async_wait_for(1s, asio::detached);
    world.run();
    CHECK(world.now() == begin + 1s);
    CHECK(world.waiting() == 1);
    CHECK(!ended);
}

TEST_CASE("virtual_time: a loop that re-arms itself without delay is caught, and the message says what happened")
{
    virtual_time world(time_point(1s), 1000);
    auto const begin = world.now();
    timer t(world.get_executor());
    t.async_wait_for(1h, asio::detached);
    std::function<void(error_code)> again = [&](error_code ec) {
        if (!ec) t.async_wait_for(0s, [&](error_code next) { again(next); });
    };
    again({});
    CHECK_THROWS_WITH_AS(world.run(), "virtual_time: 1000 handlers ran and time did not move", std::runtime_error);
    CHECK(world.now() == begin);
    CHECK(world.steps() == 1001);
}

TEST_CASE("virtual_time: handlers of different instants are not taken for an endless loop, however many")
{
    virtual_time world(time_point(1s), 1000);
    timer t(world.get_executor());
    for (int i = 0; i < 5; ++i) {
        asio::post(world.get_executor(), chain{world.get_executor(), 900});
        CHECK_NOTHROW(world.run_for(1s));  // to an instant at which nothing happens
        asio::post(world.get_executor(), chain{world.get_executor(), 900});
        t.async_wait_for(1s, asio::detached);
        CHECK_NOTHROW(world.run());
    }
    CHECK(world.steps() == 2 * 5 * 900 + 5);
}

TEST_CASE("virtual_time: many handlers of one instant are nothing unusual")
{
    virtual_time world;
    int ran = 0;
    for (int i = 0; i < 50'000; ++i) asio::post(world.get_executor(), [&ran] { ++ran; });
    CHECK_NOTHROW(world.run());
    CHECK(ran == 50'000);
}

TEST_CASE("virtual_time: what a handler throws comes out of run, and the world goes on")
{
    virtual_time world;
    timer t(world.get_executor());
    bool ended = false;
    t.async_wait_for(1s, [](error_code) { throw std::runtime_error("the handler's"); });
    t.async_wait_for(2s, [&](error_code) { ended = true; });
    CHECK_THROWS_WITH(world.run(), "the handler's");
    world.run();
    CHECK(ended);
}
