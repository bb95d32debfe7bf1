// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_stale_cache.hpp>
#include <weir/async/single_flight.hpp>
#include <weir/async/timer.hpp>
#include <weir/call/classify.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

auto const reset = std::make_error_code(std::errc::connection_reset);
auto const judge = [](int v) { return v < 0 ? weir::outcome::failure() : weir::outcome::success(); };

/// A scripted operation behind a cache, in virtual time.
struct world : weir::testing::virtual_time {
    weir::testing::scripted_operation<int> remote;
    auto begin() { return remote.async(get_executor())(weir::attempt{}); }
    weir::stale_cache<std::string, int> cache{{.fresh_for = 10s, .stale_for = 20s}};

    int told = 0;
    error_code ec;
    weir::cached<int> got;
    asio::cancellation_signal stop;

    template <class Cache>
    void begin_with(Cache&& from)
    {
        told = 0;
        from.async_call(
            get_executor(), "a", [this] { return begin(); },
            asio::bind_cancellation_slot(stop.slot(), [this](error_code e, weir::cached<int> c) {
                ++told;
                ec = e;
                got = std::move(c);
            }));
        CHECK(told == 0);
    }
    template <class Cache>
    weir::cached<int> const& ask(Cache&& from)
    {
        begin_with(from);
        run();
        REQUIRE(told == 1);
        return got;
    }
};

}  // namespace

TEST_CASE("async_stale_cache: fresh, it completes without a call, and not inside async_call; else it calls and keeps")
{
    world w;
    w.remote.succeed(1, 10ms).succeed(2, 10ms);
    CHECK(*w.ask(w.cache) == 1);
    CHECK_FALSE(w.ec);
    auto const at = w.now();
    CHECK(*w.ask(w.cache) == 1);
    CHECK_FALSE(w.got.stale);
    CHECK(w.now() == at);
    CHECK(w.remote.attempts().size() == 1);
    w.run_for(10s);
    CHECK(*w.ask(w.cache) == 2);
    CHECK_FALSE(w.got.stale);
    CHECK(w.remote.attempts().size() == 2);
}

TEST_CASE("async_stale_cache: a failure is answered by the stale value while that may be served, and then passes")
{
    world w;
    w.remote.succeed(1).fail(reset, 10ms).raise(std::runtime_error("does not begin")).fail(reset, 10ms);
    (void)w.ask(w.cache);
    CHECK(w.got.age == 0s);
    w.run_for(10s);
    (void)w.ask(w.cache);
    CHECK_FALSE(w.ec);
    REQUIRE(w.got.value);
    CHECK(*w.got == 1);
    CHECK(w.got.stale);
    CHECK(w.got.age == 10s);
    CHECK(w.got.error->code == reset);

    (void)w.ask(w.cache);
    REQUIRE(w.got.value);
    CHECK(w.got.stale);
    CHECK(w.got.error->code == weir::errc::operation_threw);

    w.run_for(20s);
    (void)w.ask(w.cache);
    CHECK(w.ec == error_code(reset));
    CHECK_FALSE(w.got.value);
    CHECK(w.remote.attempts().size() == 4);
}

TEST_CASE(
    "async_stale_cache: a value that its classifier calls a failure is not kept, and a stale one is served instead")
{
    world w;
    auto const judged = w.cache.judged_by(weir::classify(judge));
    w.remote.succeed(-1).succeed(1).succeed(-2);
    (void)w.ask(judged);  // nothing better is to be had
    REQUIRE(w.got.value);
    CHECK(*w.got == -1);
    REQUIRE(w.got.error);
    CHECK(w.got.error->code == weir::errc::answer_failed);
    CHECK(w.cache.size() == 0);
    CHECK(*w.ask(judged) == 1);
    w.run_for(10s);
    CHECK(*w.ask(judged) == 1);
    CHECK(w.got.stale);
    REQUIRE(w.got.error);
    CHECK(w.got.error->code == weir::errc::answer_failed);

    (void)w.ask(w.cache.judged_by([](int) -> weir::outcome { throw std::system_error(reset); }));
    CHECK(*w.got == 1);
    CHECK(w.got.error->code == reset);
    CHECK(*w.ask(w.cache) == -2);  // nobody says that this is a failure
}

TEST_CASE("async_stale_cache: cancelled at any step, it completes once, at once, and with no stale value")
{
    for (bool const fails : {false, true})
        for (auto const type : {asio::cancellation_type::terminal, asio::cancellation_type::total})
            for (std::size_t at = 0;; ++at) {
                CAPTURE(fails);
                CAPTURE(at);
                world w;
                w.cache.put("a", 1, w.now() - 15s);
                if (fails)
                    w.remote.fail(reset, 10ms);
                else
                    w.remote.succeed(2, 10ms);
                w.begin_with(w.cache);
                bool more = true;
                while (more && w.steps() < at) more = w.step();
                bool const ended = w.told == 1;
                w.stop.emit(type);
                auto const at_cancel = w.now();
                w.run();
                REQUIRE(w.told == 1);
                if (!ended) {
                    CHECK(w.now() == at_cancel);
                    CHECK((w.ec ? !w.got.value : *w.got == 2));
                }
                CHECK(w.remote.in_flight() == 0);
                if (!more) break;
            }
}

TEST_CASE("async_stale_cache: cancelled when it has a value that is a failure, that is given, and no stale one")
{
    world w;
    w.cache.put("a", 1, w.now() - 15s);
    auto const from = w.cache.judged_by(judge);
    w.told = 0;
    from.async_call(
        w.get_executor(), "a",
        [&] {
            return asio::async_initiate<asio::deferred_t const, void(error_code, int)>(
                [&](auto h) {
                    asio::post(w.get_executor(), [h = std::move(h), &w]() mutable {
                        asio::post(w.get_executor(), [h = std::move(h)]() mutable { std::move(h)(error_code(), -5); });
                        w.stop.emit(asio::cancellation_type::terminal);
                    });
                },
                asio::deferred);
        },
        asio::bind_cancellation_slot(w.stop.slot(), [&](error_code e, weir::cached<int> c) {
            ++w.told;
            w.ec = e;
            w.got = std::move(c);
        }));
    w.run();
    REQUIRE(w.told == 1);
    CHECK_FALSE(w.ec);
    CHECK(*w.got == -5);
    CHECK_FALSE(w.got.stale);
}

TEST_CASE("async_stale_cache: a context destroyed at any step runs no handler and leaks nothing")
{
    for (bool const fresh : {false, true})
        for (std::size_t at = 0;; ++at) {
            CAPTURE(at);
            auto w = std::make_unique<world>();
            auto const witness = std::make_shared<int>();
            if (fresh) w->cache.put("a", 1, w->now());
            w->remote.succeed(7, 10ms);
            bool told = false;
            w->cache.async_call(
                w->get_executor(), "a", [&w, witness] { return w->begin(); },
                [&told, witness](error_code, weir::cached<int> const&) { told = true; });
            bool more = true;
            while (more && w->steps() < at) more = w->step();
            bool const before = told;
            w.reset();
            CHECK(told == before);
            CHECK(witness.use_count() == 1);
            if (!more) break;
        }
}

TEST_CASE("async_stale_cache: coroutines; an exception is answered by the stale value, or reaches the caller as it is")
{
    world w;
    weir::stale_cache<int, std::string> cache({.fresh_for = 10s, .stale_for = 20s});
    int done = 0;
    std::string const name = "a name too long for the small string buffer";
    auto const all = [&]() -> asio::awaitable<void> {
        bool works = true;
        auto const op = [&works, name]() -> asio::awaitable<std::string> {
            if (!works) throw std::logic_error(name);
            co_return name;
        };
        auto got = co_await cache.async_call(1, op, asio::use_awaitable);
        CHECK(*got == name);
        works = false;
        weir::timer clock(w.get_executor());
        co_await clock.async_wait_for(15s, asio::deferred);
        got = co_await cache.async_call(1, op, asio::use_awaitable);
        CHECK(*got == name);
        CHECK(got.stale);
        CHECK(got.error->code == weir::errc::operation_threw);
        try {
            (void)co_await cache.async_call(2, op, asio::use_awaitable);
            FAIL("no exception");
        } catch (std::logic_error const& e) {
            CHECK(e.what() == name);
        }
        ++done;
    };
    asio::co_spawn(w.get_executor(), all(), asio::detached);
    w.run();
    CHECK(done == 1);
}

TEST_CASE("async_stale_cache: around a single_flight, all who miss at once share one call, and all get the stale value")
{
    world w;
    weir::single_flight<std::string, int> joined(w.get_executor());
    w.cache.put("a", 1, w.now() - 15s);
    w.remote.fail(reset, 10ms);
    int told = 0;
    for (int i = 0; i < 10; ++i)
        w.cache.async_call(
            w.get_executor(), "a",
            [&] {
                return joined.async_call(
                    "a", [&] { return w.begin(); }, asio::deferred);
            },
            [&](error_code ec, weir::cached<int> const& got) {
                CHECK_FALSE(ec);
                told += *got;
            });
    w.run();
    CHECK(told == 10);
    CHECK(w.remote.attempts().size() == 1);
}
