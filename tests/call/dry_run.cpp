// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/dry_run.hpp>

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

weir::time_point const start{1h};

weir::token_bucket empty_bucket()
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    CHECK(bucket.try_acquire(1, start));
    return bucket;
}

static_assert(weir::gate<weir::dry_run<weir::circuit_breaker&>>);
static_assert(weir::token<weir::dry_run<weir::concurrency_limit&>::token>);

}  // namespace

TEST_CASE("dry_run: everything passes, and what the gate would have refused is counted and told")
{
    auto bucket = empty_bucket();
    std::vector<weir::rejection> told;
    weir::dry_run watched{bucket, {}, [&](weir::rejection const& r) { told.push_back(r); }};
    for (int i = 0; i < 3; ++i) {
        auto a = watched.admit(start);
        REQUIRE(a);
        CHECK_FALSE(a->real());
        CHECK(a->start_at() == start);
        CHECK_FALSE(a->cancel());
        a->record(weir::outcome::success(), start);
    }
    CHECK(watched.would_have_refused() == 3);
    REQUIRE(told.size() == 3);
    CHECK(told[0].code == weir::errc::rate_limited);
    CHECK(told[0].retry_at == start + 1s);
    CHECK(told[0].gate == "token_bucket");
    auto a = watched.admit(start + 1s);  // what passed took nothing
    REQUIRE(a);
    CHECK(a->real());
    CHECK(watched.would_have_refused() == 3);
}

TEST_CASE("dry_run: fully enforced it is the gate, and the share can be changed while it runs")
{
    auto bucket = empty_bucket();
    int told = 0;
    weir::dry_run watched{bucket, {.enforce = 1.0}, [&](weir::rejection const&) { ++told; }};
    auto const no = watched.admit(start);
    REQUIRE_FALSE(no);
    CHECK(no.refused().retry_at == start + 1s);
    CHECK_FALSE(watched.try_acquire(1, start));
    CHECK(watched.would_have_refused() == 0);
    CHECK(told == 0);
    watched.reconfigure({.enforce = 0.0});
    CHECK(watched.admit(start));
    CHECK(watched.try_acquire(1, start));
    CHECK(watched.would_have_refused() == 2);
    CHECK(watched.enforce() == 0.0);
}

TEST_CASE("dry_run: a share of the refusals stands, the same for the same seed")
{
    auto const refused = [](std::uint64_t seed) {
        weir::dry_run watched{empty_bucket(), {.enforce = 0.25}};
        weir::random_engine random{seed};
        int count = 0;
        for (int i = 0; i < 4000; ++i) count += !watched.admit(start, random);
        CHECK(watched.would_have_refused() == static_cast<std::uint64_t>(4000 - count));
        return count;
    };
    CHECK(refused(1) > 900);
    CHECK(refused(1) < 1100);
    CHECK(refused(1) == refused(1));
}

TEST_CASE("dry_run: a share out of range is refused by name")
{
    weir::concurrency_limit limit;
    weir::dry_run watched{limit};
    for (auto const bad : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS((weir::dry_run{limit, {.enforce = bad}}), std::invalid_argument);
        CHECK_THROWS_AS(watched.reconfigure({.enforce = bad}), std::invalid_argument);
    }
    CHECK_THROWS_WITH(watched.reconfigure({.enforce = 2}),
                      "weir: dry_run_options.enforce must be from 0 to 1, and is 2");
}

TEST_CASE("dry_run: a token of the gate behaves as without, one that passed against it tells it nothing")
{
    weir::concurrency_limit limit{{.limit = 1}};
    weir::dry_run watched{limit};
    {
        auto first = watched.admit(start);
        auto const second = watched.admit(start);
        CHECK(second->real() == false);
        CHECK(limit.in_flight() == 1);
        first->record(weir::outcome::success(), start);
        CHECK(limit.in_flight() == 0);
    }
    CHECK(limit.in_flight() == 0);

    weir::circuit_breaker breaker{{.open_for = 5s}};
    breaker.force_open();
    weir::dry_run open{breaker};
    auto passed = open.admit(start);
    REQUIRE(passed);
    passed->record(weir::outcome::success(), start);
    CHECK(open.would_have_refused() == 1);

    weir::dry_run paced{weir::leaky_bucket{{.rate = weir::per_second(10), .max_wait = 1s}}};
    auto const now_ = paced.admit(start);
    auto const later = paced.admit(start);
    CHECK(now_->start_at() == start);
    CHECK(later->start_at() == start + 100ms);
}

TEST_CASE("dry_run: a listener that throws harms nobody")
{
    weir::dry_run watched{empty_bucket(), {}, [](weir::rejection const&) { throw std::runtime_error("no"); }};
    CHECK(watched.admit(start));
    CHECK(watched.would_have_refused() == 1);
}

TEST_CASE("dry_run: a stage of a pipeline, by name or moved in")
{
    auto bucket = empty_bucket();
    weir::concurrency_limit limit{{.limit = 1}};
    auto const held = limit.admit(start);
    weir::dry_run watched{bucket};
    auto guarded = weir::pipeline(watched, weir::dry_run{limit}, weir::dry_run{weir::token_bucket{{.burst = 0}}});
    auto const r = guarded.call([](weir::attempt const&) { return 7; });
    REQUIRE(r);
    CHECK(*r == 7);
    CHECK(guarded.stage<1>().would_have_refused() == 1);
    CHECK(guarded.stage<2>().would_have_refused() == 1);
    guarded.stage<2>().reconfigure({.enforce = 1});
    CHECK(guarded.call([](weir::attempt const&) { return 7; }).error().code == weir::errc::exceeds_burst);
}

TEST_CASE("dry_run: threads lose no count, whatever the share is meanwhile")
{
    weir::dry_run watched{weir::token_bucket{{.burst = 0}}};
    constexpr int each = 20'000;
    std::atomic<std::uint64_t> passed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < each; ++i) passed += watched.admit(start) ? 1U : 0U;
        });
    for (int i = 0; i <= 1000; ++i) watched.reconfigure({.enforce = i % 3 / 2.0});
    for (auto& t : threads) t.join();
    CHECK(watched.would_have_refused() == passed);
}
