// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/concepts.hpp>

#include <weir/registry/consul.hpp>
#include <weir/registry/memory.hpp>

#include <doctest/doctest.h>

using namespace weir::registry;

namespace {

struct finds_but_does_not_watch {
    template <class Token>
    void async_resolve(query const&, Token&&)
    {
    }
};
struct takes_but_does_not_release {
    template <class Token>
    void async_register(registration const&, Token&&)
    {
    }
};

}  // namespace

static_assert(service_registry<memory> && service_registry<consul>);
static_assert(!discovery<finds_but_does_not_watch>);
static_assert(!registrar<takes_but_does_not_release>);
static_assert(!discovery<int> && !registrar<int>);
static_assert(!watch_backend<int> && !lease_backend<int>);

TEST_CASE("concepts: the bundled registries are registries, halves are not")
{
    CHECK(service_registry<memory>);
    CHECK_FALSE(service_registry<finds_but_does_not_watch>);
}
