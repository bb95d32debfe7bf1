// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/limit_algorithm.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

static_assert(weir::limit_algorithm<weir::fixed_limit>);

namespace {

struct may_throw : weir::fixed_limit {
    using weir::fixed_limit::fixed_limit;
    void update(weir::limit_sample const&) {}
};
static_assert(!weir::limit_algorithm<may_throw>, "an update that may throw would throw under a gate's lock");

}  // namespace

TEST_CASE("fixed_limit: nothing that happens changes it, only reconfigure does")
{
    weir::fixed_limit limit{{.limit = 3}};
    limit.update({.latency = std::chrono::hours{1}, .dropped = true});
    CHECK(limit.limit() == 3);
    limit.reconfigure({.limit = 4});
    CHECK(limit.limit() == 4);
    CHECK_THROWS_WITH_AS(limit.reconfigure({.limit = 0}),
                         "weir: fixed_limit_options.limit must be from 1 to 1000000000, and is 0",
                         std::invalid_argument);
    CHECK(limit.limit() == 4);
}
