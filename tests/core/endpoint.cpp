// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/endpoint.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <vector>

using weir::endpoint;

TEST_CASE("endpoint: differs when any of its fields does, so that no change of a registry goes unnoticed")
{
    endpoint const one{.id = "a", .host = "10.0.0.1", .port = 80, .weight = 2, .zone = "z", .metadata = {{"k", "v"}}};
    CHECK(one == endpoint(one));
    std::vector<std::function<void(endpoint&)>> const changes{
        [](endpoint& e) { e.id = "b"; },   [](endpoint& e) { e.host = "10.0.0.2"; },
        [](endpoint& e) { e.port = 81; },  [](endpoint& e) { e.weight = 3; },
        [](endpoint& e) { e.zone = "y"; }, [](endpoint& e) { e.metadata["k"] = "w"; },
    };
    for (auto const& change : changes) {
        auto other = one;
        change(other);
        CHECK(other != one);
    }
}

TEST_CASE("endpoint: an address alone is enough, and takes an equal share of the traffic")
{
    endpoint const e{.id = "a", .host = "10.0.0.1", .port = 80};
    CHECK(e.weight == 1);
    CHECK(e.zone.empty());
    CHECK(e.metadata.empty());
}
