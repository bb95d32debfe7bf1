// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <cstdint>

namespace weir::detail {

/// What a thread was last refused: by which word, in which state. While that state lasts, the word will say the same
/// again until a known reading of the clock's counter; so whoever keeps asking pays for that reading, and for nothing
/// else. Nothing that threads share is written.
///
/// `left` is how far that reading was away when it was last looked at, and must shrink each time: a counter that stands
/// still, went back or is past it ends this.
struct last_refusal {
    void const* by = nullptr;
    std::uint64_t word = 0;
    std::uint64_t until = 0;
    std::uint64_t left = 0;

    template <counting_clock Clock>
    [[nodiscard, gnu::always_inline]] bool again(void const* asked, std::uint64_t word_now, Clock const& clock) noexcept
    {
        if (word_now != word || asked != by) return false;
        auto const still = until - clock.ticks();
        if (still >= left) return false;
        left = still;
        return true;
    }

    template <counting_clock Clock>
    void set(void const* refused_by, std::uint64_t in_state, time_point at, Clock const& clock) noexcept
    {
        auto const count = clock.ticks_before(at);
        auto const now = clock.ticks();
        if (count > now) *this = {refused_by, in_state, count, count - now};
    }
};

inline constinit thread_local last_refusal refused_last{};

}  // namespace weir::detail
