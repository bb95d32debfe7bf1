// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/rate_permit.hpp>

#include <weir/core/admission.hpp>
#include <weir/limit/token_bucket.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::time_point;
using weir::token_bucket;

static_assert(weir::token<weir::rate_permit>);

namespace {

constexpr time_point start{1'000'000s};

}  // namespace

TEST_CASE("rate_permit: destroyed before the send it goes back, recorded it stays spent")
{
    token_bucket b{{.rate = weir::per_second(1), .burst = 1}};
    {
        auto unsent = b.admit(start);
        CHECK(b.available(start) == 0);
    }
    CHECK(b.available(start) == 1);
    {
        auto sent = b.admit(start);
        sent->record(weir::outcome::ignored(), start);
    }
    CHECK(b.available(start) == 0);
}

TEST_CASE("rate_permit: cancelling goes back in order, and not from the middle")
{
    token_bucket b{{.rate = weir::per_second(1), .burst = 3}};
    auto one = b.admit(start);
    auto two = b.admit(start);
    auto three = b.admit(start);
    CHECK_FALSE(one->cancel());  // two and three stand on it
    CHECK(three->cancel());
    CHECK_FALSE(three->cancel());
    CHECK(two->cancel());
    CHECK(b.available(start) == 2);
}

TEST_CASE("rate_permit: moving moves the duty to give it back")
{
    token_bucket b{{.rate = weir::per_second(1), .burst = 2}};
    auto a = b.admit(start);
    weir::rate_permit p{std::move(*a)};
    weir::rate_permit q{std::move(p)};
    CHECK(b.available(start) == 1);
    auto other = b.admit(start);
    *other = std::move(q);  // the replaced permit goes back
    CHECK(b.available(start) == 1);
    CHECK(other->cancel());
    CHECK(b.available(start) == 2);
}

TEST_CASE("rate_permit: a permit taken before reconfigure is not given back after it")
{
    token_bucket b{{.rate = weir::per_second(10), .burst = 10}};
    auto a = b.admit(start);
    b.reconfigure({.rate = weir::per_second(10), .burst = 10}, start);
    CHECK_FALSE(a->cancel());
    CHECK(b.available(start) == 9);
}
