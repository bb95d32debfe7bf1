// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/dry_run.hpp>

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/any_pipeline.hpp>
#include <weir/call/chaos.hpp>
#include <weir/call/describe.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
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

/// What an observer hears of rules that do not act.
struct ear {
    std::string log;
    unsigned attempts = 0;
    void retry_suppressed(weir::no_retry why) { log += why == weir::no_retry::dry_run ? "retry " : "other "; }
    void not_enforced(weir::errc what)
    {
        log += what == weir::errc::deadline_exceeded   ? "deadline "
               : what == weir::errc::attempt_timed_out ? "timeout "
               : what == weir::errc::no_time_left      ? "no_time "
                                                       : "? ";
    }
    void refused(weir::rejection const& r) { log += "refused:" + std::string(r.gate) + " "; }
    void call_ended(weir::call_report const& r) { attempts = r.attempts; }
};

weir::retry_options const three{.max_attempts = 3, .backoff = weir::constant(1s).with(weir::jitter::none)};

/// A peer that takes its time, and what it saw of its limits.
struct peer {
    weir::testing::manual_clock clock{};
    weir::duration takes{};
    bool fails = false;
    weir::time_point limit{};

    template <class Pipeline>
    auto call(Pipeline& p, weir::call_options said = {})
    {
        return p.call(
            [this](weir::attempt const& a) -> weir::result<int> {
                limit = a.deadline();
                clock.sleep_until(clock.now() + takes);
                if (fails) return weir::error(std::make_error_code(std::errc::connection_reset));
                return 1;
            },
            said, clock);
    }
};

/// Asks `check` with the typed pipeline, and with one that was assembled at run time.
template <class Make, class Check>
void in_both(Make make, Check check)
{
    {
        auto typed = make();
        check(typed);
    }
    weir::any_pipeline erased(make());
    check(erased);
}

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
}

TEST_CASE("dry_run: nobody waits for a delay that does not stand, and the gate goes on as if he did")
{
    weir::dry_run paced{weir::leaky_bucket{{.rate = weir::per_second(10), .max_wait = 1s}}};
    for (int i = 0; i < 3; ++i) {
        auto a = paced.admit(start);
        REQUIRE(a);
        CHECK(a->real());
        CHECK(a->start_at() == start);
        a->record(weir::outcome::success(), start);
    }
    CHECK(paced.would_have_delayed() == 2);
    CHECK(paced.would_have_refused() == 0);
    paced.reconfigure({.enforce = 1});
    CHECK(paced.admit(start)->start_at() == start + 300ms);
    CHECK(paced.would_have_delayed() == 2);
}

TEST_CASE("dry_run: what is not a decision is the gate's; retry_at is the gate's where every refusal stands")
{
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 5, .name = "front"}};
    weir::drain_on careful{weir::dry_run{bucket}};
    auto& watched = careful.inner();
    CHECK(watched.name() == "front");
    CHECK(watched.retry_at(6, start) == start);
    auto pushback = weir::outcome::failure();
    pushback.retry_after = 1s;
    careful.admit(start)->record(pushback, start);
    CHECK(bucket.available(start) == 0);
    CHECK(careful.retry_at(1, start) == start);
    watched.reconfigure({.enforce = 0.5});
    CHECK(careful.retry_at(1, start) == start);
    watched.reconfigure({.enforce = 1});
    CHECK(careful.retry_at(1, start) == start + 1s);
    CHECK(watched.retry_at(6, start) == weir::never);
}

TEST_CASE("dry_run: a reservation ahead is had at once, or the wait stands; a refusal of it passes")
{
    auto bucket = empty_bucket();
    weir::dry_run watched{bucket};
    static_assert(weir::token<decltype(watched)::token>);
    {
        auto a = watched.reserve(1, 5s, start);
        REQUIRE(a);
        CHECK(a->start_at() == start);
        CHECK(watched.would_have_delayed() == 1);
        auto const b = watched.reserve(1, 500ms, start);
        REQUIRE(b);
        CHECK_FALSE(b->real());
        CHECK(watched.would_have_refused() == 1);
        watched.reconfigure({.enforce = 1});
        CHECK(watched.reserve(1, 5s, start)->start_at() == start + 2s);
        CHECK_FALSE(watched.reserve(1, 500ms, start));
        CHECK(a->cancel());  // with nobody behind it, as without
    }
    CHECK(bucket.reserve(1, 5s, start)->start_at() == start + 1s);
}

TEST_CASE("dry_run: where a thread waits for a slot, it does not")
{
    weir::concurrency_limit limit{{.limit = 1}};
    auto const held = limit.admit(weir::steady_clock::now());
    weir::dry_run watched{limit};
    auto const slot = watched.acquire(std::chrono::hours(1));
    REQUIRE(slot);
    CHECK_FALSE(slot->real());
    CHECK(watched.would_have_refused() == 1);
    watched.reconfigure({.enforce = 1});
    CHECK_FALSE(watched.acquire(1ns));
    weir::concurrency_limit free{{.limit = 1}};
    weir::dry_run empty{free};
    auto const own = empty.acquire(std::chrono::hours(1));
    CHECK(own->real());
    CHECK(free.in_flight() == 1);
}

TEST_CASE("dry_run: a fault that does not stand is not made")
{
    weir::chaos trouble(1, {.enabled = true, .fault_rate = 1, .latency_rate = 1, .latency = 1s});
    weir::dry_run troubled{trouble};
    auto const spared = troubled.admit(start);
    CHECK_FALSE(spared->fault());
    CHECK(spared->start_at() == start);
    CHECK(troubled.would_have_delayed() == 1);
    troubled.reconfigure({.enforce = 1});
    auto const hit = troubled.admit(start);
    CHECK(hit->fault());
    CHECK(hit->start_at() == start + 1s);
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

TEST_CASE("dry_run: a rule, too, refuses a share out of range by name, and is shown with its share")
{
    CHECK_THROWS_WITH((weir::dry_run{weir::deadline(1s), {.enforce = 2}}),
                      "weir: dry_run_options.enforce must be from 0 to 1, and is 2");
    weir::retry named(three);
    weir::dry_run watched{named};
    CHECK_THROWS_AS(watched.reconfigure({.enforce = -1}), std::invalid_argument);
    auto const text =
        "call -- dry_run enforce 25% of deadline 1s --[ dry_run enforce 0% of retry 3 after 1s, no budget ]"
        "-- operation";
    in_both(
        [&] {
            return weir::pipeline(weir::dry_run{weir::deadline(1s), {.enforce = 0.25}}, watched);
        },
        [&](auto& p) { CHECK(weir::describe(p, weir::describe_style::ascii) == text); });
}

TEST_CASE("dry_run: a retry on trial takes no second attempt and nothing of the budget, and says that it would have")
{
    ear heard;
    weir::retry_budget budget({.per_success = 0, .initial = 10});
    weir::dry_run again{weir::retry(three, budget)};
    peer down{.fails = true};
    int calls = 0;
    in_both([&] { return weir::pipeline(weir::observe(heard), again); },
            [&](auto& p) {
                heard = {};
                again.reconfigure({.enforce = 0});
                CHECK_FALSE(down.call(p));
                CHECK(heard.log == "retry ");
                CHECK(heard.attempts == 1);
                CHECK(again.would_have_acted() == static_cast<std::uint64_t>(++calls));
                heard = {};
                again.reconfigure({.enforce = 1});
                CHECK_FALSE(down.call(p));
                CHECK(heard.log == "other ");
                CHECK(heard.attempts == 3);
            });
    CHECK(budget.tokens() == 6);
}

TEST_CASE("dry_run: time limits on trial cut nothing off, and say what they would have")
{
    ear heard;
    weir::dry_run whole{weir::deadline(5s)};
    weir::dry_run each{weir::attempt_timeout(2s)};
    peer slow{.takes = 3s};
    in_both([&] { return weir::pipeline(weir::observe(heard), whole, weir::retry(three), each); },
            [&](auto& p) {
                heard = {};
                slow.fails = false;
                CHECK(slow.call(p));
                CHECK(slow.limit == weir::never);
                CHECK(heard.log == "timeout ");
                slow.fails = true;
                CHECK_FALSE(slow.call(p));  // three of 3 s and two pauses
                CHECK(heard.log == "timeout timeout timeout timeout other deadline ");
                whole.reconfigure({.enforce = 1});
                CHECK_FALSE(slow.call(p));
                CHECK(heard.attempts == 2);
                each.reconfigure({.enforce = 1});
                auto const begun = slow.clock.now();
                CHECK_FALSE(slow.call(p));
                CHECK(slow.limit == begun + 5s);  // of the second attempt, which began after 4 s
                whole.reconfigure({.enforce = 0});
                each.reconfigure({.enforce = 0});
            });
    CHECK(whole.would_have_acted() == 2);
}

TEST_CASE("dry_run: enough_time on trial learns, sends, and says what it would not have sent")
{
    ear heard;
    weir::dry_run enough{weir::enough_time({.quantile = 0.5, .min_samples = 3})};
    peer steady{.takes = 100ms};
    in_both([&] { return weir::pipeline(weir::observe(heard), enough); },
            [&](auto& p) {
                heard = {};
                enough.reconfigure({.enforce = 0});
                for (int i = 0; i < 3; ++i) CHECK(steady.call(p));
                CHECK(steady.call(p, {.deadline = steady.clock.now() + 1s}));
                CHECK(heard.log.empty());
                CHECK(steady.call(p, {.deadline = steady.clock.now() + 50ms}));
                CHECK(heard.log == "no_time ");
                enough.reconfigure({.enforce = 1});
                CHECK_FALSE(steady.call(p, {.deadline = steady.clock.now() + 50ms}));
                CHECK(heard.log == "no_time refused:enough_time ");
            });
    CHECK(enough.would_have_acted() == 2);
}

TEST_CASE("dry_run: a rule acts in its share of the calls, in all attempts of one call, each rule by a draw of its own")
{
    ear heard;
    peer down{.fails = true};
    in_both(
        [&] {
            return weir::pipeline(weir::observe(heard), weir::dry_run{weir::deadline(1h), {.enforce = 0.5}},
                                  weir::dry_run{weir::retry(three), {.enforce = 0.25}},
                                  weir::dry_run{weir::attempt_timeout(1s), {.enforce = 0.5}},
                                  weir::dry_run{weir::attempt_timeout(2s), {.enforce = 0.5}});
        },
        [&](auto& p) {
            constexpr int calls = 4000;
            int retried = 0, both = 0, shorter = 0, longer = 0, none = 0;
            for (int i = 0; i < calls; ++i) {
                auto const before = down.clock.now();
                CHECK_FALSE(down.call(p));
                CHECK((heard.attempts == 1 || heard.attempts == 3));
                bool const again = heard.attempts == 3;
                auto const left = down.limit - before - (again ? 2s : 0s);
                retried += again;
                shorter += left == 1s;
                longer += left == 2s;
                none += down.limit == weir::never;
                both += again && left == 1s;
            }
            CHECK(std::abs(retried - calls / 4) < 150);
            CHECK(std::abs(shorter - calls / 2) < 150);
            CHECK(std::abs(longer - calls / 4) < 150);
            CHECK(std::abs(none - calls / 8) < 150);
            CHECK(std::abs(both - calls / 8) < 150);
        });
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
