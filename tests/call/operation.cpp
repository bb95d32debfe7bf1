// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/call.hpp>
#include <weir/call/operation.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

/// Sends its body with its first run.
struct upload {
    std::unique_ptr<std::string> body = std::make_unique<std::string>("body");
    std::string operator()(weir::attempt const&) && { return *std::exchange(body, nullptr); }
};

struct download {
    int operator()(weir::attempt const& a) { return static_cast<int>(a.number()); }
};

}  // namespace

TEST_CASE("operation: what can run once only is not replayable, whatever else is said of it")
{
    static_assert(weir::replayable<download>);
    static_assert(!weir::replayable<upload>);
    static_assert(!weir::replayable<decltype(weir::until(weir::never, upload{}))>);
    static_assert(weir::replayable<decltype(weir::until(weir::never, download{}))>);
}

TEST_CASE("operation: what can run once only runs through a pipeline that never repeats it")
{
    auto p = weir::pipeline(weir::deadline(1s));
    CHECK(p.call(upload{}).value() == "body");
    upload named;
    CHECK(p.call(std::move(named)).value() == "body");
    CHECK(named.body == nullptr);
    CHECK(p.call(weir::until(weir::never, upload{})).value() == "body");
}

TEST_CASE("operation: a deadline of its own, and the pipeline's; the nearer holds")
{
    weir::testing::manual_clock clock;
    auto p = weir::pipeline(weir::deadline(1s), weir::retry());
    auto const left = [&](weir::attempt const& a) { return a.time_left(clock.now()); };
    CHECK(p.call(left, clock).value() == 1s);
    CHECK(p.call(weir::until(clock.now() + 300ms, left), clock).value() == 300ms);
    CHECK(p.call(weir::until(clock.now() + 3s, left), clock).value() == 1s);
    auto const past = p.call(weir::until(clock.now(), left), clock);
    REQUIRE_FALSE(past);
    CHECK(past.error().code == weir::errc::no_time_left);
    auto none = weir::pipeline<>();
    CHECK(none.call(weir::until(clock.now() + 3s, left), clock).value() == 3s);
}

TEST_CASE("operation: marks add up in any order, and the nearer of two deadlines holds")
{
    using weir::detail::hedging;
    using weir::detail::hedging_of;
    weir::time_point const t{5s};
    auto a = weir::hedgeable(weir::until(t, download{}));
    auto b = weir::until(t, weir::hedgeable(download{}));
    auto c = weir::not_hedgeable(weir::hedgeable(download{}));
    static_assert(hedging_of<decltype(a)> == hedging::allowed);
    static_assert(hedging_of<decltype(b)> == hedging::allowed);
    static_assert(hedging_of<decltype(c)> == hedging::forbidden);
    CHECK(a.deadline == t);
    CHECK(b.deadline == t);
    CHECK(weir::until(t + 1s, std::move(a)).deadline == t);
    CHECK(weir::until(t - 1s, std::move(b)).deadline == t - 1s);
}
