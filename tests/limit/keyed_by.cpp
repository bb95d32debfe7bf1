// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/keyed_by.hpp>

#include <weir/breaker/keyed_breakers.hpp>
#include <weir/call/any_pipeline.hpp>
#include <weir/call/dry_run.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/ip_key.hpp>
#include <weir/limit/jittered.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

using tenants = weir::keyed_limiter<std::uint64_t>;

weir::keyed_limiter_options const two_an_hour{
    .quotas = {{weir::per_hour(2), 2}}, .capacity = 100, .name = "per_tenant"};

constexpr auto number = [](weir::call_facts const& of) noexcept {
    std::uint64_t n = 0;
    std::from_chars(of.key.data(), of.key.data() + of.key.size(), n);
    return n;
};
constexpr auto client = [](weir::call_facts const& of) noexcept {
    return weir::ip_key::parse(of.key).value_or(weir::ip_key{});
};

static_assert(weir::facts_gate<weir::keyed_by<tenants&, decltype(number)>>);
static_assert(weir::facts_gate<weir::drain_on<weir::keyed_by<tenants&, decltype(number)>>>);
static_assert(weir::keyed_gate<weir::drain_on<weir::keyed_limiter<std::string>&>>);

constexpr auto failed = [](weir::outcome const& o) noexcept { return !o.ok(); };

/// Calls that end well, or with a pushback, of one key after the other.
struct caller {
    weir::testing::manual_clock clock{};

    template <class Pipeline>
    bool operator()(Pipeline& p, std::string key, bool pushed_back = false)
    {
        auto const r = p.call(
            [&](weir::attempt const&) -> weir::result<int> {
                if (pushed_back) return weir::error(std::make_error_code(std::errc::resource_unavailable_try_again));
                return 1;
            },
            {.key = std::move(key)}, clock);
        return static_cast<bool>(r);
    }
};

}  // namespace

TEST_CASE("keyed_by: in a pipeline made once, every call is counted for the key that it says, whatever the key's type")
{
    caller call;
    tenants per_tenant{two_an_hour};
    auto numbers = weir::pipeline(weir::keyed_by{per_tenant, number});
    for (auto const* tenant : {"7", "8"}) {
        CHECK(call(numbers, tenant));
        CHECK(call(numbers, tenant));
        CHECK_FALSE(call(numbers, tenant));
    }
    CHECK(per_tenant.available(7, call.clock.now()) == 0);
    CHECK(per_tenant.available(9, call.clock.now()) == 2);

    weir::any_pipeline addresses(
        weir::pipeline(weir::keyed_by{weir::keyed_limiter<weir::ip_key>{two_an_hour}, client}));
    CHECK(call(addresses, "2001:db8::1"));
    CHECK(call(addresses, "2001:db8::2"));  // the same client
    CHECK_FALSE(call(addresses, "2001:db8::3"));
    CHECK(call(addresses, "203.0.113.7"));
    CHECK(call(addresses, ""));
}

TEST_CASE("keyed_by: drain_on empties the key that was pushed back, and no other")
{
    caller call;
    tenants per_tenant{two_an_hour};
    auto guarded = weir::pipeline(weir::drain_on{weir::keyed_by{per_tenant, number}, failed});
    CHECK_FALSE(call(guarded, "7", true));
    CHECK(call(guarded, "8"));
    auto const now = call.clock.now();
    CHECK(per_tenant.available(7, now) == 0);
    CHECK(per_tenant.available(8, now) == 1);
    CHECK_FALSE(call(guarded, "7"));
    CHECK(call(guarded, "8"));

    weir::keyed_limiter<std::string> by_name{two_an_hour};
    auto plain = weir::pipeline(weir::drain_on{by_name, failed});
    CHECK_FALSE(call(plain, "acme", true));
    CHECK(by_name.available("acme", now) == 0);
    CHECK(call(plain, "bolt"));
    CHECK(by_name.available("bolt", now) == 1);
}

TEST_CASE("keyed_by: a permit that is cancelled or moved is drained of nothing, or once")
{
    tenants per_tenant{two_an_hour};
    weir::drain_on careful{weir::keyed_by{per_tenant, number}};
    weir::call_facts const of{.key = "7"};
    auto const now = weir::time_point{1h};
    auto pushback = weir::outcome::failure();
    pushback.retry_after = 1s;
    auto a = careful.admit(of, now);
    REQUIRE(a);
    CHECK(a->cancel());
    a->record(pushback, now);
    CHECK(per_tenant.available(7, now) == 2);
    auto b = careful.admit(of, now);
    auto c = careful.admit({.key = "8"}, now);
    REQUIRE(b);
    REQUIRE(c);
    *c = *std::move(b);  // 8 gets its permit back, and c is of 7
    CHECK(per_tenant.available(8, now) == 2);
    c->record(pushback, now);
    CHECK(per_tenant.available(8, now) == 2);
    CHECK(per_tenant.available(7, now) == 0);
}

TEST_CASE("keyed_by: a dry run counts over all calls and keys")
{
    caller call;
    weir::dry_run watched{weir::drain_on{weir::keyed_by{tenants{two_an_hour}, number}}};
    auto guarded = weir::pipeline(watched);
    for (auto const* tenant : {"7", "8", "7", "8", "7", "8", "7"}) CHECK(call(guarded, tenant));
    CHECK(watched.would_have_refused() == 3);
    CHECK(watched.name() == "per_tenant");
    watched.reconfigure({.enforce = 1});
    CHECK_FALSE(call(guarded, "7"));
    CHECK(call(guarded, "9"));
}

TEST_CASE("keyed_by: jittered, each key's refusals are spread, whether its keys are text or not")
{
    weir::jittered numbers{weir::keyed_by{tenants{two_an_hour}, number}, 10s};
    weir::jittered names{weir::keyed_limiter<std::string>{two_an_hour}, 10s};
    static_assert(weir::facts_gate<decltype(numbers)> && weir::keyed_gate<decltype(names)>);
    auto const now = weir::time_point{1h};
    auto const spread_out = [&](auto ask) {
        for (int i = 0; i < 2; ++i) ask("7")->record(weir::outcome::success(), now);
        weir::duration least = 1h, most = 0s;
        for (int i = 0; i < 50; ++i) {
            auto const a = ask("7");
            REQUIRE_FALSE(a);
            auto const late = a.refused().retry_at - (now + 30min);
            least = std::min(least, late), most = std::max(most, late);
        }
        CHECK(least >= 0s);
        CHECK(most < 10s);
        CHECK(most - least > 5s);
        CHECK(ask("8"));
    };
    spread_out([&](std::string_view key) { return numbers.admit({.key = key}, now); });
    spread_out([&](std::string_view key) { return names.admit(key, now); });
}

TEST_CASE("keyed_by: breakers too, by numbers")
{
    caller call;
    weir::keyed_breakers<std::uint64_t> per_host{{.each = {.failure_rate = 0.5, .minimum_calls = 2}}};
    auto guarded = weir::pipeline(weir::keyed_by{per_host, number});
    for (int i = 0; i < 4; ++i) (void)call(guarded, "7", true);
    CHECK_FALSE(call(guarded, "7"));
    CHECK(call(guarded, "8"));
}
