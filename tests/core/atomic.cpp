// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/atomic.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <type_traits>

TEST_CASE("atomic: without a word from the build, policies use the standard's atomics and locks")
{
    CHECK(std::is_same_v<weir::atomic<int>, std::atomic<int>>);
    CHECK(std::is_same_v<weir::mutex, std::mutex>);
    CHECK(weir::atomic<std::uint64_t>::is_always_lock_free);
}
