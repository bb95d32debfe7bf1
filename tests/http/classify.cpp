// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/classify.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/token_bucket.hpp>

#include <weir/call/call.hpp>
#include <weir/call/classify.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/retry/retry.hpp>
#include <weir/testing/manual_clock.hpp>

#include <boost/asio/error.hpp>

#include <doctest/doctest.h>

#include <utility>

using namespace std::chrono_literals;
using weir::errc;
using weir::outcome;
using weir::http::classifier;
using weir::http::verb;

namespace {

weir::http::response answer(unsigned status)
{
    weir::http::response r;
    r.result(status);
    return r;
}

classifier const get{verb::get}, post{verb::post};

}  // namespace

TEST_CASE("classify: up to 499 the peer is well, except for 408 and 429")
{
    for (unsigned s = 100; s < 500; ++s) {
        CAPTURE(s);
        CHECK(get(answer(s)).ok() == (s != 408 && s != 429));
        CHECK(post(answer(s)).ok() == (s != 408 && s != 429));
    }
}

TEST_CASE("classify: 5xx is a failure, and those that pass are worth another try for idempotent methods")
{
    for (unsigned s = 500; s < 600; ++s) {
        CAPTURE(s);
        CHECK(get(answer(s)).failed());
        CHECK(get(answer(s)).transient == (s == 500 || s == 502 || s == 503 || s == 504));
        CHECK(post(answer(s)).failed());
        CHECK_FALSE(post(answer(s)).transient);
        CHECK(classifier::every_request_is_repeatable()(answer(s)).transient == get(answer(s)).transient);
    }
    CHECK(get(answer(408)).transient);
    CHECK_FALSE(post(answer(408)).transient);
    CHECK(get(answer(429)).transient);
    CHECK(post(answer(429)).transient);
}

TEST_CASE("classify: which methods may be repeated is what RFC 9110 says")
{
    for (auto const m : {verb::get, verb::head, verb::put, verb::delete_, verb::options, verb::trace})
        CHECK(classifier(m)(answer(503)).transient);
    for (auto const m : {verb::post, verb::patch, verb::connect, verb::unknown, verb::propfind})
        CHECK_FALSE(classifier(m)(answer(503)).transient);
}

TEST_CASE("classify: Retry-After is read on failures, as seconds and as a date, and garbage is no wish")
{
    auto r = answer(503);
    CHECK_FALSE(get(r).retry_after);
    r.set(weir::http::field::retry_after, "7");
    CHECK(get(r).retry_after == 7s);
    CHECK(post(r).retry_after == 7s);
    r.set(weir::http::field::retry_after, "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(get(r).retry_after == 0s);
    r.set(weir::http::field::retry_after, "soon");
    CHECK_FALSE(get(r).retry_after);
}

TEST_CASE("classify: a gRPC pushback counts for more than Retry-After, and a peer that wants no more tries gets none")
{
    auto r = answer(503);
    r.set(weir::http::field::retry_after, "7");
    r.set("grpc-retry-pushback-ms", "1500");
    CHECK(get(r).retry_after == 1500ms);
    for (auto const* const no : {"-1", "soon", ""}) {
        r.set("grpc-retry-pushback-ms", no);
        CHECK(get(r).retry_after == weir::do_not_retry);
    }

    auto guarded = weir::pipeline(weir::classify(get), weir::retry({.max_attempts = 5}));
    weir::testing::manual_clock clock;
    auto const asked = [&](char const* pushback) {
        r.set("grpc-retry-pushback-ms", pushback);
        auto const begin = clock.now();
        int attempts = 0;
        (void)guarded.call([&](weir::attempt const&) { return ++attempts < 3 ? r : answer(200); }, clock);
        return std::pair(attempts, clock.now() - begin);
    };
    CHECK(asked("-1").first == 1);
    auto const [attempts, took] = asked("30000");
    CHECK(attempts == 3);
    CHECK(took >= 60s);
}

TEST_CASE(
    "classify: 429 asks for fewer requests even if it names no time, so it drains and ends hedging, and 503 does not")
{
    CHECK(get(answer(429)).retry_after == weir::duration::zero());
    CHECK_FALSE(get(answer(503)).retry_after);
    auto garbage = answer(429);
    garbage.set(weir::http::field::retry_after, "a while");
    CHECK(get(garbage).retry_after == weir::duration::zero());

    weir::testing::manual_clock clock;
    weir::token_bucket bucket({.rate = weir::per_second(1), .burst = 100});
    auto guarded = weir::pipeline(weir::drain_on{bucket}, weir::classify(get));
    auto const call = [&](unsigned status) {
        return guarded.call([&](weir::attempt const&) { return answer(status); }, clock).has_value();
    };
    CHECK(call(200));
    CHECK(call(503));
    CHECK(bucket.try_acquire(1, clock.now()));
    CHECK(call(429));  // an answer all the same
    CHECK_FALSE(bucket.try_acquire(1, clock.now()));
    clock.advance(1s);
    CHECK(bucket.try_acquire(1, clock.now()));
}

TEST_CASE("classify: no answer is a failure, transient where the work was surely not done or may be done twice")
{
    auto const make = [](auto e) { return std::error_code(boost::system::error_code(e)); };
    auto const reset = make(boost::asio::error::connection_reset);
    auto const refused = make(boost::asio::error::connection_refused);
    CHECK(get(reset).failed());
    CHECK(get(reset).transient);
    CHECK(post(reset).failed());
    CHECK_FALSE(post(reset).transient);
    CHECK(post(refused).transient);
    CHECK(get(make_error_code(errc::attempt_timed_out)).transient);
    CHECK_FALSE(post(make_error_code(errc::attempt_timed_out)).transient);
    CHECK_FALSE(post(make_error_code(errc::connection_closed)).transient);
    CHECK(get(make_error_code(errc::bad_response)).failed());
    CHECK_FALSE(get(make_error_code(errc::bad_response)).transient);
    CHECK(get(std::error_code{}).ok());
}

static_assert(!std::is_invocable_v<classifier, std::exception_ptr>, "exceptions are left to the pipeline");

TEST_CASE("classify: what the caller did, and what was never sent, says nothing of the peer")
{
    auto const cancelled = std::error_code(boost::system::error_code(boost::asio::error::operation_aborted));
    for (auto const& code : {cancelled, make_error_code(errc::stopped), make_error_code(errc::bad_request),
                             make_error_code(errc::too_many_calls), make_error_code(errc::no_time_left)})
        CHECK(get(code).what == outcome::kind::ignored);
}
