// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/finding.hpp>

#include <doctest/doctest.h>

#include <string>

using weir::config::finding;
using weir::config::findings;
using weir::config::to_text;
using weir::config::detail::nearest;
using weir::config::detail::unknown_name;

TEST_CASE("finding: reads as a sentence, with as much as there is")
{
    CHECK(to_text(finding{"a.b", "3", "must be at most 2"}) == "a.b = 3: must be at most 2");
    CHECK(to_text(finding{"a.b", "", "is missing"}) == "a.b: is missing");
    CHECK(to_text(finding{"", "", "is not JSON"}) == "is not JSON");
    CHECK(to_text(findings{{"a", "1", "x"}, {"b", "", "y"}}) == "a = 1: x; b: y");
    CHECK(to_text(findings{}) == "");
}

TEST_CASE("finding: the nearest name is found through a slip of the fingers, and no farther")
{
    std::vector<std::string> const names{"rate", "burst", "max_wait", "name"};
    CHECK(nearest("brust", names) == "burst");
    CHECK(nearest("max-wait", names) == "max_wait");
    CHECK(nearest("maxWait", names) == "max_wait");
    CHECK(nearest("Rate", names) == "rate");
    CHECK(nearest("threshold", names) == "");
    CHECK(nearest(std::string(100'000, 'x'), names) == "");  // and at once
    CHECK(unknown_name("zzzzzz", names) == "is unknown; there is rate, burst, max_wait, name");
    CHECK(unknown_name("zzzzzz", {}) == "is unknown; nothing is expected here");
}
