// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_acquire.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/fixed_window.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/sliding_window_limiter.hpp>
#include <weir/limit/sliding_window_log.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/limit/warm_up.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

// All of an operation is compiled for each type of handler: where the type is not the point, it is one.
using told = std::function<void(error_code)>;
using given = std::function<void(error_code, weir::concurrency_slot)>;

namespace {

struct world : weir::testing::virtual_time {
    weir::time_point const begin = now();
    [[nodiscard]] weir::duration elapsed() const { return now() - begin; }
};

}  // namespace

TEST_CASE("async_acquire: waiters of a rate limiter are served in the order they came, each at its own time")
{
    world w;
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    std::vector<std::pair<int, weir::duration>> served;
    for (int i = 0; i < 4; ++i)
        weir::async_acquire(w.get_executor(), bucket, 1, 10s, told([&, i](error_code ec) {
                                CHECK_FALSE(ec);
                                served.emplace_back(i, w.elapsed());
                            }));
    CHECK(served.empty());  // never inside the initiating function
    w.run();
    CHECK(served == std::vector<std::pair<int, weir::duration>>{{0, 0ms}, {1, 100ms}, {2, 200ms}, {3, 300ms}});
}

TEST_CASE("async_acquire: a wait longer than max_wait is refused at once, and takes nothing")
{
    world w;
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    REQUIRE(bucket.try_acquire(1, w.now()));
    error_code got;
    weir::async_acquire(w.get_executor(), bucket, 1, 99ms, told([&](error_code ec) { got = ec; }));
    w.poll();
    CHECK(got == weir::errc::rate_limited);
    CHECK(got == weir::condition::rejected);
    CHECK(bucket.retry_at(1, w.now()) == w.now() + 100ms);
    weir::async_acquire(w.get_executor(), bucket, 2, 99ms, told([&](error_code ec) { got = ec; }));
    w.poll();
    CHECK(got == weir::errc::exceeds_burst);
}

TEST_CASE("async_acquire: tells who wants to know who refused, and when to come back")
{
    world w;
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    REQUIRE(bucket.try_acquire(1, w.now()));
    std::optional<weir::rejection> why;
    int ended = 0;
    auto const note = [&](error_code ec) { ended += ec == weir::errc::rate_limited; };
    weir::async_acquire(w.get_executor(), bucket, 1, 1s, why, told([&](error_code ec) { CHECK_FALSE(ec); }));
    weir::async_acquire(bucket, 1, 99ms, why, asio::bind_executor(w.get_executor(), note));
    w.poll();
    CHECK(ended == 1);
    REQUIRE(why);
    CHECK(why->gate == "token_bucket");
    CHECK(why->retry_at == w.begin + 101ms);  // then it would wait for 99 ms
    w.run();

    weir::concurrency_limit limit{{.limit = 1, .max_queue = 1}};
    auto held = limit.admit(w.now());
    std::optional<weir::rejection> late, full;
    weir::async_acquire(w.get_executor(), limit, 100ms, late, given([&](error_code ec, weir::concurrency_slot) {
                            ended += ec == weir::errc::too_many_calls;
                        }));
    weir::async_acquire(limit, 100ms, full, asio::bind_executor(w.get_executor(), [&](error_code ec, auto const&) {
                            ended += ec == weir::errc::too_many_calls;
                        }));
    w.poll();
    CHECK(ended == 2);
    REQUIRE(full);
    CHECK(full->gate == "concurrency_limit");
    CHECK_FALSE(late);
    w.run();
    CHECK(ended == 3);
    REQUIRE(late);
    CHECK(late->code == weir::errc::too_many_calls);
    CHECK(late->gate == "concurrency_limit");
    CHECK(late->possible_later());
}

TEST_CASE("async_acquire: the last waiter's permit goes back when it is cancelled, at once")
{
    world w;
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    REQUIRE(bucket.try_acquire(1, w.now()));
    for (auto const type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        asio::cancellation_signal stop;
        error_code got;
        weir::async_acquire(w.get_executor(), bucket, 1, 1s,
                            asio::bind_cancellation_slot(stop.slot(), told([&](error_code ec) { got = ec; })));
        w.poll();
        CHECK(bucket.retry_at(1, w.now()) == w.begin + 200ms);
        stop.emit(type);
        w.poll();
        CHECK(got == asio::error::operation_aborted);
        CHECK(bucket.retry_at(1, w.now()) == w.begin + 100ms);
        CHECK(w.waiting() == 0);
    }
}

TEST_CASE(
    "async_acquire: whatever the rate limiter, who came first is first, and who gives up makes room for the others")
{
    using times = std::vector<weir::duration>;
    auto const ask = [](auto&& limiter) {
        world w;
        while (limiter.try_acquire(1, w.now())) {}
        std::string order;
        times at;
        std::array<asio::cancellation_signal, 5> stop;
        for (unsigned i = 0; i < stop.size(); ++i)
            weir::async_acquire(
                w.get_executor(), limiter, 1, 1h,
                asio::bind_cancellation_slot(stop[i].slot(), told([&, i](error_code ec) {
                                                 order += static_cast<char>((ec ? 'a' : 'A') + static_cast<int>(i));
                                                 if (!ec) at.push_back(w.elapsed());
                                             })));
        w.poll();
        stop[1].emit(asio::cancellation_type::terminal);
        w.poll();
        CHECK_FALSE(limiter.try_acquire(1, w.now()));  // a newcomer overtakes nobody
        w.run();
        CHECK(order == "bACDE");
        CHECK(w.waiting() == 0);
        return at;
    };
    times const evenly{100ms, 200ms, 300ms, 400ms}, in_pairs{1s, 1s, 2s, 2s};
    auto const ten = weir::per_second(10);
    weir::striped_token_bucket striped{{.rate = ten, .burst = 1}};
    weir::leaky_bucket leaky{{.rate = ten}};
    weir::fixed_window fixed{{.limit = 2, .window = 1s}};
    weir::sliding_window_limiter sliding{{.limit = 2, .window = 1s}};
    weir::sliding_window_log log{{.limit = 2, .window = 1s}};
    weir::warm_up warm{{.rate = ten, .burst = 1}};
    weir::keyed_limiter<> keyed{{.quotas = {{ten, 1}}, .capacity = 10}};
    weir::token_bucket drained{{.rate = ten, .burst = 1}};
    CHECK(ask(striped) == evenly);
    CHECK(ask(leaky) == evenly);
    CHECK(ask(fixed) == in_pairs);
    CHECK(ask(sliding) == times{1500ms, 2s, 3s, 4s});
    CHECK(ask(log) == in_pairs);
    CHECK(ask(keyed.of(7)) == evenly);
    CHECK(ask(weir::drain_on{drained}) == evenly);
    weir::duration before{}, gap = 300ms;  // cold it has a third of the rate, then more and more
    for (auto const at : ask(warm)) {
        CHECK(at - before < gap);
        CHECK(at - before > 250ms);
        gap = at - before;
        before = at;
    }
}

TEST_CASE("async_acquire: a leaky bucket paces coroutines")
{
    world w;
    weir::leaky_bucket pacer{{.rate = weir::per_second(100), .max_wait = 1s}};
    std::vector<weir::duration> sent;
    asio::co_spawn(
        w.get_executor(),
        [&]() -> asio::awaitable<void> {
            for (int i = 0; i < 3; ++i) {
                co_await weir::async_acquire(pacer, 1, 1s, asio::use_awaitable);
                sent.push_back(w.elapsed());
            }
        },
        asio::detached);
    w.run();
    CHECK(sent == std::vector<weir::duration>{0ms, 10ms, 20ms});
}

TEST_CASE("async_acquire: slots go to waiters first come, first served")
{
    world w;
    weir::concurrency_limit limit{{.limit = 1, .max_queue = 3}};
    auto held = limit.admit(w.now());
    REQUIRE(held);
    std::vector<int> order;
    weir::concurrency_slot mine;
    for (int i = 0; i < 3; ++i)
        weir::async_acquire(w.get_executor(), limit, 10s, given([&, i](error_code ec, weir::concurrency_slot slot) {
                                CHECK_FALSE(ec);
                                CHECK(slot);
                                order.push_back(i);
                                mine = std::move(slot);  // gives the one before back
                            }));
    error_code full;
    weir::async_acquire(w.get_executor(), limit, 10s, given([&](error_code ec, weir::concurrency_slot slot) {
                            full = ec;
                            CHECK_FALSE(slot);
                        }));
    w.poll();
    CHECK(full == weir::errc::too_many_calls);
    CHECK(order.empty());
    {
        auto const released = *std::move(held);
    }
    w.poll();
    CHECK(order == std::vector<int>{0});
    mine = {};
    w.poll();
    mine = {};
    w.poll();
    CHECK(order == std::vector<int>{0, 1, 2});
    mine = {};
    CHECK(limit.in_flight() == 0);
    CHECK(w.waiting() == 0);
}

TEST_CASE("async_acquire: a waiter leaves the queue after max_wait, and the next one is not skipped")
{
    world w;
    weir::concurrency_limit limit{{.limit = 1, .max_queue = 3}};
    auto held = limit.admit(w.now());
    std::vector<std::pair<int, error_code>> ended;
    auto const wait = [&](int who, weir::duration max_wait) {
        weir::async_acquire(w.get_executor(), limit, max_wait,
                            given([&, who](error_code ec, weir::concurrency_slot) { ended.emplace_back(who, ec); }));
    };
    wait(1, 50ms);
    wait(2, 1s);
    w.run_for(60ms);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].first == 1);
    CHECK(ended[0].second == weir::errc::too_many_calls);
    {
        auto const released = *std::move(held);
    }
    w.run();
    REQUIRE(ended.size() == 2);
    CHECK(ended[1] == std::pair{2, error_code{}});
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("async_acquire: cancelled in the same moment as the hand-over, the slot is not lost")
{
    for (bool const cancel_first : {true, false}) {
        world w;
        weir::concurrency_limit limit{{.limit = 1, .max_queue = 3}};
        auto held = limit.admit(w.now());
        asio::cancellation_signal stop;
        int ended = 0;
        weir::async_acquire(
            w.get_executor(), limit, 1s,
            asio::bind_cancellation_slot(stop.slot(), given([&](error_code, weir::concurrency_slot) { ++ended; })));
        w.poll();
        if (cancel_first) stop.emit(asio::cancellation_type::terminal);
        {
            auto const released = *std::move(held);
        }
        if (!cancel_first) stop.emit(asio::cancellation_type::terminal);
        w.run();
        CHECK(ended == 1);
        CHECK(limit.in_flight() == 0);
        CHECK(limit.waiting() == 0);
    }
}

TEST_CASE("async_acquire: a context destroyed under its waiters lets go of them")
{
    auto const alive = std::make_shared<int>();
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    {
        world w;
        REQUIRE(bucket.try_acquire(1, w.now()));
        weir::async_acquire(w.get_executor(), bucket, 1, 10s, told([alive](error_code) { FAIL("ran"); }));
        w.poll();
        CHECK(alive.use_count() == 2);
    }
    CHECK(alive.use_count() == 1);
}

TEST_CASE("async_acquire: many strands share one limit; never one too many, nobody forgotten")
{
    constexpr int tasks = 400;
    constexpr std::uint32_t slots = 3;
    weir::concurrency_limit limit{{.limit = slots, .max_queue = tasks}};
    asio::thread_pool pool(4);
    std::atomic<std::uint32_t> inside{0};
    std::atomic<int> done{0};
    std::atomic<bool> over{false};
    for (int i = 0; i < tasks; ++i)
        asio::co_spawn(
            asio::make_strand(pool),
            [&]() -> asio::awaitable<void> {
                auto const slot = co_await weir::async_acquire(limit, 1min, asio::use_awaitable);
                if (++inside > slots) over = true;
                co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
                --inside;
                ++done;
            },
            asio::detached);
    pool.join();
    CHECK_FALSE(over);
    CHECK(done == tasks);
    CHECK(limit.in_flight() == 0);
}
