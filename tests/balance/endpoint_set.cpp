// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/balance/endpoint_set.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using weir::endpoint;
using weir::endpoint_set;

namespace {

endpoint at(std::string id, std::uint16_t port = 80, std::uint32_t weight = 1)
{
    return {.id = std::move(id), .host = "10.0.0.1", .port = port, .weight = weight};
}

std::string refusal(endpoint_set& set, std::vector<endpoint> endpoints)
{
    try {
        set.update(std::move(endpoints));
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "taken";
}

}  // namespace

TEST_CASE("endpoint_set: an update replaces the set and counts a version")
{
    endpoint_set set;
    CHECK(set.version() == 0);
    CHECK(set.size() == 0);
    CHECK(set.update({at("a"), at("b")}));
    CHECK(set.version() == 1);
    CHECK(set.size() == 2);
    CHECK(set.update({at("b")}));
    CHECK(set.version() == 2);
    CHECK(set.snapshot()->members()[0].endpoint == at("b"));
    CHECK(set.update({}));
    CHECK(set.size() == 0);
}

TEST_CASE("endpoint_set: an update that changes nothing keeps the version")
{
    endpoint_set set{{at("a"), at("b")}};
    auto const before = set.snapshot();
    CHECK_FALSE(set.update({at("a"), at("b")}));
    CHECK(set.snapshot() == before);
    CHECK(set.update({at("a"), at("b", 80, 2)}));
    CHECK(set.version() == before->version() + 1);
}

TEST_CASE("endpoint_set: live state stays with its id across updates, and ends when the id leaves")
{
    endpoint_set set{{at("a"), at("b")}};
    auto const a = set.snapshot()->members()[0].state;
    a->enter();
    set.update({at("c"), at("a", 81, 5)});
    CHECK(set.snapshot()->members()[1].state == a);
    CHECK(set.snapshot()->members()[1].state->in_flight() == 1);
    CHECK(set.snapshot()->members()[0].state->in_flight() == 0);
    set.update({at("c")});
    set.update({at("c"), at("a")});
    CHECK(set.snapshot()->members()[1].state != a);
}

TEST_CASE("endpoint_set: a bad document is refused whole, names the endpoint, and the old set stays")
{
    endpoint_set set{{at("a"), at("b")}};
    auto const before = set.snapshot();
    CHECK(refusal(set, {at("x"), at("")}) == "endpoint_set: endpoint 1 (id \"\") has no id");
    CHECK(refusal(set, {at("x"), at("y", 0)}) == "endpoint_set: endpoint 1 (id \"y\") has port 0");
    CHECK(refusal(set, {{.id = "x", .host = "", .port = 1}}) == "endpoint_set: endpoint 0 (id \"x\") has no host");
    CHECK(refusal(set, {at("x"), at("y"), at("x")}) == "endpoint_set: endpoint 2 (id \"x\") has the id of endpoint 0");
    CHECK(set.snapshot() == before);
    CHECK_THROWS_AS(endpoint_set({at("a", 0)}), std::invalid_argument);
}

TEST_CASE("endpoint_set: a snapshot in hand does not change")
{
    endpoint_set set{{at("a")}};
    auto const held = set.snapshot();
    set.update({at("b")});
    CHECK(held->members()[0].endpoint.id == "a");
}

TEST_CASE("endpoint_set: a thread that reads more sets than it remembers reads each as it is")
{
    std::vector<std::unique_ptr<endpoint_set>> sets;
    for (std::uint16_t i = 1; i <= 40; ++i) sets.push_back(std::make_unique<endpoint_set>(std::vector{at("a", i)}));
    for (int round = 0; round < 3; ++round)
        for (std::uint16_t i = 1; i <= 40; ++i) CHECK(sets[i - 1u]->snapshot()->members()[0].endpoint.port == i);
    sets[7]->update({});
    CHECK(sets[7]->snapshot()->members().empty());
    CHECK(sets[8]->size() == 1);
}

TEST_CASE("endpoint_set: one that comes to lie where another was is not taken for it")
{
    std::optional<endpoint_set> set;
    for (std::uint16_t i = 1; i <= 20; ++i) {
        set.emplace(std::vector{at("a", i)});
        CHECK(set->snapshot()->members()[0].endpoint.port == i);
    }
}

TEST_CASE("endpoint_set: another thread reads an update as soon as it was made, and the one before stays whole")
{
    endpoint_set set{{at("a")}};
    auto const before = set.snapshot();
    std::jthread([&] { set.update({at("b"), at("c")}); }).join();
    CHECK(set.version() == 2);
    CHECK(set.snapshot()->members().size() == 2);
    CHECK(before->members()[0].endpoint.id == "a");
}

TEST_CASE("endpoint_set: readers and writers at once see whole versions")
{
    endpoint_set set{{at("a", 1)}};
    std::atomic<bool> stop{false};
    std::atomic<int> torn{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i)
        readers.emplace_back([&] {
            std::uint64_t last = 0;
            while (!stop) {
                auto const s = set.snapshot();
                for (auto const& m : s->members())
                    if (m.endpoint.port != s->members().size() || m.state == nullptr) ++torn;
                if (s->version() < last) ++torn;
                last = s->version();
            }
        });
    for (std::uint16_t round = 0; round < 2000; ++round) {
        auto const n = static_cast<std::uint16_t>(1 + round % 5);
        std::vector<endpoint> next;
        for (std::uint16_t i = 0; i < n; ++i) next.push_back(at(std::string(1, static_cast<char>('a' + i)), n));
        set.update(std::move(next));
    }
    stop = true;
    readers.clear();
    CHECK(torn == 0);
    CHECK(set.version() == 2000);  // the first update repeated what was there
}
