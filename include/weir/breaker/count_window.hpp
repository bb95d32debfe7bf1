// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/tally.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir {

/// A breaker judges the last `calls` outcomes, however old. In [1, 1e6]; one byte each.
struct count_window {
    unsigned calls = 100;

    friend bool operator==(count_window const&, count_window const&) = default;
};

namespace detail {

/// A ring of the last N outcomes: each new one really pushes the oldest out. Not thread-safe: the breaker holds its
/// lock.
class count_ring {
public:
    explicit count_ring(count_window w) : options_(w), outcomes_(checked(w)) {}

    [[nodiscard]] count_window options() const noexcept { return options_; }

    /// Time does not matter here: successes may be counted elsewhere for ever, and added later by add_successes.
    time_point advance(time_point) noexcept { return never; }

    void add(circuit_tally const& call) noexcept
    {
        total_ -= outcomes_[next_];
        outcomes_[next_] = entry(call);
        total_ += outcomes_[next_];
        next_ = next_ + 1 == outcomes_.size() ? 0 : next_ + 1;
    }

    void add_successes(std::uint64_t n) noexcept
    {
        total_ = total(never, n);
        auto const size = outcomes_.size();
        auto const until_end = std::min<std::uint64_t>(n, size - next_);
        auto const wrapped = std::min<std::uint64_t>(n, size) - until_end;
        std::fill_n(outcomes_.begin() + static_cast<std::ptrdiff_t>(next_), until_end, success());
        std::fill_n(outcomes_.begin(), std::min<std::uint64_t>(wrapped, next_), success());
        next_ = (next_ + n) % size;
    }

    [[nodiscard]] circuit_tally total() const noexcept { return total_; }

    /// The total as add_successes(n) would leave it.
    [[nodiscard]] circuit_tally total(time_point, std::uint64_t n) const noexcept
    {
        auto const size = outcomes_.size();
        if (n >= size) return {size, 0, 0};
        auto result = total_;
        auto from = next_;
        for (auto left = n; left > 0; --left) {
            result -= outcomes_[from];
            from = from + 1 == size ? 0 : from + 1;
        }
        result.calls += n;
        return result;
    }

    /// After so many successes in a row the window may be full of them.
    [[nodiscard]] std::uint32_t worth_a_look() const noexcept { return static_cast<std::uint32_t>(outcomes_.size()); }

    /// A success would replace a success: it changes nothing that can be observed.
    [[nodiscard]] bool full_of_successes() const noexcept { return total_ == circuit_tally{outcomes_.size(), 0, 0}; }

    void clear() noexcept
    {
        std::fill(outcomes_.begin(), outcomes_.end(), entry());
        total_ = {};
        next_ = 0;
    }

    /// Takes over what another ring of this kind holds, oldest first, as far as there is room.
    void take_over(count_ring const& old) noexcept
    {
        auto const n = old.outcomes_.size();
        for (std::size_t i = 0; i < n; ++i)
            if (circuit_tally const call = old.outcomes_[(old.next_ + i) % n]; call.calls != 0) add(call);
    }

    /// Takes over totals whose order is not known: the bad calls count as the oldest.
    void take_over(circuit_tally const& old) noexcept
    {
        auto const room = outcomes_.size();
        auto const scaled = [&](std::uint64_t part) { return old.calls <= room ? part : part * room / old.calls; };
        auto const n = std::min<std::uint64_t>(old.calls, room);
        for (std::uint64_t i = 0; i < n; ++i) add(one_call(i < scaled(old.failures), i < scaled(old.slow)));
    }

private:
    /// An outcome in a byte.
    struct entry {
        std::uint8_t bits = 0;
        entry() = default;
        explicit entry(circuit_tally const& c) noexcept
            : bits(static_cast<std::uint8_t>(c.calls | (c.failures << 1) | (c.slow << 2)))
        {
        }
        operator circuit_tally() const noexcept { return {bits & 1u, (bits >> 1) & 1u, (bits >> 2) & 1u}; }
    };

    [[nodiscard]] static entry success() noexcept { return entry(one_call(false, false)); }

    [[nodiscard]] static std::size_t checked(count_window w)
    {
        if (w.calls < 1 || w.calls > 1'000'000) bad_option("count_window.calls", "in [1, 1000000]", w.calls);
        return w.calls;
    }

    count_window options_;
    std::vector<entry> outcomes_;
    std::size_t next_ = 0;
    circuit_tally total_;
};

}  // namespace detail
}  // namespace weir
