// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/outcome.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using weir::outcome;

TEST_CASE("outcome: each of its words is one kind, with the latency given, and asks for no pause")
{
    struct row {
        outcome o;
        outcome::kind what;
        bool transient, ok, failed;
    };
    for (auto const& r : {row{outcome::success(3ms), outcome::kind::success, false, true, false},
                          row{outcome::failure(3ms), outcome::kind::failure, true, false, true},
                          row{outcome::permanent_failure(3ms), outcome::kind::failure, false, false, true},
                          row{outcome::ignored(3ms), outcome::kind::ignored, false, false, false}}) {
        CAPTURE(static_cast<int>(r.what));
        CAPTURE(r.transient);
        CHECK(r.o.what == r.what);
        CHECK(r.o.transient == r.transient);
        CHECK(r.o.ok() == r.ok);
        CHECK(r.o.failed() == r.failed);
        CHECK(r.o.latency == 3ms);
        CHECK(!r.o.retry_after);
        CHECK(!r.o.opens);
    }
    CHECK(outcome::success().latency == 0ms);
}

TEST_CASE("outcome: one that nobody filled in is a success, so a classifier that says nothing harms nobody")
{
    outcome const o;
    CHECK(o.ok());
    CHECK(!o.transient);
}
