// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>

// glibc registers a restartable-sequence area per thread, in which the kernel keeps the number of the processor. A
// sanitizer moves threads' memory about, and ThreadSanitizer would not know that the kernel writes there.
#if defined(__linux__) && defined(__has_include) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __has_include(<sys/rseq.h>) && (defined(__x86_64__) || defined(__aarch64__))
#define WEIR_DETAIL_HAS_RSEQ 1
#endif
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef WEIR_DETAIL_HAS_RSEQ
#endif
#endif
#ifdef WEIR_DETAIL_HAS_RSEQ
#include <sys/rseq.h>
#endif

namespace weir::detail {

inline std::atomic<unsigned> next_thread_index{0};

[[nodiscard]] inline unsigned thread_index() noexcept
{
    thread_local unsigned const index = next_thread_index.fetch_add(1, std::memory_order_relaxed);
    return index;
}

/// A number that few threads share at any time: that of the processor, which is one load, or else of the thread. It may
/// be another one a moment later, so nothing may depend on it but speed.
[[nodiscard]] inline unsigned stripe_index() noexcept
{
#ifdef WEIR_DETAIL_HAS_RSEQ
    if (__rseq_size > 0) {
        auto* const area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
        auto const* const rseq = reinterpret_cast<struct rseq const volatile*>(area);
        // Negative: not registered.
        if (auto const cpu = static_cast<int>(rseq->cpu_id); cpu >= 0) [[likely]]
            return static_cast<unsigned>(cpu);
    }
#endif
    return thread_index();
}

}  // namespace weir::detail
