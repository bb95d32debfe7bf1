// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/endpoint_snapshot.hpp>

#include <weir/balance/endpoint_set.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using weir::endpoint;
using weir::endpoint_set;

namespace {

endpoint at(std::string id, std::uint32_t weight)
{
    return {.id = std::move(id), .host = "10.0.0.1", .port = 80, .weight = weight};
}

}  // namespace

TEST_CASE("endpoint_snapshot: turns follow the weights and spread the heavy ones")
{
    endpoint_set set{{at("a", 50), at("idle", 0), at("b", 10), at("c", 10)}};
    auto const s = set.snapshot();
    CHECK(s->pickable() == std::vector<std::uint32_t>{0, 2, 3});
    CHECK(s->turns().size() == 7);  // in lowest terms
    std::vector<int> count(3);
    int run = 0;
    int longest = 0;
    for (int i = 0; i < 14; ++i) {  // twice around, so that a run over the edge is seen
        auto const p = s->turns()[static_cast<std::size_t>(i % 7)];
        ++count[p];
        run = p == 0 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    CHECK(count == std::vector{10, 2, 2});
    CHECK(longest <= 3);
}

TEST_CASE("endpoint_snapshot: equal weights take turns in the order given")
{
    endpoint_set set{{at("a", 7), at("b", 7), at("c", 7)}};
    CHECK(set.snapshot()->turns() == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("endpoint_snapshot: enormous weights neither grow the round without bound nor silence the small")
{
    endpoint_set set{{at("a", UINT32_MAX), at("b", 1), at("c", UINT32_MAX / 3)}};
    auto const& turns = set.snapshot()->turns();
    CHECK(turns.size() <= 4100);
    auto const count = [&](std::uint32_t p) { return std::count(turns.begin(), turns.end(), p); };
    CHECK(count(1) == 1);
    CHECK(count(0) == doctest::Approx(3.0 * static_cast<double>(count(2))).epsilon(0.01));
}
