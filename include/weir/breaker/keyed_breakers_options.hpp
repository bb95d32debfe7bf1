// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker_options.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <chrono>
#include <cstddef>

namespace weir {

struct keyed_breakers_options {
    circuit_breaker_options each = {};  ///< of every key's breaker; its `stripes` 0 means 1 here
    std::size_t capacity = 10'000;      ///< breakers at once, 1 to 1e7; about 1.5 kB each. Fixed
    duration idle_for =
        std::chrono::seconds(10);  ///< closed and not asked for so long, a key may be dropped; at least 0
};

namespace detail {

/// Throws std::invalid_argument.
inline void check(keyed_breakers_options const& o)
{
    check(o.each);
    if (o.capacity < 1 || o.capacity > 10'000'000)
        bad_option("keyed_breakers_options.capacity", "in [1, 10000000]", o.capacity);
    if (o.idle_for < duration::zero()) bad_option("keyed_breakers_options.idle_for", "at least 0 ms", o.idle_for);
}

}  // namespace detail
}  // namespace weir
