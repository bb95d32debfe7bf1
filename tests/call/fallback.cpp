// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/classify.hpp>
#include <weir/call/fallback.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <system_error>

namespace {

auto const reset = std::make_error_code(std::errc::connection_reset);
auto const unreachable = std::make_error_code(std::errc::host_unreachable);
weir::error const refused{weir::rejection{weir::errc::circuit_open, weir::never, "breaker"}};
weir::error const cancelled{std::make_error_code(std::errc::operation_canceled)};

struct reply {
    int status;
    std::string text;
};
weir::result<reply> const busy = reply{503, "busy"};
auto const judge = [](reply const& r) {
    return r.status >= 500   ? weir::outcome::failure()
           : r.status >= 400 ? weir::outcome::ignored()
                             : weir::outcome::success();
};

}  // namespace

TEST_CASE("fallback: a value passes, and the fallback is not asked")
{
    int asked = 0;
    weir::fallback f{[&] { return ++asked; }};
    auto const r = f(weir::result<int>(42));
    CHECK(*r == 42);
    CHECK_FALSE(r.degraded());
    CHECK_FALSE(r.report().original);
    CHECK(asked == 0);
}

TEST_CASE("fallback: an error is answered by value, by function, by function of the error, by operation")
{
    weir::result<int> const failed = weir::error(reset);
    auto const good = [](auto const& r, int expected) {
        REQUIRE(r);
        CHECK(*r == expected);
        CHECK(r.degraded());
        CHECK(r.report().original->error.code == reset);
        CHECK_FALSE(r.report().own);
    };
    good(weir::fallback{7}(failed), 7);
    good(weir::fallback{[] { return 8; }}(failed), 8);
    good(weir::fallback{[](weir::error const& e) { return e.code == reset ? 9 : 0; }}(failed), 9);
    good(weir::fallback{[] { return weir::result<int>(10); }}(failed), 10);

    weir::testing::manual_clock clock;
    auto spare = weir::pipeline(weir::retry({.max_attempts = 2}));
    good(weir::fallback{[&] { return spare.call([](weir::attempt const& a) { return int(a.number()) + 10; }, clock); }}(
             failed),
         11);
}

TEST_CASE("fallback: when it fails as well, the result has both errors, and the original one first")
{
    weir::fallback by_error{[] { return weir::result<int>(weir::error(unreachable)); }};
    auto r = by_error(weir::result<int>(refused));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == weir::errc::circuit_open);
    REQUIRE(r.error().refused);
    CHECK(r.error().refused->gate == "breaker");
    CHECK(r.report().original->error.code == weir::errc::circuit_open);
    CHECK(r.report().own->error.code == unreachable);
    CHECK_FALSE(r.degraded());

    weir::fallback by_throwing{[]() -> int { throw std::runtime_error("no spare"); }};
    r = by_throwing(weir::result<int>(weir::error(reset)));
    CHECK(r.error().code == reset);
    CHECK(r.report().own->error.code == weir::errc::operation_threw);
    CHECK_THROWS_WITH_AS(std::rethrow_exception(r.report().own->thrown), "no spare", std::runtime_error);
}

TEST_CASE("fallback: refusals can be left out, or be all that is answered; a cancelled call is never")
{
    auto const answers = [](auto const& f, weir::error const& e) {
        auto const r = f(weir::result<int>(e));
        CHECK(r.has_value() == r.degraded());
        if (!r) CHECK(r.error().code == e.code);
        if (!r) CHECK_FALSE(r.report().original);
        return r.degraded();
    };
    weir::fallback any{1};
    weir::fallback refusals{1, weir::on_refusal{}};
    weir::fallback failures{1, weir::on_failure{}};
    weir::fallback picked{1, [](weir::error const& e) { return e.code == reset; }};
    CHECK((answers(any, refused) && answers(any, reset) && !answers(any, cancelled)));
    CHECK((answers(refusals, refused) && !answers(refusals, reset) && !answers(refusals, cancelled)));
    CHECK((!answers(failures, refused) && answers(failures, reset) && !answers(failures, cancelled)));
    CHECK((!answers(picked, refused) && answers(picked, reset) && !answers(picked, unreachable)));
}

TEST_CASE("fallback: around a call that throws, it answers, or lets the exception pass")
{
    weir::fallback any{7};
    auto r = any.call([]() -> int { throw std::runtime_error("lost"); });
    CHECK(*r == 7);
    CHECK(r.report().original->error.code == weir::errc::operation_threw);
    CHECK_THROWS_WITH_AS(std::rethrow_exception(r.report().original->thrown), "lost", std::runtime_error);
    CHECK(*any.call([]() -> int { throw std::system_error(reset); }) == 7);
    CHECK(*any.call([] { return 42; }) == 42);
    CHECK(*any.call([] { return weir::result<int>(weir::error(reset)); }) == 7);

    weir::fallback refusals{7, weir::on_refusal{}};
    CHECK_THROWS_WITH_AS((void)refusals.call([]() -> int { throw std::runtime_error("lost"); }), "lost",
                         std::runtime_error);

    weir::fallback bad{[]() -> int { throw std::logic_error("worse"); }};
    r = bad.call([]() -> int { throw std::system_error(reset); });
    CHECK(r.error().code == reset);
    CHECK(r.report().original->thrown);
    CHECK_THROWS_AS(std::rethrow_exception(r.report().own->thrown), std::logic_error);
}

TEST_CASE("fallback: a rule that throws is its failure, not the caller's")
{
    weir::fallback f{1, [](weir::error const&) -> bool { throw std::runtime_error("rule"); }};
    auto const r = f(weir::result<int>(weir::error(reset)));
    CHECK(r.error().code == reset);
    CHECK(r.report().own->thrown);
    CHECK(f.call([]() -> int { throw std::system_error(reset); }).error().code == reset);
}

TEST_CASE("fallback: a value that its classifier calls a failure is answered as an error is")
{
    weir::fallback const f{reply{200, "of yesterday"}};
    CHECK(f(busy)->status == 503);  // nobody says that this is a failure
    CHECK_FALSE(f(busy).degraded());

    auto const good = [](weir::fallback_result<reply> const& r) {
        REQUIRE(r);
        CHECK(r->status == 200);
        CHECK(r.degraded());
        CHECK(r.report().original->error.code == weir::errc::answer_failed);
        CHECK_FALSE(r.report().own);
    };
    auto const judged = f.judged_by(judge);
    good(judged(busy));
    good(judged.call([] { return busy; }));
    good(judged.call([]() -> reply { return *busy; }));
    good(f.judged_by(weir::classify(judge))(busy));
    good(weir::fallback{reply{200, ""}, weir::on_failure{}}.judged_by(judge)(busy));
    CHECK(judged(weir::result<reply>(weir::error(reset))).report().original->error.code == reset);

    for (int const status : {200, 404}) {
        auto const r = judged(weir::result<reply>(reply{status, "good"}));
        CHECK(r->text == "good");
        CHECK_FALSE(r.degraded());
        CHECK_FALSE(r.report().original);
    }
    auto const only_refused = weir::fallback{reply{200, ""}, weir::on_refusal{}}.judged_by(judge);
    CHECK(only_refused(busy)->status == 503);
    CHECK_FALSE(only_refused(busy).report().original);
}

TEST_CASE("fallback: its function may look at the value that was judged a failure")
{
    auto const f = weir::fallback{[](weir::error const& e, reply const* r) {
                       return r ? reply{200, "not " + r->text} : reply{200, e.code.message()};
                   }}.judged_by(judge);
    CHECK(f(busy)->text == "not busy");
    CHECK(f(weir::result<reply>(weir::error(reset)))->text == reset.message());
    CHECK(f.call([]() -> reply { throw std::system_error(reset); })->text == reset.message());
}

TEST_CASE("fallback: when it fails as well, a value that was judged a failure stays, with both failures beside it")
{
    auto const f = weir::fallback{[]() -> weir::result<reply> { return weir::error(unreachable); }}.judged_by(judge);
    auto const r = f(busy);
    REQUIRE(r);
    CHECK(r->text == "busy");
    CHECK_FALSE(r.degraded());
    CHECK(r.report().original->error.code == weir::errc::answer_failed);
    CHECK(r.report().own->error.code == unreachable);
}

TEST_CASE("fallback: a classifier that throws lets the value pass, and the report says what it threw")
{
    auto const f = weir::fallback{reply{200, ""}}.judged_by(
        [](reply const&) -> weir::outcome { throw std::runtime_error("no judge"); });
    auto const r = f.call([] { return busy; });
    REQUIRE(r);
    CHECK(r->text == "busy");
    CHECK_FALSE(r.degraded());
    CHECK_THROWS_WITH_AS(std::rethrow_exception(r.report().own->thrown), "no judge", std::runtime_error);
}

TEST_CASE("fallback: around a pipeline, and one within the other")
{
    weir::testing::manual_clock clock;
    weir::token_bucket bucket{{.rate = weir::per_second(1), .burst = 1}};
    auto guarded = weir::pipeline(bucket);
    weir::fallback spare{[]() -> std::string { throw std::runtime_error("spare down"); }, weir::on_refusal{}};
    weir::fallback last{std::string("try again later")};
    auto const ask = [&] {
        return last.call(
            [&] { return spare(guarded.call([](weir::attempt const&) { return std::string("hello"); }, clock)); });
    };
    CHECK(*ask() == "hello");
    auto const r = ask();
    CHECK(*r == "try again later");
    CHECK(r.report().original->error.code == weir::errc::rate_limited);
}

TEST_CASE("fallback: of an operation without a value")
{
    int repaired = 0;
    weir::fallback f{[&] { ++repaired; }};
    CHECK(f.call([] {}));
    CHECK(repaired == 0);
    CHECK(f(weir::result<void>(weir::error(reset))).degraded());
    CHECK(f.call([] { throw 1; }).degraded());
    CHECK(repaired == 2);
}
