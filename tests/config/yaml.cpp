// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/yaml.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>
#include <string>

#if __has_include(<yaml-cpp/yaml.h>)

namespace json = boost::json;

namespace {

// What is read, as JSON, or why nothing is.
std::string told(std::string_view text)
{
    std::string why;
    auto const v = weir::config::parse_yaml(text, why, 32);
    CHECK(v.has_value() == why.empty());
    return v ? json::serialize(*v) : why;
}

}  // namespace

TEST_CASE("yaml: mappings, lists and words are what JSON would say")
{
    CHECK(told(R"(
limits:
  checkout: {rate: 500/s, burst: 20}   # a comment
shares: [0.5, 25%]
on: [yes, on, 12:30, "5", '5', 5, -5, +5, 18446744073709551615, 1.5e3, true, null, ~, 0x10, 1_000, 007]
text: |
  two
  lines
)") == R"({"limits":{"checkout":{"rate":"500/s","burst":20}},"shares":[5E-1,"25%"],)"
       R"("on":["yes","on","12:30","5","5",5,-5,5,18446744073709551615,1.5E3,true,null,null,"0x10","1_000",7],)"
       R"("text":"two\nlines\n"})");
    CHECK(told("a: 1") == told(R"({"a": 1})"));  // JSON is YAML
}

TEST_CASE("yaml: what could be read in two ways, or grows beyond its text, is refused, with the place")
{
    CHECK(told("a: 1\na: 2") == "bad YAML at line 2, column 1: the key \"a\" appears twice in one mapping");
    CHECK(told("a: &x [1]\nb: *x").find("an anchor (&) is not taken") != std::string::npos);
    CHECK(told("a: &x 1").find("an anchor (&) is not taken") != std::string::npos);
    CHECK(told("a: !!str 1").find("a tag (!) is not taken") != std::string::npos);
    CHECK(told("<<: {a: 1}").find("a merge key (<<) is not taken") != std::string::npos);
    CHECK(told("? [a]\n: 1").find("a key must be a word") != std::string::npos);
    CHECK(told("a: .inf").find("finite") != std::string::npos);
    CHECK(told("a: 1e999").find("too large") != std::string::npos);
    CHECK(told("a: 1\n---\nb: 2") == "there are several documents in one text");
    CHECK(told("") == "the document is empty; {} says nothing");
    CHECK(told("a: [1, 2").find("bad YAML at line 1, column ") == 0);
    CHECK(told("a: b: c").find("bad YAML at line 1, column ") == 0);
    CHECK(told(std::string(1000, '[')).find("bad YAML") == 0);
    std::string deep;
    for (int n = 0; n < 33; ++n) deep += std::string(static_cast<std::size_t>(n), ' ') + "a:\n";
    CHECK(told(deep).find("nested too deeply") != std::string::npos);
}

TEST_CASE("yaml: a document of it goes through everything that JSON goes through")
{
    weir::config::document_options const o{.environment = "prod", .yaml = weir::config::parse_yaml};
    weir::config::findings found;
    auto const sections =
        parse({"a: {b: 1, c: 2}\nenvironments:\n  prod: {a: {c: 3}}", weir::config::format::yaml}, o, found);
    REQUIRE(sections);
    CHECK(*sections == json::parse(R"({"a": {"b": 1, "c": 3}})"));
    CHECK_FALSE(parse({"- a", weir::config::format::yaml}, o, found));
}

#else

TEST_CASE("yaml: needs yaml-cpp") { std::puts("SKIPPED: yaml-cpp is not installed"); }

#endif
