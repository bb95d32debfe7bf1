// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/drain_on.hpp>

#include <weir/limit/token_bucket.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;

namespace {

weir::time_point const start{1h};

weir::outcome pushback()
{
    auto o = weir::outcome::failure();
    o.retry_after = 3s;
    return o;
}

/// Writes down in what order it is called.
struct recorder {
    struct token {
        explicit token(recorder& r) : to(&r) {}
        token(token&&) = default;
        token& operator=(token&&) = default;
        void record(weir::outcome const&, weir::time_point) noexcept { to->recorded = ++to->steps; }
        recorder* to;
    };
    weir::admission<token> admit(weir::time_point) noexcept { return token{*this}; }
    void drain(weir::time_point now) noexcept
    {
        drained = ++steps;
        at = now;
    }
    int steps = 0, recorded = 0, drained = 0;
    weir::time_point at{};
};

static_assert(weir::gate<weir::drain_on<weir::token_bucket&>>);
static_assert(weir::token<weir::drain_on<weir::token_bucket&>::token>);

}  // namespace

TEST_CASE("drain_on: after a pushback the limiter is empty, and fills at its rate")
{
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 50}};
    weir::drain_on careful{bucket};
    auto a = careful.admit(start);
    REQUIRE(a);
    CHECK(bucket.available(start) == 49);
    a->record(pushback(), start + 5ms);
    CHECK(bucket.available(start + 5ms) == 0);
    CHECK_FALSE(careful.admit(start + 5ms));
    CHECK(careful.admit(start + 105ms));
}

TEST_CASE("drain_on: other outcomes, a cancel and a token let go leave the limiter alone")
{
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 50}};
    weir::drain_on careful{bucket};
    for (auto const& o : {weir::outcome::success(), weir::outcome::failure(), weir::outcome::ignored()}) {
        auto a = careful.admit(start);
        REQUIRE(a);
        a->record(o, start);
    }
    CHECK(bucket.available(start) == 47);
    auto reserved = careful.reserve(1, 1s, start);
    REQUIRE(reserved);
    CHECK(reserved->start_at() == start);
    CHECK(reserved->cancel());
    {
        auto const dropped = careful.admit(start);
        CHECK(bucket.available(start) == 46);
    }
    CHECK(bucket.available(start) == 47);
}

TEST_CASE("drain_on: the token is settled first, then the limiter drained, once, at the time of the outcome")
{
    weir::drain_on careful{recorder{}};
    auto a = careful.admit(start);
    REQUIRE(a);
    auto moved = *std::move(a);
    moved.record(pushback(), start + 1s);
    CHECK(careful.inner().recorded == 1);
    CHECK(careful.inner().drained == 2);
    CHECK(careful.inner().at == start + 1s);
    auto other = careful.admit(start);
    other->record(weir::outcome::success(), start);
    moved = *std::move(other);
    moved.record(pushback(), start);  // already settled
    CHECK(careful.inner().drained == 2);
}

TEST_CASE("drain_on: the predicate decides, and one that throws harms nobody")
{
    weir::drain_on on_failure{recorder{}, [](weir::outcome const& o) { return o.failed(); }};
    on_failure.admit(start)->record(pushback(), start);
    CHECK(on_failure.inner().drained == 2);
    weir::drain_on throws{recorder{}, [](weir::outcome const&) -> bool { throw std::runtime_error("no"); }};
    throws.admit(start)->record(pushback(), start);
    CHECK(throws.inner().recorded == 1);
    CHECK(throws.inner().drained == 0);
}

TEST_CASE("drain_on: refusals and the other verbs are the limiter's")
{
    weir::drain_on careful{weir::token_bucket{{.rate = weir::per_second(10), .burst = 1}}};
    CHECK(careful.try_acquire(1, start));
    auto const no = careful.admit(start);
    REQUIRE_FALSE(no);
    CHECK(no.refused().retry_at == start + 100ms);
    CHECK(careful.retry_at(1, start) == start + 100ms);
    CHECK(careful.available(start + 100ms) == 1);
}
