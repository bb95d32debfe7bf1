// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/async/async_fallback.hpp>
#include <weir/call/classify.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

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

auto const reset = std::make_error_code(std::errc::connection_reset);
auto const unreachable = std::make_error_code(std::errc::host_unreachable);

/// Whoever answers with a negative number has failed.
auto const judge = [](int v) { return v < 0 ? weir::outcome::failure() : weir::outcome::success(); };

/// Two scripted operations, the first one and the one that may stand in for it, in virtual time.
struct world : weir::testing::virtual_time {
    weir::testing::scripted_operation<int> remote, spare;
    auto first() { return remote.async(get_executor())(weir::attempt{}); }
    auto second() { return spare.async(get_executor())(weir::attempt{}); }

    int told = 0;
    std::optional<weir::fallback_result<int>> answer;
    asio::cancellation_signal stop;

    auto token()
    {
        return asio::bind_cancellation_slot(stop.slot(), [this](weir::fallback_result<int> r) {
            ++told;
            answer.emplace(std::move(r));
        });
    }
    template <class Fallback>
    void ask(Fallback const& f)
    {
        f.async_call(
            get_executor(), [this] { return first(); }, token());
        CHECK(told == 0);
    }
    template <class Fallback>
    weir::fallback_result<int> const& asked(Fallback const& f)
    {
        ask(f);
        run();
        REQUIRE(told == 1);
        return *answer;
    }
};

}  // namespace

TEST_CASE("async_fallback: a value passes, and the fallback is not asked")
{
    world w;
    w.remote.succeed(42, 10ms);
    int asked = 0;
    auto const& r = w.asked(weir::fallback{[&] { return ++asked; }});
    REQUIRE(r);
    CHECK(*r == 42);
    CHECK_FALSE(r.degraded());
    CHECK(asked == 0);
}

TEST_CASE("async_fallback: an error is answered by value, by function, by function of the error, by operation")
{
    auto const good = [](auto const& f, int expected, world& w) {
        w.remote.fail(reset, 10ms);
        auto const& r = w.asked(f);
        REQUIRE(r);
        CHECK(*r == expected);
        CHECK(r.degraded());
        CHECK(r.report().original->error.code == reset);
        CHECK_FALSE(r.report().own);
    };
    world w[6];
    good(weir::fallback{7}, 7, w[0]);
    good(weir::fallback{[] { return 8; }}, 8, w[1]);
    good(weir::fallback{[](weir::error const& e) { return e.code == reset ? 9 : 0; }}, 9, w[2]);
    good(weir::fallback{[] { return weir::result<int>(10); }}, 10, w[3]);
    w[4].spare.succeed(11, 20ms);
    good(weir::fallback{[&](weir::error const&) { return w[4].second(); }}, 11, w[4]);
    good(weir::fallback{[&](weir::error const& e) -> asio::awaitable<int> {
             auto const executor = co_await asio::this_coro::executor;
             weir::timer clock(executor);
             co_await clock.async_wait_for(1s, asio::deferred);
             co_return e.code == reset ? 12 : 0;  // the error is still there
         }},
         12, w[5]);
    CHECK(w[5].now() == weir::time_point(1h) + 1s + 10ms);
}

TEST_CASE("async_fallback: when it fails as well, the result has both errors, and the original one first")
{
    auto const both = [](auto const& f, std::error_code own, world& w) {
        w.remote.fail(reset, 10ms);
        auto const& r = w.asked(f);
        REQUIRE_FALSE(r);
        CHECK(r.error().code == reset);
        CHECK_FALSE(r.degraded());
        CHECK(r.report().original->error.code == reset);
        REQUIRE(r.report().own);
        CHECK(r.report().own->error.code == own);
    };
    world w[7];
    auto const threw = make_error_code(weir::errc::operation_threw);
    both(weir::fallback{[] { return weir::result<int>(weir::error(unreachable)); }}, unreachable, w[0]);
    both(weir::fallback{[]() -> int { throw std::runtime_error("no"); }}, threw, w[1]);
    w[2].spare.fail(unreachable, 5ms);
    both(weir::fallback{[&] { return w[2].second(); }}, unreachable, w[2]);
    w[3].spare.raise(std::runtime_error("does not begin"));
    both(weir::fallback{[&] { return w[3].second(); }}, threw, w[3]);
    CHECK(w[3].answer->report().own->thrown);
    auto const thrower = [](bool code) -> asio::awaitable<int> {
        if (code) throw boost::system::system_error(error_code(unreachable));
        throw std::runtime_error("no");
        co_return 0;
    };
    both(weir::fallback{[&] { return thrower(true); }}, unreachable, w[4]);
    both(weir::fallback{[&] { return thrower(false); }}, threw, w[5]);
    auto const bad_when = [](weir::error const&) -> bool { throw std::runtime_error("when"); };
    w[6].spare.succeed(1);
    both(weir::fallback{[&] { return w[6].second(); }, bad_when}, threw, w[6]);
    CHECK(w[6].spare.attempts().empty());
}

TEST_CASE("async_fallback: what it does not answer for passes untouched")
{
    world w, v;
    w.remote.fail(reset);
    auto const& r = w.asked(weir::fallback{7, weir::on_refusal{}});
    CHECK(r.error().code == reset);
    CHECK_FALSE(r.report().original);
    v.remote.fail(reset);
    v.spare.succeed(7);
    CHECK(v.asked(weir::fallback{[&] { return v.second(); }, weir::on_refusal{}}).error().code == reset);
    CHECK(v.spare.attempts().empty());
}

TEST_CASE("async_fallback: an operation that throws instead of beginning has failed, and not inside async_call")
{
    world w;
    w.remote.raise(std::system_error(reset));
    auto const& r = w.asked(weir::fallback{7});
    CHECK(*r == 7);
    CHECK(r.report().original->error.code == reset);
    CHECK(r.report().original->thrown);
}

TEST_CASE(
    "async_fallback: a value that its classifier calls a failure is answered by value, by operation, by coroutine")
{
    auto const good = [](auto const& f, int expected, world& w) {
        w.remote.succeed(-5, 10ms);
        auto const& r = w.asked(f);
        REQUIRE(r);
        CHECK(*r == expected);
        CHECK(r.degraded());
        CHECK(r.report().original->error.code == weir::errc::answer_failed);
        CHECK_FALSE(r.report().own);
    };
    world w[6];
    good(weir::fallback{7}.judged_by(judge), 7, w[0]);
    w[1].spare.succeed(11, 20ms);
    good(weir::fallback{[&](weir::error const&) { return w[1].second(); }}.judged_by(weir::classify(judge)), 11, w[1]);
    good(weir::fallback{[](weir::error const& e, int const* v) -> asio::awaitable<int> {
             weir::timer clock(co_await asio::this_coro::executor);
             co_await clock.async_wait_for(1s, asio::deferred);
             co_return e.code == weir::errc::answer_failed ? *v * 10 : 0;  // both are still there
         }}.judged_by(judge),
         -50, w[2]);

    w[3].remote.succeed(5);
    CHECK(*w[3].asked(weir::fallback{7}.judged_by(judge)) == 5);
    CHECK_FALSE(w[3].answer->report().original);
    w[4].remote.succeed(-5);
    CHECK(*w[4].asked(weir::fallback{[&] { return w[4].second(); }, weir::on_refusal{}}.judged_by(judge)) == -5);
    CHECK_FALSE(w[4].answer->report().original);
    CHECK(w[4].spare.attempts().empty());
    w[5].remote.succeed(-5);
    CHECK(*w[5].asked(weir::fallback{7}) == -5);  // nobody says that this is a failure
}

TEST_CASE("async_fallback: when it fails as well, a value that was judged a failure stays, with both beside it")
{
    auto const both = [](auto const& f, world& w) {
        w.remote.succeed(-5, 10ms);
        w.spare.fail(unreachable, 5ms);
        auto const& r = w.asked(f);
        REQUIRE(r);
        CHECK(*r == -5);
        CHECK_FALSE(r.degraded());
        CHECK(r.report().original->error.code == weir::errc::answer_failed);
        CHECK(r.report().own->error.code == unreachable);
    };
    world w[3];
    both(weir::fallback{[] { return weir::result<int>(weir::error(unreachable)); }}.judged_by(judge), w[0]);
    both(weir::fallback{[&] { return w[1].second(); }}.judged_by(judge), w[1]);
    w[2].remote.succeed(-5);
    auto const& r =
        w[2].asked(weir::fallback{7}.judged_by([](int) -> weir::outcome { throw std::system_error(unreachable); }));
    CHECK(*r == -5);
    CHECK_FALSE(r.report().original);
    CHECK(r.report().own->error.code == unreachable);
}

TEST_CASE("async_fallback: cancelled when it has a value that is a failure, the value passes, and nobody else is asked")
{
    world w;
    w.remote.succeed(-5, 10ms);
    w.spare.succeed(7);
    auto const f = weir::fallback{[&] { return w.second(); }}.judged_by([&](int v) {
        w.stop.emit(asio::cancellation_type::terminal);
        return judge(v);
    });
    auto const& r = w.asked(f);
    CHECK(*r == -5);
    CHECK_FALSE(r.report().original);
    CHECK(w.spare.attempts().empty());
}

TEST_CASE("async_fallback: cancelled at any step, it completes once, and nothing is begun after it")
{
    enum { by_value, by_operation, by_coroutine, cases };
    for (int kind = 0; kind < cases; ++kind)
        for (auto const type : {asio::cancellation_type::terminal, asio::cancellation_type::total})
            for (std::size_t at = 0;; ++at) {
                CAPTURE(kind);
                CAPTURE(at);
                world w;
                w.remote.fail(reset, 10ms);
                w.spare.succeed(7, 10ms);
                weir::fallback value{7};
                weir::fallback operation{[&] { return w.second(); }};
                weir::fallback coroutine{[&]() -> asio::awaitable<int> {
                    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
                    co_return co_await w.second();
                }};
                if (kind == by_value) w.ask(value);
                if (kind == by_operation) w.ask(operation);
                if (kind == by_coroutine) w.ask(coroutine);
                bool more = true;
                while (more && w.steps() < at) more = w.step();
                bool const ended = w.told == 1;
                auto const begun = w.spare.attempts().size();
                w.stop.emit(type);
                auto const at_cancel = w.now();
                w.run();
                REQUIRE(w.told == 1);
                if (!ended) {
                    CHECK(w.now() == at_cancel);
                    CHECK_FALSE(*w.answer);
                    if (kind != by_coroutine) CHECK(w.spare.attempts().size() == begun);
                }
                CHECK(w.remote.in_flight() == 0);
                CHECK(w.spare.in_flight() == 0);
                if (!more) break;
            }
}

TEST_CASE("async_fallback: cancelled between the failure and its handler, the fallback is not asked")
{
    world w;
    weir::fallback f{7};
    f.async_call(
        w.get_executor(),
        [&] {
            return asio::async_initiate<asio::deferred_t const, void(error_code, int)>(
                [&](auto h) {
                    auto const executor = w.get_executor();
                    asio::post(executor, [h = std::move(h), &w]() mutable {
                        asio::post(w.get_executor(),
                                   [h = std::move(h)]() mutable { std::move(h)(error_code(reset), 0); });
                        w.stop.emit(asio::cancellation_type::terminal);
                    });
                },
                asio::deferred);
        },
        w.token());
    w.run();
    REQUIRE(w.told == 1);
    REQUIRE_FALSE(*w.answer);
    CHECK(w.answer->error().code == reset);
    CHECK_FALSE(w.answer->report().original);
}

TEST_CASE("async_fallback: a context destroyed at any step runs no handler and leaks nothing")
{
    for (std::size_t at = 0;; ++at) {
        CAPTURE(at);
        auto w = std::make_unique<world>();
        auto const witness = std::make_shared<int>();
        w->remote.fail(reset, 10ms);
        w->spare.succeed(7, 10ms);
        weir::fallback f{[&] { return w->second(); }};
        bool told = false;
        f.async_call(
            w->get_executor(), [&w, witness] { return w->first(); },
            [&told, witness](weir::fallback_result<int> const&) { told = true; });
        bool more = true;
        while (more && w->steps() < at) more = w->step();
        bool const before = told;
        w.reset();
        CHECK(told == before);
        CHECK(witness.use_count() == 1);
        if (!more) break;
    }
}

TEST_CASE("async_fallback: coroutines; an exception is answered for, or reaches the caller as it is")
{
    world w;
    int done = 0;
    std::string const name = "a name too long for the small string buffer";
    auto const fails = [name](bool code) -> asio::awaitable<std::string> {
        if (code) throw boost::system::system_error(error_code(reset));
        throw std::logic_error(name);
        co_return "";
    };
    auto const all = [&]() -> asio::awaitable<void> {
        weir::fallback text{std::string("instead")};
        auto const r = co_await text.async_call([&] { return fails(true); }, asio::use_awaitable);
        CHECK(*r == "instead");
        CHECK(r.report().original->error.code == reset);
        CHECK_THROWS_AS(std::rethrow_exception(r.report().original->thrown), boost::system::system_error);

        auto const s = co_await text.async_call([&] { return fails(false); }, asio::use_awaitable);
        CHECK(s.report().original->error.code == weir::errc::operation_threw);

        weir::fallback only_refused{std::string("instead"), weir::on_refusal{}};
        try {
            (void)co_await only_refused.async_call([&] { return fails(false); }, asio::use_awaitable);
            FAIL("no exception");
        } catch (std::logic_error const& e) {
            CHECK(e.what() == name);
        }
        auto const nothing = []() -> asio::awaitable<void> { co_return; };
        auto const v = co_await weir::fallback{[] {}}.async_call(nothing, asio::use_awaitable);
        CHECK(v.has_value());
        ++done;
    };
    asio::co_spawn(w.get_executor(), all(), asio::detached);
    w.run();
    CHECK(done == 1);
}

TEST_CASE("async_fallback: around a pipeline, within another fallback, without a value, with several, with a future")
{
    world w;
    weir::token_bucket none({.rate = weir::per_second(1), .burst = 1});
    REQUIRE(none.try_acquire(1, w.now()));
    auto guarded = weir::pipeline(none);
    weir::fallback inner{[](weir::error const& e) -> weir::result<int> { return e; }, weir::on_refusal{}};
    weir::fallback outer{3};
    // A bare use_future brings threads of its own along.
    auto const future = [&] { return asio::bind_executor(w.get_executor(), asio::use_future); };
    auto refused = outer.async_call(
        [&] {
            return inner.async_call(
                w.get_executor(),
                [&] { return guarded.async_call(w.get_executor(), w.remote.async(w.get_executor()), asio::deferred); },
                asio::deferred);
        },
        future());
    w.remote.succeed(1);
    w.run();
    auto const r = refused.get();
    CHECK(*r == 3);
    CHECK(r.report().original->error.code == weir::errc::rate_limited);
    CHECK(w.remote.attempts().empty());

    weir::timer clock(w.get_executor());
    clock.async_wait_for(1s, [](error_code) {});
    weir::fallback nothing{[] {}};
    auto waited = nothing.async_call([&] { return clock.async_wait_for(2s, asio::deferred); }, future());
    w.poll();
    clock.cancel();
    w.run();
    CHECK(waited.get().error().code == std::errc::operation_canceled);  // no fallback answers for that

    error_code ending(reset);
    auto const two = [&] {
        return asio::async_initiate<asio::deferred_t const, void(error_code, int, std::string)>(
            [&](auto h) {
                auto const executor = asio::get_associated_executor(h);
                asio::post(executor, [h = std::move(h), ending]() mutable { std::move(h)(ending, 0, "none"); });
            },
            asio::deferred);
    };
    weir::fallback pair{std::tuple<int, std::string>(1, "one")};
    auto both = pair.async_call(two, future());
    w.run();
    CHECK(std::get<1>(*both.get()) == "one");
    ending = {};
    auto const judged = pair.judged_by([](int, std::string const& s) {  // several values are shown as they came
        return s == "none" ? weir::outcome::failure() : weir::outcome::success();
    });
    both = judged.async_call(two, future());
    w.run();
    CHECK(std::get<1>(*both.get()) == "one");
}
