// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>

namespace weir::testing {

/// Converts to anything, for who asks for its type only.
struct anything {
    template <class T>
    operator T() const
    {
        throw 0;
    }
};

/// How many fields an aggregate has: as many as it can be initialised from things that convert to anything.
template <class Aggregate, class... Given>
constexpr std::size_t count_fields()
{
    if constexpr (requires { Aggregate{Given{}..., anything{}}; })
        return count_fields<Aggregate, Given..., anything>();
    else
        return sizeof...(Given);
}

}  // namespace weir::testing
