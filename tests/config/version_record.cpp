// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/version_record.hpp>

#include <doctest/doctest.h>

#include <string>

TEST_CASE("version_record: says what was done in a word")
{
    using weir::config::verdict;
    CHECK(to_string(verdict::applied) == std::string("applied"));
    CHECK(to_string(verdict::refused) == std::string("refused"));
    CHECK(to_string(verdict::rolled_back) == std::string("rolled back"));
}
