// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/priority.hpp>

#include <doctest/doctest.h>

#include <array>

using weir::cohort_of;
using weir::criticality;
using weir::parse_priority;
using weir::request_priority;
using weir::to_header;

TEST_CASE("request_priority: criticality first, then the cohort")
{
    CHECK(request_priority{criticality::critical_plus, 127} < request_priority{criticality::critical, 0});
    CHECK(request_priority{criticality::critical, 3} < request_priority{criticality::critical, 4});
    CHECK(request_priority{criticality::sheddable, 127}.rank() == request_priority::ranks - 1);
    CHECK(request_priority{}.level == criticality::critical);
}

TEST_CASE("request_priority: a header says what it is, and every one of them comes back")
{
    CHECK(to_header({criticality::critical, 37}) == "1.37");
    for (unsigned level = 0; level < 4; ++level)
        for (unsigned cohort = 0; cohort < 128; ++cohort) {
            request_priority const p{static_cast<criticality>(level), static_cast<std::uint8_t>(cohort)};
            REQUIRE(parse_priority(to_header(p)) == p);
        }
}

TEST_CASE("request_priority: anything else in a header is refused")
{
    for (auto const* text : {"", "1", "1.", ".1", "1.128", "4.0", "-1.0", "1.-1", "1.+1", "1. 1", "1.01", "1.1 ",
                             " 1.1", "1,1", "1.1.1", "1.0000000001", "1.1x", "a.b"})
        CHECK_MESSAGE(!parse_priority(text), text);
}

TEST_CASE("cohort_of: spreads users evenly, the same in every process, and otherwise in another epoch")
{
    std::array<int, 128> users{};
    int moved = 0;
    for (std::uint64_t user = 0; user < 128'000; ++user) {
        ++users[cohort_of(user, 1)];
        moved += cohort_of(user, 1) != cohort_of(user, 2);
    }
    for (int const n : users) {
        CHECK(n > 850);
        CHECK(n < 1150);
    }
    CHECK(moved > 126'000);
    static_assert(cohort_of(42, 7) == cohort_of(42, 7));
}
