// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_enqueue.hpp>

#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>

#include <deque>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using queue = weir::shedding_queue<>;
using weir::errc;
using weir::outcome;

namespace {

struct world : weir::testing::virtual_time {
    struct caller {
        asio::cancellation_signal cancel;
        std::optional<error_code> ec;
        queue::token slot;
        weir::duration after{};
    };

    explicit world(queue::options o = {}) : q((o.concurrency.limit = 1, o)) {}

    caller& ask(weir::shedding_ticket t = {})
    {
        auto& c = callers.emplace_back();
        weir::async_acquire(get_executor(), q, t,
                            asio::bind_cancellation_slot(c.cancel.slot(), [this, &c](error_code ec, queue::token slot) {
                                CHECK(!c.ec);
                                c.ec = ec, c.slot = std::move(slot), c.after = now() - begin;
                            }));
        CHECK(!c.ec);  // never inside the initiating function
        poll();
        return c;
    }

    weir::time_point const begin = now();
    queue q;
    std::deque<caller> callers;
};

}  // namespace

TEST_CASE("async_acquire: a free slot of a shedding queue at once, then one that falls free")
{
    world w;
    auto& a = w.ask();
    REQUIRE(a.ec);
    CHECK(!*a.ec);
    CHECK(a.slot);
    auto const& b = w.ask();
    CHECK(!b.ec);
    CHECK(w.q.waiting() == 1);
    w.run_for(10ms);
    a.slot.record(outcome::success(), w.now());
    w.poll();
    REQUIRE(b.ec);
    CHECK(!*b.ec);
    CHECK(b.slot);
    CHECK(b.after == 10ms);
    CHECK(w.q.in_flight() == 1);
}

TEST_CASE("async_acquire: a shedding queue tells who wants to know who refused, and when to come back")
{
    world w;
    auto const& held = w.ask();
    CHECK(held.slot);
    std::optional<weir::rejection> late, never_in_time;
    auto const ignore = [](error_code ec, queue::token const&) { CHECK(ec == weir::condition::rejected); };
    weir::async_acquire(w.get_executor(), w.q, weir::shedding_ticket{.deadline = w.begin + 50ms}, late, ignore);
    weir::async_acquire(w.q, weir::shedding_ticket{.deadline = w.begin}, never_in_time,
                        asio::bind_executor(w.get_executor(), ignore));
    w.poll();
    REQUIRE(never_in_time);
    CHECK(never_in_time->code == errc::no_time_left);
    CHECK_FALSE(late);
    w.run_for(50ms);
    REQUIRE(late);
    CHECK(late->code == errc::no_time_left);
    CHECK(late->gate == "shedding_queue");
    CHECK_FALSE(late->possible_later());
}

TEST_CASE("async_acquire: the ticket's deadline ends the wait for a shedding queue, and the place is free again")
{
    world w;
    auto const& a = w.ask();
    CHECK(a.slot);
    auto const& b = w.ask({.deadline = w.begin + 50ms});
    w.run_for(49ms);
    CHECK(!b.ec);
    w.run_for(1ms);
    REQUIRE(b.ec);
    CHECK(*b.ec == make_error_code(errc::no_time_left));
    CHECK(!b.slot);
    CHECK(w.q.waiting() == 0);
    auto const& late = w.ask({.deadline = w.begin});
    CHECK(*late.ec == make_error_code(errc::no_time_left));
}

TEST_CASE("async_acquire: who is shed hears it at once, and one refused, too")
{
    world w{{.max_queue = 1}};
    auto const& a = w.ask();
    CHECK(a.slot);
    auto const& b = w.ask({.level = weir::criticality::sheddable});
    auto const& c = w.ask({.level = weir::criticality::critical});
    REQUIRE(b.ec);
    CHECK(*b.ec == make_error_code(errc::too_many_calls));
    CHECK(!c.ec);
    auto const& d = w.ask({.level = weir::criticality::sheddable});
    REQUIRE(d.ec);
    CHECK(*d.ec == make_error_code(errc::too_many_calls));
    w.callers.front().slot = {};
    w.poll();
    CHECK(c.slot);
}

TEST_CASE("async_acquire: cancelling gives up the place in a shedding queue; after the answer it is nothing")
{
    world w;
    auto& a = w.ask();
    auto& b = w.ask();
    auto& c = w.ask();
    b.cancel.emit(asio::cancellation_type::terminal);
    w.poll();
    REQUIRE(b.ec);
    CHECK(*b.ec == asio::error::operation_aborted);
    a.slot = {};
    c.cancel.emit(asio::cancellation_type::terminal);  // the slot is on its way
    w.poll();
    REQUIRE(c.ec);
    CHECK(!*c.ec);
    CHECK(c.slot);
    c.cancel.emit(asio::cancellation_type::terminal);
    w.poll();
    CHECK(w.q.in_flight() == 1);
}

TEST_CASE("async_acquire: a context that is destroyed under those who wait for a shedding queue leaves no slot behind")
{
    queue q{{.concurrency = {.limit = 1}}};
    auto held = std::optional{*q.admit(weir::time_point{1h})};
    {
        weir::testing::virtual_time world;
        for (int i = 0; i < 3; ++i)
            weir::async_acquire(world.get_executor(), q, weir::shedding_ticket{},
                                [](error_code, queue::token) { CHECK(false); });
        world.poll();
        CHECK(q.waiting() == 3);
    }
    CHECK(q.waiting() == 0);
    held.reset();
    CHECK(q.in_flight() == 0);
}
