// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/client_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::http::client_options;

namespace {

std::string message(client_options const& o)
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

TEST_CASE("client_options: the defaults and the ends of every range are accepted")
{
    CHECK(message({}) == "");
    CHECK(message({.timeout = 0s, .connect_timeout = 0s, .idle_timeout = 0s}) == "");
    CHECK(message({.max_idle_per_endpoint = 0, .max_idle = 0, .max_connections_per_endpoint = 0}) == "");
    CHECK(message({.max_body_bytes = 0, .max_header_bytes = 1024}) == "");
    CHECK(message({.max_header_bytes = 1 << 20, .host_header = "a", .user_agent = ""}) == "");
}

TEST_CASE("client_options: what is out of range is named, with the range and what was given")
{
    CHECK(message({.timeout = -1s}) == "weir: client_options.timeout must be 0 or more, and is -1000 ms");
    CHECK(names(message({.connect_timeout = -1ns}), "client_options.connect_timeout must be 0 or more"));
    CHECK(names(message({.idle_timeout = -1ns}), "client_options.idle_timeout must be 0 or more"));
    CHECK(names(message({.max_header_bytes = 1023}), "client_options.max_header_bytes must be 1024 to 1048576"));
    CHECK(names(message({.max_header_bytes = (1 << 20) + 1}), "client_options.max_header_bytes"));
}

TEST_CASE("client_options: texts that go into every request cannot become another header")
{
    CHECK(names(message({.host_header = "a\r\nb"}), "client_options.host_header"));
    CHECK(names(message({.user_agent = "a\nb"}), "client_options.user_agent"));
    CHECK(message({.deadline_header = "grpc-timeout"}) == "");
    CHECK(names(message({.deadline_header = "a: b"}), "client_options.deadline_header"));
    CHECK(names(message({.deadline_header = "a\r\nb"}), "client_options.deadline_header"));
}
