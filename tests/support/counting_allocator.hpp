// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <memory>

namespace weir::test {

/// What allocators have given: how many pieces so far, and how many of them they have not got back.
struct ledger {
    int taken = 0, held = 0;
};

/// std::allocator, and a ledger of it.
template <class T>
struct counting_allocator {
    using value_type = T;

    explicit counting_allocator(ledger& l) noexcept : in(&l) {}
    template <class U>
    counting_allocator(counting_allocator<U> const& other) noexcept : in(other.in)
    {
    }
    T* allocate(std::size_t n)
    {
        ++in->taken;
        ++in->held;
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* p, std::size_t n) noexcept
    {
        --in->held;
        std::allocator<T>().deallocate(p, n);
    }
    template <class U>
    bool operator==(counting_allocator<U> const& other) const noexcept
    {
        return in == other.in;
    }

    ledger* in;
};

}  // namespace weir::test
