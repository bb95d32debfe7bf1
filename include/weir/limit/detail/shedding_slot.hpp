// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/adaptive_limit.hpp>
#include <weir/limit/limit_algorithm.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

/// What goes into a shedding queue and what comes out of it; limit/shedding_queue.hpp is the queue.
namespace weir {

template <limit_algorithm Algorithm>
struct shedding_queue_options {
    typename Algorithm::options concurrency{};           ///< calls in progress; fixed_limit: just a number
    std::uint32_t max_queue = 1000;                      ///< callers that may wait; 0: nobody waits
    duration interval = std::chrono::milliseconds{100};  ///< a queue that was never empty for so long is standing
    duration target = std::chrono::milliseconds{5};      ///< in a standing queue nobody waits longer; both at least 0
    double slack = 3;                                    ///< service times that must be left to start; in [0, 1000]
    std::string name = "shedding_queue";                 ///< the gate name in refusals; fixed at construction
};

/// What a caller brings along to wait.
struct shedding_ticket {
    time_point deadline = never;                ///< afterwards the answer is worth nothing
    criticality level = criticality::critical;  ///< the higher is served first, the lower is shed first
};

/// One slot of a shedding queue. Given back once: by record, with any outcome, or by the destructor.
/// Threads: one at a time. Lifetimes: the queue outlives it.
template <class Queue>
class [[nodiscard]] shedding_slot {
public:
    shedding_slot() = default;  ///< no slot
    shedding_slot(shedding_slot&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), since_(other.since_), in_flight_(other.in_flight_)
    {
    }
    shedding_slot& operator=(shedding_slot&& other) noexcept
    {
        if (this == &other) return *this;
        give_back();
        queue_ = std::exchange(other.queue_, nullptr);
        since_ = other.since_;
        in_flight_ = other.in_flight_;
        return *this;
    }
    ~shedding_slot() { give_back(); }

    /// Whether there is a slot to give back.
    [[nodiscard]] explicit operator bool() const noexcept { return queue_ != nullptr; }

    void record(outcome const& o, time_point now) noexcept
    {
        if (auto* const q = std::exchange(queue_, nullptr))
            q->release(detail::sample_of(o, since_, in_flight_, now), now);
    }

private:
    friend Queue;
    shedding_slot(Queue& from, time_point since, std::uint32_t in_flight) noexcept
        : queue_(&from), since_(since), in_flight_(in_flight)
    {
    }
    void give_back() noexcept
    {
        if (auto* const q = std::exchange(queue_, nullptr)) q->release(std::nullopt, never);
    }

    Queue* queue_ = nullptr;
    time_point since_ = never;
    std::uint32_t in_flight_ = 0;
};

/// A place in the queue, to derive from. It stays where it is, alive, from enqueue until cancel has returned true, or
/// `granted` or `shed` has begun; from then on the queue does not touch it again.
template <class Queue>
class shedding_waiter {
public:
    shedding_waiter() = default;
    shedding_waiter(shedding_waiter const&) = delete;
    shedding_waiter& operator=(shedding_waiter const&) = delete;

protected:
    ~shedding_waiter() = default;

private:
    friend Queue;

    // Called without locks, on the thread that gave a slot back or came: hand it on rather than do the work here.
    virtual void granted(shedding_slot<Queue> slot) noexcept = 0;
    virtual void shed(rejection why) noexcept = 0;

    shedding_waiter* next_ = nullptr;
    shedding_waiter* previous_ = nullptr;
    shedding_ticket ticket_;
    time_point since_{};
    std::uint32_t in_flight_ = 0;  // once granted
    errc why_{};                   // once shed
    bool queued_ = false;
};

}  // namespace weir
