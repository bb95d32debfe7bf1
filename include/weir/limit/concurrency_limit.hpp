// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/detail/thread_bias.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace weir {

struct concurrency_limit_options {
    std::uint32_t limit = 25;                ///< calls in progress at once; 1 to 1'000'000'000
    std::uint32_t max_queue = 100;           ///< callers that may wait for a slot; 0: nobody waits
    std::string name = "concurrency_limit";  ///< the gate name in refusals; fixed at construction
};

class concurrency_limit;

/// One slot. Given back once: by record, with any outcome, or by the destructor.
/// Threads: one at a time. Lifetimes: the limit outlives it.
class [[nodiscard]] concurrency_slot {
public:
    concurrency_slot() = default;  ///< no slot

    concurrency_slot(concurrency_slot&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), since_(other.since_)
    {
    }
    concurrency_slot& operator=(concurrency_slot&& other) noexcept
    {
        if (this == &other) return *this;
        give_back(never);
        limit_ = std::exchange(other.limit_, nullptr);
        since_ = other.since_;
        return *this;
    }
    ~concurrency_slot() { give_back(never); }

    /// Whether there is a slot to give back.
    [[nodiscard]] explicit operator bool() const noexcept { return limit_ != nullptr; }

    void record(outcome const&, time_point now) noexcept { give_back(now); }

private:
    friend concurrency_limit;
    concurrency_slot(concurrency_limit& limit, time_point since) noexcept : limit_(&limit), since_(since) {}

    void give_back(time_point now) noexcept;  // `never`: the time is not known

    concurrency_limit* limit_ = nullptr;
    time_point since_ = never;  // `never`: not known
};

/// A place in the queue, to derive from. It stays where it is, alive, from enqueue until cancel has returned true or
/// `granted` has begun; from then on the limit does not touch it again, and `granted` may destroy it.
class concurrency_waiter {
public:
    concurrency_waiter() = default;
    concurrency_waiter(concurrency_waiter const&) = delete;
    concurrency_waiter& operator=(concurrency_waiter const&) = delete;

protected:
    ~concurrency_waiter() = default;

private:
    friend concurrency_limit;

    /// The slot is yours. Called without locks, on the thread that gave a slot back: hand it on (post, notify) rather
    /// than do the work here.
    virtual void granted(concurrency_slot slot) noexcept = 0;

    concurrency_waiter* next_ = nullptr;
    concurrency_waiter* previous_ = nullptr;
    bool queued_ = false;
};

/// Lets at most `limit` calls be in progress at once: exactly that many, with any number of threads. Those who choose
/// to wait stand in one bounded queue, oldest first, and nobody overtakes them: a slot that falls free goes straight to
/// the oldest waiter.
///
/// Refuses: errc::too_many_calls. When a slot falls free is not a matter of time: retry_at is an estimate, the smoothed
///          time a slot is held divided by the slots, times the callers ahead; `now` while nothing is known yet.
/// Throws:  constructor and reconfigure only, std::invalid_argument for limit.
/// Threads: everything, from any thread, except moving; move it only before first use.
/// Cost:    while a single thread uses it, some plain stores (core/detail/thread_bias.hpp); then one compare-exchange
///          to admit and one subtraction to settle. Settling takes a mutex while somebody waits. Never allocates: a
///          waiter brings its own place in the queue.
/// Seen in: examples/03_concurrency_limit.cpp
class concurrency_limit {
public:
    using options = concurrency_limit_options;
    using token = concurrency_slot;
    using waiter = concurrency_waiter;

    explicit concurrency_limit(options o = {});
    concurrency_limit(concurrency_limit&& other) noexcept;
    ~concurrency_limit() { assert(waiting() == 0 && "a concurrency_limit is destroyed while callers wait for it"); }

    /// A slot now, or a refusal; never waits.
    admission<token> admit(time_point now) noexcept;
    admission<token> try_acquire() noexcept { return admit(steady_clock::now()); }

    /// Blocks this thread for up to max_wait of real time, in the queue with everybody else.
    admission<token> acquire(duration max_wait);

    /// Takes a slot, or a place in the queue. An answer: the slot or the refusal. No answer: `w` is queued, and either
    /// `cancel(w)` takes it out again or `w.granted` is called exactly once, perhaps before enqueue returns.
    [[nodiscard]] std::optional<admission<token>> enqueue(waiter& w, time_point now) noexcept;

    /// Leaves the queue. False: the slot is already `w`'s; `granted` was called or is about to be, and the slot must be
    /// given back by its token. (One owner decides, under the mutex: a slot is never lost between the two.)
    [[nodiscard]] bool cancel(waiter& w) noexcept;

    /// A higher limit lets waiters in at once. A lower one takes effect as calls end; nothing is interrupted or
    /// blocked. A smaller queue sends nobody away who already waits.
    void reconfigure(options const& o);

    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight(word_.load(std::memory_order_relaxed)); }
    [[nodiscard]] std::uint32_t limit() const noexcept { return limit(word_.load(std::memory_order_relaxed)); }
    [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
    /// How long slots were held of late; zero while unknown.
    [[nodiscard]] duration hold_time() const noexcept { return duration{hold_.load(std::memory_order_relaxed)}; }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    friend concurrency_slot;

    // limit (31 bits) | somebody waits (1 bit) | in flight (32 bits). While the bit is set, admit refuses, so that a
    // slot is taken only under the mutex; and whoever gives one back takes the mutex afterwards, to see to the queue.
    static constexpr std::uint64_t queue_bit = std::uint64_t{1} << 32;
    static std::uint32_t in_flight(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
    static std::uint32_t limit(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 33); }
    static std::uint64_t checked(options const& o);

    static bool has_free(std::uint64_t word) noexcept
    {
        return (word & queue_bit) == 0 && in_flight(word) < limit(word);
    }
    [[nodiscard]] bool take(std::uint64_t& word) noexcept;
    [[nodiscard]] bool take_shared(std::uint64_t& word) noexcept;
    void release(time_point since, time_point now) noexcept;
    void release_shared(time_point now) noexcept;
    [[nodiscard]] waiter* pop_if_free() noexcept;
    void unlink(waiter& w) noexcept;
    [[nodiscard]] rejection refuse(time_point now) const noexcept;

    atomic<std::uint64_t> word_;
    atomic<std::int64_t> hold_{0};
    atomic<std::uint32_t> waiting_{0};  // written under the mutex
    std::uint32_t max_queue_;
    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
    mutex mutex_;
    // Of the word: all but its owner settle before they change it, except for the queue bit, which is taken away by
    // anybody: where it is set, the owner does not write. On another line than the word, as it is mostly read.
    detail::thread_bias bias_;
    std::string name_;
};

inline void concurrency_slot::give_back(time_point now) noexcept
{
    if (auto* const limit = std::exchange(limit_, nullptr)) limit->release(since_, now);
}

inline concurrency_limit::concurrency_limit(options o)
    : word_(checked(o)), max_queue_(o.max_queue), name_(std::move(o.name))
{
}

inline concurrency_limit::concurrency_limit(concurrency_limit&& other) noexcept
    : word_(other.word_.load()), max_queue_(other.max_queue_), name_(std::move(other.name_))
{
    assert(other.in_flight() == 0 && "a concurrency_limit is moved only before first use");
}

/// The word of an idle limit.
inline std::uint64_t concurrency_limit::checked(options const& o)
{
    if (o.limit == 0 || o.limit > 1'000'000'000)
        detail::bad_option("concurrency_limit_options.limit", "from 1 to 1000000000", o.limit);
    return std::uint64_t{o.limit} << 33;
}

/// One slot if there is a free one and nobody waits. `word` is what was seen last.
inline bool concurrency_limit::take(std::uint64_t& word) noexcept
{
    {
        detail::thread_bias::section const here{bias_};
        if (here.alone()) {
            word = word_.load(std::memory_order_relaxed);
            bool const free = has_free(word);
            if (free) [[likely]]
                word_.store(word + 1, std::memory_order_relaxed);
            return free;
        }
    }
    return take_shared(word);
}

inline bool concurrency_limit::take_shared(std::uint64_t& word) noexcept
{
    bias_.settle();
    word = word_.load(std::memory_order_relaxed);
    while (has_free(word))
        if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed))
            return true;
    return false;
}

inline admission<concurrency_slot> concurrency_limit::admit(time_point now) noexcept
{
    std::uint64_t word = 0;
    if (take(word)) [[likely]]
        return token{*this, now};
    return refuse(now);
}

inline rejection concurrency_limit::refuse(time_point now) const noexcept
{
    auto const turn = hold_time() / limit();
    auto const ahead = waiting() + 1;
    auto const wait = turn > duration::max() / ahead ? duration::max() : turn * ahead;
    return {errc::too_many_calls, later(now, wait), name_};
}

inline void concurrency_limit::release(time_point since, time_point now) noexcept
{
    if (since != never && now != never) {
        // Smoothed by 1/8 as TCP does its round trips (RFC 6298). A sample lost to a race is no harm.
        auto const held = std::max(between(since, now), duration::zero()).count();
        auto const old = hold_.load(std::memory_order_relaxed);
        hold_.store(old == 0 ? held : old + (held - old) / 8, std::memory_order_relaxed);
    }
    {
        detail::thread_bias::section const here{bias_};
        if (here.alone()) {
            auto const word = word_.load(std::memory_order_relaxed);
            if ((word & queue_bit) == 0) [[likely]]
                return word_.store(word - 1, std::memory_order_relaxed);
        }
    }
    release_shared(now);
}

inline void concurrency_limit::release_shared(time_point now) noexcept
{
    bias_.settle();
    auto const before = word_.fetch_sub(1, std::memory_order_acq_rel);
    if ((before & queue_bit) == 0) [[likely]]
        return;

    waiter* next = nullptr;
    {
        std::scoped_lock const lock{mutex_};
        next = pop_if_free();
    }
    if (next != nullptr) next->granted(token{*this, now});
}

/// The oldest waiter, out of the queue, with a slot taken for it; null when nobody waits, or nothing is free: another
/// gave it away in between, or the limit was lowered. Precondition: the mutex is held.
inline concurrency_waiter* concurrency_limit::pop_if_free() noexcept
{
    if (first_ == nullptr || in_flight() >= limit()) return nullptr;
    word_.fetch_add(1, std::memory_order_acq_rel);
    auto* const w = first_;
    unlink(*w);
    return w;
}

/// Precondition: the mutex is held.
inline void concurrency_limit::unlink(waiter& w) noexcept
{
    (w.previous_ != nullptr ? w.previous_->next_ : first_) = w.next_;
    (w.next_ != nullptr ? w.next_->previous_ : last_) = w.previous_;
    w.queued_ = false;
    waiting_.store(waiting() - 1, std::memory_order_relaxed);
    if (first_ == nullptr) word_.fetch_and(~queue_bit, std::memory_order_acq_rel);
}

inline std::optional<admission<concurrency_slot>> concurrency_limit::enqueue(waiter& w, time_point now) noexcept
{
    assert(!w.queued_);
    std::scoped_lock const lock{mutex_};
    for (;;) {
        std::uint64_t word = 0;
        if (take(word)) return token{*this, now};
        if (waiting() >= max_queue_) return refuse(now);
        if ((word & queue_bit) != 0) break;
        // The bit goes up only in a word that still has no free slot, so none can fall free unseen.
        if (word_.compare_exchange_strong(word, word | queue_bit, std::memory_order_acq_rel)) break;
    }
    w.next_ = nullptr;
    w.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &w;
    last_ = &w;
    w.queued_ = true;
    waiting_.store(waiting() + 1, std::memory_order_relaxed);
    return std::nullopt;
}

inline bool concurrency_limit::cancel(waiter& w) noexcept
{
    std::scoped_lock const lock{mutex_};
    if (!w.queued_) return false;
    unlink(w);
    return true;
}

inline void concurrency_limit::reconfigure(options const& o)
{
    auto const idle = checked(o);
    bias_.settle();
    waiter* granted = nullptr;
    {
        std::scoped_lock const lock{mutex_};
        max_queue_ = o.max_queue;
        auto word = word_.load(std::memory_order_relaxed);
        while (!word_.compare_exchange_weak(word, (word & (queue_bit | (queue_bit - 1))) | idle,
                                            std::memory_order_acq_rel, std::memory_order_relaxed)) {}
        for (auto* end = &granted; (*end = pop_if_free()) != nullptr; end = &(*end)->next_) {}
    }
    while (granted != nullptr) {
        auto* const next = granted->next_;
        granted->granted(token{*this, never});
        granted = next;
    }
}

inline admission<concurrency_slot> concurrency_limit::acquire(duration max_wait)
{
    struct sleeper final : waiter {
        std::mutex mutex;
        std::condition_variable woken;
        std::optional<token> slot;

        void granted(token t) noexcept override
        {
            std::scoped_lock const lock{mutex};  // while notifying: who sees the slot is gone
            slot.emplace(std::move(t));
            woken.notify_one();
        }
    };

    auto const now = steady_clock::now();
    if (max_wait <= duration::zero()) return admit(now);
    sleeper self;
    if (auto answer = enqueue(self, now)) return std::move(*answer);

    auto const until = later(now, max_wait);
    std::unique_lock lock{self.mutex};
    auto const has_slot = [&] { return self.slot.has_value(); };
    if (until == never) {
        self.woken.wait(lock, has_slot);
    } else if (!self.woken.wait_until(lock, until, has_slot)) {
        lock.unlock();
        if (cancel(self)) return refuse(until);
        lock.lock();
        self.woken.wait(lock, has_slot);  // it was ours already, and is on its way
    }
    return std::move(*self.slot);
}

}  // namespace weir
