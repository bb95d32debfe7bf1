// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Permits that are held ahead, in two lots, each with an end of its own: the one in use, and the one fetched early so
/// that there is no gap. A lot is one word, so that a permit is never taken from a lot that has ended:
///
///     word = end, in units of 4096 ns of steady time, rounded down (48 bits) | permits (16)
///
/// Threads: take, put_back and left from any; add and remove from one at a time.   Cost: two loads and one
/// compare-exchange.
class lease_lots {
public:
    static constexpr std::uint64_t most = 0xffff;  ///< permits in both lots together

    /// Where permits were taken.
    struct place {
        std::uint64_t end = 0;
        std::uint8_t lot = 0;
    };

    /// Takes n permits of one lot; first of the one that ends first.
    [[nodiscard, gnu::always_inline]] bool take(std::uint64_t n, time_point now, place& from) noexcept
    {
        auto const t = ticks(now);
        for (;;) {
            auto const a = words_[0].load(std::memory_order_acquire);
            auto const b = words_[1].load(std::memory_order_acquire);
            bool const in_a = end(a) > t && count(a) >= n, in_b = end(b) > t && count(b) >= n;
            if (!in_a && !in_b) return false;
            auto const i = static_cast<std::uint8_t>(in_a && (!in_b || a < b) ? 0 : 1);
            auto word = i == 0 ? a : b;
            if (words_[i].compare_exchange_weak(word, word - n, std::memory_order_acq_rel, std::memory_order_relaxed)) {
                from = {end(word), i};
                return true;
            }
        }
    }

    /// The same, of both lots where one has not enough.
    [[nodiscard]] bool take_across(std::uint64_t n, time_point now) noexcept
    {
        place from;
        while (left(now) >= n) {
            if (take(n, now, from)) return true;
            auto const t = ticks(now);
            auto const word = words_[0].load(std::memory_order_acquire);
            auto const first = end(word) > t ? std::min(count(word), n - 1) : 0;
            if (first == 0 || !take_of(0, first, t, from)) continue;
            place second;
            if (take_of(1, n - first, t, second)) return true;
            (void)put_back(first, from);
        }
        return false;
    }

    /// Permits that will not be used after all; only into the lot they came from.
    bool put_back(std::uint64_t n, place const& to) noexcept
    {
        for (auto word = words_[to.lot].load(std::memory_order_acquire);
             end(word) == to.end && count(word) + n <= most;)
            if (words_[to.lot].compare_exchange_weak(word, word + n, std::memory_order_acq_rel)) return true;
        return false;
    }

    /// Permits that have not ended.
    [[nodiscard]] std::uint64_t left(time_point now) const noexcept
    {
        auto const t = ticks(now);
        std::uint64_t sum = 0;
        for (auto const& w : words_)
            if (auto const word = w.load(std::memory_order_acquire); end(word) > t) sum += count(word);
        return sum;
    }

    /// Permits in the words, ended or not.
    [[nodiscard]] std::uint64_t written() const noexcept
    {
        return count(words_[0].load(std::memory_order_acquire)) + count(words_[1].load(std::memory_order_acquire));
    }

    /// A new lot. Where two are still held, the older one takes over what is in the younger, and its end with it: no
    /// permit ever lasts longer than it was granted for. Returns the permits that are lost, and `stamps` follows.
    std::uint64_t add(std::uint64_t n, time_point until, std::uint64_t stamp, time_point now) noexcept
    {
        auto const t = ticks(now);
        auto const a = words_[0].load(std::memory_order_acquire), b = words_[1].load(std::memory_order_acquire);
        auto const spent = [t](std::uint64_t w) { return count(w) == 0 || end(w) <= t; };
        std::uint64_t lost = 0;
        std::size_t into = spent(a) ? 0 : spent(b) ? 1 : a < b ? 1 : 0;
        auto const old = count(words_[into].exchange(0, std::memory_order_acq_rel));
        if (!spent(a) && !spent(b)) {
            auto const older = into ^ 1;
            auto const kept =
                put_back(old, {end(words_[older].load(std::memory_order_acquire)), static_cast<std::uint8_t>(older)});
            // Given back later, they count as of the earlier of the two grants.
            if (!kept) lost = old;
        } else {
            lost = old;
        }
        stamps_[into] = stamp;
        words_[into].store(ticks(until) << 16 | n, std::memory_order_release);
        return lost;
    }

    struct lot {
        std::uint64_t permits = 0;
        std::uint64_t stamp = 0;
    };
    /// Takes all permits out of that lot.
    [[nodiscard]] lot remove(std::size_t i) noexcept
    {
        return {count(words_[i].exchange(0, std::memory_order_acq_rel)), stamps_[i]};
    }
    /// When that lot ends; `never` where it is empty.
    [[nodiscard]] time_point ends(std::size_t i) const noexcept
    {
        auto const word = words_[i].load(std::memory_order_acquire);
        return count(word) == 0 ? never : time_point(duration(static_cast<duration::rep>(end(word) << 12)));
    }

private:
    static std::uint64_t count(std::uint64_t word) noexcept { return word & most; }
    static std::uint64_t end(std::uint64_t word) noexcept { return word >> 16; }
    static std::uint64_t ticks(time_point t) noexcept
    {
        return static_cast<std::uint64_t>(std::max<duration::rep>(t.time_since_epoch().count(), 0)) >> 12;
    }

    bool take_of(std::uint8_t i, std::uint64_t n, std::uint64_t t, place& from) noexcept
    {
        for (auto word = words_[i].load(std::memory_order_acquire); end(word) > t && count(word) >= n;)
            if (words_[i].compare_exchange_weak(word, word - n, std::memory_order_acq_rel)) {
                from = {end(word), i};
                return true;
            }
        return false;
    }

    std::array<atomic<std::uint64_t>, 2> words_{};
    std::array<std::uint64_t, 2> stamps_{};
};

}  // namespace weir::detail
