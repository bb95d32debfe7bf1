// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/hierarchical_limit.hpp>

#include <weir/call/dry_run.hpp>
#include <weir/core/gate.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/jittered.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/striped_token_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
using weir::hierarchical_limit;
using weir::outcome;
using weir::time_point;
using weir::token_bucket;

namespace {

constexpr time_point start{1'000'000s};

/// A bucket that never comes back within a test.
token_bucket hourly(std::uint64_t burst, std::string name = "hourly")
{
    return token_bucket{{.rate = weir::per_hour(1), .burst = burst, .name = std::move(name)}};
}

/// A gate that does not tell beforehand, and writes down what happens to it.
struct scripted {
    std::vector<std::string>* log;
    std::string name;
    bool admits = true;
    time_point back = start + 1s;

    struct token {
        scripted* from;
        token(scripted* f) : from(f) {}
        token(token&& other) noexcept : from(std::exchange(other.from, nullptr)) {}
        token& operator=(token&& other) noexcept
        {
            std::swap(from, other.from);
            return *this;
        }
        ~token()
        {
            if (from != nullptr) from->log->push_back(from->name + " dropped");
        }
        void record(outcome const& o, time_point) noexcept
        {
            auto* const f = std::exchange(from, nullptr);
            f->log->push_back(f->name + (o.ok() ? " succeeded" : " failed"));
        }
    };

    weir::admission<token> admit(time_point)
    {
        log->push_back(name + (admits ? " admits" : " refuses"));
        if (admits) return token{this};
        return weir::rejection{errc::rate_limited, back, name};
    }
};
using names = std::vector<std::string>;

using two_levels = hierarchical_limit<token_bucket&, token_bucket>;
static_assert(weir::gate<two_levels> && weir::gate<hierarchical_limit<scripted&>>);
template <class L>
concept counts = requires(L& l) { l.try_acquire(std::uint64_t{2}, start); };
static_assert(counts<two_levels> && !counts<hierarchical_limit<token_bucket&, scripted&>>);
template <class L>
concept drains = requires(L& l) { l.drain(start); };
static_assert(drains<hierarchical_limit<token_bucket&, scripted&>> && !drains<hierarchical_limit<scripted&>>);

}  // namespace

TEST_CASE("hierarchical_limit: admits what every level admits, and charges each")
{
    auto tenant = hourly(3), plan = hourly(5), global = hourly(4);
    hierarchical_limit limits(tenant, plan, global);
    for (int i = 0; i < 3; ++i) {
        auto a = limits.admit(start);
        REQUIRE(a);
        a->record(outcome::success(), start);
    }
    CHECK_FALSE(limits.admit(start));
    CHECK(tenant.available(start) == 0);
    CHECK(plan.available(start) == 2);
    CHECK(global.available(start) == 1);
}

TEST_CASE("hierarchical_limit: a refusal at any level charges none")
{
    for (int level = 0; level < 3; ++level) {
        CAPTURE(level);
        std::array buckets{hourly(2), hourly(2), hourly(2)};
        auto& full = buckets[static_cast<std::size_t>(level)];
        full.drain(start);
        hierarchical_limit limits(buckets[0], buckets[1], buckets[2]);
        CHECK_FALSE(limits.admit(start));
        for (auto& b : buckets) CHECK(b.available(start) == (&b == &full ? 0 : 2));
    }
}

TEST_CASE("hierarchical_limit: a level that cannot tell beforehand refuses, and the others get their shares back")
{
    auto tenant = hourly(2);
    weir::concurrency_limit slots{{.limit = 1, .max_queue = 0}};
    names log;
    scripted last{&log, "last", false};
    hierarchical_limit limits(tenant, slots, last);
    auto const a = limits.admit(start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().gate == "last");
    CHECK(tenant.available(start) == 2);
    CHECK(slots.in_flight() == 0);
}

TEST_CASE("hierarchical_limit: levels are asked in the order given and settled in reverse")
{
    names log;
    scripted a{&log, "a"}, b{&log, "b"}, c{&log, "c"};
    hierarchical_limit limits(a, b, c);
    {
        auto held = limits.admit(start);
        REQUIRE(held);
        held->record(outcome::failure(), start);
        CHECK(log == names{"a admits", "b admits", "c admits", "c failed", "b failed", "a failed"});
    }
    log.clear();
    {
        auto held = limits.admit(start);
        auto moved = *std::move(held);
    }
    CHECK(log == names{"a admits", "b admits", "c admits", "c dropped", "b dropped", "a dropped"});
    log.clear();
    c.admits = false;
    CHECK_FALSE(limits.admit(start));
    CHECK(log == names{"a admits", "b admits", "c refuses", "b dropped", "a dropped"});
    log.clear();
    a.admits = false;
    CHECK_FALSE(limits.admit(start));
    CHECK(log == names{"a refuses"});
}

TEST_CASE("hierarchical_limit: a level that can tell refuses before anybody is asked")
{
    names log;
    scripted first{&log, "first"};
    auto global = hourly(1);
    global.drain(start);
    hierarchical_limit limits(first, global);
    CHECK_FALSE(limits.admit(start));
    CHECK(log.empty());
}

TEST_CASE("hierarchical_limit: come back when the last of the refusing levels is open again, under its name")
{
    token_bucket tenant{{.rate = weir::per_second(1), .burst = 1, .name = "tenant"}};
    token_bucket plan{{.rate = {1, 3s}, .burst = 1, .name = "plan"}};
    token_bucket global{{.rate = {1, 2s}, .burst = 1, .name = "global"}};
    hierarchical_limit limits(tenant, plan, global);
    tenant.drain(start), plan.drain(start), global.drain(start);
    auto const a = limits.admit(start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::rate_limited);
    CHECK(a.refused().gate == "plan");
    CHECK(a.refused().retry_at == start + 3s);
    CHECK(limits.retry_at(1, start) == start + 3s);
    CHECK_FALSE(limits.admit(start + 3s - 1ns));
    CHECK(limits.admit(start + 3s));
    CHECK(limits.retry_at(1, start + 9s) == start + 9s);

    names log;
    scripted early{&log, "early", false, start + 4s};
    auto open = hourly(1, "late");
    hierarchical_limit mixed(early, open);
    auto const b = mixed.admit(start);
    REQUIRE_FALSE(b);
    CHECK(b.refused().gate == "early");
    CHECK(b.refused().retry_at == start + 4s);
}

TEST_CASE("hierarchical_limit: n permits of all levels or of none, and never more than the smallest burst")
{
    auto tenant = hourly(5, "tenant"), global = hourly(3, "global");
    hierarchical_limit limits(tenant, global);
    auto const a = limits.admit(4, start);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::exceeds_burst);
    CHECK(a.refused().retry_at == weir::never);
    CHECK(a.refused().gate == "global");
    CHECK(limits.try_acquire(2, start));
    CHECK_FALSE(limits.try_acquire(2, start));
    CHECK(limits.try_acquire(0, start));
    CHECK(tenant.available(start) == 3);
    CHECK(global.available(start) == 1);
}

TEST_CASE("hierarchical_limit: cancel gives back everything, unless somebody was admitted behind")
{
    auto tenant = hourly(5), global = hourly(5);
    hierarchical_limit limits(tenant, global);
    auto a = limits.admit(3, start);
    REQUIRE(a);
    CHECK(a->start_at() == start);
    CHECK(a->cancel());
    CHECK(a->cancel());  // nothing left to give back
    CHECK(tenant.available(start) == 5);
    CHECK(global.available(start) == 5);

    auto b = limits.admit(1, start);
    CHECK(global.try_acquire(1, start));
    REQUIRE(b);
    CHECK_FALSE(b->cancel());
    CHECK(tenant.available(start) == 5);
    CHECK(global.available(start) == 3);
}

TEST_CASE("hierarchical_limit: drained, no level has anything on hand; one that counts slots has nothing to lose")
{
    auto tenant = hourly(5), global = hourly(5);
    weir::concurrency_limit slots{{.limit = 2, .max_queue = 0}};
    hierarchical_limit inner(slots, global);
    weir::drain_on limits{hierarchical_limit(tenant, inner)};
    limits.admit(start)->record(outcome::failure(1ms), start);
    CHECK(tenant.available(start) == 4);
    auto told = outcome::failure(1ms);
    told.retry_after = 1s;
    limits.admit(start)->record(told, start);
    CHECK(tenant.available(start) == 0);
    CHECK(global.available(start) == 0);
    CHECK(slots.in_flight() == 0);
    CHECK_FALSE(limits.admit(start));
}

TEST_CASE("hierarchical_limit: without a time it asks the clock that its levels ask")
{
    auto tenant = hourly(3), global = hourly(5);
    hierarchical_limit limits(tenant, global);
    CHECK(limits.try_acquire());
    CHECK_FALSE(limits.try_acquire(3));
    CHECK(limits.try_acquire(2));
    CHECK(tenant.available() == 0);
    CHECK(global.available() == 2);
    limits.drain();
    CHECK(global.available() == 0);
}

TEST_CASE("hierarchical_limit: a shaper among the levels is a meter, and no start of the future is spent as now")
{
    weir::leaky_bucket shaper{{.rate = weir::per_second(100), .max_wait = 500ms, .name = "shaper"}};
    auto plan = hourly(1'000);
    hierarchical_limit limits(shaper, plan);
    int taken = 0;
    for (int i = 0; i < 100; ++i) taken += limits.try_acquire(1, start) ? 1 : 0;
    CHECK(taken == 1);
    auto const early = limits.admit(start);
    REQUIRE_FALSE(early);
    CHECK(early.refused().gate == "shaper");
    CHECK(early.refused().retry_at == start + 10ms);
    CHECK(plan.available(start) == 999);
    auto const later = limits.admit(start + 10ms);
    REQUIRE(later);
    CHECK(later->start_at() == start + 10ms);

    struct blind {  // one that does not tell beforehand
        weir::leaky_bucket inner{{.rate = weir::per_second(100), .max_wait = 500ms}};
        auto admit(time_point now) { return inner.admit(now); }
        [[nodiscard]] weir::duration max_wait() const { return inner.max_wait(); }
        auto reserve(std::uint64_t n, weir::duration max_wait, time_point now)
        {
            return inner.reserve(n, max_wait, now);
        }
    } hidden;
    hierarchical_limit unseen(plan, hidden);
    taken = 0;
    for (int i = 0; i < 100; ++i) taken += unseen.try_acquire(1, start + 1s) ? 1 : 0;
    CHECK(taken == 1);
}

TEST_CASE("hierarchical_limit: starts when the slowest level says, where a gate of the user's delays")
{
    struct delays {
        struct token {
            token() = default;
            token(token&&) = default;
            token& operator=(token&&) = default;
            [[nodiscard]] time_point start_at() const noexcept { return start + 1s; }
            void record(outcome const&, time_point) noexcept {}
        };
        weir::admission<token> admit(time_point) { return token{}; }
    } slow;
    auto open = hourly(5);
    auto const a = hierarchical_limit(slow, open).admit(start);
    REQUIRE(a);
    CHECK(a->start_at() == start + 1s);
}

TEST_CASE("hierarchical_limit: any rate limiter, wrapped or not, says beforehand that it would refuse")
{
    names log;
    scripted first{&log, "first"};
    auto const asks_nobody = [&](auto&& level, time_point least, time_point most) {
        REQUIRE(level.try_acquire(1, start));
        hierarchical_limit limits(first, level);
        auto const a = limits.admit(start);
        REQUIRE_FALSE(a);
        CHECK(log.empty());
        CHECK(a.refused().retry_at >= least);
        CHECK(a.refused().retry_at <= most);
    };
    asks_nobody(weir::leaky_bucket{{.rate = weir::per_second(10)}}, start + 100ms, start + 100ms);
    asks_nobody(weir::striped_token_bucket{{.rate = weir::per_second(10), .burst = 1}}, start + 100ms, start + 100ms);
    asks_nobody(weir::drain_on{hourly(1)}, start + 1h, start + 1h);
    asks_nobody(weir::jittered{hourly(1), 1s}, start + 1h, start + 1h + 1s);
    asks_nobody(weir::dry_run{hourly(1), {.enforce = 1}}, start + 1h, start + 1h);

    weir::dry_run watched{hourly(1)};
    hierarchical_limit limits(watched, first);
    for (int i = 0; i < 3; ++i) limits.admit(start)->record(outcome::success(), start);
    CHECK(watched.would_have_refused() == 2);
}

TEST_CASE("hierarchical_limit: without a time it asks the clock that it was given")
{
    weir::testing::manual_clock clock;
    weir::basic_token_bucket tenant({.rate = weir::per_second(1), .burst = 1}, clock);
    weir::basic_token_bucket global({.rate = weir::per_second(10), .burst = 1}, clock);
    weir::basic_hierarchical_limit limits(clock, tenant, global);
    static_assert(weir::gate<decltype(limits)>);
    CHECK(limits.try_acquire());
    CHECK_FALSE(limits.try_acquire());
    clock.advance(1s - 1ns);
    CHECK_FALSE(limits.try_acquire());
    clock.advance(1ns);
    CHECK(limits.try_acquire());
    clock.advance(1h);
    limits.drain();
    CHECK(tenant.available() + global.available() == 0);
}

TEST_CASE("hierarchical_limit: a clock that steps back, stands still or jumps mints nothing at any level")
{
    weir::testing::manual_clock clock(start);
    weir::basic_token_bucket tenant({.rate = weir::per_second(10), .burst = 3}, clock);
    weir::basic_leaky_bucket plan({.rate = weir::per_second(100), .burst = 2}, clock);
    weir::basic_token_bucket global({.rate = weir::per_second(20), .burst = 5}, clock);
    weir::basic_hierarchical_limit limits(clock, tenant, plan, global);
    auto const take_all = [&] {
        int n = 0;
        while (n < 100 && limits.try_acquire()) ++n;
        return n;
    };
    CHECK(take_all() == 2);
    CHECK(take_all() == 0);  // it stands still
    CHECK(global.available() == 3);
    clock.advance(-1h);
    CHECK(take_all() == 0);
    clock.advance(1h);
    CHECK(take_all() == 0);
    for (int i = 0; i < 3; ++i) {  // decades at once are a burst of the smallest level
        clock.advance(24h * 365 * 50);
        CHECK(take_all() == 2);
        clock.advance(-1ns);
        CHECK(take_all() == 0);
        clock.advance(1ns);
    }
    clock.set(weir::never);
    CHECK(take_all() <= 2);
}

TEST_CASE("hierarchical_limit: keys, temporaries and hierarchies are levels too")
{
    weir::keyed_limiter<std::string> tenants{{.quotas = {{weir::per_hour(1), 2}}, .capacity = 100}};
    auto plan = hourly(3, "plan"), global = hourly(10);
    auto const ask = [&](char const* tenant) {
        hierarchical_limit limits(tenants.of(tenant), hierarchical_limit(plan, global));
        auto a = limits.admit(start);
        if (a) a->record(outcome::success(), start);
        return a ? std::string{"yes"} : std::string{a.refused().gate};
    };
    CHECK(ask("acme") == "yes");
    CHECK(ask("acme") == "yes");
    CHECK(ask("acme") == "keyed_limiter");
    CHECK(ask("bolt") == "yes");
    CHECK(ask("bolt") == "plan");
    CHECK(tenants.available("bolt", start) == 1);
    CHECK(global.available(start) == 7);
}

TEST_CASE("hierarchical_limit: with threads, no level admits more than it promises, and calls are charged everywhere")
{
    constexpr int threads = 4, rounds = 20'000;
    weir::keyed_limiter<std::uint64_t> tenants{{.quotas = {{weir::per_hour(1), 3'000}}, .capacity = 100}};
    auto global = hourly(10'000);
    weir::concurrency_limit slots{{.limit = 2, .max_queue = 0}};
    std::array<std::atomic<int>, 8> admitted{};
    std::atomic<int> inside{0}, most{0};
    std::barrier gate{threads};
    {
        std::vector<std::jthread> pool;
        for (int t = 0; t < threads; ++t)
            pool.emplace_back([&, t] {
                std::mt19937_64 random{static_cast<std::uint64_t>(t)};
                gate.arrive_and_wait();
                for (int i = 0; i < rounds; ++i) {
                    auto const tenant = random() % admitted.size();
                    hierarchical_limit limits(tenants.of(tenant), slots, global);
                    auto a = limits.admit(start);
                    if (!a) continue;
                    auto const now = ++inside;
                    for (auto seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {}
                    if (random() % 8 == 0) std::this_thread::yield();
                    --inside;
                    if (random() % 4 == 0) continue;  // dropped: given back, or kept by the level, never minted
                    ++admitted[tenant];
                    a->record(outcome::success(), start);
                }
            });
    }
    int all = 0;
    for (std::size_t i = 0; i < admitted.size(); ++i) {
        CHECK(admitted[i] <= 3'000);
        CHECK(tenants.available(i, start) <= 3'000 - static_cast<std::uint64_t>(admitted[i]));
        all += admitted[i];
    }
    CHECK(all <= 10'000);
    CHECK(all > 5'000);
    CHECK(most <= 2);
    CHECK(slots.in_flight() == 0);
}
