// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <type_traits>

#include <sched.h>

/// A WEIR_ATOMIC_HEADER: the standard's atomics and mutex, but between any two of their steps the thread may lose the
/// processor, or be held up as if it had. On two cores this meets the races of many: what is rare in production, a
/// thread stopped between a load and the compare-exchange that relies on it, happens here all the time.
namespace weir::yielding {

inline std::atomic<std::uint32_t> one_step_in{256};  ///< a power of two; a step in so many is disturbed
inline thread_local std::uint64_t state = 0;         ///< of this thread's generator; 0: not disturbed

inline void seed(std::uint64_t s) noexcept { state = s * 0x9e3779b97f4a7c15u | 1u; }

inline void disturb(std::uint64_t random) noexcept
{
    if ((random & 3u) != 0) {
        sched_yield();
        return;
    }
    // Yielding does nothing where every thread has a core of its own: lag behind the others instead.
    std::atomic<std::uint64_t> idle{0};
    for (auto rounds = (random >> 2) & 0x3ffu; rounds != 0; --rounds) idle.store(rounds, std::memory_order_relaxed);
}

inline void step() noexcept
{
    if (state == 0) return;
    state ^= state << 13;  // Marsaglia's xorshift: the cheapest that will do
    state ^= state >> 7;
    state ^= state << 17;
    auto const r = state >> 20;
    if ((r & (one_step_in.load(std::memory_order_relaxed) - 1)) == 0) disturb(r >> 20);
}

}  // namespace weir::yielding

namespace weir {

template <class T>
class atomic {
public:
    using value_type = T;
    static constexpr bool is_always_lock_free = std::atomic<T>::is_always_lock_free;

    constexpr atomic() noexcept = default;
    constexpr atomic(T v) noexcept : v_(v) {}
    atomic(atomic const&) = delete;
    atomic& operator=(atomic const&) = delete;

    [[nodiscard]] bool is_lock_free() const noexcept { return v_.is_lock_free(); }
    T load(std::memory_order o = std::memory_order_seq_cst) const noexcept { return yielding::step(), v_.load(o); }
    operator T() const noexcept { return load(); }
    void store(T v, std::memory_order o = std::memory_order_seq_cst) noexcept { yielding::step(), v_.store(v, o); }
    T operator=(T v) noexcept { return store(v), v; }
    T exchange(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.exchange(v, o);
    }
    template <class... Orders>
    bool compare_exchange_weak(T& expected, T v, Orders... o) noexcept
    {
        return yielding::step(), v_.compare_exchange_weak(expected, v, o...);
    }
    template <class... Orders>
    bool compare_exchange_strong(T& expected, T v, Orders... o) noexcept
    {
        return yielding::step(), v_.compare_exchange_strong(expected, v, o...);
    }
    T fetch_add(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.fetch_add(v, o);
    }
    T fetch_sub(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.fetch_sub(v, o);
    }
    T fetch_and(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.fetch_and(v, o);
    }
    T fetch_or(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.fetch_or(v, o);
    }
    T fetch_xor(T v, std::memory_order o = std::memory_order_seq_cst) noexcept
    {
        return yielding::step(), v_.fetch_xor(v, o);
    }

private:
    std::atomic<T> v_{};
};

class mutex {
public:
    constexpr mutex() noexcept = default;
    void lock() { yielding::step(), m_.lock(), yielding::step(); }
    bool try_lock() { return yielding::step(), m_.try_lock(); }
    void unlock() { yielding::step(), m_.unlock(), yielding::step(); }

private:
    std::mutex m_;
};

}  // namespace weir
