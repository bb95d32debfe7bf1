// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/atomic.hpp>
#include <weir/core/time.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

enum class circuit_state : std::uint8_t {
    closed,       ///< healthy: everything passes and is counted
    open,         ///< refuses until its time is over
    half_open,    ///< lets a few probes through, to find out
    forced_open,  ///< refuses until told otherwise
    disabled,     ///< lets everything through and counts nothing
};

[[nodiscard]] constexpr std::string_view to_string(circuit_state s) noexcept
{
    switch (s) {
        case circuit_state::closed: return "closed";
        case circuit_state::open: return "open";
        case circuit_state::half_open: return "half_open";
        case circuit_state::forced_open: return "forced_open";
        case circuit_state::disabled: return "disabled";
    }
    return "unknown";
}

/// What a listener hears.
struct circuit_transition {
    std::string_view breaker;  ///< its name; valid as long as the breaker
    circuit_state from = circuit_state::closed;
    circuit_state to = circuit_state::closed;
    time_point at{};
    bool dry_run = false;  ///< it would have opened; it did not
};

namespace detail {

/// Carries transitions to listeners: in the order they happened, one at a time, with no lock held. Whoever delivers
/// takes along what others add meanwhile, listeners that call the breaker included, so there is no recursion and no
/// deadlock.
class transition_queue {
public:
    using listener = std::function<void(circuit_transition const&)>;

    void listen(listener f)
    {
        std::scoped_lock const lock(mutex_);
        auto longer = listeners_ ? std::make_shared<list>(*listeners_) : std::make_shared<list>();
        longer->push_back(std::move(f));
        listeners_ = std::move(longer);
    }

    /// Called under the breaker's lock, which gives the order.
    void push(circuit_transition const& t) noexcept
    {
        std::scoped_lock const lock(mutex_);
        if (!listeners_) return;
        try {
            waiting_.push_back(t);
        } catch (...) {
            // Out of memory: the transition has happened all the same; only the news of it is lost.
        }
    }

    /// Called with no lock held.
    void deliver() noexcept
    {
        std::unique_lock lock(mutex_);
        if (delivering_) return;
        delivering_ = true;
        while (!waiting_.empty()) {
            for (auto const& t : std::exchange(waiting_, {})) {
                auto const listeners = listeners_;
                lock.unlock();
                for (auto const& f : *listeners) {
                    try {
                        f(t);
                    } catch (...) {
                        // A listener that throws harms neither the breaker nor the next listener.
                    }
                }
                lock.lock();
            }
        }
        delivering_ = false;
    }

    /// For the breaker's move before first use.
    [[nodiscard]] auto take_listeners() noexcept { return std::exchange(listeners_, nullptr); }
    void set_listeners(auto listeners) noexcept { listeners_ = std::move(listeners); }

private:
    using list = std::vector<listener>;

    mutex mutex_;
    std::shared_ptr<list const> listeners_;  // replaced, never changed: a delivery in progress keeps its own
    std::vector<circuit_transition> waiting_;
    bool delivering_ = false;
};

}  // namespace detail
}  // namespace weir
