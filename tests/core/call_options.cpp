// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/attempt.hpp>
#include <weir/core/call_options.hpp>
#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

using namespace std::chrono_literals;

TEST_CASE("call_options: an attempt tells its operation what the call said, and nothing where nothing was said")
{
    weir::attempt const plain;
    CHECK_FALSE(plain.priority());
    CHECK_FALSE(plain.idempotent());
    CHECK(plain.key().empty());

    weir::request_priority const batch{weir::criticality::sheddable, 7};
    weir::call_options const said{.key = "tenant", .priority = batch, .idempotent = false};
    weir::attempt const a(2, weir::never, nullptr, &said);
    CHECK(a.priority() == batch);
    CHECK(a.idempotent() == false);
    CHECK(a.key() == "tenant");
}

namespace {

struct some_token {
    some_token() = default;
    some_token(some_token&&) = default;
    some_token& operator=(some_token&&) = default;
    void record(weir::outcome const&, weir::time_point) noexcept {}
};
template <class What>
struct asked_with {
    weir::admission<some_token> admit(What, weir::time_point) { return some_token{}; }
};

}  // namespace

TEST_CASE("call_options: which gates look at the call")
{
    static_assert(weir::keyed_gate<asked_with<std::string_view>> && weir::keyed_gate<asked_with<std::string>> == false);
    static_assert(weir::priority_gate<asked_with<weir::request_priority>>);
    static_assert(weir::facts_gate<asked_with<weir::call_facts const&>>);
    static_assert(!weir::gate<asked_with<std::string_view>> && weir::any_gate<asked_with<std::string_view>>);
    static_assert(!weir::any_gate<asked_with<unsigned>>);
}
