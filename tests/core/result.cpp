// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/result.hpp>

#include <doctest/doctest.h>

#include <any>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
using weir::rejection;
using weir::result;
using weir::time_point;

TEST_CASE("result: has the value, or the error, and says which")
{
    result<int> const good = 42;
    REQUIRE(good);
    CHECK(good.has_value());
    CHECK(*good == 42);
    CHECK(good.value() == 42);
    CHECK(good.value_or(7) == 42);

    result<int> const bad = weir::error(errc::circuit_open);
    REQUIRE(!bad);
    CHECK(!bad.has_value());
    CHECK(bad.error().code == errc::circuit_open);
    CHECK(!bad.error().refused);
    CHECK(bad.value_or(7) == 7);
}

TEST_CASE("result: value() of an error throws system_error with its code")
{
    result<std::string> bad = weir::error(std::make_error_code(std::errc::timed_out));
    auto const code = [](auto&& take) {
        try {
            take();
        } catch (std::system_error const& e) {
            return e.code();
        }
        return std::error_code();
    };
    CHECK(code([&] { (void)bad.value(); }) == std::errc::timed_out);
    CHECK(code([&] { (void)std::as_const(bad).value(); }) == std::errc::timed_out);
    CHECK(code([&] { (void)std::move(bad).value(); }) == std::errc::timed_out);
    CHECK(code([&] { (void)result<void>(errc::stopped).value(); }) == errc::stopped);
}

TEST_CASE("result: a refusal keeps the gate and the instant to come back at")
{
    result<int> const r = weir::error(rejection{errc::rate_limited, time_point(3s), "bucket"});
    REQUIRE(!r);
    CHECK(r.error().code == errc::rate_limited);
    REQUIRE(r.error().refused);
    CHECK(r.error().refused->gate == "bucket");
    CHECK(r.error().refused->retry_at == time_point(3s));
}

TEST_CASE("result: a value that cannot be copied moves in and out")
{
    result<std::unique_ptr<int>> r = std::make_unique<int>(5);
    REQUIRE(r);
    CHECK(**r == 5);
    CHECK(*r->get() == 5);
    auto moved = std::move(r);
    std::unique_ptr<int> const out = *std::move(moved);
    CHECK(*out == 5);
    CHECK(*result<std::unique_ptr<int>>(std::make_unique<int>(6)).value() == 6);
    CHECK(result<std::unique_ptr<int>>(errc::stopped).value_or(nullptr) == nullptr);
    CHECK(*result<std::unique_ptr<int>>(std::make_unique<int>(7)).value_or(nullptr) == 7);
}

TEST_CASE("result: of nothing is a success until it is given an error")
{
    result<void> const done;
    CHECK(done);
    CHECK_NOTHROW((void)done.value());
    result<void> const failed = weir::error(errc::no_endpoint);
    REQUIRE(!failed);
    CHECK(failed.error().code == errc::no_endpoint);
}

TEST_CASE("result: takes what converts to its value, and to its error")
{
    result<std::string> const text = "text";
    REQUIRE(text);
    CHECK(*text == "text");
    CHECK(text->size() == 4);
    result<double> const number = 3;
    CHECK(*number == 3.0);

    auto const from_code = []() -> result<int> { return {std::make_error_code(std::errc::broken_pipe)}; };
    auto const from_errc = []() -> result<int> { return {errc::bad_document}; };
    auto const from_rejection = []() -> result<int> { return {rejection{errc::no_endpoint, weir::never, "b"}}; };
    CHECK(from_code().error().code == std::errc::broken_pipe);
    CHECK(from_errc().error().code == errc::bad_document);
    CHECK(from_rejection().error().refused->gate == "b");
}

// std::error_code converts to bool where asked to, and to std::any always.
TEST_CASE("result: an error never becomes a value, whatever the value can be made from")
{
    auto const code = std::make_error_code(std::errc::timed_out);
    CHECK(!result<bool>(code));
    CHECK(!result<bool>(errc::circuit_open));
    CHECK(!result<std::any>(code));
    CHECK(!result<std::any>(errc::circuit_open));
    CHECK(!result<std::any>(rejection{}));
    auto const returned = [&]() -> result<bool> { return {code}; };
    REQUIRE(!returned());
    CHECK(returned().error().code == std::errc::timed_out);
}

// An explicit constructor is not run by accident: a size is not a vector.
static_assert(!std::is_constructible_v<result<std::vector<int>>, int>);
static_assert(!std::is_constructible_v<result<std::unique_ptr<int>>, int*>);
static_assert(!std::is_constructible_v<result<int>, std::string_view>);
static_assert(!std::is_default_constructible_v<result<int>>, "a value that nobody gave");
static_assert(!std::is_convertible_v<result<int>, bool>, "only where a condition is meant");
