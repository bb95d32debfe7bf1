// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using weir::admission;
using weir::endpoint;
using weir::outcome;
using weir::random_engine;
using weir::time_point;

namespace {

struct token {
    token() = default;
    token(token&&) = default;
    token& operator=(token&&) = default;
    void record(outcome const&, time_point) noexcept {}
};

/// The shortest gate there is.
struct open_gate {
    admission<token> admit(time_point) { return token{}; }
};
struct says_yes_or_no {
    bool admit(time_point);
};
struct asks_no_time {
    admission<token> admit();
};
struct only_for_const {
    [[nodiscard]] admission<token> admit(time_point) const;
};

template <class Answer, bool Noexcept>
struct lease : token {
    Answer endpoint() const noexcept(Noexcept);
};
template <class Lease>
struct picks {
    admission<Lease> pick(time_point, random_engine&, endpoint const*);
};
struct picks_blindly {
    admission<lease<endpoint const&, true>> pick(time_point, random_engine&);
};

}  // namespace

static_assert(weir::gate<open_gate>);
static_assert(weir::gate<only_for_const>);
static_assert(!weir::gate<says_yes_or_no>, "a refusal has a reason and an instant");
static_assert(!weir::gate<asks_no_time>);
static_assert(!weir::gate<int>);
static_assert(!weir::gate<picks<lease<endpoint const&, true>>>);

static_assert(weir::balancer<picks<lease<endpoint const&, true>>>);
static_assert(!weir::balancer<picks<lease<endpoint, true>>>, "a copy would not be the one that avoid points at");
static_assert(!weir::balancer<picks<lease<endpoint const&, false>>>);
static_assert(!weir::balancer<picks<token>>, "a lease says where to send");
static_assert(!weir::balancer<picks_blindly>);
static_assert(!weir::balancer<open_gate>);

TEST_CASE("gate: anything with admit(now) that answers with a token or a rejection is one")
{
    auto const ask = [](weir::gate auto& g) { return static_cast<bool>(g.admit(time_point{})); };
    open_gate open;
    CHECK(ask(open));
}
