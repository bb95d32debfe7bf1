// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/redis_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::redis_options;

namespace {

std::string complaint(redis_options const& o)
{
    try {
        o.check();
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("redis_options: a bad value is named; a password is not")
{
    CHECK(complaint({}) == "none");
    CHECK(complaint({.servers = {}}) == "weir: redis_options.servers must name at least one");
    CHECK(complaint({.servers = {{.host = ""}}}) == "weir: redis_options.servers must have a host and a port each");
    CHECK(complaint({.user = "app"}) == "weir: redis_options.password must be given where there is a user");
    CHECK(complaint({.user = "app", .password_file = "/run/p"}) == "none");
    CHECK(complaint({.password = weir::registry::secret("geheim"), .password_file = "/run/p"}) ==
          "weir: redis_options.password must be empty when there is a password_file");
    CHECK(complaint({.connect_timeout = 0ms}) == "weir: redis_options.connect_timeout must be above 0 ms, and is 0 ms");
    CHECK(complaint({.timeout = 0ms}) == "weir: redis_options.timeout must be above 0 ms, and is 0 ms");
    CHECK(complaint({.max_pending = 0}) == "weir: redis_options.max_pending must be at least 1, and is 0");
    CHECK(complaint({.max_reply_bytes = 10}) == "weir: redis_options.max_reply_bytes must be at least 1024, and is 10");
    CHECK(complaint({.user = "app", .password = weir::registry::secret("geheim")}) == "none");
}
