// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/call.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::testing::manual_clock;

namespace {

auto const refused = std::make_error_code(std::errc::connection_refused);
auto const a_tenth = weir::constant(100ms).with(weir::jitter::none);

}  // namespace

TEST_CASE("call: a value, a result, an error code and nothing come back as a result")
{
    auto p = weir::pipeline(weir::retry());
    auto const value = p.call([](weir::attempt const&) { return std::string("hello"); });
    CHECK(*value == "hello");
    weir::result<std::unique_ptr<int>> moved = p.call([](weir::attempt const&) { return std::make_unique<int>(7); });
    CHECK(**moved == 7);
    auto const r = p.call([](weir::attempt const&) { return weir::result<int>(42); });
    CHECK(r.value() == 42);
    weir::result<void> const nothing = p.call([](weir::attempt const&) {});
    CHECK(nothing);
    weir::result<void> const fine = p.call([](weir::attempt const&) { return std::error_code(); });
    CHECK(fine);
}

TEST_CASE("call: pauses are spent on the clock it is given, and the last real error comes back")
{
    manual_clock clock;
    auto const begin = clock.now();
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}));
    int attempts = 0;
    auto const r = p.call(
        [&](weir::attempt const& a) -> weir::result<int> {
            CHECK(a.number() == static_cast<unsigned>(++attempts));
            return weir::error(refused);
        },
        clock);
    CHECK(r.error().code == refused);
    CHECK_FALSE(r.error().refused);
    CHECK(attempts == 3);
    CHECK(clock.now() - begin == 200ms);
}

TEST_CASE("call: exceptions are retried, then thrown on; a logic_error is not retried")
{
    manual_clock clock;
    auto p = weir::pipeline(weir::retry({.max_attempts = 3, .backoff = a_tenth}));
    int attempts = 0;
    CHECK_THROWS_WITH_AS(
        (void)p.call(
            [&](weir::attempt const&) -> int { throw std::runtime_error("no. " + std::to_string(++attempts)); }, clock),
        "no. 3", std::runtime_error);
    attempts = 0;
    CHECK_THROWS_AS((void)p.call(
                        [&](weir::attempt const&) {
                            ++attempts;
                            throw std::invalid_argument("yours");
                        },
                        clock),
                    std::invalid_argument);
    CHECK(attempts == 1);
}

TEST_CASE("call: a refusal says who, why and when, and the operation is not called")
{
    manual_clock clock;
    weir::token_bucket bucket({.rate = weir::per_second(10), .burst = 1, .name = "orders"});
    auto p = weir::pipeline(bucket, weir::retry({.backoff = a_tenth}));
    int calls = 0;
    auto const op = [&](weir::attempt const&) { return ++calls; };
    CHECK(p.call(op, clock));
    auto const r = p.call(op, clock);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == weir::errc::rate_limited);
    CHECK(r.error().code == weir::condition::rejected);
    REQUIRE(r.error().refused);
    CHECK(r.error().refused->gate == "orders");
    CHECK(r.error().refused->retry_at == clock.now() + 100ms);
    CHECK(calls == 1);
}

TEST_CASE("call: left of retry a limiter is asked once per call, right of it once per attempt")
{
    manual_clock clock;
    auto const attempts_until_refused = [&](auto&& make) {
        weir::token_bucket bucket({.rate = weir::per_hour(1), .burst = 2});
        auto p = make(bucket);
        int sent = 0;
        for (int i = 0; i < 4; ++i)
            (void)p.call(
                [&](weir::attempt const&) -> weir::result<int> {
                    ++sent;
                    return weir::error(refused);
                },
                clock);
        return sent;
    };
    weir::retry const twice({.max_attempts = 2, .backoff = a_tenth});
    CHECK(attempts_until_refused([&](auto& b) { return weir::pipeline(b, weir::retry(twice)); }) == 4);
    CHECK(attempts_until_refused([&](auto& b) { return weir::pipeline(weir::retry(twice), b); }) == 2);
}

TEST_CASE("call: own refusals do not open the breaker further out, and failures do")
{
    manual_clock clock;
    weir::circuit_breaker breaker({.failure_rate = 0.5, .minimum_calls = 4, .window = weir::count_window{.calls = 10}});
    weir::concurrency_limit limit({.limit = 1, .max_queue = 0});
    auto p = weir::pipeline(breaker, limit);
    auto held = limit.admit(clock.now());
    for (int i = 0; i < 20; ++i) {
        auto const r = p.call([](weir::attempt const&) { return 1; }, clock);
        REQUIRE(r.error().code == weir::errc::too_many_calls);
    }
    CHECK(breaker.tally(clock.now()).calls == 0);
    {
        auto const given_back = *std::move(held);
    }
    for (int i = 0; i < 4; ++i)
        (void)p.call([](weir::attempt const&) -> weir::result<int> { return weir::error(refused); }, clock);
    auto const r = p.call([](weir::attempt const&) { return 1; }, clock);
    CHECK(r.error().code == weir::errc::circuit_open);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("call: an operation that throws gives its slots back")
{
    manual_clock clock;
    weir::concurrency_limit limit({.limit = 1, .max_queue = 0});
    auto p = weir::pipeline(limit, weir::retry({.max_attempts = 2, .backoff = a_tenth}));
    for (int i = 0; i < 5; ++i)
        CHECK_THROWS_AS((void)p.call(
                            [&](weir::attempt const&) {
                                CHECK(limit.in_flight() == 1);
                                throw std::runtime_error("x");
                            },
                            clock),
                        std::runtime_error);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("call: a leaky bucket delays the send")
{
    manual_clock clock;
    auto const begin = clock.now();
    weir::leaky_bucket pacer({.rate = weir::per_second(10), .max_wait = 1s});
    auto p = weir::pipeline(pacer);
    for (int i = 0; i < 3; ++i) CHECK(p.call([](weir::attempt const&) { return 1; }, clock));
    CHECK(clock.now() - begin == 200ms);
}

TEST_CASE("call: the operation finds its limit in the attempt; late success is success, late failure is not retried")
{
    manual_clock clock;
    auto p = weir::pipeline(weir::deadline(1s), weir::retry({.max_attempts = 5, .backoff = a_tenth}),
                            weir::attempt_timeout(300ms));
    auto const late = p.call(
        [&](weir::attempt const& a) {
            CHECK(a.deadline() == clock.now() + 300ms);
            CHECK(a.time_left(clock.now()) == 300ms);
            clock.advance(2s);
            return 1;
        },
        clock);
    CHECK(late);
    int attempts = 0;
    auto const failed = p.call(
        [&](weir::attempt const&) -> weir::result<int> {
            ++attempts;
            clock.advance(450ms);
            return weir::error(refused);
        },
        clock);
    CHECK(failed.error().code == refused);
    CHECK(attempts == 2);
}

TEST_CASE("call: the classifier decides what is a failure")
{
    manual_clock clock;
    struct reply {
        int status;
    };
    auto p = weir::pipeline(weir::classify([](reply const& r) {
                                return r.status < 500 ? weir::outcome::success() : weir::outcome::failure();
                            }),
                            weir::retry({.max_attempts = 3, .backoff = a_tenth}));
    int n = 0;
    auto const r = p.call([&](weir::attempt const&) { return reply{++n < 3 ? 503 : 200}; }, clock);
    CHECK(r->status == 200);
    CHECK(n == 3);
    n = -9;
    CHECK(p.call([&](weir::attempt const&) { return reply{++n < 3 ? 503 : 200}; }, clock)->status ==
          503);  // the last answer
}

namespace {

/// Knows how many of its kind hold a body.
struct reply {
    static inline int alive = 0;
    std::shared_ptr<int> body = std::shared_ptr<int>(new int(++alive), [](int* p) { --alive, delete p; });
};

/// Asks how many are alive while a call waits.
struct counting_clock {
    weir::testing::manual_clock time;
    std::vector<int>* alive;
    [[nodiscard]] weir::time_point now() const noexcept { return time.now(); }
    void sleep_until(weir::time_point t) const
    {
        alive->push_back(reply::alive);
        time.sleep_until(t);
    }
};

}  // namespace

TEST_CASE("call: through a pause, only the result that may still be the answer is kept")
{
    std::vector<int> alive;
    counting_clock clock{manual_clock(), &alive};
    auto p = weir::pipeline(weir::classify([](reply const&) { return weir::outcome::failure(); }),
                            weir::retry({.max_attempts = 4, .backoff = weir::constant(1s)}));
    CHECK(p.call([](weir::attempt const&) { return reply(); }, clock));
    CHECK(alive == std::vector<int>{1, 1, 1});
    CHECK(reply::alive == 0);
}
