// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/server_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::http::server_options;

namespace {

std::string message(server_options const& o)
{
    try {
        o.check();
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "";
}

bool names(std::string const& text, std::string_view field) { return text.find(field) != std::string::npos; }

}  // namespace

TEST_CASE("server_options: the defaults and the ends of every range are accepted")
{
    CHECK(message({}) == "");
    CHECK(message({.idle_timeout = 0s, .request_timeout = 0s, .max_body_bytes = 0, .max_connections = 0}) == "");
    CHECK(message({.max_header_bytes = 1024}) == "");
    CHECK(message({.max_header_bytes = 1 << 20}) == "");
}

TEST_CASE("server_options: what is out of range is named, with the range and what was given")
{
    CHECK(message({.idle_timeout = -1s}) == "weir: server_options.idle_timeout must be 0 or more, and is -1000 ms");
    CHECK(names(message({.request_timeout = -1ns}), "server_options.request_timeout must be 0 or more"));
    CHECK(names(message({.max_header_bytes = 1023}), "server_options.max_header_bytes must be 1024 to 1048576"));
    CHECK(names(message({.max_header_bytes = (1 << 20) + 1}), "server_options.max_header_bytes"));
}
