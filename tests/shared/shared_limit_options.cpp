// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/shared_limit_options.hpp>

#include <weir/shared/detail/lease_terms.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::shared_limit_options;

namespace {

std::string complaint(shared_limit_options const& o)
{
    try {
        o.check();
    } catch (std::invalid_argument const& e) {
        return e.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("shared_limit_options: a bad value is named, with its range")
{
    CHECK(complaint({}) == "none");
    CHECK(complaint({.rate = {0, 1s}}).find("shared_limit_options.rate.permits must be") != std::string::npos);
    CHECK(complaint({.burst = 0}) == "weir: shared_limit_options.burst must be at least 1, and is 0");
    CHECK(complaint({.nodes = 0}) == "weir: shared_limit_options.nodes must be 1 to 1000000, and is 0");
    CHECK(complaint({.hold = 0ms}) == "weir: shared_limit_options.hold must be 1 to 60000 ms, and is 0 ms");
    CHECK(complaint({.lease = 70'000}) == "weir: shared_limit_options.lease must be at most 65535, and is 70000");
    CHECK(complaint({.pause = 50ms}) ==
          "weir: shared_limit_options.pause must be at least 0 and below hold, and is 50 ms");
    CHECK(complaint({.share = 0}) == "weir: shared_limit_options.share must be above 0, up to 1, and is 0");
    CHECK(complaint({.acquire_timeout = 0ms}) ==
          "weir: shared_limit_options.acquire_timeout must be above 0 and below hold, and is 0 ms");
    CHECK(complaint({.patience = 0}) == "weir: shared_limit_options.patience must be at least 1, and is 0");
    CHECK(complaint({.max_keys = 0}) == "weir: shared_limit_options.max_keys must be at least 1, and is 0");
    CHECK(complaint({.rate = weir::per_second(1000), .burst = 10, .nodes = 4, .strict = true}) ==
          "weir: shared_limit_options.burst must be above 40 where strict, which is min(rate * hold, nodes * lease), "
          "and is 10");
}

TEST_CASE("shared_limit_options: the lease suits burst and nodes, and lets one process use the whole rate")
{
    CHECK(shared_limit_options{.rate = weir::per_second(10), .burst = 1000, .nodes = 4}.permits_held() == 62);
    CHECK(shared_limit_options{.rate = weir::per_second(10'000), .burst = 1000, .nodes = 8}.permits_held() == 100);
    CHECK(shared_limit_options{.rate = weir::per_second(10), .burst = 5, .nodes = 8}.permits_held() == 1);
    CHECK(shared_limit_options{.rate = weir::per_second(1'000'000), .burst = 1'000'000}.permits_held() == 4096);
    CHECK(shared_limit_options{.burst = 5, .lease = 100}.permits_held() == 5);
}

TEST_CASE("shared_limit_options: the excess is the smaller of what comes back in a lease and what all may hold")
{
    CHECK(shared_limit_options{.rate = weir::per_second(10'000), .burst = 1000, .nodes = 8}.excess() == 500);
    CHECK(shared_limit_options{.rate = weir::per_second(10'000), .burst = 1000, .nodes = 2, .lease = 50}.excess() ==
          100);
    CHECK(shared_limit_options{.rate = weir::per_second(10'000), .burst = 1000, .nodes = 8, .strict = true}
              .burst_in_store() == 500);
}

TEST_CASE("lease_terms: the share of a process is the rate by the number of processes, even of the slowest rate")
{
    weir::detail::lease_terms const t({.rate = {1, 24h * 365}, .burst = 1, .nodes = 8});
    CHECK(t.local.burst == 1);
    weir::detail::lease_terms const u({.rate = weir::per_second(100), .burst = 80, .nodes = 8});
    CHECK(u.local.burst == 10);
    CHECK(u.interval == 10'000us);
    CHECK(u.tolerance == 800'000us);
}
