// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/peak_ewma.hpp>

#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::duration;
using weir::endpoint;
using weir::endpoint_set;
using weir::errc;
using weir::outcome;
using weir::peak_ewma;
using weir::time_point;

static_assert(weir::balancer<peak_ewma>);

namespace {

constexpr time_point start{1'000'000s};

endpoint at(std::string id, std::uint32_t weight = 1)
{
    return {.id = std::move(id), .host = "10.0.0.1", .port = 80, .weight = weight};
}

std::vector<endpoint> fleet(int n)
{
    std::vector<endpoint> all;
    for (int i = 0; i < n; ++i) all.push_back(at(std::to_string(i)));
    return all;
}

/// Calls at a fixed pace, each in flight for as long as `answer(id)` says. Returns calls per id.
template <class Balancer, class Answer>
std::map<std::string, int> traffic(Balancer& balancer, time_point& now, int calls, duration pace, std::uint64_t seed,
                                   Answer answer)
{
    struct open {
        time_point end;
        weir::lease lease;
        outcome result;
    };
    weir::random_engine g{seed};
    std::map<std::string, int> count;
    std::deque<open> in_flight;
    for (int i = 0; i < calls; ++i, now += pace) {
        for (auto it = in_flight.begin(); it != in_flight.end();) {
            if (it->end <= now) {
                it->lease.record(it->result, it->end);
                it = in_flight.erase(it);
            } else {
                ++it;
            }
        }
        auto a = balancer.pick(now, g, nullptr);
        REQUIRE(a);
        ++count[a->endpoint().id];
        outcome const result = answer(a->endpoint().id);
        in_flight.push_back({now + result.latency, std::move(*a), result});
    }
    for (auto& o : in_flight) o.lease.record(o.result, now);
    return count;
}

}  // namespace

TEST_CASE("peak_ewma: the faster of two that are idle is picked")
{
    endpoint_set set{{at("slow"), at("fast")}};
    auto const s = set.snapshot();
    s->members()[0].state->observe(100ms, start, 10s);
    s->members()[1].state->observe(10ms, start, 10s);
    peak_ewma p{set};
    weir::random_engine g{1};
    for (int i = 0; i < 50; ++i) CHECK((*p.pick(start, g)).endpoint().id == "fast");
}

TEST_CASE("peak_ewma: calls in flight and weight count with the latency")
{
    endpoint_set set{{at("a"), at("b")}};
    auto const s = set.snapshot();
    for (auto const& m : s->members()) m.state->observe(10ms, start, 10s);
    s->members()[0].state->enter();
    peak_ewma p{set};
    weir::random_engine g{1};
    for (int i = 0; i < 20; ++i) CHECK((*p.pick(start, g)).endpoint().id == "b");
    set.update({at("a", 3), at("b")});
    for (int i = 0; i < 20; ++i) CHECK((*p.pick(start, g)).endpoint().id == "a");
    s->members()[0].state->leave();
}

TEST_CASE("peak_ewma: an empty set is no_endpoint, weight zero is never picked")
{
    endpoint_set set;
    peak_ewma p{set, {.name = "stock"}};
    weir::random_engine g{1};
    auto const none = p.pick(start, g);
    REQUIRE_FALSE(none);
    CHECK(none.refused().code == errc::no_endpoint);
    CHECK(none.refused().retry_at == start);
    CHECK(none.refused().gate == "stock");
    set.update({at("a", 0), at("b"), at("c", 0), at("d")});
    for (int i = 0; i < 200; ++i) {
        auto const id = (*p.pick(start, g)).endpoint().id;
        CHECK((id == "b" || id == "d"));
    }
    set.update({at("a", 0)});
    CHECK_FALSE(p.pick(start, g));
}

TEST_CASE("peak_ewma: a retry goes elsewhere when there is elsewhere")
{
    endpoint_set set{fleet(3)};
    peak_ewma p{set};
    weir::random_engine g{1};
    auto const avoid = at("1");
    std::map<std::string, int> count;
    for (int i = 0; i < 600; ++i) ++count[(*p.pick(start, g, &avoid)).endpoint().id];
    CHECK(count["1"] == 0);
    CHECK(count["0"] > 200);
    CHECK(count["2"] > 200);
    set.update({at("1"), at("2", 0)});
    CHECK((*p.pick(start, g, &avoid)).endpoint().id == "1");
}

TEST_CASE("peak_ewma: healthy equal endpoints share evenly")
{
    endpoint_set set{fleet(10)};
    peak_ewma p{set};
    auto now = start;
    auto const count = traffic(p, now, 20'000, 1ms, 1, [](auto&&) { return outcome::success(20ms); });
    for (auto const& [id, n] : count) {
        CHECK(n > 1400);
        CHECK(n < 2600);
    }
}

TEST_CASE("peak_ewma: an endpoint that fails at once draws under one percent; without the penalty, 2/N")
{
    auto const share = [](duration penalty, std::uint64_t seed) {
        endpoint_set set{fleet(20)};
        peak_ewma p{set, {.failure_penalty = penalty}};
        auto now = start;
        auto count = traffic(p, now, 20'000, 1ms, seed, [](std::string const& id) {
            return id == "7" ? outcome::failure(1ms) : outcome::success(20ms);
        });
        return count["7"] / 20'000.0;
    };
    for (std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
        auto const naive = share(0ns, seed);
        CHECK(naive > 0.08);  // the black hole: failing fast looks like being fast
        CHECK(naive <= 0.105);
        CHECK(share(1s, seed) < 0.01);
    }
}

TEST_CASE("peak_ewma: a healed endpoint comes back, and a slow one keeps little")
{
    endpoint_set set{fleet(5)};
    peak_ewma p{set};
    auto now = start;
    auto sick = [](std::string const& id) { return id == "2" ? outcome::failure(5ms) : outcome::success(20ms); };
    auto well = [](auto&&) { return outcome::success(20ms); };
    auto slow = [](std::string const& id) { return outcome::success(id == "2" ? 400ms : 20ms); };
    CHECK(traffic(p, now, 5000, 2ms, 1, sick)["2"] < 50);
    traffic(p, now, 30'000, 2ms, 2, well);
    CHECK(traffic(p, now, 10'000, 2ms, 3, well)["2"] > 1400);  // fair would be 2000
    CHECK(traffic(p, now, 10'000, 2ms, 4, slow)["2"] < 200);
}

TEST_CASE("peak_ewma: a new endpoint neither starves nor draws a burst")
{
    endpoint_set set{fleet(10)};
    peak_ewma p{set};
    auto now = start;
    auto answer = [](auto&&) { return outcome::success(20ms); };
    traffic(p, now, 5000, 1ms, 1, answer);
    set.update(fleet(11));
    auto const first = traffic(p, now, 110, 1ms, 2, answer);  // fair: 10
    CHECK(first.at("10") >= 2);
    CHECK(first.at("10") <= 30);
    auto const next = traffic(p, now, 11'000, 1ms, 3, answer);  // fair: 1000
    CHECK(next.at("10") > 600);
    CHECK(next.at("10") < 1600);
}

TEST_CASE("peak_ewma: a new endpoint that never answers holds its fair share of calls at most")
{
    endpoint_set set{fleet(10)};
    peak_ewma p{set};
    auto now = start;
    auto answer = [](std::string const& id) { return outcome::success(id == "10" ? duration{1h} : duration{20ms}); };
    traffic(p, now, 5000, 1ms, 1, answer);
    set.update(fleet(11));
    CHECK(traffic(p, now, 5000, 1ms, 2, answer)["10"] < 50);  // fair would be 450
}

TEST_CASE("peak_ewma: an endpoint that nothing is known of wins against one that fails")
{
    for (duration const penalty : {duration{1s}, duration{0s}}) {
        endpoint_set set{{at("bad"), at("good")}};
        peak_ewma p{set, {.failure_penalty = penalty}};
        auto now = start;
        // Nobody knows yet whether "new" answers: its calls hang, and "bad" has none in flight, as it fails at once.
        traffic(p, now, 100, 1ms, 1,
                [](std::string const& id) { return id == "bad" ? outcome::failure(0ns) : outcome::success(5ms); });
        set.update({at("bad"), at("new", 1)});
        auto count = traffic(p, now, 200, 1ms, 2, [](std::string const& id) {
            return id == "bad" ? outcome::failure(0ns) : outcome::success(10s);
        });
        if (penalty > 0s)
            CHECK(count["bad"] == 0);
        else
            CHECK(count["bad"] > 150);  // without a penalty, failing at once is being fast
    }
}

TEST_CASE("peak_ewma: it wins, too, after the other has been left alone for a minute; a success ends that")
{
    endpoint_set set{{at("bad"), at("new")}};
    peak_ewma p{set};
    weir::random_engine g{1};
    auto& bad = *set.snapshot()->members()[0].state;
    auto& fresh = *set.snapshot()->members()[1].state;
    bad.observe(1s, start, 10s, true);
    fresh.enter();
    for (int i = 0; i < 20; ++i) CHECK((*p.pick(start + 1min, g)).endpoint().id == "new");
    bad.observe(10ms, start + 1min, 10s);
    for (int i = 0; i < 20; ++i) CHECK((*p.pick(start + 1min, g)).endpoint().id == "bad");
    fresh.leave();
}

TEST_CASE("peak_ewma: a removed endpoint is never picked again, and what is known of the others stays")
{
    endpoint_set set{{at("gone"), at("slow"), at("fast")}};
    peak_ewma p{set};
    auto now = start;
    traffic(p, now, 1000, 1ms, 1, [](std::string const& id) { return outcome::success(id == "slow" ? 300ms : 5ms); });
    set.update({at("slow"), at("fast")});
    CHECK(set.snapshot()->members()[0].state->latency(now, 10s) > 200e6f);
    weir::random_engine g{9};
    for (int i = 0; i < 200; ++i) CHECK((*p.pick(now, g)).endpoint().id == "fast");
}

TEST_CASE("peak_ewma: the same seed picks the same")
{
    auto const run = [] {
        endpoint_set set{fleet(8)};
        peak_ewma p{set};
        weir::random_engine g{42};
        std::string picks;
        for (int i = 0; i < 100; ++i) picks += (*p.pick(start, g)).endpoint().id;
        return picks;
    };
    CHECK(run() == run());
}

TEST_CASE("peak_ewma: options out of range name the field and the range")
{
    endpoint_set set;
    CHECK_THROWS_WITH_AS((peak_ewma{set, {.decay = 0s}}),
                         "weir: peak_ewma_options.decay must be from 1 ms to 1 day, and is 0 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((peak_ewma{set, {.failure_penalty = -1ns}}),
                         "weir: peak_ewma_options.failure_penalty must be from 0 to 1 day, and is -1e-06 ms",
                         std::invalid_argument);
    peak_ewma p{set};
    CHECK_THROWS_AS(p.reconfigure({.decay = 48h}), std::invalid_argument);
}

TEST_CASE("peak_ewma: picks from many threads while the set changes keep the counts whole")
{
    endpoint_set set{fleet(4)};
    peak_ewma p{set};
    {
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                weir::random_engine g{t};
                for (int i = 0; i < 5000; ++i) {
                    auto l = p.pick(start + duration{i}, g);
                    if (l && i % 2) l->record(outcome::success(duration{i * 1000}), start + duration{i});
                }
            });
        for (int i = 0; i < 500; ++i) {
            set.update(fleet(2 + i % 3));
            p.reconfigure({.decay = 1s * (1 + i % 10)});
        }
    }
    for (auto const& m : set.snapshot()->members()) CHECK(m.state->in_flight() == 0);
}
