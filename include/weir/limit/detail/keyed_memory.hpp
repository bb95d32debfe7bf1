// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace weir::detail {

/// A fixed array on the heap that is read at random: on huge pages where the system gives them, which saves most of the
/// misses of the address cache. Touched as a whole at construction, so that its memory is there before it is needed.
template <class T>
class flat_array {
public:
    explicit flat_array(std::size_t size) : size_(size), first_(allocate(size))
    {
        static_assert(std::is_nothrow_default_constructible_v<T> && std::is_trivially_destructible_v<T>);
        std::uninitialized_value_construct_n(first_, size_);
    }
    flat_array(flat_array const&) = delete;
    flat_array& operator=(flat_array const&) = delete;
    ~flat_array() { ::operator delete(first_, alignment(size_)); }

    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return first_[i]; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t index_of(T const& element) const noexcept
    {
        return static_cast<std::size_t>(&element - first_);
    }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    static std::align_val_t alignment(std::size_t size) noexcept
    {
        return std::align_val_t{size * sizeof(T) >= 2 * huge_page ? huge_page : alignof(T)};
    }
    static T* allocate(std::size_t size)
    {
        auto* const memory = ::operator new(size * sizeof(T), alignment(size));
#ifdef __linux__
        if (alignment(size) == std::align_val_t{huge_page})
            (void)madvise(memory, size * sizeof(T), MADV_HUGEPAGE);  // refused, it is slower and no worse
#endif
        return static_cast<T*>(memory);
    }

    std::size_t size_;
    T* first_;
};

}  // namespace weir::detail
