// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "support/explorer.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#define WEIR_THREAD_NUMBER weir::exploring::thread_number

/// A WEIR_ATOMIC_HEADER: every operation is a step of the explorer that runs, if one does.
namespace weir {

namespace exploring {

/// 1 outside of a run, for whatever comes before and after it.
[[nodiscard]] inline std::uint8_t thread_number() noexcept
{
    auto const* const e = explorer::current();
    return static_cast<std::uint8_t>(e ? e->running() + 2 : 1);
}

}  // namespace exploring

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
    T load(std::memory_order = std::memory_order_seq_cst) const noexcept
    {
        step("load"), changed(false);
        return v_.load(std::memory_order_relaxed);
    }
    operator T() const noexcept { return load(); }
    void store(T v, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        step("store"), changed(!same(v)), now(v);
    }
    T operator=(T v) noexcept { return store(v), v; }
    T exchange(T v, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        step("exchange"), changed(!same(v));
        auto const old = v_.load(std::memory_order_relaxed);
        return now(v), old;
    }
    template <class... Orders>
    bool compare_exchange_strong(T& expected, T v, Orders...) noexcept
    {
        step("compare_exchange");
        bool const equal = same(expected);
        changed(equal);
        if (equal) return now(v), true;
        expected = v_.load(std::memory_order_relaxed);
        return false;
    }
    template <class... Orders>
    bool compare_exchange_weak(T& expected, T v, Orders... o) noexcept
    {
        return compare_exchange_strong(expected, v, o...);
    }
    T fetch_add(T d, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        return change("fetch_add", [d](T x) { return static_cast<T>(x + d); });
    }
    T fetch_sub(T d, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        return change("fetch_sub", [d](T x) { return static_cast<T>(x - d); });
    }
    T fetch_and(T d, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        return change("fetch_and", [d](T x) { return static_cast<T>(x & d); });
    }
    T fetch_or(T d, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        return change("fetch_or", [d](T x) { return static_cast<T>(x | d); });
    }
    T fetch_xor(T d, std::memory_order = std::memory_order_seq_cst) noexcept
    {
        return change("fetch_xor", [d](T x) { return static_cast<T>(x ^ d); });
    }

private:
    void step(char const* what) const noexcept
    {
        if (auto* const e = exploring::explorer::current()) e->step(what, this);
    }
    void changed(bool yes) const noexcept
    {
        if (auto* const e = exploring::explorer::current()) e->changed(yes, this);
    }
    void now(T v) noexcept { v_.store(v, std::memory_order_relaxed); }
    bool same(T v) const noexcept
    {
        auto const x = v_.load(std::memory_order_relaxed);
        return std::memcmp(&x, &v, sizeof x) == 0;
    }
    template <class F>
    T change(char const* what, F f) noexcept
    {
        step(what), changed(true);
        auto const old = v_.load(std::memory_order_relaxed);
        return now(f(old)), old;
    }

    std::atomic<T> v_{};  // of one thread: no other needs to see it, but some policies ask for its size
};

class mutex {
public:
    constexpr mutex() noexcept = default;
    mutex(mutex const&) = delete;
    mutex& operator=(mutex const&) = delete;

    static inline std::uint64_t locks = 0;  ///< taken, of all mutexes

    void lock() noexcept
    {
        ++locks;
        if (auto* const e = exploring::explorer::current()) {
            e->step("lock", this);
            e->wait([this] { return !locked_; });
        }
        locked_ = true;
    }
    bool try_lock() noexcept
    {
        if (auto* const e = exploring::explorer::current()) e->step("try_lock", this);
        ++locks;
        return !std::exchange(locked_, true);
    }
    void unlock() noexcept
    {
        if (auto* const e = exploring::explorer::current()) e->step("unlock", this);
        locked_ = false;
    }

private:
    bool locked_ = false;
};

}  // namespace weir
