// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

namespace weir::detail {

/// A lock in one byte, for a rare writer who is done in some nanoseconds and must not cost a cache line. Whoever has to
/// wait yields. It fits std::scoped_lock and std::unique_lock.
class byte_lock {
public:
    [[nodiscard]] bool try_lock() noexcept
    {
        return taken_.load(std::memory_order_relaxed) == 0 && taken_.exchange(1, std::memory_order_acquire) == 0;
    }
    void lock() noexcept
    {
        while (!try_lock()) std::this_thread::yield();
    }
    void unlock() noexcept { taken_.store(0, std::memory_order_release); }

private:
    atomic<std::uint8_t> taken_{0};
};

}  // namespace weir::detail
