// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/single_flight.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

auto const reset = std::make_error_code(std::errc::connection_reset);
using flights = weir::single_flight<std::string, int>;

/// A scripted operation behind a single_flight, in virtual time.
struct world : weir::testing::virtual_time {
    struct caller {
        asio::cancellation_signal stop;
        int calls = 0;
        error_code ec;
        int value = 0;
    };

    weir::testing::scripted_operation<int> remote;
    auto begin() { return remote.async(get_executor())(weir::attempt{}); }
    std::optional<flights> shared{std::in_place, get_executor()};

    void ask(std::string key, caller& c)
    {
        shared->async_call(
            std::move(key), [this] { return begin(); },
            asio::bind_cancellation_slot(c.stop.slot(), [&c](error_code ec, int v) {
                ++c.calls;
                c.ec = ec;
                c.value = v;
            }));
    }
};

}  // namespace

TEST_CASE("single_flight: callers of one key share one operation, and of another key have their own")
{
    world w;
    w.remote.succeed(1, 10ms).succeed(2, 10ms).succeed(3, 10ms);
    std::array<world::caller, 4> c;
    w.ask("a", c[0]);
    w.ask("a", c[1]);
    w.ask("b", c[2]);
    w.run_for(5ms);
    CHECK(w.shared->in_flight() == 2);
    w.ask("a", c[3]);
    CHECK(c[0].calls == 0);
    w.run();
    CHECK(w.remote.attempts().size() == 2);
    for (auto const& one : c) CHECK((one.calls == 1 && !one.ec));
    CHECK((c[0].value == 1 && c[1].value == 1 && c[2].value == 2 && c[3].value == 1));
    CHECK(w.shared->in_flight() == 0);

    w.ask("a", c[0]);  // nothing is kept
    w.run();
    CHECK(c[0].value == 3);
}

TEST_CASE("single_flight: an error goes to everybody, and the next caller begins anew")
{
    world w;
    w.remote.fail(reset, 10ms).raise(std::system_error(reset)).succeed(3);
    std::array<world::caller, 2> c;
    for (int round = 1; round <= 3; ++round) {
        for (auto& one : c) w.ask("a", one);
        w.run();
        for (auto const& one : c) {
            CHECK(one.calls == round);
            CHECK(one.ec == (round < 3 ? error_code(reset) : error_code()));
        }
    }
    CHECK(c[1].value == 3);
    CHECK(w.remote.attempts().size() == 3);
}

TEST_CASE("single_flight: the exception of a coroutine goes to everybody as it is")
{
    weir::testing::virtual_time w;
    weir::single_flight<int, std::string> shared(w.get_executor());
    weir::timer clock(w.get_executor());
    auto const name = std::string("a name too long for the small string buffer");
    int begun = 0;
    int told = 0;
    auto const ask = [&](bool fails) {
        shared.async_call(
            1,
            [&, fails, name]() -> asio::awaitable<std::string> {
                ++begun;
                co_await clock.async_wait_for(5ms, asio::deferred);
                if (fails) throw std::runtime_error(name);
                co_return name;
            },
            [&, fails](std::exception_ptr e, std::string s) {
                ++told;
                if (fails)
                    CHECK_THROWS_WITH_AS(std::rethrow_exception(e), name.c_str(), std::runtime_error);
                else
                    CHECK((!e && s == name));
            });
    };
    for (bool const fails : {true, false}) {
        ask(fails);
        ask(fails);
        w.run();
    }
    CHECK(begun == 2);
    CHECK(told == 4);
}

TEST_CASE("single_flight: a caller who cancels leaves at once, and the others get their answer")
{
    world w;
    w.remote.succeed(1, 10ms);
    std::array<world::caller, 3> c;
    for (auto& one : c) w.ask("a", one);
    w.run_for(5ms);
    c[0].stop.emit(asio::cancellation_type::total);  // the one who began it
    c[2].stop.emit(asio::cancellation_type::terminal);
    w.poll();
    CHECK(c[0].ec == asio::error::operation_aborted);
    CHECK(c[2].ec == asio::error::operation_aborted);
    CHECK(c[1].calls == 0);
    w.run();
    CHECK((c[1].calls == 1 && !c[1].ec && c[1].value == 1));
    CHECK(w.remote.cancelled() == 0);
    for (auto const& one : c) CHECK(one.calls == 1);
}

TEST_CASE("single_flight: when the last caller has gone the operation is cancelled, and the next one begins another")
{
    world w;
    w.remote.hang().succeed(2, 10ms);
    std::array<world::caller, 3> c;
    w.ask("a", c[0]);
    w.ask("a", c[1]);
    w.run_for(5ms);
    c[0].stop.emit(asio::cancellation_type::terminal);
    w.poll();
    CHECK(w.remote.cancelled() == 0);
    c[1].stop.emit(asio::cancellation_type::terminal);
    w.ask("a", c[2]);  // before the first one has noticed
    w.run();
    CHECK(w.remote.cancelled() == 1);
    CHECK(w.remote.in_flight() == 0);
    CHECK(w.remote.attempts().size() == 2);
    CHECK((!c[2].ec && c[2].value == 2));
    CHECK(w.shared->in_flight() == 0);
}

TEST_CASE("single_flight: cancelled before it began, the operation is not begun")
{
    world w;
    world::caller c;
    w.remote.hang();
    w.ask("a", c);
    c.stop.emit(asio::cancellation_type::terminal);
    w.run();
    CHECK(c.ec == asio::error::operation_aborted);
    CHECK(w.remote.attempts().empty());
    CHECK(w.shared->in_flight() == 0);
}

TEST_CASE("single_flight: cancelled at any step, everybody is told once, and nothing is left")
{
    for (unsigned who = 0; who < 8; ++who)  // which of three callers cancel
        for (std::size_t at = 0;; ++at) {
            CAPTURE(who);
            CAPTURE(at);
            world w;
            w.remote.succeed(1, 10ms);
            std::array<world::caller, 3> c;
            for (auto& one : c) w.ask("a", one);
            bool more = true;
            while (more && w.steps() < at) more = w.step();
            for (unsigned i = 0; i < 3; ++i)
                if (who >> i & 1) c[i].stop.emit(asio::cancellation_type::partial);
            w.run();
            for (unsigned i = 0; i < 3; ++i) {
                CHECK(c[i].calls == 1);
                if (who >> i & 1)
                    CHECK((c[i].ec == asio::error::operation_aborted || c[i].value == 1));
                else
                    CHECK((!c[i].ec && c[i].value == 1));
            }
            CHECK(w.remote.in_flight() == 0);
            CHECK(w.waiting() == 0);
            CHECK(w.shared->in_flight() == 0);
            if (!more) break;
        }
}

TEST_CASE("single_flight: never more operations than max_in_flight, those without callers included")
{
    world w;
    w.shared.emplace(w.get_executor(), weir::single_flight_options{.max_in_flight = 2});
    w.remote.succeed(1, 10ms);
    std::array<world::caller, 6> c;
    w.ask("a", c[0]);
    w.ask("b", c[1]);
    w.ask("c", c[2]);
    w.ask("a", c[3]);
    CHECK(c[2].calls == 0);  // refused, but not in here
    w.poll();
    CHECK(c[2].ec == weir::errc::too_many_calls);
    CHECK(c[2].ec == weir::condition::rejected);
    c[1].stop.emit(asio::cancellation_type::terminal);
    w.ask("d", c[4]);  // "b" has lost its caller, and has not ended
    w.run();
    CHECK(c[4].ec == weir::errc::too_many_calls);
    CHECK((c[0].value == 1 && c[3].value == 1));
    w.ask("d", c[5]);
    w.run();
    CHECK(c[5].value == 1);

    CHECK_THROWS_AS(flights(w.get_executor(), {.max_in_flight = 0}), std::invalid_argument);
}

TEST_CASE("single_flight: destroyed with callers waiting, it tells them, and the operation is cancelled")
{
    world w;
    w.remote.hang();
    std::array<world::caller, 3> c;
    w.ask("a", c[0]);
    w.ask("a", c[1]);
    w.poll();
    w.ask("b", c[2]);  // not begun yet
    w.shared.reset();
    CHECK(c[0].calls == 0);
    w.run();
    for (auto const& one : c) CHECK((one.calls == 1 && one.ec == weir::errc::stopped));
    CHECK(w.remote.attempts().size() == 1);
    CHECK(w.remote.cancelled() == 1);
}

TEST_CASE("single_flight: a caller in another context is told when the operation's context goes down")
{
    asio::io_context mine;
    error_code told;
    auto w = std::make_unique<world>();
    w->remote.hang();
    auto const shared = std::make_unique<flights>(w->get_executor());
    shared->async_call(
        "a", [&] { return w->begin(); }, asio::bind_executor(mine, [&](error_code ec, int) { told = ec; }));
    w->poll();
    CHECK(mine.poll() == 0);
    w.reset();
    CHECK(mine.poll() == 1);
    CHECK(shared->in_flight() == 0);
    CHECK(told == weir::errc::stopped);
}

TEST_CASE("single_flight: each caller is called on its own executor")
{
    world w;
    asio::io_context other;
    w.remote.succeed(1, 10ms);
    world::caller here;
    bool there = false;
    w.ask("a", here);
    w.shared->async_call(
        "a", [&] { return w.begin(); },
        asio::bind_executor(other, [&](error_code, int) { there = other.get_executor().running_in_this_thread(); }));
    w.run();
    CHECK(here.calls == 1);
    CHECK_FALSE(there);
    other.run();
    CHECK(there);
}

TEST_CASE("single_flight: many threads, callers come and go, and everybody is told once")
{
    constexpr int callers = 4000;
    std::atomic<int> told{0}, wrong{0}, begun{0};
    {
        asio::thread_pool pool(4);
        weir::single_flight<int, int> shared(pool.get_executor());
        std::vector<std::unique_ptr<asio::cancellation_signal>> stops;
        for (int i = 0; i < callers; ++i) stops.push_back(std::make_unique<asio::cancellation_signal>());
        for (int i = 0; i < callers; ++i) {
            auto const own = asio::make_strand(pool);
            auto* const stop = stops[static_cast<std::size_t>(i)].get();
            asio::post(own, [&, own, stop, i] {
                auto const key = i % 7;
                shared.async_call(
                    key,
                    [&, key]() -> asio::awaitable<int> {
                        ++begun;
                        auto const ex = co_await asio::this_coro::executor;
                        for (int hop = 0; hop < 3; ++hop) co_await asio::post(ex, asio::use_awaitable);
                        co_return key;
                    },
                    asio::bind_cancellation_slot(stop->slot(),
                                                 asio::bind_executor(own, [&, key](std::exception_ptr e, int v) {
                                                     ++told;
                                                     if (!e && v != key) ++wrong;
                                                 })));
                if (i % 3 == 0) asio::post(own, [stop] { stop->emit(asio::cancellation_type::terminal); });
            });
        }
        pool.join();
        CHECK(shared.in_flight() == 0);
    }
    CHECK(told == callers);
    CHECK(wrong == 0);
    CHECK(begun < callers);
}
