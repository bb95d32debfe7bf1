// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/any_pipeline.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::any_stage;
using weir::testing::virtual_time;
using scripted = weir::testing::scripted_operation<int>;

// All of an operation is compiled for each type of handler: where the type is not the point, it is one.
using told = std::function<void(error_code, int)>;

namespace {

auto const a_tenth = weir::constant(100ms).with(weir::jitter::none);

std::vector<any_stage> stages(weir::retry_budget& budget, std::shared_ptr<weir::concurrency_limit> slots)
{
    return {weir::deadline(2s), weir::retry({.max_attempts = 3, .backoff = a_tenth}, budget),
            weir::hedge({.delay = 20ms}, budget), std::move(slots), weir::attempt_timeout(300ms)};
}

std::shared_ptr<weir::concurrency_limit> four_slots()
{
    return std::make_shared<weir::concurrency_limit>(weir::concurrency_limit_options{.limit = 4});
}

}  // namespace

TEST_CASE("any_pipeline: a coroutine awaits a call through it, with retry, timeout and options")
{
    virtual_time w;
    weir::retry_budget budget{{.initial = 5}};
    auto const slots = four_slots();
    weir::any_pipeline guarded(stages(budget, slots));
    scripted op;
    op.hang().fail(std::errc::connection_refused, 5ms).succeed(42, 5ms);
    auto const began = w.now();
    std::optional<int> got;
    std::string key;
    auto const call = [&]() -> asio::awaitable<int> {
        auto scripted_run = op.async(w.get_executor());
        auto const with_key = [&, scripted_run](weir::attempt const& a) mutable {
            key = a.key();
            return scripted_run(a);
        };
        weir::call_options said{.key = "tenant"};
        co_return co_await guarded.async_call(with_key, std::move(said), asio::use_awaitable);
    };
    asio::co_spawn(w.get_executor(), call(), [&](std::exception_ptr e, int v) {
        CHECK_FALSE(e);
        got = v;
    });
    w.run();
    CHECK(got == 42);
    CHECK(key == "tenant");
    CHECK(w.now() - began == 300ms + 100ms + 5ms + 100ms + 5ms);
    CHECK(slots->in_flight() == 0);
}

TEST_CASE("any_pipeline: a hedge sends copies of what is hedgeable or idempotent, and of nothing else")
{
    auto const answer = [](auto call) {
        virtual_time w;
        weir::retry_budget budget{{.initial = 5}};
        weir::any_pipeline guarded(stages(budget, four_slots()));
        scripted op;
        op.succeed(1, 200ms).succeed(2, 5ms);
        std::optional<int> got;
        call(guarded, w.get_executor(), op.async(w.get_executor()), told([&](error_code, int v) { got = v; }));
        w.run();
        return got;
    };
    CHECK(answer([](auto& p, auto ex, auto op, auto h) { p.async_call(ex, op, h); }) == 1);
    CHECK(answer([](auto& p, auto ex, auto op, auto h) { p.async_call(ex, weir::hedgeable(op), h); }) == 2);
    CHECK(answer([](auto& p, auto ex, auto op, auto h) { p.async_call(ex, op, {.idempotent = true}, h); }) == 2);
    CHECK(answer([](auto& p, auto ex, auto op, auto h) { p.async_call(ex, op, {.key = "k"}, h); }) == 1);
    CHECK(answer([](auto& p, auto ex, auto op, auto h) { p.async_call(ex, weir::not_hedgeable(op), h); }) == 1);
    CHECK(answer([](auto& p, auto ex, auto op, auto h) {
              p.async_call(op, {.idempotent = true}, asio::bind_executor(ex, h));
          }) == 2);
}

TEST_CASE("any_pipeline: a call in flight outlives the pipeline, and what took its place")
{
    virtual_time w;
    weir::retry_budget budget{{.initial = 5}};
    auto slots = four_slots();
    std::weak_ptr<weir::concurrency_limit> const watched = slots;
    auto guarded = std::make_unique<weir::any_pipeline>(stages(budget, std::move(slots)));
    scripted op;
    op.fail(std::errc::connection_refused, 5ms).succeed(42, 5ms);
    std::optional<int> got;
    guarded->async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code, int v) { got = v; }));
    w.run_for(1ms);
    guarded->replace({});
    CHECK(watched.lock());
    guarded.reset();
    w.run();
    CHECK(got == 42);
    CHECK(watched.expired());
}

TEST_CASE("any_pipeline: a context destroyed at every step gives its tokens back to gates that are still there")
{
    for (int ms = 0; ms < 260; ms += 5) {
        weir::retry_budget budget{{.initial = 5}};
        std::weak_ptr<weir::concurrency_limit> watched;
        scripted op;
        op.succeed(1, 200ms).fail(std::errc::connection_refused, 5ms);
        {
            virtual_time w;
            auto slots = four_slots();
            watched = slots;
            weir::any_pipeline guarded(stages(budget, std::move(slots)));
            guarded.async_call(w.get_executor(), weir::hedgeable(op.async(w.get_executor())), asio::detached);
            w.run_for(std::chrono::milliseconds(ms));
        }
        CHECK(watched.expired());
    }
}

TEST_CASE("any_pipeline: a refusal ends the call with its code")
{
    virtual_time w;
    weir::concurrency_limit none{{.limit = 1, .max_queue = 0}};
    auto const held = none.try_acquire();
    weir::any_pipeline guarded(weir::pipeline(weir::deadline(1s), none));
    scripted op;
    error_code ended;
    guarded.async_call(w.get_executor(), op.async(w.get_executor()), told([&](error_code ec, int) { ended = ec; }));
    w.run();
    CHECK(ended == error_code(make_error_code(weir::errc::too_many_calls)));
    CHECK(op.attempts().empty());
}
