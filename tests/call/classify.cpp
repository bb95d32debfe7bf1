// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/classify.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <future>
#include <ios>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using weir::classify;
using weir::condition;
using weir::default_classifier;
using weir::errc;
using weir::outcome;

namespace {

enum class meaning { success, transient, permanent, ignored };

meaning of(outcome const& o)
{
    if (o.ok()) return meaning::success;
    if (!o.failed()) return meaning::ignored;
    return o.transient ? meaning::transient : meaning::permanent;
}

template <class Exception>
meaning of_thrown(Exception e)
{
    return of(default_classifier{}(std::make_exception_ptr(std::move(e))));
}

meaning of_code(std::error_code ec)
{
    auto const said = of(default_classifier{}(ec));
    CHECK(of_thrown(std::system_error(ec)) == (ec ? said : meaning::success));  // thrown or returned: the same
    return said;
}

struct reply {
    bool busy = false;
};

}  // namespace

TEST_CASE("default_classifier: an error code means what its condition says")
{
    CHECK(of_code({}) == meaning::success);
    CHECK(of_code(make_error_code(std::errc::connection_reset)) == meaning::transient);
    CHECK(of_code(errc::attempt_timed_out) == meaning::transient);
    CHECK(of_code(make_error_code(std::errc::permission_denied)) == meaning::permanent);
    CHECK(of_code(errc::bad_request) == meaning::permanent);
    CHECK(of_code(errc::deadline_exceeded) == meaning::permanent);
}

TEST_CASE("default_classifier: a cancelled operation says nothing of the peer, nor does a refusal of weir further in")
{
    CHECK(of_code(make_error_code(std::errc::operation_canceled)) == meaning::ignored);
    CHECK(of_code(std::error_code(static_cast<int>(std::errc::operation_canceled), std::system_category())) ==
          meaning::ignored);
    for (auto const e : {errc::rate_limited, errc::exceeds_burst, errc::too_many_calls, errc::circuit_open,
                         errc::no_endpoint, errc::no_time_left})
        CHECK(of_code(e) == meaning::ignored);
}

TEST_CASE("default_classifier: an exception may pass, a mistake in the program will not")
{
    CHECK(of_thrown(std::runtime_error("")) == meaning::transient);
    CHECK(of_thrown(42) == meaning::transient);
    CHECK(of_thrown(std::logic_error("")) == meaning::permanent);
    CHECK(of_thrown(std::out_of_range("")) == meaning::permanent);
    CHECK(of_thrown(std::invalid_argument("")) == meaning::permanent);
    CHECK(of_thrown(std::bad_alloc()) == meaning::permanent);
    CHECK(of_thrown(std::ios_base::failure("", make_error_code(std::errc::timed_out))) == meaning::transient);
    CHECK(of_thrown(std::future_error(std::future_errc::no_state)) == meaning::permanent);
}

TEST_CASE("classify: what the function takes is its to say, the rest falls to the default")
{
    classify const by_reply([](reply const& r) { return r.busy ? outcome::failure() : outcome::success(); });
    CHECK(of(by_reply(reply{.busy = true})) == meaning::transient);
    CHECK(of(by_reply(reply{})) == meaning::success);
    CHECK(of(by_reply(make_error_code(std::errc::permission_denied))) == meaning::permanent);
    CHECK(of(by_reply(make_error_code(errc::circuit_open))) == meaning::ignored);
    CHECK(of(by_reply(std::make_exception_ptr(std::logic_error("")))) == meaning::permanent);
    CHECK(of(by_reply(std::string("another value"))) == meaning::success);
    CHECK(of(by_reply()) == meaning::success);
}

TEST_CASE("classify: the function may speak for errors and exceptions only")
{
    struct {
        outcome operator()(std::error_code) const { return outcome::ignored(); }
        outcome operator()(std::exception_ptr) const { return outcome::failure(); }
    } const judge;
    classify const rule(judge);
    CHECK(of(rule(make_error_code(std::errc::connection_reset))) == meaning::ignored);
    CHECK(of(rule(std::make_exception_ptr(std::logic_error("")))) == meaning::transient);
    CHECK(of(rule(reply{.busy = true})) == meaning::success);
}

TEST_CASE("classify: an operation of two values is judged by both, or by the default")
{
    classify const both([](int status, std::string const& body) {
        return status == 200 && !body.empty() ? outcome::success() : outcome::permanent_failure();
    });
    CHECK(of(both(200, std::string("x"))) == meaning::success);
    CHECK(of(both(200, std::string())) == meaning::permanent);
    CHECK(of(both(500)) == meaning::success);
}

TEST_CASE("classify: a generic function is asked everything")
{
    int asked = 0;
    classify const rule([&asked](auto const&...) {
        ++asked;
        return outcome::failure();
    });
    CHECK(of(rule()) == meaning::transient);
    CHECK(of(rule(7)) == meaning::transient);
    CHECK(of(rule(std::error_code())) == meaning::transient);
    CHECK(of(rule(std::exception_ptr())) == meaning::transient);
    CHECK(asked == 4);
}

TEST_CASE("classify: passes the peer's own wish on")
{
    classify const rule([](reply const&) {
        auto o = outcome::failure();
        o.retry_after = 7s;
        return o;
    });
    CHECK(rule(reply{}).retry_after == 7s);
}

TEST_CASE("classify: sees the operation's value itself, not a copy")
{
    void const* seen = nullptr;
    classify const rule([&](reply const& r) {
        seen = &r;
        return outcome::success();
    });
    reply const r;
    CHECK(rule(r).ok());
    CHECK(seen == &r);
}
