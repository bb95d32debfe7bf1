// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/any_pipeline.hpp>
#include <weir/call/any_stage.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using weir::any_stage;
using weir::outcome;

namespace {

struct reply {
    bool busy;
};

/// Whether a retry was made of the first answer.
template <class Op>
bool retried(any_stage judge, Op op)
{
    weir::testing::manual_clock clock;
    weir::any_pipeline guarded({weir::retry({.max_attempts = 2}), std::move(judge)});
    unsigned attempts = 0;
    try {
        (void)guarded.call(
            [&](weir::attempt const& a) {
                attempts = a.number();
                return op();
            },
            clock);
    } catch (int) {
    }
    return attempts == 2;
}

outcome judge_reply(reply const& r) { return r.busy ? outcome::failure() : outcome::success(); }

}  // namespace

TEST_CASE("any_stage: a classify that takes one kind of value is asked about that, and about nothing else")
{
    any_stage const by_lambda = weir::classify([](reply const& r) { return judge_reply(r); });
    any_stage const by_function = weir::classify(&judge_reply);
    for (auto const& judge : {by_lambda, by_function}) {
        CHECK(retried(judge, [] { return reply{true}; }));
        CHECK_FALSE(retried(judge, [] { return reply{false}; }));
        CHECK_FALSE(retried(judge, [] { return 5; }));
        CHECK(retried(judge, [] { return std::make_error_code(std::errc::connection_reset); }));
        CHECK_FALSE(retried(judge, [] { return std::make_error_code(std::errc::invalid_argument); }));
        CHECK_FALSE(retried(judge, [] {}));
    }
}

TEST_CASE("any_stage: a classify that takes errors, or what was thrown, is asked about those")
{
    any_stage const errors = weir::classify([](std::error_code) { return outcome::permanent_failure(); });
    CHECK_FALSE(retried(errors, [] { return std::make_error_code(std::errc::connection_reset); }));
    any_stage const thrown = weir::classify([](std::exception_ptr const&) { return outcome::permanent_failure(); });
    auto const throws = []() -> int { throw 1; };
    CHECK_FALSE(retried(thrown, throws));
    CHECK(retried(errors, throws));
}

TEST_CASE("any_stage: a classify for values of any type is told which there are")
{
    auto const rule = weir::classify([](auto const& v) {
        if constexpr (std::is_same_v<decltype(v), reply const&>)
            return judge_reply(v);
        else
            return outcome::failure();
    });
    any_stage const judge(rule, weir::value_types<reply, int>{});
    CHECK(retried(judge, [] { return reply{true}; }));
    CHECK_FALSE(retried(judge, [] { return reply{false}; }));
    CHECK(retried(judge, [] { return 5; }));
    CHECK_FALSE(retried(judge, [] { return 5L; }));  // not named
    weir::any_pipeline p{weir::pipeline(rule), weir::value_types<reply>{}};
    CHECK(p.call([](weir::attempt const&) { return 1; }).value() == 1);
}

TEST_CASE("any_stage: a copy is the same stage; an observer given by reference hears of every call")
{
    struct {
        int ended = 0;
        void call_ended(weir::call_report const&) { ++ended; }
    } seen;
    any_stage const ear = weir::observe(seen);
    weir::any_pipeline one({ear}), two({ear, ear});
    (void)one.call([](weir::attempt const&) {});
    (void)two.call([](weir::attempt const&) {});
    CHECK(seen.ended == 3);
    CHECK(ear.text() == "observe");
    CHECK(ear.erased() == any_stage(ear).erased());
}
