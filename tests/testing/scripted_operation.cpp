// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/testing/scripted_operation.hpp>

#include <weir/async/async_call.hpp>
#include <weir/testing/manual_clock.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::attempt;
using weir::errc;
using weir::testing::manual_clock;
using weir::testing::scripted_operation;
using weir::testing::virtual_time;

namespace {

attempt nth(unsigned n) { return attempt(n, weir::never); }

struct answer {
    error_code ec;
    std::string value;
    weir::duration at;
};

}  // namespace

TEST_CASE("scripted_operation: plays its lines in order, each in its own time, and then the last one for ever")
{
    manual_clock clock;
    auto const begin = clock.now();
    scripted_operation<std::string> op;
    op.fail(std::errc::connection_refused, 5ms).fail(errc::circuit_open).succeed("done", 10ms);
    auto run = op.blocking(clock);
    CHECK(run(nth(1)).error().code == std::errc::connection_refused);
    CHECK(clock.now() == begin + 5ms);
    CHECK(run(nth(2)).error().code == errc::circuit_open);
    CHECK(clock.now() == begin + 5ms);
    for (unsigned n = 3; n < 6; ++n) CHECK(*run(nth(n)) == "done");
    CHECK(clock.now() == begin + 35ms);
    REQUIRE(op.attempts().size() == 5);
    for (unsigned n = 1; n < 6; ++n) CHECK(op.attempts()[n - 1].number() == n);
    CHECK(op.in_flight() == 0);
}

TEST_CASE("scripted_operation: under a pipeline it is retried as the real one would be")
{
    manual_clock clock;
    auto const begin = clock.now();
    scripted_operation<int> op;
    op.fail(std::errc::connection_reset, 5ms).raise(std::runtime_error("before it began")).succeed(42, 10ms);
    auto guarded =
        weir::pipeline(weir::deadline(1s), weir::retry({.backoff = weir::constant(100ms).with(weir::jitter::none)}));
    CHECK(*guarded.call(op.blocking(clock), clock) == 42);
    CHECK(clock.now() == begin + 215ms);
    CHECK(op.attempts().size() == 3);
    CHECK(op.attempts()[2].deadline() == begin + 1s);
    CHECK(op.in_flight() == 0);
}

TEST_CASE("scripted_operation: without a script it says so, and nothing was begun")
{
    manual_clock clock;
    scripted_operation<int> op;
    CHECK_THROWS_AS((void)op.blocking(clock)(nth(1)), std::out_of_range);
    CHECK(op.attempts().empty());
}

TEST_CASE("scripted_operation: as an asynchronous operation it begins when it is initiated and ends in virtual time")
{
    virtual_time world;
    auto const begin = world.now();
    scripted_operation<std::string> op;
    op.succeed("first", 10ms).fail(std::errc::broken_pipe, 5ms).succeed("now");
    auto start = op.async(world.get_executor());
    std::vector<answer> ended;
    auto const note = [&](error_code ec, std::string value) {
        ended.push_back({ec, std::move(value), world.now() - begin});
    };
    start(nth(1))(note);
    start(nth(2))(note);
    start(nth(3))(note);
    CHECK(ended.empty());  // never inside the initiating function
    CHECK(op.in_flight() == 3);
    world.run_until(begin + 5ms);
    CHECK(op.in_flight() == 1);
    world.run();
    REQUIRE(ended.size() == 3);
    CHECK(ended[0].value == "now");
    CHECK(ended[0].at == 0ms);
    CHECK((ended[1].ec == std::errc::broken_pipe));
    CHECK(ended[1].value.empty());
    CHECK(ended[1].at == 5ms);
    CHECK(!ended[2].ec);
    CHECK(ended[2].value == "first");
    CHECK(ended[2].at == 10ms);
    CHECK(op.cancelled() == 0);
    CHECK(op.in_flight() == 0);
}

TEST_CASE("scripted_operation: every type of cancellation ends it, and is counted")
{
    for (auto const type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        virtual_time world;
        auto const begin = world.now();
        scripted_operation<int> op;
        op.hang().succeed(7, 24h);
        auto start = op.async(world.get_executor());
        asio::cancellation_signal first, second;
        std::vector<error_code> ended;
        auto const note = [&](error_code ec, int value) {
            ended.push_back(ec);
            CHECK(value == 0);
        };
        start(nth(1))(asio::bind_cancellation_slot(first.slot(), note));
        start(nth(2))(asio::bind_cancellation_slot(second.slot(), note));
        world.run_for(1h);
        CHECK(ended.empty());
        CHECK(op.in_flight() == 2);
        first.emit(type);
        second.emit(type);
        world.run();
        CHECK(ended == std::vector<error_code>(2, asio::error::operation_aborted));
        CHECK(op.cancelled() == 2);
        CHECK(op.in_flight() == 0);
        CHECK(world.now() == begin + 1h);
    }
}

TEST_CASE("scripted_operation: hangs until the attempt timeout, and is then cancelled for real")
{
    virtual_time world;
    auto const begin = world.now();
    scripted_operation<int> op;
    op.hang().succeed(42, 1ms);
    auto guarded = weir::pipeline(weir::retry({.backoff = weir::constant(100ms).with(weir::jitter::none)}),
                                  weir::attempt_timeout(300ms));
    std::optional<int> answer;
    guarded.async_call(world.get_executor(), op.async(world.get_executor()), [&](error_code ec, int value) {
        CHECK(!ec);
        answer = value;
    });
    world.run();
    CHECK(answer == 42);
    CHECK(op.attempts().size() == 2);
    CHECK(op.cancelled() == 1);
    CHECK(world.now() == begin + 401ms);
}

TEST_CASE("scripted_operation: what it throws instead of beginning is thrown, and nothing is in flight")
{
    virtual_time world;
    scripted_operation<int> op;
    op.raise(std::logic_error("no"));
    auto start = op.async(world.get_executor());
    CHECK_THROWS_WITH_AS((void)start(nth(1)), "no", std::logic_error);
    CHECK(op.attempts().size() == 1);
    CHECK(op.in_flight() == 0);
}

TEST_CASE("scripted_operation: its script may grow while an attempt is in flight")
{
    virtual_time world;
    scripted_operation<std::string> op;
    std::string const text(100, 'x');
    op.succeed(text, 10ms);
    auto start = op.async(world.get_executor());
    std::string got;
    start(nth(1))([&](error_code, std::string value) { got = std::move(value); });
    for (int i = 0; i < 100; ++i) op.succeed("another", 1ms);
    world.run();
    CHECK(got == text);
}
