// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/async/async_chaos.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

weir::attempt const first;

/// A scripted operation in trouble, in virtual time.
struct world : weir::testing::virtual_time {
    weir::chaos chaos{42};
    weir::testing::scripted_operation<int> remote;
    int before = 0;

    int told = 0;
    error_code ec;
    int value = 0;
    asio::cancellation_signal stop;

    world() { remote.succeed(7, 10ms); }

    auto troubled()
    {
        return chaos.async_around(
            remote.async(get_executor()), [] { return -1; }, [this] { ++before; });
    }
    auto token()
    {
        return asio::bind_executor(get_executor(),
                                   asio::bind_cancellation_slot(stop.slot(), [this](error_code e, int v) {
                                       ++told;
                                       ec = e;
                                       value = v;
                                   }));
    }
    /// How long it took.
    template <class Op>
    weir::duration ask(Op& op)
    {
        auto const begin = now();
        auto const already = told;
        op(first)(token());
        CHECK(told == already);
        run();
        CHECK(told == already + 1);
        return now() - begin;
    }
};

}  // namespace

TEST_CASE("async_chaos: late, failing, lying, or with something that happens before it")
{
    world w;
    auto op = w.troubled();
    CHECK(w.ask(op) == 10ms);  // off
    CHECK(w.value == 7);
    CHECK(w.chaos.drawn() == 0);

    w.chaos.reconfigure({.enabled = true, .latency_rate = 1, .latency = 1h});
    CHECK(w.ask(op) == 1h + 10ms);
    CHECK(w.value == 7);
    w.chaos.reconfigure({.enabled = true, .behaviour_rate = 1});
    CHECK(w.ask(op) == 10ms);
    CHECK((w.value == 7 && w.before == 1));
    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1});
    CHECK(w.ask(op) == 0ms);
    CHECK((w.value == -1 && !w.ec));
    CHECK(w.remote.attempts().size() == 3);
    w.chaos.reconfigure({.enabled = true,
                         .fault_rate = 1,
                         .fault = std::make_error_code(std::errc::timed_out),
                         .latency_rate = 1,
                         .latency = 3s,
                         .outcome_rate = 1,
                         .behaviour_rate = 1});
    CHECK(w.ask(op) == 3s);
    CHECK((w.ec == std::errc::timed_out && w.before == 2));
    CHECK(w.remote.attempts().size() == 3);
    CHECK(w.chaos.drawn() == 4);

    auto plain = w.chaos.async_around(w.remote.async(w.get_executor()));  // nothing given for outcome and behaviour
    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1, .behaviour_rate = 1});
    CHECK(w.ask(plain) == 10ms);
    CHECK(w.value == 7);
}

TEST_CASE("async_chaos: the same verdicts as around a blocking operation, for the same seed")
{
    weir::chaos_options const o{.enabled = true, .fault_rate = 0.3, .outcome_rate = 0.3};
    weir::chaos blocking(42, o);
    auto other = blocking.around([](weir::attempt const&) { return 7; }, [] { return -1; }, [] {});
    world w;
    w.chaos.reconfigure(o);
    auto op = w.troubled();
    for (int i = 0; i < 200; ++i) {
        (void)w.ask(op);
        auto const r = other(first);
        CHECK(bool(w.ec) == !r);
        if (r) CHECK(w.value == *r);
    }
}

TEST_CASE("async_chaos: cancelled at any step it completes once, at once, and begins nothing after it")
{
    for (bool const late : {true, false})
        for (std::size_t at = 0;; ++at) {
            CAPTURE(late);
            CAPTURE(at);
            world w;
            w.chaos.reconfigure(
                {.enabled = true, .latency_rate = late ? 1.0 : 0.0, .latency = 1h, .behaviour_rate = 1});
            auto op = w.troubled();
            op(first)(w.token());
            bool more = true;
            while (more && w.steps() < at) more = w.step();
            bool const ended = w.told == 1;
            auto const begun = w.remote.attempts().size();
            auto const before = w.before;
            auto const at_cancel = w.now();
            w.stop.emit(asio::cancellation_type::total);
            w.run();
            REQUIRE(w.told == 1);
            if (!ended) {
                CHECK(w.ec == asio::error::operation_aborted);
                CHECK(w.now() == at_cancel);
            }
            CHECK(w.remote.attempts().size() == begun);
            CHECK(w.before == before);
            CHECK(w.remote.in_flight() == 0);
            CHECK(w.waiting() == 0);
            if (!more) break;
        }
}

TEST_CASE("async_chaos: a context destroyed at any step runs no handler and leaks nothing")
{
    for (std::size_t at = 0;; ++at) {
        CAPTURE(at);
        auto w = std::make_unique<world>();
        auto const witness = std::make_shared<int>();
        w->chaos.reconfigure({.enabled = true, .latency_rate = 1, .latency = 5ms});
        std::optional op(w->troubled());  // it has a timer of the context
        bool told = false;
        (*op)(first)(asio::bind_executor(w->get_executor(), [&told, witness](error_code, int) { told = true; }));
        bool more = true;
        while (more && w->steps() < at) more = w->step();
        bool const before = told;
        op.reset();
        w.reset();
        CHECK(told == before);
        CHECK(witness.use_count() == 1);
        if (!more) break;
    }
}

TEST_CASE("async_chaos: what throws in place of the operation ends it with its code")
{
    world w;
    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1, .behaviour_rate = 1});
    auto const fails = [] { throw std::system_error(std::make_error_code(std::errc::io_error)); };
    auto op = w.chaos.async_around(
        w.remote.async(w.get_executor()), [] { return 0; }, fails);
    (void)w.ask(op);
    CHECK(w.ec == std::errc::io_error);
    auto lie = w.chaos.async_around(
        w.remote.async(w.get_executor()),
        [] { return weir::result<int>(weir::error(std::make_error_code(std::errc::broken_pipe))); }, [] {});
    (void)w.ask(lie);
    CHECK(w.ec == std::errc::broken_pipe);
    CHECK(w.remote.attempts().empty());
}

TEST_CASE("async_chaos: in a pipeline, faults are retried and a delay runs into the attempt's time limit")
{
    world w;
    w.chaos.reconfigure({.enabled = true, .fault_rate = 0.3, .latency_rate = 0.3, .latency = 1h});
    auto guarded = weir::pipeline(weir::retry({.max_attempts = 30}), weir::attempt_timeout(1s));
    for (int i = 0; i < 100; ++i) {
        guarded.async_call(w.troubled(), w.token());
        w.run();
        CHECK(w.told == i + 1);
        CHECK(!w.ec);
    }
    CHECK(w.chaos.drawn() > 150);
    CHECK(w.now() < weir::time_point(1h) + 1h);
}

TEST_CASE("async_chaos: around a coroutine")
{
    world w;
    std::exception_ptr thrown;
    int told = 0, value = 0, before = 0;
    weir::timer clock(w.get_executor());
    auto const op = [&](weir::attempt const&) -> asio::awaitable<int> {
        co_await clock.async_wait_for(10ms, asio::deferred);
        co_return 7;
    };
    auto guarded = weir::pipeline(weir::attempt_timeout(2h));
    auto const ask = [&] {
        auto const begin = w.now();
        guarded.async_call(
            w.chaos.async_around(
                op, [] { return -1; }, [&] { ++before; }),
            asio::bind_executor(w.get_executor(), asio::bind_cancellation_slot(w.stop.slot(), [&](auto e, int v) {
                                    thrown = e;
                                    value = v;
                                    ++told;
                                })));
        w.run();
        return w.now() - begin;
    };
    CHECK(ask() == 10ms);
    CHECK(value == 7);
    w.chaos.reconfigure({.enabled = true, .latency_rate = 1, .latency = 1h, .behaviour_rate = 1});
    CHECK(ask() == 1h + 10ms);
    CHECK((value == 7 && before == 1));
    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1});
    (void)ask();
    CHECK((value == -1 && !thrown));
    w.chaos.reconfigure({.enabled = true, .fault_rate = 1});
    (void)ask();
    try {
        REQUIRE(thrown);
        std::rethrow_exception(thrown);
    } catch (boost::system::system_error const& e) {
        CHECK(e.code() == std::errc::connection_reset);
    }
    CHECK(told == 4);
}

TEST_CASE("async_chaos: operations without a value, and with several")
{
    world w;
    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1});
    weir::timer clock(w.get_executor());
    int lied = 0;
    auto wait = w.chaos.async_around([&](weir::attempt const&) { return clock.async_wait_for(1h, asio::deferred); },
                                     [&] { ++lied; }, [] {});
    wait(first)(asio::bind_executor(w.get_executor(), [&](error_code ec) { CHECK(!ec); }));
    w.run();
    CHECK(lied == 1);
    w.chaos.reconfigure({.enabled = true, .latency_rate = 1, .latency = 1h});
    auto const begin = w.now();
    wait(first)(asio::bind_executor(w.get_executor(), [&](error_code ec) { CHECK(!ec); }));
    w.run();
    CHECK(w.now() == begin + 2h);

    w.chaos.reconfigure({.enabled = true, .outcome_rate = 1});
    auto two = w.chaos.async_around(
        [&](weir::attempt const&) {
            return asio::async_initiate<asio::deferred_t const, void(error_code, int, std::string)>(
                [](auto h) { std::move(h)(error_code(), 1, std::string()); }, asio::deferred);
        },
        [] { return std::tuple(2, std::string("two")); }, [] {});
    std::string text;
    two(first)(asio::bind_executor(w.get_executor(), [&](error_code, int, std::string s) { text = std::move(s); }));
    w.run();
    CHECK(text == "two");
}

TEST_CASE("chaos: as a gate of an asynchronous call, an attempt at fault is not made")
{
    world w;
    w.chaos.reconfigure({.enabled = true, .fault_rate = 1, .latency_rate = 1, .latency = 1s});
    auto guarded = weir::pipeline(
        weir::retry({.max_attempts = 3, .backoff = weir::constant(1ms).with(weir::jitter::none)}), w.chaos);
    auto op = w.remote.async(w.get_executor());
    auto const begin = w.now();
    guarded.async_call(op, w.token());
    CHECK(w.told == 0);
    w.run();
    CHECK(w.told == 1);
    CHECK(w.ec == std::errc::connection_reset);
    CHECK(w.remote.attempts().empty());
    CHECK(w.now() - begin == 3s + 2ms);

    w.chaos.enable(false);
    guarded.async_call(op, w.token());
    w.run();
    CHECK(w.value == 7);

    w.chaos.enable(true);
    std::exception_ptr thrown;
    asio::co_spawn(
        w.get_executor(),
        [&]() -> asio::awaitable<void> {
            co_await guarded.async_call([](weir::attempt const&) -> asio::awaitable<int> { co_return 7; },
                                        asio::use_awaitable);
        },
        [&](std::exception_ptr e) { thrown = e; });
    w.run();
    REQUIRE(thrown);
    CHECK_THROWS_AS(std::rethrow_exception(thrown), boost::system::system_error);
}
