// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/etcd_store_options.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::etcd_store_options;

namespace {

std::string complaint(etcd_store_options const& o)
{
    try {
        o.check();
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("etcd_store_options: a bad value is named")
{
    CHECK(complaint({}) == "none");
    CHECK(complaint({.timeout = 0ms}) == "weir: etcd_store_options.timeout must be above 0 ms, and is 0 ms");
    CHECK(complaint({.tries = 1}) == "weir: etcd_store_options.tries must be at least 2, and is 1");
    CHECK(complaint({.max_pending = 0}) == "weir: etcd_store_options.max_pending must be at least 1, and is 0");
    CHECK(complaint({.max_keys = 0}) == "weir: etcd_store_options.max_keys must be at least 1, and is 0");
    CHECK(complaint({.cluster = {.url = "consul://x"}}).starts_with("weir: "));
}
