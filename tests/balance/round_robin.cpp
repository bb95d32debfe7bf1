// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/round_robin.hpp>

#include <weir/core/gate.hpp>

#include <doctest/doctest.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::endpoint;
using weir::endpoint_set;
using weir::errc;
using weir::outcome;
using weir::round_robin;
using weir::time_point;

static_assert(weir::balancer<round_robin>);

namespace {

constexpr time_point start{1'000'000s};

endpoint at(std::string id, std::uint32_t weight = 1)
{
    return {.id = std::move(id), .host = "10.0.0.1", .port = 80, .weight = weight};
}

}  // namespace

TEST_CASE("round_robin: equal weights strictly in turn")
{
    endpoint_set set{{at("a"), at("b"), at("c")}};
    round_robin rr{set};
    weir::random_engine g{1};
    std::string order;
    for (int i = 0; i < 6; ++i) order += (*rr.pick(start, g)).endpoint().id;
    CHECK(order == "abcabc");
}

TEST_CASE("round_robin: shares are the weights, and weight zero is never picked")
{
    endpoint_set set{{at("a", 3), at("off", 0), at("b", 2), at("c", 1)}};
    round_robin rr{set};
    weir::random_engine g{1};
    std::map<std::string, int> count;
    for (int i = 0; i < 600; ++i) ++count[(*rr.pick(start, g)).endpoint().id];
    CHECK(count == std::map<std::string, int>{{"a", 300}, {"b", 200}, {"c", 100}});
}

TEST_CASE("round_robin: an empty set, or one without weights, is no_endpoint")
{
    endpoint_set set;
    round_robin rr{set, {.name = "stock"}};
    weir::random_engine g{1};
    auto const a = rr.pick(start, g);
    REQUIRE_FALSE(a);
    CHECK(a.refused().code == errc::no_endpoint);
    CHECK(a.refused().retry_at == start);
    CHECK(a.refused().gate == "stock");
    set.update({at("a", 0)});
    CHECK_FALSE(rr.pick(start, g));
}

TEST_CASE("round_robin: a retry goes elsewhere when there is elsewhere, and not always to the same")
{
    endpoint_set set{{at("a", 10), at("b"), at("c"), at("d")}};
    round_robin rr{set};
    weir::random_engine g{1};
    auto const avoid = at("a");
    std::map<std::string, int> count;
    for (int i = 0; i < 1300; ++i) ++count[(*rr.pick(start, g, &avoid)).endpoint().id];
    CHECK(count["a"] == 0);
    CHECK(count["b"] > 300);
    CHECK(count["c"] > 300);
    CHECK(count["d"] > 300);
    set.update({at("a", 10), at("b", 0)});
    CHECK((*rr.pick(start, g, &avoid)).endpoint().id == "a");
}

TEST_CASE("round_robin: picks from many threads while the set changes keep the counts whole")
{
    endpoint_set set{{at("a"), at("b")}};
    round_robin rr{set};
    {
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                weir::random_engine g{t};
                for (int i = 0; i < 5000; ++i) {
                    auto l = rr.pick(start, g);
                    if (l && i % 2) l->record(outcome::success(1ms), start);
                }
            });
        for (std::uint32_t i = 0; i < 500; ++i) set.update({at("a", 1 + i % 3), at("b", i % 2)});
    }
    for (auto const& m : set.snapshot()->members()) CHECK(m.state->in_flight() == 0);
}
