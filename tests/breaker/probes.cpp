// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/probes.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using weir::time_point;
using weir::detail::probes;
using verdict = probes::verdict;

namespace {

constexpr time_point t0{1h};

}  // namespace

TEST_CASE("probes: exactly N places, in flight and decided together")
{
    probes p(3);
    auto const a = p.take(t0), b = p.take(t0), c = p.take(t0);
    CHECK((a != 0 && b != 0 && c != 0));
    CHECK(p.take(t0) == 0);
    p.settle(a, false, false);
    CHECK(p.take(t0) == 0);  // decided: its place is used up
    p.give_back(b);
    CHECK(p.take(t0) != 0);  // given back: its place is free
    CHECK(p.take(t0) == 0);
}

TEST_CASE("probes: a place is given back once, however often it is tried")
{
    probes p(2);
    auto const a = p.take(t0);
    CHECK(p.give_back(a));
    CHECK_FALSE(p.give_back(a));
    p.settle(a, true, false);
    CHECK(p.take(t0) != 0);
    CHECK(p.take(t0) != 0);
    CHECK(p.take(t0) == 0);
}

TEST_CASE("probes: a lease that ends is a failure, and its late result counts nowhere")
{
    probes p(2);
    auto const a = p.take(t0 + 1s);
    auto const b = p.take(t0 + 2s);
    CHECK(p.earliest_lease_end() == t0 + 1s);
    p.expire(t0 + 1s - 1ns);
    CHECK(p.judge(1.0, 0) == verdict::undecided);
    p.expire(t0 + 1s);
    p.settle(a, false, false);
    CHECK(p.earliest_lease_end() == t0 + 2s);
    p.settle(b, true, false);
    CHECK(p.judge(1.0, 0) == verdict::sick);
    CHECK(p.earliest_lease_end() == weir::never);
}

TEST_CASE("probes: decided as soon as the rest cannot change it, and not before")
{
    // Every N up to 8, every number of failures and successes so far, several thresholds; against the definition.
    for (unsigned n = 1; n <= 8; ++n)
        for (unsigned failures = 0; failures <= n; ++failures)
            for (unsigned successes = 0; failures + successes <= n; ++successes)
                for (double const rate : {0.1, 0.3, 0.5, 0.75, 1.0}) {
                    probes p(n);
                    for (unsigned i = 0; i < failures + successes; ++i) p.settle(p.take(t0), i < failures, false);
                    auto const sick = [&](unsigned bad) { return static_cast<double>(bad) / n >= rate; };
                    auto const expected = sick(failures)        ? verdict::sick
                                          : sick(n - successes) ? verdict::undecided
                                                                : verdict::healthy;
                    CAPTURE(n);
                    CAPTURE(failures);
                    CAPTURE(successes);
                    CAPTURE(rate);
                    REQUIRE(p.judge(rate, 0) == expected);
                    if (failures + successes == n) REQUIRE(expected != verdict::undecided);
                }
}

TEST_CASE("probes: asked for m successes of n, the m-th closes at once, and one failure too many reopens at once")
{
    for (unsigned n = 1; n <= 8; ++n)
        for (unsigned m = 1; m <= n; ++m)
            for (unsigned failures = 0; failures <= n; ++failures)
                for (unsigned successes = 0; failures + successes <= n; ++successes) {
                    probes p(n);
                    for (unsigned i = 0; i < failures + successes; ++i) p.settle(p.take(t0), i < failures, false);
                    auto const expected = successes >= m     ? verdict::healthy
                                          : failures > n - m ? verdict::sick
                                                             : verdict::undecided;
                    CAPTURE(n);
                    CAPTURE(m);
                    CAPTURE(failures);
                    CAPTURE(successes);
                    REQUIRE(p.judge(0.5, 0, static_cast<double>(m) / n) == expected);
                }
}

TEST_CASE("probes: slowness counts when it is judged, and only then")
{
    probes p(4);
    p.settle(p.take(t0), false, true);
    p.settle(p.take(t0), false, true);
    CHECK(p.judge(0.5, 0.5) == verdict::sick);
    CHECK(p.judge(0.5, 0.75) == verdict::undecided);
    CHECK(p.judge(0.75, 0) == verdict::healthy);
}

TEST_CASE("probes: another N in between keeps what is in flight and decided")
{
    probes p(2);
    p.settle(p.take(t0), true, false);
    auto const out = p.take(t0);
    p.reserve(4);
    p.want(4);
    CHECK(p.judge(0.5, 0) == verdict::undecided);
    CHECK(p.take(t0) != 0);
    CHECK(p.take(t0) != 0);
    CHECK(p.take(t0) == 0);
    p.want(1);
    CHECK(p.take(t0) == 0);
    CHECK(p.judge(0.5, 0) == verdict::sick);
    p.settle(out, false, false);
    CHECK(p.judge(0.6, 0) == verdict::healthy);  // one failure of the two that were decided
}

TEST_CASE("probes: never more than N out or decided in 200000 random steps")
{
    std::mt19937 random(4);
    probes p(10);
    std::vector<std::uint64_t> out;
    std::size_t decided = 0;
    auto now = t0;
    for (int i = 0; i < 200'000; ++i) {
        auto const pick = [&] {
            auto const k = random() % out.size();
            auto const serial = out[k];
            out[k] = out.back();
            out.pop_back();
            return serial;
        };
        switch (random() % 8) {
            case 0:
                if (!out.empty()) REQUIRE(p.give_back(pick()));
                break;
            case 1:
                if (!out.empty()) p.settle(pick(), random() % 2 == 0, false), ++decided;
                break;
            case 2:
                if (random() % 20 == 0) p.begin(), out.clear(), decided = 0;
                break;
            default:
                if (auto const serial = p.take(now + 1s))
                    out.push_back(serial);
                else
                    REQUIRE(out.size() + decided == 10);
        }
        REQUIRE(out.size() + decided <= 10);
    }
}
