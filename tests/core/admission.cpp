// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/admission.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <type_traits>
#include <utility>

using namespace std::chrono_literals;
using weir::admission;
using weir::errc;
using weir::never;
using weir::outcome;
using weir::rejection;
using weir::time_point;

namespace {

/// Counts what it gives back, as a slot of a concurrency limit does.
class slot {
public:
    explicit slot(int& given_back) : given_back_(&given_back) {}
    slot(slot&& other) noexcept : given_back_(std::exchange(other.given_back_, nullptr)) {}
    slot& operator=(slot&& other) noexcept
    {
        std::swap(given_back_, other.given_back_);
        return *this;
    }
    ~slot()
    {
        if (given_back_) ++*given_back_;
    }
    void record(outcome const&, time_point) noexcept {}
    [[nodiscard]] bool holds() const noexcept { return given_back_ != nullptr; }

private:
    int* given_back_;
};

struct copyable {
    void record(outcome const&, time_point) noexcept {}
};
struct throwing {
    throwing(throwing&&) = default;
    throwing& operator=(throwing&&) = default;
    void record(outcome const&, time_point) {}
};
struct silent {
    silent(silent&&) = default;
    silent& operator=(silent&&) = default;
};

}  // namespace

static_assert(weir::token<slot>);
static_assert(!weir::token<copyable>, "a proof of admission that can be copied proves nothing");
static_assert(!weir::token<throwing>, "settling must not fail");
static_assert(!weir::token<silent>);
static_assert(!weir::token<int>);
static_assert(!std::is_copy_constructible_v<admission<slot>>);
static_assert(!std::is_convertible_v<admission<slot>, bool>, "only where a condition is meant");

TEST_CASE("admission: holds the token, and lets it go once")
{
    int given_back = 0;
    {
        admission<slot> a = slot(given_back);
        REQUIRE(a);
        CHECK(a->holds());
        CHECK((*a).holds());
        CHECK(given_back == 0);
        {
            slot const mine = *std::move(a);
            CHECK(mine.holds());
        }
        CHECK(given_back == 1);
    }
    CHECK(given_back == 1);
}

TEST_CASE("admission: one that is dropped gives the token back")
{
    int given_back = 0;
    {
        admission<slot> const dropped = slot(given_back);
    }
    CHECK(given_back == 1);
}

TEST_CASE("admission: a refusal says which gate, why, and when to come back")
{
    admission<slot> const a = rejection{errc::circuit_open, time_point(5s), "breaker"};
    REQUIRE(!a);
    CHECK(a.refused().code == errc::circuit_open);
    CHECK(a.refused().retry_at == time_point(5s));
    CHECK(a.refused().gate == "breaker");
    CHECK(a.refused().possible_later());
}

TEST_CASE("rejection: without an instant to come back at, waiting does not help")
{
    CHECK(rejection{}.retry_at == never);
    CHECK(!rejection{}.possible_later());
    CHECK(rejection{.code = errc::rate_limited, .retry_at = time_point{}, .gate = {}}.possible_later());
}
