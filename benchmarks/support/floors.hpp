// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "bench.hpp"

#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

/// What no decision of its kind can be cheaper than. They run as contenders beside the figures they are the floor of.
namespace bench::floors {

inline constexpr char const* empty = "empty loop";
inline constexpr char const* empty_again = "empty loop, again";  // two of them must agree: the noise check
inline constexpr char const* steady = "steady_clock::now";
inline constexpr char const* counter = "rdtsc";
inline constexpr char const* own_xadd = "lock xadd, own line";
inline constexpr char const* own_cas = "compare-exchange, own line";
inline constexpr char const* shared_xadd = "lock xadd, one line for all";
inline constexpr char const* random_xadd = "lock xadd, random in 256 MB";

struct alignas(64) own_line {
    std::atomic<std::uint64_t> word{0};
};

/// A line for each thread that any window may have.
inline std::shared_ptr<std::vector<own_line>> lines() { return std::make_shared<std::vector<own_line>>(1024); }

inline contender empty_loop(char const* name = empty)
{
    return {name, each([](unsigned thread) {
                keep(thread);
                return true;
            })};
}

inline contender steady_now()
{
    return {steady, each([](unsigned) {
                keep(weir::steady_clock::now().time_since_epoch().count());
                return true;
            })};
}

inline contender tsc_now()
{
    return {"tsc_clock::now", each([](unsigned) {
                keep(weir::tsc_clock::now().time_since_epoch().count());
                return true;
            })};
}

inline contender read_counter()
{
    return {counter, each([](unsigned) {
                keep(ticks());
                return true;
            })};
}

inline contender xadd()
{
    return {own_xadd, [all = lines()](unsigned thread, unsigned n) {
                auto& word = (*all)[thread].word;
                for (unsigned i = 0; i < n; ++i) keep(word.fetch_add(1, std::memory_order_relaxed));
                return true;
            }};
}

inline contender cas()
{
    return {own_cas, [all = lines()](unsigned thread, unsigned n) {
                auto& word = (*all)[thread].word;
                for (unsigned i = 0; i < n; ++i) {
                    auto seen = word.load(std::memory_order_relaxed);
                    keep(word.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
                }
                return true;
            }};
}

inline contender xadd_shared()
{
    return {shared_xadd, [line = std::make_shared<own_line>()](unsigned, unsigned n) {
                for (unsigned i = 0; i < n; ++i) keep(line->word.fetch_add(1, std::memory_order_relaxed));
                return true;
            }};
}

/// A generator of a multiplication and an addition a number (Knuth's MMIX); the upper bits are good.
struct numbers {
    std::uint64_t state;
    std::uint64_t operator()() noexcept { return (state = state * 6364136223846793005U + 1442695040888963407U) >> 20; }
};

inline contender xadd_random()
{
    constexpr std::size_t words = (std::size_t{256} << 20) / sizeof(std::uint64_t);
    auto memory = std::make_shared<std::vector<std::atomic<std::uint64_t>>>(words);  // written, so the pages are there
    return {random_xadd, [memory](unsigned thread, unsigned n) {
                thread_local numbers next{thread + 1};
                for (unsigned i = 0; i < n; ++i)
                    keep((*memory)[next() % words].fetch_add(1, std::memory_order_relaxed));
                return true;
            }};
}

/// Some tens of ns of a caller's own work, of which a neighbour sees nothing: what lies between two decisions of a
/// server.
[[gnu::always_inline]] inline void private_work(unsigned thread)
{
    std::uint64_t x = thread + 1;
    for (int i = 0; i < 64; ++i) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        asm volatile("" : "+r"(x));
    }
}

}  // namespace bench::floors
