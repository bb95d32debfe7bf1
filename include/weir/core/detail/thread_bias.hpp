// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <thread>
#include <utility>

#if defined(__linux__) && defined(__has_include) && !defined(WEIR_THREAD_NUMBER) && !defined(WEIR_NO_THREAD_BIAS)
#if __has_include(<linux/membarrier.h>)
#define WEIR_DETAIL_HAS_MEMBARRIER 1
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace weir::detail {

// Of the threads that own something, while they live: a number, and what they are inside of. One table for the whole
// process, also where its parts are compiled with hidden names.

struct alignas(64) bias_record {
    weir::atomic<void const*> inside{nullptr};
};
inline constexpr unsigned bias_numbers = 248;  // 1 to 247; a thread that gets none does without
[[gnu::visibility("default")]] inline constinit std::array<bias_record, bias_numbers> bias_records{};

#ifdef WEIR_THREAD_NUMBER  // a test's threads are not the system's

[[nodiscard]] inline std::uint8_t bias_number() noexcept { return WEIR_THREAD_NUMBER(); }
[[nodiscard]] inline std::uint8_t new_bias_number() noexcept { return bias_number(); }

#else

using bias_bits = std::array<std::atomic<std::uint64_t>, bias_numbers / 64 + 1>;
[[gnu::visibility("default")]] inline constinit bias_bits bias_numbers_taken{1};  // 0 is no number
[[gnu::visibility("default")]] inline constinit thread_local std::uint8_t own_bias_number = 0;

[[nodiscard]] inline std::uint8_t bias_number() noexcept { return own_bias_number; }

/// This thread's, from now until it ends. 0: there is none left.
[[nodiscard]] inline std::uint8_t new_bias_number() noexcept
{
    struct holder {
        bool ended = false;
        ~holder()
        {
            if (auto const n = std::exchange(own_bias_number, std::uint8_t{0}))
                bias_numbers_taken[n / 64].fetch_and(~(std::uint64_t{1} << n % 64), std::memory_order_acq_rel);
            ended = true;
        }
    };
    thread_local holder at_end;
    for (unsigned n = 1; own_bias_number == 0 && !at_end.ended && n < bias_numbers; ++n) {
        auto const bit = std::uint64_t{1} << n % 64;
        auto& taken = bias_numbers_taken[n / 64];
        if ((taken.load(std::memory_order_relaxed) & bit) == 0 &&
            (taken.fetch_or(bit, std::memory_order_acq_rel) & bit) == 0)
            own_bias_number = static_cast<std::uint8_t>(n);
    }
    return own_bias_number;
}

#endif

/// Has every running thread of the process pass a full memory barrier; some microseconds.
inline void barrier_for_all() noexcept
{
#ifdef WEIR_DETAIL_HAS_MEMBARRIER
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
#endif
}

/// To be asked before the first one. False: it cannot be had.
[[nodiscard]] inline bool announce_barriers() noexcept
{
#if defined(WEIR_DETAIL_HAS_MEMBARRIER)
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#elif defined(WEIR_THREAD_NUMBER)
    return true;
#else
    return false;
#endif
}

/// Spares the only thread that uses something the locked instructions, which cost it five to ten times a plain store.
///
/// The first thread that comes owns the thing. It may then do plain loads and stores inside a `section`: it writes into
/// a record of its own what it is inside of, and looks once more whether it still is the owner. The first other thread
/// takes that away for good: it changes the state, has all threads pass a memory barrier, and waits until the owner is
/// not inside. From then on everybody uses atomic operations, as if this did not exist. Sections do not nest.
///
/// Lock reservation (Kawachiya, Koseki, Onodera: OOPSLA 2002), with the fence left to the rare side as in liburcu and
/// folly. Without membarrier(2), Linux 4.14, everything is shared from the beginning. Not for signal handlers.
///
/// A program that uses one limiter from modules that do not share their inline variables (a plugin of an executable that
/// was not linked with -rdynamic) defines WEIR_NO_THREAD_BIAS in all of them.
class thread_bias {
public:
    thread_bias() noexcept : owner_(possible() ? unclaimed : shared) {}

    /// While it lasts, this thread may be alone with the thing.
    class [[nodiscard]] section {
    public:
        [[gnu::always_inline]] explicit section(thread_bias const& bias) noexcept
            : owner_(bias.owner_.load(std::memory_order_acquire))
        {
            if (owner_ != bias_number()) return;
            record_ = &bias_records[owner_];
            // Release, so that whoever reads it has seen all sections before.
            record_->inside.store(&bias, std::memory_order_release);
            std::atomic_signal_fence(std::memory_order_seq_cst);  // the rest is barrier_for_all's
            if (bias.owner_.load(std::memory_order_relaxed) == owner_) [[likely]]
                return;
            leave();
        }
        section(section const&) = delete;
        section& operator=(section const&) = delete;
        [[gnu::always_inline]] ~section()
        {
            if (record_ != nullptr) leave();
        }
        [[nodiscard, gnu::always_inline]] bool alone() const noexcept { return record_ != nullptr; }
        /// Not alone, and settled: atomic operations.
        [[nodiscard, gnu::always_inline]] bool settled() const noexcept { return owner_ == shared; }

    private:
        [[gnu::always_inline]] void leave() noexcept
        {
            record_->inside.store(nullptr, std::memory_order_release);
            record_ = nullptr;
        }
        bias_record* record_ = nullptr;
        std::uint8_t owner_;
    };

    /// Before atomic operations outside of a section: afterwards no other thread is in one, nor will be. The first to
    /// come becomes the owner; the first other thread ends that.
    [[gnu::always_inline]] void settle() noexcept
    {
        if (owner_.load(std::memory_order_acquire) != shared) [[unlikely]]
            claim_or_share();
    }

private:
    static constexpr std::uint8_t unclaimed = 255, shared = 254, leaving = 253;

    [[gnu::cold, gnu::noinline]] void claim_or_share() noexcept
    {
        auto state = owner_.load(std::memory_order_acquire);
        if (state == unclaimed) {
            auto const me = new_bias_number();
            if (owner_.compare_exchange_strong(state, me != 0 ? me : shared, std::memory_order_acq_rel)) return;
        }
        while (state != shared && state != bias_number()) {
            if (state == leaving) {  // another thread is at it
                std::this_thread::yield();
                state = owner_.load(std::memory_order_acquire);
            } else if (owner_.compare_exchange_weak(state, leaving, std::memory_order_acq_rel)) {
                barrier_for_all();
                while (bias_records[state].inside.load(std::memory_order_acquire) == this) std::this_thread::yield();
                owner_.store(shared, std::memory_order_release);
                return;
            }
        }
    }

    [[nodiscard]] static bool possible() noexcept
    {
        // Asked when things are made, not when they are first used: with many threads it takes the kernel a while.
        static bool const yes = announce_barriers();
        return yes;
    }

    weir::atomic<std::uint8_t> owner_;
};

}  // namespace weir::detail

#undef WEIR_DETAIL_HAS_MEMBARRIER
