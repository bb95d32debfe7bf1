// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <mutex>
#include <utility>

namespace weir::detail {

/// Somebody who stands in line until a circuit lets him through. Alive while he stands there.
class circuit_waiter {
public:
    circuit_waiter() = default;
    circuit_waiter(circuit_waiter const&) = delete;
    circuit_waiter& operator=(circuit_waiter const&) = delete;

protected:
    ~circuit_waiter() = default;

private:
    friend class circuit_line;

    /// Ask the circuit again: called under the lock of the line, so have it done elsewhere.
    virtual void told() noexcept = 0;

    circuit_waiter* next_ = nullptr;
    circuit_waiter* previous_ = nullptr;
    bool in_line_ = false;
};

/// Those who wait for a circuit, first come first served. Only the first asks: when its time has come, and whenever
/// something has changed that may let it through. Each who gets through, or goes away, hands the asking on. So a change
/// is one question and one for each who gets through, however many wait.
/// Threads: `changed` and `changes` from any; the rest under `hold()`.
class circuit_line {
public:
    using guard = std::unique_lock<mutex>;

    ~circuit_line() { assert(first_ == nullptr && "a circuit breaker is destroyed while callers wait for it"); }

    [[nodiscard]] guard hold() noexcept { return guard(mutex_); }

    /// Whoever was refused and then finds another number here asks again: he may have missed something.
    [[nodiscard]] std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }

    void changed() noexcept
    {
        auto const held = hold();
        tell_first();
    }

    void tell_first() noexcept
    {
        changes_.fetch_add(1, std::memory_order_release);
        if (first_ != nullptr) first_->told();
    }

    [[nodiscard]] bool is_first(circuit_waiter const& w) const noexcept { return first_ == &w; }

    /// To the end of the line, or stays.
    void join(circuit_waiter& w) noexcept
    {
        if (std::exchange(w.in_line_, true)) return;
        w.next_ = nullptr;
        w.previous_ = std::exchange(last_, &w);
        (w.previous_ != nullptr ? w.previous_->next_ : first_) = &w;
    }

    /// Out of the line, if it is there. True: it was the first.
    bool leave(circuit_waiter& w) noexcept
    {
        if (!std::exchange(w.in_line_, false)) return false;
        (w.previous_ != nullptr ? w.previous_->next_ : first_) = w.next_;
        (w.next_ != nullptr ? w.next_->previous_ : last_) = w.previous_;
        return w.previous_ == nullptr;
    }

private:
    mutex mutex_;
    circuit_waiter* first_ = nullptr;
    circuit_waiter* last_ = nullptr;
    atomic<std::uint64_t> changes_{0};
};

}  // namespace weir::detail
