// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/shared_gate.hpp>

#include "shared/scripted_store.hpp"

#include <weir/core/gate.hpp>
#include <weir/shared/shared_limit.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
namespace asio = boost::asio;

static_assert(weir::gate<weir::shared_gate>);
static_assert(weir::token<weir::shared_permit>);

namespace {

struct fixture {
    weir::testing::virtual_time world;
    scripted_store store{world};
    weir::shared_limit<scripted_store> limit;

    explicit fixture(weir::shared_limit_options const& o = {.rate = weir::per_second(1000), .burst = 100})
        : limit(world.get_executor(), store, with_seed(o))
    {
        store.round_trip = 1ms;
    }
    static weir::shared_limit_options with_seed(weir::shared_limit_options o)
    {
        o.seed = 7;
        return o;
    }

    std::string log;
    // How it went, in the order of the ends: "a" for admitted, "A" for refused.
    void acquire(char name, std::uint64_t n, weir::duration max_wait = 0ms)
    {
        limit.async_acquire(n, max_wait, [this, name](boost::system::error_code ec) {
            log += ec ? static_cast<char>(name - 'a' + 'A') : name;
        });
    }
};

}  // namespace

TEST_CASE("shared_gate: those who wait share one question, and are served in the order they came")
{
    fixture f;
    f.acquire('a', 3);
    f.acquire('b', 2);
    f.acquire('c', 1);
    f.world.run_for(2ms);
    CHECK(f.log == "abc");
    CHECK(f.store.questions.size() == 2);  // the first was asked for what a alone needed
    CHECK(f.store.questions[0].least == 3);
    CHECK(f.store.questions[1].want >= 3);
}

TEST_CASE("shared_gate: a wait that is not worth it ends at once; one with patience ends when permits come back")
{
    fixture f({.rate = weir::per_second(1000), .burst = 10, .lease = 10});
    f.acquire('a', 10);
    f.world.run_for(2ms);
    f.acquire('b', 5);
    f.acquire('c', 5, 100ms);
    f.world.run_for(2ms);
    CHECK(f.log == "aB");
    f.world.run_for(40ms);
    CHECK(f.log == "aBc");
    f.acquire('d', 10, 100ms);
    f.world.run_for(4ms);
    f.acquire('e', 10, 3ms);  // too few come back in the time it has
    f.world.run_for(20ms);
    CHECK(f.log == "aBcdE");
}

TEST_CASE("shared_gate: cancelled, it leaves the queue and spends nothing")
{
    fixture f;
    asio::cancellation_signal stop;
    std::optional<boost::system::error_code> how;
    f.limit.async_acquire(4,
                          asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code ec) { how = ec; }));
    f.acquire('b', 1);
    stop.emit(asio::cancellation_type::total);
    CHECK_FALSE(how);
    f.world.run_for(2ms);
    CHECK(how == asio::error::operation_aborted);
    CHECK(f.log == "b");
    CHECK(f.limit.held(f.world.now()) == 3);  // asked for on its behalf
}

TEST_CASE("shared_gate: a permit that is not sent goes back into its lease; one that was sent does not")
{
    fixture f;
    f.acquire('a', 1);
    f.acquire('b', 7);
    f.world.run_for(3ms);
    auto const now = f.world.now();
    while (f.limit.try_acquire(1, now)) {}
    f.world.run_for(2ms);
    auto const held = f.limit.held(f.world.now());
    REQUIRE(held >= 2);
    {
        auto one = f.limit.admit(f.world.now());
        REQUIRE(one);
        CHECK(f.limit.held(f.world.now()) == held - 1);
    }
    CHECK(f.limit.held(f.world.now()) == held);
    {
        auto one = f.limit.admit(f.world.now());
        REQUIRE(one);
        one->record(weir::outcome::success(), f.world.now());
    }
    CHECK(f.limit.held(f.world.now()) == held - 1);
    auto late = f.limit.admit(f.world.now());
    REQUIRE(late);
    f.world.run_for(60ms);
    CHECK_FALSE(late->cancel());  // its lease has ended
}

TEST_CASE("shared_gate: a refusal says when to come back, and whether it helps")
{
    fixture f({.rate = weir::per_second(10), .burst = 5, .lease = 5});
    f.acquire('a', 5);
    f.world.run_for(2ms);
    (void)f.limit.try_acquire(1, f.world.now());
    f.world.run_for(2ms);  // the store has said no
    auto const no = f.limit.admit(f.world.now());
    REQUIRE_FALSE(no);
    CHECK(no.refused().code == errc::rate_limited);
    CHECK(no.refused().gate == "shared_limit");
    auto const wait = weir::between(f.world.now(), no.refused().retry_at);
    CHECK(wait > 90ms);
    CHECK(wait < 100ms);

    std::optional<boost::system::error_code> how;
    f.limit.async_acquire(6, [&](boost::system::error_code ec) { how = ec; });
    f.world.poll();
    CHECK(how == boost::system::error_code(make_error_code(errc::exceeds_burst)));
    CHECK(f.limit.try_acquire(0, f.world.now()));
}

TEST_CASE("shared_gate: a handler is called on its own executor, and takes any completion token")
{
    fixture f;
    asio::io_context other;
    auto done = f.limit.async_acquire(1, asio::bind_executor(other, asio::use_future));
    f.world.run_for(2ms);
    CHECK(done.wait_for(0s) == std::future_status::timeout);
    other.run();
    CHECK_NOTHROW(done.get());
}

TEST_CASE("shared_gate: more than max_waiting are refused")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100, .max_waiting = 2});
    std::optional<boost::system::error_code> how;
    f.acquire('a', 1);
    f.acquire('b', 1);
    f.limit.async_acquire(1, [&](boost::system::error_code ec) { how = ec; });
    f.world.run_for(5ms);
    CHECK(f.log == "ab");
    CHECK(how == boost::system::error_code(make_error_code(errc::too_many_calls)));
}

TEST_CASE("shared_gate: a context that goes down takes those who wait with it")
{
    auto owned = std::make_shared<int>(1);
    std::weak_ptr<int> const watched = owned;
    {
        fixture f;
        f.store.freeze();
        f.limit.async_acquire(1, [owned = std::move(owned)](boost::system::error_code) {});
        f.world.run_for(1ms);
    }
    CHECK(watched.expired());
}
