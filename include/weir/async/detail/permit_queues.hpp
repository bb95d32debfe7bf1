// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/time.hpp>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace weir::detail {

/// Which limiter a reservation is of: its address, or an address and a key, where there is one for each key.
using limiter_identity = std::pair<void const*, std::uint64_t>;

/// The same among limiters of all types: one and what is wrapped around it may have one address.
struct limiter_name {
    void const* type;
    limiter_identity of;

    [[nodiscard]] bool operator==(limiter_name const&) const = default;
};

template <class Token>
class permit_queues;

/// Somebody who waits for permits that a limiter has reserved. Alive from `insert` until `leave` has said true, or a
/// hook was called.
template <class Token>
class permit_waiter : public boost::intrusive::list_base_hook<> {
public:
    permit_waiter() = default;
    permit_waiter(permit_waiter const&) = delete;
    permit_waiter& operator=(permit_waiter const&) = delete;

protected:
    ~permit_waiter() = default;

private:
    friend permit_queues<Token>;

    virtual void granted() noexcept = 0;    ///< its time has come, the permits are spent
    virtual void abandoned() noexcept = 0;  ///< the context is going down: let go, call nobody
    virtual void arm(timer_queue& timers, timer_queue::node& n, time_point at) const = 0;  ///< timers.insert

    void* queue_ = nullptr;  // null: does not wait
    std::uint64_t permits_ = 0;
    std::optional<Token> token_;  // when it waits no more
};

/// Those who wait for reservations of one type, in one execution context; a queue, and one wait in the timer queue, for
/// each limiter that somebody waits for. Touched only by those who wait.
///
/// A waiter does not own a reservation. A queue has two lists of one length, both in order of start: waiters, and the
/// reservations that the limiter granted to them. The k-th waiter is to have the k-th reservation. When the time of the
/// first comes, the first waiter leaves with it. When a waiter gives up, its place is filled: the next waiter behind
/// that needs no more permits than the place has moves up, then another moves up into the place it left, and so on,
/// until nobody behind fits. The reservation that is left over is cancelled.
///
/// Why this is never over. A send at S for n permits is one reservation of the limiter's, made for S and for n or more
/// permits, that nobody else has: reservations change hands, and none is made, enlarged or used twice. What the
/// limiter admitted bounds what is sent, as if those who gave up had been sent for. That holds whoever else reserves
/// from the same limiter, in between or at the same time, because theirs are not in our lists; and what is left over
/// goes back through the limiter's own exact undo, which refuses when anybody has reserved behind it. Then it stays
/// spent.
/// Why nobody is delayed. Both lists are sorted and a waiter only moves up.
///
/// Threads: any member from any thread.   Cost: a short lock. Arriving and leaving are O(1) while all ask for the same
/// number of permits, otherwise one walk along the queue.
template <class Token>
class permit_queues final : public asio::execution_context::service {
public:
    using key_type = permit_queues;
    static inline asio::execution_context::id id;
    using waiter = permit_waiter<Token>;

    // The timer queue is there first, so it is shut down after us.
    explicit permit_queues(asio::execution_context& context)
        : service(context), timers_(asio::use_service<timer_queue>(context))
    {
    }

    template <class Executor>
    [[nodiscard]] static permit_queues& of(Executor const& executor)
    {
        return asio::use_service<permit_queues>(asio::query(executor, asio::execution::context));
    }

    /// `w` waits for `token.start_at()`, which that limiter granted, or for an earlier reservation that
    /// another gives up. False: the context is going down, nothing was done.
    [[nodiscard]] bool insert(waiter& w, limiter_name const& limiter, std::uint64_t permits, Token&& token)
    {
        auto const start = token.start_at();
        std::scoped_lock const lock(mutex_);
        if (down_) return false;
        auto& q = queue_of(limiter);
        // Almost always the last: limiters hand out starts in order, unless they are jittered, or two threads overtake
        // each other between reserving and here.
        auto slot = q.slots.end();
        auto place = q.waiters.end();
        for (; slot != q.slots.begin() && start < std::prev(slot)->start; --slot) --place;
        q.mixed = !q.slots.empty() && (q.mixed || q.slots.front().permits != permits);
        q.slots.insert(slot, reservation{std::move(token), start, permits});
        q.waiters.insert(place, w);
        w.permits_ = permits;
        w.queue_ = &q;
        arm(q);
        return true;
    }

    /// `w` gives up. False: it was granted already, or abandoned.
    bool leave(waiter& w) noexcept
    {
        std::optional<Token> left_over;
        {
            std::scoped_lock const lock(mutex_);
            if (w.queue_ == nullptr) return false;
            auto& q = *static_cast<queue*>(std::exchange(w.queue_, nullptr));
            auto const slot = vacate(q, w);
            left_over.emplace(std::move(slot->token));
            q.slots.erase(slot);
            arm(q);
        }
        left_over->cancel();
        return true;
    }

private:
    struct reservation {
        Token token;
        time_point start;
        std::uint64_t permits;
    };
    using reservations = std::deque<reservation>;
    using waiters = boost::intrusive::list<waiter, boost::intrusive::constant_time_size<false>>;

    struct queue final : timer_queue::node {
        explicit queue(permit_queues& o) : owner(o) {}
        void expired() noexcept override { owner.wake(*this); }
        void abandoned() noexcept override {}  // nobody waits any more: we are shut down first

        permit_queues& owner;
        reservations slots;
        weir::detail::permit_queues<Token>::waiters waiters;
        limiter_name limiter;
        bool mixed = false;  // not all for the same number of permits
        bool armed = false;  // its wait is in the timer queue, or `expired` is on its way
    };
    struct hash {
        std::size_t operator()(limiter_name const& name) const noexcept
        {
            return std::hash<void const*>{}(name.of.first) + std::hash<std::uint64_t>{}(name.of.second);
        }
    };
    using queues = std::unordered_map<limiter_name, queue, hash>;

    // All below: under the lock.

    queue& queue_of(limiter_name const& limiter)
    {
        auto found = queues_.find(limiter);
        if (found == queues_.end()) {
            if (spare_) {
                spare_.key() = limiter;
                found = queues_.insert(std::move(spare_)).position;
            } else {
                found = queues_.try_emplace(limiter, *this).first;
            }
            found->second.limiter = limiter;
        }
        return found->second;
    }

    /// Takes `w` out and lets those behind it move up. The reservation left over, still in the list.
    static typename reservations::iterator vacate(queue& q, waiter& w) noexcept
    {
        auto place = q.waiters.begin();
        auto hole = q.slots.begin();
        if (!q.mixed) {  // everybody behind moves up by one, so the last reservation is left over
            q.waiters.erase(q.waiters.iterator_to(w));
            return std::prev(q.slots.end());
        }
        for (; &*place != &w; ++place) ++hole;
        auto behind = place = q.waiters.erase(place);
        for (auto slot = std::next(hole); slot != q.slots.end(); ++slot) {
            auto const candidate = behind++;
            if (candidate->permits_ > hole->permits) continue;
            q.waiters.splice(place, q.waiters, candidate);
            hole = slot;
            place = behind;
        }
        return hole;
    }

    /// After every change: the queue's wait ends with its first reservation, and an empty queue goes.
    void arm(queue& q)
    {
        if (!q.slots.empty() && q.armed && q.expiry() == q.slots.front().start) return;
        if (q.armed && !timers_.remove(q)) return;  // `expired` is on its way, and comes back here
        q.armed = !q.slots.empty();
        if (q.armed) return q.waiters.front().arm(timers_, q, q.slots.front().start);
        auto node = queues_.extract(q.limiter);
        if (!spare_) spare_ = std::move(node);  // one is kept, so that a lone waiter time and again allocates nothing
    }

    void wake(queue& q) noexcept
    {
        waiters due;
        time_point now;
        {
            std::scoped_lock const lock(mutex_);
            q.armed = false;
            now = timers_.now();
            while (!q.slots.empty() && q.slots.front().start <= now) {
                auto& w = q.waiters.front();
                q.waiters.pop_front();
                due.push_back(w);
                w.queue_ = nullptr;
                w.token_.emplace(std::move(q.slots.front().token));
                q.slots.pop_front();
            }
            arm(q);
        }
        while (!due.empty()) {
            auto& w = due.front();
            due.pop_front();
            w.token_->record(outcome::success(), now);
            w.granted();
        }
    }

    // The reservations go back before anybody's handler is destroyed, for it may own the limiter; the last one first,
    // for only then can all of them.
    void shutdown() noexcept override
    {
        waiters gone;
        {
            std::scoped_lock const lock(mutex_);
            down_ = true;
            for (auto next = queues_.begin(); next != queues_.end();) {
                auto& q = (next++)->second;
                for (; !q.slots.empty(); q.slots.pop_back()) {
                    auto& w = q.waiters.back();
                    q.waiters.pop_back();
                    gone.push_back(w);
                    w.queue_ = nullptr;
                    w.token_.emplace(std::move(q.slots.back().token));
                }
                arm(q);
            }
        }
        for (auto& w : gone) w.token_.reset();
        while (!gone.empty()) {
            auto& w = gone.front();
            gone.pop_front();
            w.abandoned();
        }
    }

    timer_queue& timers_;
    std::mutex mutex_;
    queues queues_;
    typename queues::node_type spare_;
    bool down_ = false;
};

}  // namespace weir::detail
