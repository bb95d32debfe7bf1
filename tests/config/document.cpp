// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/document.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <string>

using weir::config::document_options;
using weir::config::findings;
namespace json = boost::json;

namespace {

// What a process of this environment reads, or why it refuses.
std::string told(std::string_view text, std::string environment = {}, document_options o = {})
{
    o.environment = std::move(environment);
    findings found;
    auto const sections = parse({std::string(text)}, o, found);
    CHECK(sections.has_value() == found.empty());
    return sections ? json::serialize(*sections) : to_text(found);
}

constexpr auto shared = R"({
    "limits": {"checkout": {"rate": "100/s", "burst": 20}, "search": {"rate": "5/s"}},
    "environments": {
        "dev": {},
        "test": {"limits": {"search": null}},
        "prod": {"limits": {"checkout": {"rate": "5000/s"}}, "secret": {"of": "prod"}}}})";

}  // namespace

TEST_CASE("document: an environment gets what is for all, and its own laid over it")
{
    CHECK(told(shared, "prod") ==
          R"({"limits":{"checkout":{"rate":"5000/s","burst":20},"search":{"rate":"5/s"}},"secret":{"of":"prod"}})");
    CHECK(told(shared, "dev") == R"({"limits":{"checkout":{"rate":"100/s","burst":20},"search":{"rate":"5/s"}}})");
    CHECK(told(shared, "test") == R"({"limits":{"checkout":{"rate":"100/s","burst":20}}})");
}

TEST_CASE("document: nothing of one environment is seen by another, nor by who was not told what it is")
{
    for (auto const* who : {"dev", "test"}) CHECK(told(shared, who).find("5000") == std::string::npos);
    CHECK(told(shared) ==
          "environments: has dev, test, prod, and this process was not told what it is (document_options.environment)");
    CHECK(told(shared, "prd") == "environments: has dev, test, prod, and nothing for \"prd\"; did you mean \"prod\"?");
    CHECK(told(shared, "staging-eu") ==
          "environments: has dev, test, prod, and nothing for \"staging-eu\"; {} says that there is nothing to add");
}

TEST_CASE("document: one that is for a single environment is refused in all others")
{
    auto const* const prod = R"({"environment": "prod", "a": 1})";
    CHECK(told(prod, "prod") == R"({"a":1})");
    CHECK(told(prod, "test") == "environment = prod: and this process is \"test\"");
    CHECK(told(prod).find("and this process was not told what it is") != std::string::npos);
    CHECK(told(R"({"environment": ["test", "prod"], "a": 1})", "test") == R"({"a":1})");
    CHECK(told(R"({"environment": [], "a": 1})", "test") == "environment: must be a name, or a list of names");
    CHECK(told(R"({"environment": 3})", "test") == "environment: must be a name, or a list of names");
    CHECK(told(R"({"environments": {"dev": {"environments": {}}}})", "dev") ==
          "environments.dev.environments: cannot be in here");
    CHECK(told(R"({"environments": {"dev": 1}})", "dev") == "environments.dev: must be an object");
    CHECK(told(R"({"environments": []})", "dev") == "environments: must be an object, with a section for each");
}

TEST_CASE("document: one without either word is for all")
{
    CHECK(told(R"({"a": 1})") == R"({"a":1})");
    CHECK(told(R"({"a": 1})", "prod") == R"({"a":1})");
    CHECK(told("\xef\xbb\xbf{}") == "{}");
}

TEST_CASE("document: what is no document is refused, with what was wrong and where")
{
    CHECK(told("") == "the document is empty; {} says nothing");
    CHECK(told(" \n") == "the document is empty; {} says nothing");
    CHECK(told("[]") == "the document must be an object with sections");
    CHECK(told(R"({"a": 1,})").find("bad JSON at byte 8: ") == 0);
    CHECK(told(R"({"a": 1, "a": 2})").find("the key \"a\" appears twice") != std::string::npos);
    CHECK(told(R"({"a": 1e999})").find("too large") != std::string::npos);
    CHECK(told("{} {}").find("bad JSON at byte 3: ") == 0);
    CHECK(told("<html>").find("bad JSON at byte 0: ") == 0);
    std::string deep;
    for (int n = 0; n < 100'000; ++n) deep += R"({"a":)";
    CHECK(told(deep).find("bad JSON") == 0);
    document_options o;
    o.max_bytes = 10;
    CHECK(told(R"({"a": "12345678"})", {}, o) == "the document has 17 bytes, and may have 10");
}

TEST_CASE("document: YAML needs its parser")
{
    findings found;
    CHECK_FALSE(parse({"a: 1", weir::config::format::yaml}, {}, found));
    CHECK(to_text(found).find("document_options.yaml is not set; see weir/config/yaml.hpp") != std::string::npos);
    document_options o;
    o.yaml = [](std::string_view text, std::string&, std::size_t) {
        return std::optional<json::value>(json::object{{"read", text}});
    };
    found.clear();
    auto const sections = parse({"a: 1", weir::config::format::yaml}, o, found);
    REQUIRE(sections);
    CHECK(sections->at("read").as_string() == "a: 1");
}

TEST_CASE("document: laying over replaces values, goes into objects, and takes out with null")
{
    auto base = json::parse(R"({"a": {"b": 1, "c": [1]}, "d": 2, "e": {"f": 1}})").as_object();
    weir::config::lay_over(
        base, json::parse(R"({"a": {"c": [2], "x": null}, "d": {"y": 1, "z": null}, "e": null})").as_object());
    CHECK(base == json::parse(R"({"a": {"b": 1, "c": [2]}, "d": {"y": 1}})"));
}
