// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/version_record.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>

TEST_CASE("version_record: says what was done in a word")
{
    using weir::config::verdict;
    CHECK(to_string(verdict::applied) == std::string("applied"));
    CHECK(to_string(verdict::refused) == std::string("refused"));
    CHECK(to_string(verdict::rolled_back) == std::string("rolled back"));
}

TEST_CASE("version_record: what was never told is as old as can be, and then as old as the last good answer")
{
    using namespace std::chrono_literals;
    weir::config::refresh_status s;
    CHECK(s.age(weir::time_point{5s}) == weir::duration::max());
    s.answers = 1;
    s.last_answer = weir::time_point{3s};
    CHECK(s.age(weir::time_point{5s}) == 2s);
}
