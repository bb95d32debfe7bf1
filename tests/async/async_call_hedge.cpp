// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/core/random.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <support/hedge_model.hpp>
#include <support/thorough.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::testing::virtual_time;
using scripted = weir::testing::scripted_operation<int>;

// All of an operation is compiled for each type of handler: where the type is not the point, it is one.
using told = std::function<void(error_code, int)>;

namespace {

auto const a_tenth = weir::constant(100ms).with(weir::jitter::none);

/// A slow first copy, a hedge that fails, a retry, a slow second try, a hedge that wins.
struct scenario {
    virtual_time w;
    weir::retry_budget budget{{.per_success = 0.1, .initial = 5, .max = 10}};
    weir::concurrency_limit slots{{.limit = 4, .max_queue = 0}};
    weir::circuit_breaker breaker;
    weir::endpoint_set endpoints{{{"a", "10.0.0.1", 80}, {"b", "10.0.0.2", 80}, {"c", "10.0.0.3", 80}}};
    weir::peak_ewma balancer{endpoints};
    scripted op;
    asio::cancellation_signal stop;
    int completed = 0;
    bool succeeded = false;
    int value = 0;

    scenario() { op.hang().fail(std::errc::connection_refused, 5ms).hang().succeed(42, 4ms); }

    auto make()
    {
        return weir::pipeline(weir::deadline(2s), weir::retry({.max_attempts = 3, .backoff = a_tenth}, budget),
                              weir::hedge({.delay = 20ms, .max_extra = 3}, budget), slots, breaker, balancer,
                              weir::attempt_timeout(30ms));
    }

    template <class Pipeline>
    void begin(Pipeline& p)
    {
        p.async_call(w.get_executor(), weir::hedgeable(op.async(w.get_executor())),
                     asio::bind_cancellation_slot(stop.slot(), told([this](error_code ec, int v) {
                                                      ++completed;
                                                      succeeded = !ec;
                                                      value = v;
                                                  })));
    }

    template <class Pipeline>
    void begin_coroutine(Pipeline& p)
    {
        auto const body = op.async(w.get_executor());
        p.async_call(w.get_executor(), weir::hedgeable([body](weir::attempt const& a) -> asio::awaitable<int> {
                         co_return co_await body(a)(asio::use_awaitable);
                     }),
                     asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr e, int v) {
                         ++completed;
                         succeeded = !e;
                         value = v;
                     }));
    }

    void check_nothing_left()
    {
        CHECK(slots.in_flight() == 0);
        CHECK(op.in_flight() == 0);
        CHECK(w.waiting() == 0);
        for (auto const& m : endpoints.snapshot()->members()) CHECK(m.state->in_flight() == 0);
        auto const more = op.attempts().empty() ? 0u : static_cast<unsigned>(op.attempts().size()) - 1;
        CHECK(budget.tokens() == doctest::Approx(5.0 - more + (succeeded ? 0.1 : 0)));
    }
};

template <class Begin>
void cancel_at_every_step(Begin begin)
{
    std::size_t steps = 0;
    {
        scenario s;
        auto p = s.make();
        begin(s, p);
        while (s.w.step()) ++steps;
        REQUIRE(s.completed == 1);
        REQUIRE(s.succeeded);
        REQUIRE(s.value == 42);
        REQUIRE(s.op.attempts().size() == 4);
        s.check_nothing_left();
    }
    REQUIRE(steps > 10);
    for (auto const type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total})
        for (std::size_t k = 0; k <= steps; ++k) {
            CAPTURE(k);
            CAPTURE(static_cast<int>(type));
            scenario s;
            auto p = s.make();
            begin(s, p);
            for (std::size_t i = 0; i < k; ++i) REQUIRE(s.w.step());
            bool const was_over = s.completed == 1;
            s.stop.emit(type);
            CHECK(s.completed == (was_over ? 1 : 0));  // not inside emit
            s.w.run_for(1s);
            s.w.run();
            REQUIRE(s.completed == 1);
            s.check_nothing_left();
        }
}

}  // namespace

TEST_CASE("async_call, hedge: the second copy answers, the first is cancelled for real, at another endpoint")
{
    scenario s;
    scripted op;
    op.succeed(1, 500ms).succeed(2, 5ms);
    auto p = weir::pipeline(weir::hedge({.delay = 20ms}, s.budget), s.balancer);
    std::optional<int> got;
    auto const began = s.w.now();
    p.async_call(s.w.get_executor(), weir::hedgeable(op.async(s.w.get_executor())), told([&](error_code ec, int v) {
                     CHECK_FALSE(ec);
                     got = v;
                 }));
    s.w.run();
    CHECK(got == 2);
    CHECK(s.w.now() - began == 25ms);
    CHECK(op.cancelled() == 1);
    REQUIRE(op.attempts().size() == 2);
    CHECK(s.budget.tokens() == doctest::Approx(4.1));
    for (auto const& m : s.endpoints.snapshot()->members()) CHECK(m.state->in_flight() == 0);
}

TEST_CASE("async_call, hedge: an operation that must not be copied runs alone")
{
    scenario s;
    scripted op;
    op.succeed(1, 500ms);
    auto p = weir::pipeline(weir::hedge({.delay = 20ms}, s.budget));
    std::optional<int> got;
    p.async_call(s.w.get_executor(), weir::not_hedgeable(op.async(s.w.get_executor())),
                 told([&](error_code, int v) { got = v; }));
    s.w.run();
    CHECK(got == 1);
    CHECK(op.attempts().size() == 1);
}

TEST_CASE("async_call, hedge: without a mark, the options of the call say whether it may be copied")
{
    for (auto const& [said, answer] : {std::pair<std::optional<bool>, int>{true, 2}, {false, 1}, {std::nullopt, 1}}) {
        scenario s;
        scripted op;
        op.succeed(1, 500ms).succeed(2, 5ms);
        auto p = weir::pipeline(weir::hedge({.delay = 20ms}, s.budget));
        std::optional<int> got;
        auto const handler = [&](error_code, int v) { got = v; };
        auto const by_clock = s.w.get_executor();
        p.async_call(by_clock, op.async(by_clock), {.key = "k", .idempotent = said}, handler);
        s.w.run();
        CHECK(got == answer);
    }
    // What the options say is nearer to the call than the mark.
    scenario s;
    scripted op;
    op.succeed(1, 500ms);
    auto p = weir::pipeline(weir::hedge({.delay = 20ms}, s.budget));
    auto const by_clock = s.w.get_executor();
    p.async_call(weir::hedgeable(op.async(by_clock)), {.idempotent = false},
                 asio::bind_executor(by_clock, asio::detached));
    s.w.run();
    CHECK(op.attempts().size() == 1);
}

TEST_CASE("async_call, hedge: the breaker learns nothing from the losers")
{
    scenario s;
    weir::circuit_breaker breaker({.failure_rate = 0.5, .minimum_calls = 10});
    auto p = weir::pipeline(weir::hedge({.delay = 20ms}, s.budget), breaker);
    for (int i = 0; i < 5; ++i) {
        scripted op;
        op.hang().succeed(2, 5ms);
        s.budget.refund();
        p.async_call(s.w.get_executor(), weir::hedgeable(op.async(s.w.get_executor())), asio::detached);
        s.w.run();
        CHECK(op.attempts().size() == 2);
    }
    CHECK(breaker.tally(s.w.now()).calls == 5);
    CHECK(breaker.tally(s.w.now()).failures == 0);
}

TEST_CASE("async_call, hedge: cancelled at every step, it completes once, and no token is lost or recorded twice")
{
    cancel_at_every_step([](scenario& s, auto& p) { s.begin(p); });
}

TEST_CASE("async_call, hedge: the same with a coroutine as the operation")
{
    cancel_at_every_step([](scenario& s, auto& p) { s.begin_coroutine(p); });
}

TEST_CASE("async_call, hedge: a context destroyed at every step runs no handler and leaks nothing")
{
    for (std::size_t k = 0;; ++k) {
        CAPTURE(k);
        weir::retry_budget budget({.initial = 5, .max = 5});
        weir::concurrency_limit slots({.limit = 4, .max_queue = 0});
        auto p =
            weir::pipeline(weir::retry({.backoff = a_tenth}, budget),
                           weir::hedge({.delay = 20ms, .max_extra = 3}, budget), slots, weir::attempt_timeout(30ms));
        auto const alive = std::make_shared<int>();
        bool ran = false;
        scripted op;
        op.hang().fail(std::errc::connection_refused, 5ms).hang().succeed(42, 4ms);
        {
            virtual_time w;
            p.async_call(w.get_executor(), weir::hedgeable(op.async(w.get_executor())),
                         told([alive, &ran](error_code, int) { ran = true; }));
            for (std::size_t i = 0; i < k && !ran; ++i) (void)w.step();
        }
        CHECK(alive.use_count() == 1);
        CHECK(slots.in_flight() == 0);
        if (ran) break;
    }
}

TEST_CASE("async_call, hedge: an operation that throws in any of its copies loses no token")
{
    for (unsigned which = 1; which <= 4; ++which)
        for (bool const later : {false, true}) {
            CAPTURE(which);
            CAPTURE(later);
            scenario s;
            auto p = s.make();
            auto const body = s.op.async(s.w.get_executor());
            int completed = 0;
            p.async_call(s.w.get_executor(), weir::hedgeable([&, body](weir::attempt const& a) -> asio::awaitable<int> {
                             if (!later && a.number() == which) throw std::runtime_error("before");
                             auto const v = co_await body(a)(asio::use_awaitable);
                             if (later && a.number() == which) throw std::runtime_error("after");
                             co_return v;
                         }),
                         [&](std::exception_ptr, int) { ++completed; });
            s.w.run();
            CHECK(completed == 1);
            CHECK(s.slots.in_flight() == 0);
            CHECK(s.w.waiting() == 0);
            CHECK(s.op.in_flight() == 0);
        }
}

TEST_CASE("async_call, hedge: many strands in real time; hedges, losers and cancels race")
{
    constexpr int calls = 300;
    weir::concurrency_limit slots({.limit = 10000, .max_queue = 0});
    weir::retry_budget budget({.per_success = 1, .initial = 1000, .max = 1000});
    weir::endpoint_set endpoints({{"a", "10.0.0.1", 80}, {"b", "10.0.0.2", 80}, {"c", "10.0.0.3", 80}});
    weir::peak_ewma balancer(endpoints);
    auto p = weir::pipeline(weir::retry({.max_attempts = 2, .backoff = weir::constant(1ms)}, budget),
                            weir::hedge({.delay = 1ms, .max_extra = 2}, budget), slots, balancer,
                            weir::attempt_timeout(4ms));
    std::atomic<int> completed{0};
    asio::thread_pool pool(4);
    for (int i = 0; i < calls; ++i)
        asio::co_spawn(
            asio::make_strand(pool),
            [&, i]() -> asio::awaitable<void> {
                auto const ex = co_await asio::this_coro::executor;
                weir::timer t(ex);
                try {
                    co_await p.async_call(
                        weir::hedgeable([&](weir::attempt const& a) {
                            return t.async_wait_for(
                                std::chrono::microseconds(500 + (i * 37 + static_cast<int>(a.number()) * 251) % 1500),
                                asio::deferred);
                        }),
                        asio::use_awaitable);
                } catch (boost::system::system_error const& e) {
                    CHECK(e.code() == weir::errc::attempt_timed_out);
                }
                ++completed;
            },
            asio::detached);
    pool.join();
    CHECK(completed == calls);
    CHECK(slots.in_flight() == 0);
    for (auto const& m : endpoints.snapshot()->members()) CHECK(m.state->in_flight() == 0);
}

TEST_CASE("async_call, hedge: at 5 % extra load, p99 is a tenth of what it is without")
{
    constexpr int calls = 20000;
    for (std::uint64_t seed = 1; seed <= weir::test::thorough(5); ++seed) {
        CAPTURE(seed);
        auto const naive = weir::model::answers_without_hedge(seed, calls);
        auto const hedged = weir::model::answers_with_hedge(seed, calls);
        MESSAGE("p50 " << naive.p50 << " -> " << hedged.p50 << ", p99 " << naive.p99 << " -> " << hedged.p99
                       << ", p99.9 " << naive.p999 << " -> " << hedged.p999 << " ms, extra " << hedged.extra * 100
                       << " %");
        CHECK(naive.extra == 0);
        CHECK(naive.p99 > 300);
        CHECK(hedged.p99 < naive.p99 / 10);
        CHECK(hedged.p999 < naive.p999);
        CHECK(hedged.extra <= 0.051);
    }
}
