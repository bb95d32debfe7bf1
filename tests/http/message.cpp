// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/message.hpp>

#include <doctest/doctest.h>

namespace http = weir::http;
using http::verb;

TEST_CASE("message: the helpers make HTTP/1.1 requests with method, target, body and its type")
{
    CHECK(http::get("/a?b").method() == verb::get);
    CHECK(http::get("/a?b").target() == "/a?b");
    CHECK(http::get("/").version() == 11);
    CHECK(http::head("/").method() == verb::head);
    CHECK(http::del("/").method() == verb::delete_);

    auto const r = http::post("/", "{}");
    CHECK(r.method() == verb::post);
    CHECK(r.body() == "{}");
    CHECK(r.at(http::field::content_type) == "application/json");
    CHECK(http::put("/", "x", "text/plain").method() == verb::put);
    CHECK(http::put("/", "x", "text/plain").at(http::field::content_type) == "text/plain");
}

TEST_CASE("message: an answer has a content type only with a body")
{
    CHECK(http::reply(http::status::not_found).result_int() == 404);
    CHECK(http::reply(http::status::not_found).count(http::field::content_type) == 0);
    CHECK(http::reply(http::status::ok, "{}", "application/json").at(http::field::content_type) == "application/json");
}

TEST_CASE("message: idempotent is what RFC 9110 calls so, and what it does not know is not")
{
    for (auto const m : {verb::get, verb::head, verb::put, verb::delete_, verb::options, verb::trace})
        CHECK(http::idempotent(m));
    for (auto const m : {verb::post, verb::patch, verb::connect, verb::lock, verb::unknown})
        CHECK_FALSE(http::idempotent(m));
}
