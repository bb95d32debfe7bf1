// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/shedding_slot.hpp>
#include <weir/limit/limit_algorithm.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace weir {

/// A concurrency limit whose queue does not die of an overload. A slot that falls free goes to the highest criticality
/// that waits; within one, first come first served while its queue empties now and then. When that has not been empty
/// for `interval` it stands: from then on the newest is served, and whoever has waited longer than `target` is shed.
/// And at any time a caller whose deadline leaves less than `slack` service times is shed rather than served in vain.
/// Dropping only what has expired is not enough: work would begin just before its deadline (measured: 4 % success, for
/// ever).
///
///   weir::shedding_queue<> queue{{.concurrency = {.limit = 10}}};
///   weir::shedding_queue<weir::littles_law> finds_its_number;
///   auto slot = co_await weir::async_acquire(queue, {.deadline = at, .level = weir::criticality::sheddable}, token);
///
/// A full queue makes room for a more critical newcomer, and for any while it stands, by shedding its lowest and
/// oldest.
///
/// Refuses: errc::too_many_calls, retry_at by the service time and the number ahead; errc::no_time_left: never.
/// Throws:  constructor and reconfigure only, std::invalid_argument for every field but the name.
/// Threads: everything, from any thread.   It cannot be moved.
/// Cost:    one mutex to admit, one to settle. Never allocates: a waiter brings its own place in the queue.
/// Source:  B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015 (CoDel with adaptive LIFO, 5 and 100 ms); K. Nichols,
///          V. Jacobson, "Controlling Queue Delay", 2012.
/// Seen in: examples/43_shedding_queue.cpp
template <limit_algorithm Algorithm = fixed_limit>
class shedding_queue {
public:
    using options = shedding_queue_options<Algorithm>;
    using token = shedding_slot<shedding_queue>;
    using waiter = shedding_waiter<shedding_queue>;
    using ticket = shedding_ticket;

    explicit shedding_queue(options const& o = {}) : algorithm_(o.concurrency), options_(checked(o)), name_(o.name) {}
    shedding_queue(shedding_queue const&) = delete;
    shedding_queue& operator=(shedding_queue const&) = delete;
    ~shedding_queue() { assert(waiting_ == 0 && "a shedding_queue is destroyed while callers wait for it"); }

    /// A slot now, or a refusal; never waits.
    admission<token> admit(time_point now) noexcept;

    /// Blocks this thread until the ticket's deadline, in real time.
    admission<token> acquire(ticket t = {});

    /// Takes a slot, or a place in the queue. An answer: the slot or the refusal. No answer: `w` is queued, and either
    /// `cancel(w)` takes it out again, or one of `w.granted` and `w.shed` is called, once, perhaps before enqueue
    /// returns.
    [[nodiscard]] std::optional<admission<token>> enqueue(waiter& w, ticket t, time_point now) noexcept;

    /// The answer of `enqueue` where it needs no place in the queue; nothing where it does.
    [[nodiscard]] std::optional<admission<token>> at_once(ticket t, time_point now) noexcept
    {
        std::scoped_lock const lock{mutex_};
        return decide(t, now);
    }

    /// Leaves the queue. False: `granted` or `shed` was called or is about to be.
    [[nodiscard]] bool cancel(waiter& w) noexcept;

    /// Keeps the queue, the calls in progress and what was learnt. A smaller queue sends nobody away who already waits.
    void reconfigure(options const& o);

    [[nodiscard]] std::uint32_t limit() const
    {
        return locked([&] { return algorithm_.limit(); });
    }
    [[nodiscard]] std::uint32_t in_flight() const
    {
        return locked([&] { return in_flight_; });
    }
    [[nodiscard]] std::uint32_t waiting() const
    {
        return locked([&] { return waiting_; });
    }
    /// How long slots are held of late; zero while unknown.
    [[nodiscard]] duration service_time() const
    {
        return locked([&] { return service_; });
    }
    /// Whether the queue of that criticality has not been empty for `interval`.
    [[nodiscard]] bool standing(criticality level, time_point now) const
    {
        return locked([&] { return stands(lanes_[static_cast<std::size_t>(level)], now); });
    }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }

private:
    friend token;

    struct lane {
        waiter* oldest = nullptr;
        waiter* newest = nullptr;
        time_point since{};  // when it was empty last
    };
    /// Those who leave the queue, in order, to be told when the mutex is free.
    struct leaving {
        waiter* first = nullptr;
        waiter** end = &first;
        void add(waiter* w) noexcept { *end = w, end = &w->next_, w->next_ = nullptr; }
    };

    static options checked(options o);
    template <class F>
    auto locked(F f) const
    {
        std::scoped_lock const lock{mutex_};
        return f();
    }

    // All below: the mutex is held, except `tell` and `release`.
    [[nodiscard]] bool stands(lane const& l, time_point now) const noexcept
    {
        return l.oldest != nullptr && between(l.since, now) >= options_.interval;
    }
    [[nodiscard]] bool hopeless(time_point deadline, time_point now) const noexcept
    {
        if (deadline == never) return false;
        auto const needed = options_.slack * static_cast<double>(service_.count());
        return now >= deadline || static_cast<double>(between(now, deadline).count()) < needed;
    }
    [[nodiscard]] rejection refuse(errc why, time_point now) const noexcept;
    [[nodiscard]] token take(time_point now) noexcept { return token{*this, now, ++in_flight_}; }
    [[nodiscard]] std::optional<admission<token>> decide(ticket t, time_point now) noexcept;
    [[nodiscard]] bool make_room(criticality level, time_point now, leaving& out) noexcept;
    void hand_out(time_point now, leaving& out) noexcept;
    void unlink(waiter& w) noexcept;
    void shed(waiter& w, errc why, leaving& out) noexcept;
    void release(std::optional<limit_sample> sample, time_point now) noexcept;
    void tell(leaving const& out, time_point now) noexcept;

    mutable mutex mutex_;
    Algorithm algorithm_;
    options options_;
    std::string const name_;
    std::array<lane, 4> lanes_{};  // by criticality
    std::uint32_t in_flight_ = 0;
    std::uint32_t waiting_ = 0;
    duration service_{};
    time_point latest_ = time_point::min();  // stands in where a slot is given back without a time
};

// Bodies

template <limit_algorithm Algorithm>
auto shedding_queue<Algorithm>::checked(options o) -> options
{
    if (o.interval < duration::zero())
        detail::bad_option("shedding_queue_options.interval", "at least 0 ms", o.interval);
    if (o.target < duration::zero()) detail::bad_option("shedding_queue_options.target", "at least 0 ms", o.target);
    if (!(o.slack >= 0 && o.slack <= 1000)) detail::bad_option("shedding_queue_options.slack", "in [0, 1000]", o.slack);
    if (o.max_queue > 1'000'000'000)
        detail::bad_option("shedding_queue_options.max_queue", "at most 1000000000", o.max_queue);
    return o;
}

template <limit_algorithm Algorithm>
rejection shedding_queue<Algorithm>::refuse(errc why, time_point now) const noexcept
{
    if (why == errc::no_time_left) return {why, never, name_};
    auto const turn = service_ / algorithm_.limit();
    auto const ahead = waiting_ + 1;
    return {why, later(now, turn > duration::max() / ahead ? duration::max() : turn * ahead), name_};
}

template <limit_algorithm Algorithm>
auto shedding_queue<Algorithm>::admit(time_point now) noexcept -> admission<token>
{
    std::scoped_lock const lock{mutex_};
    latest_ = std::max(latest_, now);
    if (waiting_ == 0 && in_flight_ < algorithm_.limit()) return take(now);
    return refuse(errc::too_many_calls, now);
}

template <limit_algorithm Algorithm>
auto shedding_queue<Algorithm>::decide(ticket t, time_point now) noexcept -> std::optional<admission<token>>
{
    latest_ = std::max(latest_, now);
    if (hopeless(t.deadline, now)) return refuse(errc::no_time_left, now);
    if (waiting_ == 0 && in_flight_ < algorithm_.limit()) return take(now);
    return std::nullopt;
}

template <limit_algorithm Algorithm>
auto shedding_queue<Algorithm>::enqueue(waiter& w, ticket t, time_point now) noexcept -> std::optional<admission<token>>
{
    leaving out;
    {
        std::scoped_lock const lock{mutex_};
        assert(!w.queued_);
        if (auto answer = decide(t, now)) return answer;
        if (waiting_ >= options_.max_queue && !make_room(t.level, now, out)) return refuse(errc::too_many_calls, now);
        auto& l = lanes_[static_cast<std::size_t>(t.level)];
        w.next_ = nullptr;
        w.previous_ = l.newest;
        if (l.oldest == nullptr) l.since = now;
        (l.newest != nullptr ? l.newest->next_ : l.oldest) = &w;
        l.newest = &w;
        w.ticket_ = t;
        w.since_ = now;
        w.queued_ = true;
        ++waiting_;
    }
    tell(out, now);
    return std::nullopt;
}

/// One place less taken, by the lowest criticality's oldest; false when the newcomer is the one to go.
template <limit_algorithm Algorithm>
bool shedding_queue<Algorithm>::make_room(criticality level, time_point now, leaving& out) noexcept
{
    for (auto i = lanes_.size(); i-- > static_cast<std::size_t>(level);) {
        if (lanes_[i].oldest == nullptr) continue;
        if (i == static_cast<std::size_t>(level) && !stands(lanes_[i], now)) return false;
        shed(*lanes_[i].oldest, errc::too_many_calls, out);
        return true;
    }
    return false;
}

template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::unlink(waiter& w) noexcept
{
    auto& l = lanes_[static_cast<std::size_t>(w.ticket_.level)];
    (w.previous_ != nullptr ? w.previous_->next_ : l.oldest) = w.next_;
    (w.next_ != nullptr ? w.next_->previous_ : l.newest) = w.previous_;
    w.queued_ = false;
    --waiting_;
}

template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::shed(waiter& w, errc why, leaving& out) noexcept
{
    unlink(w);
    w.why_ = why;
    w.in_flight_ = 0;
    out.add(&w);
}

/// Slots to those who wait, as far as there are any; then, out with those who have waited too long.
template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::hand_out(time_point now, leaving& out) noexcept
{
    std::array<bool, 4> standing{};
    for (std::size_t i = 0; i < lanes_.size(); ++i) standing[i] = stands(lanes_[i], now);
    for (std::size_t i = 0; i < lanes_.size(); ++i)
        for (auto& l = lanes_[i]; l.oldest != nullptr && in_flight_ < algorithm_.limit();) {
            auto& w = standing[i] ? *l.newest : *l.oldest;
            if (hopeless(w.ticket_.deadline, now)) {
                shed(w, errc::no_time_left, out);
                continue;
            }
            unlink(w);
            w.in_flight_ = ++in_flight_;
            out.add(&w);
        }
    // After the slots: the last one there is served, however long he has waited, before the service falls idle.
    for (std::size_t i = 0; i < lanes_.size(); ++i)
        for (auto& l = lanes_[i];
             standing[i] && l.oldest != nullptr && between(l.oldest->since_, now) > options_.target;)
            shed(*l.oldest, errc::too_many_calls, out);
}

template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::release(std::optional<limit_sample> sample, time_point now) noexcept
{
    leaving out;
    {
        std::scoped_lock const lock{mutex_};
        latest_ = now == never ? latest_ : std::max(latest_, now);
        now = latest_;
        --in_flight_;
        if (sample) {
            // Smoothed by 1/8 as TCP does its round trips (RFC 6298).
            auto const held = sample->latency;
            if (!sample->dropped) service_ = service_ == duration::zero() ? held : service_ + (held - service_) / 8;
            algorithm_.update(*sample);
        }
        hand_out(now, out);
    }
    tell(out, now);
}

template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::tell(leaving const& out, time_point now) noexcept
{
    if (out.first == nullptr) return;
    auto const full = locked([&] { return refuse(errc::too_many_calls, now); });
    for (auto* w = out.first; w != nullptr;) {
        auto* const next = w->next_;  // before: he may be gone afterwards
        if (w->in_flight_ != 0)
            w->granted(token{*this, now, w->in_flight_});
        else
            w->shed(w->why_ == errc::no_time_left ? rejection{w->why_, never, name_} : full);
        w = next;
    }
}

template <limit_algorithm Algorithm>
bool shedding_queue<Algorithm>::cancel(waiter& w) noexcept
{
    std::scoped_lock const lock{mutex_};
    if (!w.queued_) return false;
    unlink(w);
    return true;
}

template <limit_algorithm Algorithm>
void shedding_queue<Algorithm>::reconfigure(options const& o)
{
    leaving out;
    time_point now;
    {
        auto fresh = checked(o);
        std::scoped_lock const lock{mutex_};
        algorithm_.reconfigure(o.concurrency);
        options_ = std::move(fresh);
        now = latest_;
        hand_out(now, out);
    }
    tell(out, now);
}

template <limit_algorithm Algorithm>
auto shedding_queue<Algorithm>::acquire(ticket t) -> admission<token>
{
    struct sleeper final : waiter {
        std::mutex mutex;
        std::condition_variable woken;
        std::optional<admission<token>> answer;

        void end(admission<token> a) noexcept
        {
            std::scoped_lock const lock{mutex};  // while notifying: who sees the answer is gone
            answer.emplace(std::move(a));
            woken.notify_one();
        }
        void granted(token slot) noexcept override { end(std::move(slot)); }
        void shed(rejection why) noexcept override { end(why); }
    };

    sleeper self;
    if (auto answer = enqueue(self, t, steady_clock::now())) return std::move(*answer);
    std::unique_lock lock{self.mutex};
    auto const told = [&] { return self.answer.has_value(); };
    if (t.deadline == never) {
        self.woken.wait(lock, told);
    } else if (!self.woken.wait_until(lock, t.deadline, told)) {
        lock.unlock();
        if (cancel(self)) return rejection{errc::no_time_left, never, name_};
        lock.lock();
        self.woken.wait(lock, told);  // it is on its way
    }
    return std::move(*self.answer);
}

}  // namespace weir
