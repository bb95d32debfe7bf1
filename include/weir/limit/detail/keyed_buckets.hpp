// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// What a key is to a table: an identity that is compared, and a hash that says where to look.
struct keyed_id {
    std::uint64_t identity;
    std::uint64_t hash;
};

/// What is common to both layouts: a word with the instant, on the clock of its quota, at which a key is out of debt
/// (the "theoretical arrival time", TAT; see gcra.hpp). A word of 0 is an empty slot.
template <unsigned TatBits, unsigned TatShift>
struct keyed_word {
    static constexpr unsigned tat_bits = TatBits;
    static constexpr std::uint64_t tat_mask = (std::uint64_t{1} << TatBits) - 1;

    static std::uint64_t tat(std::uint64_t word) noexcept { return (word >> TatShift) & tat_mask; }

    /// later - earlier, of two readings less than half the range apart.
    static std::int64_t difference(std::uint64_t later, std::uint64_t earlier) noexcept
    {
        constexpr auto spare = 64 - TatBits;
        return static_cast<std::int64_t>((later - earlier) << spare) >> spare;
    }
};

/// 64 bits of key and 60 of time, four slots to a cache line. Two words cannot change together, so a slot that goes to
/// another key is marked busy in between. Whoever reads the word, then the key, and then exchanges that very word has
/// had both at once: a takeover in between changes the word, and for ever, as a new TAT is later than a spent one.
///
///     word = TAT (60 bits) | quota (3 bits) | busy (1 bit)
struct alignas(64) exact_bucket : keyed_word<60, 4> {
    static constexpr unsigned size = 4;
    static constexpr double fill = 2.0 / 3;                      ///< live keys per slot at capacity
    static constexpr unsigned usual_scale = 30, max_scale = 48;  ///< 30: whole permits per second are exact
    static constexpr unsigned home_first =
        2;  ///< so many keys before a new one looks whether the other bucket is emptier

    static std::uint64_t quota(std::uint64_t word) noexcept { return (word >> 1) & 7; }
    static bool busy(std::uint64_t word) noexcept { return (word & 1) != 0; }

    static std::uint64_t encode(keyed_id, std::uint64_t quota, std::uint64_t tat) noexcept
    {
        auto const word = tat << 4 | quota << 1;
        return word != 0 ? word : 1 << 4;  // 0 is an empty slot: a debt that is a unit larger instead
    }

    /// The slots that may be this key's, one bit each.
    [[nodiscard]] unsigned candidates(keyed_id id) const noexcept
    {
        unsigned mask = 0;
        for (unsigned i = 0; i < size; ++i)
            mask |= (keys_[i].load(std::memory_order_relaxed) == id.identity ? 1U : 0U) << i;
        return mask;
    }
    /// Whether slot i is this key's; then `word` is what it was at that moment.
    bool holds(unsigned i, keyed_id id, std::uint64_t& word) const noexcept
    {
        word = words_[i].load(std::memory_order_acquire);
        return still_holds(i, id, word);
    }
    bool still_holds(unsigned i, keyed_id id, std::uint64_t word) const noexcept
    {
        return word != 0 && !busy(word) && keys_[i].load(std::memory_order_relaxed) == id.identity;
    }

    /// Gives slot i to the key, if its word is still what was seen. Keys that were forced out at the very same time left
    /// the very same word: each next one is a unit later, so that no late cancel takes it for its own.
    bool claim(unsigned i, keyed_id id, std::uint64_t seen, std::uint64_t& word) noexcept
    {
        if (auto const ahead = difference(tat(seen), tat(word)); seen != 0 && ahead >= 0 && ahead < 1 << 20)
            word = encode(id, quota(word), tat(seen) + 1);
        if (!words_[i].compare_exchange_strong(seen, seen | 1, std::memory_order_acq_rel)) return false;
        keys_[i].store(id.identity, std::memory_order_relaxed);
        words_[i].store(word, std::memory_order_release);
        return true;
    }

    atomic<std::uint64_t>& word(unsigned i) noexcept { return words_[i]; }
    atomic<std::uint64_t> const& word(unsigned i) const noexcept { return words_[i]; }

private:
    atomic<std::uint64_t> keys_[size]{};
    atomic<std::uint64_t> words_[size]{};
};

/// 24 bits of the hash and 37 of time in one word, eight slots to a cache line.
///
///     word = tag (24 bits, never 0) | quota (3 bits) | TAT (37 bits)
struct alignas(64) compact_bucket : keyed_word<37, 0> {
    static constexpr unsigned size = 8;
    static constexpr double fill = 0.8;
    static constexpr unsigned usual_scale = 10, max_scale = 10;
    static constexpr unsigned home_first = 5;

    static std::uint64_t quota(std::uint64_t word) noexcept { return (word >> 37) & 7; }
    static bool busy(std::uint64_t) noexcept { return false; }

    static std::uint64_t tag(keyed_id id) noexcept
    {
        auto const low = id.hash & 0xffffff;  // where to look is decided by the high bits
        return low != 0 ? low : 1;
    }
    static std::uint64_t encode(keyed_id id, std::uint64_t quota, std::uint64_t tat) noexcept
    {
        return tag(id) << 40 | quota << 37 | (tat & tat_mask);
    }

    [[nodiscard]] unsigned candidates(keyed_id id) const noexcept
    {
        unsigned mask = 0;
        auto const wanted = tag(id);
        for (unsigned i = 0; i < size; ++i)
            mask |= (words_[i].load(std::memory_order_relaxed) >> 40 == wanted ? 1U : 0U) << i;
        return mask;
    }
    bool holds(unsigned i, keyed_id id, std::uint64_t& word) const noexcept
    {
        word = words_[i].load(std::memory_order_acquire);
        return still_holds(i, id, word);
    }
    bool still_holds(unsigned, keyed_id id, std::uint64_t word) const noexcept { return word >> 40 == tag(id); }

    bool claim(unsigned i, keyed_id, std::uint64_t seen, std::uint64_t const& word) noexcept
    {
        return words_[i].compare_exchange_strong(seen, word, std::memory_order_acq_rel);
    }

    atomic<std::uint64_t>& word(unsigned i) noexcept { return words_[i]; }
    atomic<std::uint64_t> const& word(unsigned i) const noexcept { return words_[i]; }

private:
    atomic<std::uint64_t> words_[size]{};
};

static_assert(sizeof(exact_bucket) == 64 && sizeof(compact_bucket) == 64);

}  // namespace weir::detail
