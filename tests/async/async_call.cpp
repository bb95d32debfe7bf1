// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <support/counting_allocator.hpp>

#include <doctest/doctest.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using scripted = weir::testing::scripted_operation<int>;

// All of an operation is compiled for each type of handler: where the type is not the point, it is one.
using told = std::function<void(error_code, int)>;

namespace {

struct world : weir::testing::virtual_time {
    weir::time_point const begin = now();
    [[nodiscard]] weir::duration elapsed() const { return now() - begin; }
};

auto const a_tenth = weir::constant(100ms).with(weir::jitter::none);

/// A gate that counts what happens to its tokens, and may open late.
struct ledger {
    int admitted = 0, recorded = 0, given_back = 0;
    weir::duration start_in{};

    class token {
    public:
        token(ledger& l, weir::time_point start) : ledger_(&l), start_(start) { ++l.admitted; }
        token(token&& o) noexcept : ledger_(std::exchange(o.ledger_, nullptr)), start_(o.start_) {}
        token& operator=(token&& o) noexcept
        {
            std::swap(ledger_, o.ledger_);
            start_ = o.start_;
            return *this;
        }
        ~token()
        {
            if (ledger_) ++ledger_->given_back;
        }
        void record(weir::outcome const&, weir::time_point) noexcept { ++std::exchange(ledger_, nullptr)->recorded; }
        [[nodiscard]] weir::time_point start_at() const noexcept { return start_; }

    private:
        ledger* ledger_;
        weir::time_point start_;
    };

    weir::admission<token> admit(weir::time_point now) { return token(*this, now + start_in); }
    [[nodiscard]] bool settled() const { return admitted == recorded + given_back; }
};

}  // namespace

TEST_CASE("async_call: never completes inside the initiating function, and once")
{
    world w;
    scripted op;
    op.succeed(7);
    auto p = weir::pipeline(weir::retry());
    int done = 0;
    p.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int v) {
                     CHECK_FALSE(ec);
                     CHECK(v == 7);
                     ++done;
                 }));
    CHECK(done == 0);
    CHECK(op.attempts().size() == 1);  // but the first attempt is begun
    w.run();
    CHECK(done == 1);

    weir::concurrency_limit full({.limit = 1, .max_queue = 0});
    auto const held = full.admit(w.now());
    auto refused = weir::pipeline(full);
    p.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code, int) { ++done; }));
    refused.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) {
                           CHECK(ec == weir::errc::too_many_calls);
                           CHECK(ec == weir::condition::rejected);
                           ++done;
                       }));
    CHECK(done == 1);
    w.run();
    CHECK(done == 3);
}

TEST_CASE("async_call: retries after the backoff, in virtual time, and gives the last real error")
{
    world w;
    scripted op;
    op.fail(std::errc::connection_refused, 5ms).fail(std::errc::connection_reset, 5ms);
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}));
    error_code got;
    p.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) { got = ec; }));
    w.run();
    CHECK(got == boost::system::errc::connection_reset);
    CHECK(op.attempts().size() == 3);
    CHECK(w.elapsed() == 215ms);
}

TEST_CASE("async_call: what Asio says in categories of its own is judged by what it means, and given as it came")
{
    struct row {
        error_code ec;
        std::size_t tries;
    };
    for (auto const& [ec, tries] : {row{asio::error::eof, 3}, row{asio::error::host_not_found_try_again, 3},
                                    row{asio::error::host_not_found, 1}, row{asio::error::not_found, 1}}) {
        CAPTURE(ec.message());
        world w;
        auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}));
        std::size_t sent = 0, thrown = 0;
        error_code got;
        p.async_call(
            w.get_executor(),
            [&](weir::attempt const&) {
                ++sent;
                return asio::async_initiate<asio::deferred_t const, void(error_code)>(
                    [&w, code = ec](auto handler) {
                        asio::post(w.get_executor(), [h = std::move(handler), code]() mutable { h(code); });
                    },
                    asio::deferred);
            },
            [&](error_code e) { got = e; });
        p.async_call(
            w.get_executor(),
            [&](weir::attempt const&) -> asio::awaitable<void> {
                ++thrown;
                throw boost::system::system_error(ec);
                co_return;
            },
            [&](std::exception_ptr e) {
                CHECK_THROWS_WITH_AS(std::rethrow_exception(e), ec.what().c_str(), boost::system::system_error);
            });
        w.run();
        CHECK(got == ec);
        CHECK(sent == tries);
        CHECK(thrown == tries);
    }
}

TEST_CASE("async_call: who refused, and when to come back, is there before the handler runs; a real error leaves it be")
{
    world w;
    scripted op;
    op.fail(std::errc::permission_denied);
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    auto p = weir::pipeline(bucket);
    std::optional<weir::rejection> why;
    int ended = 0;
    p.async_call(w.get_executor(), op.async(w.get_executor()), {.refused = &why}, told([&](error_code ec, int) {
                     CHECK(ec == std::errc::permission_denied);
                     CHECK_FALSE(why);
                     ++ended;
                 }));
    w.run();
    auto const refused = weir::with({.refused = &why}, op.async(w.get_executor()));
    p.async_call(w.get_executor(), weir::with({.key = "k"}, refused), told([&](error_code ec, int) {
                     CHECK(ec == weir::errc::rate_limited);
                     REQUIRE(why);
                     CHECK(why->gate == "token_bucket");
                     CHECK(why->retry_at == w.begin + 1s);
                     ++ended;
                 }));
    w.run();
    CHECK(ended == 2);
}

TEST_CASE("async_call: a timeout cancels the attempt for real and is told apart from the caller's cancel")
{
    world w;
    scripted op;
    op.hang();
    auto p = weir::pipeline(weir::retry({.max_attempts = 2, .backoff = a_tenth}), weir::attempt_timeout(300ms));
    error_code got;
    p.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) { got = ec; }));
    w.run();
    CHECK(got == weir::errc::attempt_timed_out);
    CHECK(got == weir::condition::transient);
    CHECK(op.cancelled() == 2);
    CHECK(w.elapsed() == 700ms);

    auto bounded = weir::pipeline(weir::deadline(1s), weir::retry());
    bounded.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) { got = ec; }));
    w.run();
    CHECK(got == weir::errc::deadline_exceeded);
    CHECK_FALSE(got == weir::condition::rejected);
}

TEST_CASE("async_call: every completion token")
{
    world w;
    scripted op;
    op.succeed(7, 1ms);
    auto p = weir::pipeline(weir::retry());
    auto const ex = w.get_executor();
    std::vector<std::string> seen;

    p.async_call(ex, op.async(ex), told([&](error_code, int v) { seen.push_back("callback" + std::to_string(v)); }));
    auto future = p.async_call(ex, op.async(ex), asio::use_future);
    auto bound = p.async_call(op.async(ex), asio::bind_executor(ex, asio::use_future));
    p.async_call(ex, op.async(ex), asio::detached);
    auto lazy = p.async_call(ex, op.async(ex), asio::deferred);
    asio::co_spawn(
        ex,
        [&]() -> asio::awaitable<void> {
            int const v = co_await p.async_call(op.async(ex), asio::use_awaitable);
            seen.push_back("awaitable" + std::to_string(v));
            auto const [ec, u] = co_await p.async_call(op.async(ex), asio::as_tuple(asio::use_awaitable));
            seen.push_back("tuple" + std::to_string(u) + ec.message());
        },
        asio::detached);
    w.run();
    CHECK(op.attempts().size() == 6);
    std::move(lazy)([&](error_code, int v) { seen.push_back("deferred" + std::to_string(v)); });
    w.run();
    CHECK(seen == std::vector<std::string>{"callback7", "awaitable7", "tuple7Success", "deferred7"});
    CHECK(future.get() == 7);
    CHECK(bound.get() == 7);
}

TEST_CASE("async_call: a coroutine as the operation; its exceptions reach the caller")
{
    world w;
    weir::timer t(w.get_executor());
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}), weir::attempt_timeout(300ms));
    std::string log;
    asio::co_spawn(
        w.get_executor(),
        [&]() -> asio::awaitable<void> {
            auto const text = co_await p.async_call(
                [&](weir::attempt const& a) -> asio::awaitable<std::string> {
                    co_await t.async_wait_for(a.number() == 1 ? 1h : 10ms, asio::use_awaitable);
                    co_return "attempt " + std::to_string(a.number());
                },
                asio::use_awaitable);
            log += text + "; ";
            try {
                co_await p.async_call(
                    [&](weir::attempt const&) -> asio::awaitable<void> {
                        co_await t.async_wait_for(1ms, asio::use_awaitable);
                        throw std::invalid_argument("mine");
                    },
                    asio::use_awaitable);
            } catch (std::invalid_argument const& e) {
                log += std::string(e.what()) + "; ";
            }
            try {
                co_await p.async_call(
                    [&](weir::attempt const&) -> asio::awaitable<int> {
                        co_await t.async_wait_for(1h, asio::use_awaitable);
                        co_return 1;
                    },
                    asio::use_awaitable);
            } catch (boost::system::system_error const& e) {
                log += e.code() == weir::errc::attempt_timed_out ? "timed out" : "?";
            }
        },
        asio::detached);
    w.run();
    CHECK(log == "attempt 2; mine; timed out");
    CHECK(w.waiting() == 0);
}

TEST_CASE("async_call: an operation that throws instead of starting has failed; tokens are settled")
{
    world w;
    ledger gate;
    scripted op;
    op.raise(std::runtime_error("x"));
    scripted known;
    known.raise(boost::system::system_error(asio::error::connection_refused)).succeed(3);
    auto p = weir::pipeline(weir::retry({.max_attempts = 2, .backoff = a_tenth}), gate);
    error_code got;
    int value = 0;
    p.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) { got = ec; }));
    p.async_call(w.get_executor(), known.async(w.get_executor()), told([&](error_code, int v) { value = v; }));
    w.run();
    CHECK(got == weir::errc::operation_threw);
    CHECK(value == 3);
    CHECK(gate.settled());
    CHECK(gate.recorded == 3);  // operation_threw is not transient: one attempt, and two of the other
}

TEST_CASE("async_call: a gate or a classifier that throws ends the call and settles what was taken")
{
    struct broken {
        weir::admission<ledger::token> admit(weir::time_point) { throw std::runtime_error("gate"); }
    };
    world w;
    ledger gate;
    scripted op;
    op.succeed(1, 1ms);
    std::vector<error_code> got;
    auto const keep = [&](error_code ec, int) { got.push_back(ec); };
    auto bad_gate = weir::pipeline(gate, weir::retry(), broken{});
    auto bad_classifier = weir::pipeline(weir::classify([](int) -> weir::outcome { throw std::runtime_error("f"); }),
                                         weir::retry(), gate);
    bad_gate.async_call(w.get_executor(), op.async(w.get_executor()), keep);
    bad_classifier.async_call(w.get_executor(), op.async(w.get_executor()), keep);
    w.run();
    REQUIRE(got.size() == 2);
    for (auto const& ec : got) CHECK(ec == weir::errc::operation_threw);
    CHECK(gate.settled());
}

TEST_CASE("async_call: completes on the handler's executor; attempts run on the call's")
{
    world w;
    world other;
    scripted op;
    op.succeed(1, 1ms);
    auto p = weir::pipeline(weir::retry());
    bool done = false;
    p.async_call(w.get_executor(), op.async(w.get_executor()),
                 asio::bind_executor(other.get_executor(), told([&](error_code, int) {
                                         CHECK(other.get_executor().running_in_this_thread());
                                         done = true;
                                     })));
    w.run();
    CHECK_FALSE(done);
    other.run();
    CHECK(done);

    asio::strand<asio::any_io_executor> const strand(w.get_executor());
    done = false;
    p.async_call(
        [&](weir::attempt const& a) {
            CHECK(strand.running_in_this_thread() ==
                  (a.number() > 1));  // the first is begun by the initiating function
            return op.async(strand)(a);
        },
        asio::bind_executor(strand, told([&](error_code, int) {
                                CHECK(strand.running_in_this_thread());
                                done = true;
                            })));
    w.run();
    CHECK(done);
}

TEST_CASE("async_call: the call's context may go before its handler has run in another one")
{
    world handlers;
    int done = 0;
    scripted op;
    op.succeed(7, 1ms);
    auto p = weir::pipeline(weir::retry());
    auto const count = [&](error_code ec, int v) { done += !ec && v == 7; };
    for (int turn = 0; turn < 2; ++turn) {
        world w;
        if (turn == 0)
            p.async_call(w.get_executor(), op.async(w.get_executor()),
                         asio::bind_executor(handlers.get_executor(), count));
        else
            p.async_call(asio::make_strand(w.get_executor()), op.async(w.get_executor()),
                         asio::bind_executor(asio::any_io_executor(handlers.get_executor()), count));
        w.run();
        CHECK(w.context().stopped());  // the operation is over, and keeps its context no longer
    }
    CHECK(done == 0);
    handlers.run();
    CHECK(done == 2);
}

TEST_CASE("async_call: memory comes from the handler's allocator and is back before the handler runs")
{
    world w;
    scripted op;
    op.fail(std::errc::connection_refused, 1ms).hang().succeed(1, 1ms);
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}), weir::attempt_timeout(50ms));
    weir::test::ledger book;
    bool done = false;
    p.async_call(w.get_executor(), op.async(w.get_executor()),
                 asio::bind_allocator(weir::test::counting_allocator<void>(book), [&](error_code ec, int) {
                     CHECK_FALSE(ec);
                     CHECK(book.held == 0);
                     done = true;
                 }));
    w.run();
    CHECK(done);
    CHECK(book.taken > 0);
}

namespace {

/// One scenario with every kind of step: a paced start, a failure, a pause, a timeout, a second pause, a success.
struct scenario {
    world w;
    ledger outer, inner;
    weir::retry_budget budget{{.per_success = 0.1, .initial = 5, .max = 5}};
    weir::concurrency_limit slots{{.limit = 1, .max_queue = 0}};
    weir::endpoint_set endpoints;
    weir::peak_ewma balancer{endpoints};
    scripted op;
    asio::cancellation_signal stop;
    int completed = 0;
    error_code ec;
    std::exception_ptr thrown;

    scenario()
    {
        endpoints.update({{"a", "10.0.0.1", 80}, {"b", "10.0.0.2", 80}});
        outer.start_in = 20ms;
        inner.start_in = 5ms;
        op.fail(std::errc::connection_refused, 3ms).hang().succeed(42, 4ms);
    }

    template <class Pipeline>
    void begin(Pipeline& p)
    {
        p.async_call(w.get_executor(), op.async(w.get_executor()),
                     asio::bind_cancellation_slot(stop.slot(), told([this](error_code e, int) {
                                                      ++completed;
                                                      ec = e;
                                                  })));
    }

    template <class Pipeline>
    void begin_coroutine(Pipeline& p)
    {
        auto const body = op.async(w.get_executor());
        p.async_call(
            w.get_executor(),
            [body](weir::attempt const& a) -> asio::awaitable<int> { co_return co_await body(a)(asio::use_awaitable); },
            asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr e, int) {
                ++completed;
                thrown = e;
            }));
    }

    auto make()
    {
        return weir::pipeline(weir::deadline(2s), outer, slots,
                              weir::retry({.max_attempts = 3, .backoff = a_tenth}, budget), inner, balancer,
                              weir::attempt_timeout(50ms));
    }

    void check_nothing_left(bool finished)
    {
        CHECK(outer.settled());
        CHECK(inner.settled());
        CHECK(slots.in_flight() == 0);
        CHECK(op.in_flight() == 0);
        CHECK(w.waiting() == 0);
        for (auto const& m : endpoints.snapshot()->members()) CHECK(m.state->in_flight() == 0);
        auto const retries = op.attempts().empty() ? 0u : static_cast<unsigned>(op.attempts().size()) - 1;
        CHECK(budget.tokens() == doctest::Approx(5.0 - retries + (finished ? 0.1 : 0)));
    }
};

template <class Begin>
void cancel_at_every_step(Begin begin, weir::duration cancel_late = {})
{
    std::size_t steps = 0;
    {
        scenario s;
        auto p = s.make();
        begin(s, p);
        while (s.w.step()) ++steps;
        REQUIRE(s.completed == 1);
        REQUIRE(s.op.attempts().size() == 3);
        s.check_nothing_left(true);
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
            s.w.run_for(cancel_late + 1ms);
            s.w.run();
            REQUIRE(s.completed == 1);
            bool const succeeded = !s.ec && !s.thrown;
            if (!succeeded && s.ec) CHECK(s.ec == asio::error::operation_aborted);
            s.check_nothing_left(succeeded);
        }
}

}  // namespace

TEST_CASE("async_call: cancelled at every step, it completes once, and no token is lost or recorded twice")
{
    cancel_at_every_step([](scenario& s, auto& p) { s.begin(p); });
}

TEST_CASE("async_call: the same with a coroutine as the operation")
{
    // co_spawn listens to terminal cancellation alone; with another type the attempt in flight may go on to its end.
    cancel_at_every_step([](scenario& s, auto& p) { s.begin_coroutine(p); }, 1s);
}

TEST_CASE("async_call: a context destroyed at every step runs no handler and leaks nothing")
{
    std::size_t steps = 0;
    {
        scenario s;
        auto p = s.make();
        s.begin(p);
        while (s.w.step()) ++steps;
    }
    for (std::size_t k = 0; k < steps; ++k) {
        CAPTURE(k);
        ledger outer, inner;
        outer.start_in = 20ms;
        weir::concurrency_limit slots({.limit = 1, .max_queue = 0});
        weir::retry_budget budget({.initial = 5, .max = 5});
        auto p = weir::pipeline(weir::deadline(2s), outer, slots,
                                weir::retry({.max_attempts = 3, .backoff = a_tenth}, budget), inner,
                                weir::attempt_timeout(50ms));
        auto const alive = std::make_shared<int>();
        bool ran = false;
        scripted op;
        op.fail(std::errc::connection_refused, 3ms).hang().succeed(42, 4ms);
        {
            world w;
            p.async_call(w.get_executor(), op.async(w.get_executor()),
                         told([alive, &ran](error_code, int) { ran = true; }));
            for (std::size_t i = 0; i < k && !ran; ++i) (void)w.step();
        }
        CHECK(alive.use_count() == 1);
        CHECK(outer.settled());
        CHECK(inner.settled());
        CHECK(slots.in_flight() == 0);
    }
}

TEST_CASE("async_call: an exception at every attempt, thrown at every place, loses no token")
{
    for (int where = 0; where < 3; ++where)
        for (unsigned which = 1; which <= 3; ++which) {
            CAPTURE(where);
            CAPTURE(which);
            scenario s;
            auto p = weir::pipeline(s.outer, s.slots, weir::classify([&](int) -> weir::outcome {
                                        if (where == 2) throw std::runtime_error("classifier");
                                        return weir::outcome::success();
                                    }),
                                    weir::retry({.max_attempts = 3, .backoff = a_tenth}, s.budget), s.inner, s.balancer,
                                    weir::attempt_timeout(50ms));
            auto const body = s.op.async(s.w.get_executor());
            int completed = 0;
            p.async_call(
                s.w.get_executor(),
                [&, body](weir::attempt const& a) -> asio::awaitable<int> {
                    if (where == 0 && a.number() == which) throw std::runtime_error("before");
                    auto const v = co_await body(a)(asio::use_awaitable);
                    if (where == 1) throw std::runtime_error("after");
                    co_return v;
                },
                [&](std::exception_ptr, int) { ++completed; });
            s.w.run();
            CHECK(completed == 1);
            CHECK(s.outer.settled());
            CHECK(s.inner.settled());
            CHECK(s.slots.in_flight() == 0);
            CHECK(s.w.waiting() == 0);
        }
}

TEST_CASE("async_call: an operation that ignores cancellation makes its call late, and keeps its slot until it ends")
{
    world w;
    weir::concurrency_limit slots({.limit = 1, .max_queue = 0});
    auto p = weir::pipeline(slots, weir::attempt_timeout(50ms));
    weir::timer t(w.get_executor());
    std::optional<error_code> got;
    p.async_call(
        w.get_executor(),
        [&](weir::attempt const&) {
            return asio::async_initiate<asio::deferred_t const, void(error_code)>(
                [&](auto handler) {
                    t.async_wait_for(
                        1s, asio::bind_executor(w.get_executor(),
                                                [h = std::move(handler)](error_code ec) mutable { std::move(h)(ec); }));
                },
                asio::deferred);
        },
        [&](error_code ec) { got = ec; });
    w.run_for(500ms);
    CHECK_FALSE(got);
    CHECK(slots.in_flight() == 1);
    w.run();
    REQUIRE(got);
    CHECK_FALSE(*got);  // it did succeed in the end
    CHECK(slots.in_flight() == 0);
}

TEST_CASE("async_call: the breaker learns nothing from a caller's cancel, and a timeout is a failure")
{
    world w;
    weir::circuit_breaker breaker({.failure_rate = 0.5, .minimum_calls = 2});
    scripted op;
    op.hang();
    auto p = weir::pipeline(breaker, weir::attempt_timeout(50ms));
    for (int i = 0; i < 10; ++i) {
        asio::cancellation_signal stop;
        p.async_call(w.get_executor(), op.async(w.get_executor()),
                     asio::bind_cancellation_slot(
                         stop.slot(), told([](error_code ec, int) { CHECK(ec == asio::error::operation_aborted); })));
        w.run_for(1ms);
        stop.emit(asio::cancellation_type::terminal);
        w.run();
    }
    CHECK(breaker.tally(w.now()).calls == 0);
    for (int i = 0; i < 2; ++i) {
        p.async_call(w.get_executor(), op.async(w.get_executor()), asio::detached);
        w.run();
    }
    CHECK(breaker.state(w.now()) == weir::circuit_state::open);
}

TEST_CASE("async_call: many strands share a pipeline in real time; timeouts, retries and cancels race")
{
    constexpr int calls = 400;
    weir::concurrency_limit slots({.limit = 1000, .max_queue = 0});
    weir::circuit_breaker breaker({.failure_rate = 1, .minimum_calls = 100000});
    weir::retry_budget budget({.initial = 10, .max = 10});
    auto p = weir::pipeline(weir::deadline(2s), slots,
                            weir::retry({.max_attempts = 3, .backoff = weir::constant(1ms)}, budget), breaker,
                            weir::attempt_timeout(3ms));
    std::atomic<int> completed{0};
    asio::thread_pool pool(4);
    for (int i = 0; i < calls; ++i)
        asio::co_spawn(
            asio::make_strand(pool),
            [&, i]() -> asio::awaitable<void> {
                auto const ex = co_await asio::this_coro::executor;
                weir::timer t(ex);
                auto const [ec] = co_await p.async_call(
                    [&](weir::attempt const& a) {
                        return t.async_wait_for(
                            std::chrono::microseconds(2500 + (i * 37 + static_cast<int>(a.number()) * 251) % 1000),
                            asio::deferred);
                    },
                    asio::as_tuple(asio::use_awaitable));
                CHECK((!ec || ec == weir::errc::attempt_timed_out));
                ++completed;
            },
            asio::detached);
    pool.join();
    CHECK(completed == calls);
    CHECK(slots.in_flight() == 0);
}
