// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/splay_set.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace weir {

namespace asio = boost::asio;

/// All waits of weir in one execution context, behind one Asio timer. It is also the one place where weir's
/// asynchronous code gets the time, so a context whose queue runs on a virtual clock makes that code run in virtual
/// time, unchanged (testing/virtual_time.hpp).
///
/// Why not an Asio timer for each wait: arming and cancelling one costs more than everything else weir does around a
/// call. Here a wait is a node in a tree. While waits come and go, the Asio timer is armed for the earliest node but
/// looks again at least every `look_again`, so a deadline that is met costs two tree operations and no timer, and a
/// context that falls idle returns from `run()` within that time. When nothing has come or gone between two looks, it
/// sleeps until the earliest node. Waits end on time, not on a tick.
///
/// Threads: any member from any thread.   Cost: a short lock; no allocation.
class timer_queue : public asio::execution_context::service {
public:
    using key_type = timer_queue;
    static inline asio::execution_context::id id;

    static constexpr duration look_again = std::chrono::milliseconds(10);

    using tree_hook = boost::intrusive::bs_set_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;
    using group_hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    /// A wait. Its owner keeps it alive from `insert` until `remove` said true, or one of the hooks was called.
    /// A hook is called once, by whoever runs the queue, and must not block or throw: it posts.
    class node : public tree_hook, public group_hook {
    public:
        [[nodiscard]] time_point expiry() const noexcept { return expiry_; }

    protected:
        node() = default;
        node(node const&) = delete;
        node& operator=(node const&) = delete;
        ~node() = default;

    private:
        friend class timer_queue;
        virtual void expired() noexcept = 0;    ///< the time has come
        virtual void abandoned() noexcept = 0;  ///< the context is going down: let go, call nobody

        time_point expiry_{};
        bool queued_ = false;
        bool upkeep_ = false;
    };

    /// Waits that belong together. Guarded by the queue; empty before it is destroyed.
    using group = boost::intrusive::list<node, boost::intrusive::constant_time_size<false>>;

    explicit timer_queue(asio::execution_context& context) : service(context) {}
    ~timer_queue() { gone_.fetch_add(1, std::memory_order_release); }

    /// The queue of `executor`'s context.
    template <class Executor>
    [[nodiscard]] static timer_queue& of(Executor const& executor)
    {
        // Asio looks services up in a list under a lock. The last answer of this thread is good as long as no queue has
        // gone, for another context may come to lie at the same address.
        struct answer {
            asio::execution_context* context = nullptr;
            timer_queue* queue = nullptr;
            std::uint64_t gone = 0;
        };
        thread_local answer last;
        auto& context = asio::query(executor, asio::execution::context);
        auto const gone = gone_.load(std::memory_order_acquire);
        if (last.context != &context || last.gone != gone)
            last = {&context, &asio::use_service<timer_queue>(context), gone};
        return *last.queue;
    }

    [[nodiscard]] time_point now() const noexcept
    {
        return virtual_ ? time_point(duration(virtual_now_.load(std::memory_order_relaxed))) : tsc_clock::now();
    }

    /// Waits until `at`. `executor` belongs to this context: the first one, out of its strand, drives the queue's
    /// timer.
    /// Precondition: `n` is not waiting.
    template <class Executor>
    void insert(node& n, time_point at, Executor const& executor, group* members = nullptr)
    {
        std::lock_guard const lock(mutex_);
        if (members) members->push_back(n);
        put(n, at, executor);
    }

    /// For what nobody waits for: it ends like any other wait while there are others, but keeps no context running.
    /// Alone in the queue it is left where it is until something else waits, if its time has come or not.
    template <class Executor>
    void insert_upkeep(node& n, time_point at, Executor const& executor)
    {
        std::lock_guard const lock(mutex_);
        n.upkeep_ = true;
        ++upkeep_;
        put(n, at, executor);
    }

    /// True: `n` was waiting, and no hook will be called. False: a hook was or is being called.
    bool remove(node& n) noexcept
    {
        std::lock_guard const lock(mutex_);
        if (!n.queued_) return false;
        take(n);
        rest();
        return true;
    }

    /// Takes one wait of `members` out of the queue; null when none is left.
    [[nodiscard]] node* remove_one(group& members) noexcept
    {
        std::lock_guard const lock(mutex_);
        if (members.empty()) return nullptr;
        auto& n = members.front();
        take(n);
        rest();
        return &n;
    }

    /// Waits in the queue, without upkeep.
    [[nodiscard]] std::size_t size() const
    {
        std::lock_guard const lock(mutex_);
        return nodes_.size() - upkeep_;
    }

    /// Whether time in `executor`'s context is steady time, the same that every clock of weir tells. Without a look at
    /// the context, as long as none of the program has virtual time.
    template <class Executor>
    [[nodiscard]] static bool real_time(Executor const& executor)
    {
        return !any_virtual_.load(std::memory_order_relaxed) || !of(executor).virtual_;
    }

    /// From now on this context's time stands still at `start` until `advance` moves it.
    /// Precondition: nothing waits yet.
    void use_virtual_time(time_point start) noexcept
    {
        virtual_now_.store(start.time_since_epoch().count(), std::memory_order_relaxed);
        virtual_ = true;
        any_virtual_.store(true, std::memory_order_relaxed);
    }

    /// Virtual time only: the earliest wait's end, or `never`. Upkeep alone moves no time.
    [[nodiscard]] time_point next_expiry() const
    {
        std::lock_guard const lock(mutex_);
        return awaited() ? nodes_.begin()->expiry_ : never;
    }

    /// Virtual time only: moves the clock to `to` and ends the first wait due by then. False: nothing was due.
    bool advance(time_point to)
    {
        node* due = nullptr;
        {
            std::lock_guard const lock(mutex_);
            if (to > now()) virtual_now_.store(to.time_since_epoch().count(), std::memory_order_relaxed);
            if (!nodes_.empty() && nodes_.begin()->expiry_ <= to) take(*(due = &*nodes_.begin()));
        }
        if (due) due->expired();
        return due != nullptr;
    }

private:
    struct earlier {
        bool operator()(node const& a, node const& b) const noexcept { return a.expiry_ < b.expiry_; }
    };
    // A multiset keeps equal instants in order of arrival.
    using nodes = boost::intrusive::splay_multiset<node, boost::intrusive::compare<earlier>>;

    // Under the lock, all of these.

    // Whether there is more than upkeep.
    [[nodiscard]] bool awaited() const noexcept { return nodes_.size() != upkeep_; }

    template <class Executor>
    void put(node& n, time_point at, Executor const& executor)
    {
        n.expiry_ = at;
        n.queued_ = true;
        nodes_.insert(nodes_.end(), n);  // with equal limits the latest is the last: a hint that saves the search
        busy_ = true;
        if (virtual_ || (armed_ && armed_for_ <= at) || !awaited()) return;
        if (!timer_) timer_.emplace(outside_strand(executor));
        arm();
    }

    void take(node& n) noexcept
    {
        if (std::exchange(n.upkeep_, false)) --upkeep_;
        nodes_.erase(nodes_.iterator_to(n));
        static_cast<group_hook&>(n).unlink();
        n.queued_ = false;
        busy_ = true;
    }

    // The queue's own timer serves everybody: on the strand of one, his long handler would keep the others' timeouts
    // from happening. All are templates, because an overload that takes any_io_executor would have the compiler try to
    // convert each strand into one.
    template <class Executor>
    static asio::any_io_executor outside_strand(Executor const& executor)
    {
        return executor;
    }
    template <class Executor>
    static asio::any_io_executor outside_strand(asio::strand<Executor> const& strand)
    {
        return outside_strand(strand.get_inner_executor());
    }
    template <std::same_as<asio::any_io_executor> Executor>
    static asio::any_io_executor outside_strand(Executor const& executor)
    {
        using asio::strand;
        if (auto const* s = executor.template target<strand<asio::any_io_executor>>()) return outside_strand(*s);
        if (auto const* s = executor.template target<strand<asio::io_context::executor_type>>())
            return outside_strand(*s);
        if (auto const* s = executor.template target<strand<asio::thread_pool::executor_type>>())
            return outside_strand(*s);
        return executor;
    }

    // With a node queued. Re-arming cancels the wait before; its handler finds another epoch and
    // leaves.
    void arm()
    {
        armed_ = true;
        asleep_ = !std::exchange(busy_, false);
        armed_for_ = nodes_.begin()->expiry_;
        if (!asleep_) armed_for_ = std::min(armed_for_, later(tsc_clock::now(), look_again));
        timer_->expires_at(armed_for_);
        timer_->async_wait([this, epoch = ++epoch_](boost::system::error_code ec) {
            if (!ec) tick(epoch);
        });
    }

    // The last wait has gone while the Asio timer sleeps long: it must not keep `run()` from returning.
    void rest() noexcept
    {
        if (!asleep_ || awaited()) return;
        armed_ = asleep_ = false;
        ++epoch_;
        timer_->cancel();
    }

    void tick(std::uint64_t epoch)
    {
        auto const now = tsc_clock::now();
        std::unique_lock lock(mutex_);
        if (epoch != epoch_) return;
        while (!nodes_.empty() && nodes_.begin()->expiry_ <= now) {
            auto& due = *nodes_.begin();
            take(due);
            lock.unlock();
            due.expired();
            lock.lock();
            if (epoch != epoch_) return;  // an insertion meanwhile armed again, and that tick goes on from here
        }
        armed_ = false;
        if (awaited()) arm();
    }

    void shutdown() noexcept override
    {
        std::unique_lock lock(mutex_);
        ++epoch_;
        armed_ = true;  // nothing arms any more
        asleep_ = false;
        armed_for_ = time_point::min();
        timer_.reset();
        while (!nodes_.empty()) {
            auto& n = *nodes_.begin();
            take(n);
            lock.unlock();
            n.abandoned();
            lock.lock();
        }
    }

    static inline std::atomic<std::uint64_t> gone_{0};  // queues destroyed so far
    static inline std::atomic<bool> any_virtual_{false};

    mutable std::mutex mutex_;
    nodes nodes_;
    std::size_t upkeep_ = 0;  // of them
    std::optional<asio::steady_timer> timer_;
    time_point armed_for_{};
    std::uint64_t epoch_ = 0;
    bool armed_ = false;
    bool busy_ = false;    // a wait came or went since the Asio timer was armed
    bool asleep_ = false;  // armed for the earliest wait, however late that is
    bool virtual_ = false;
    std::atomic<duration::rep> virtual_now_{0};
};

/// The time in `executor`'s context: steady time, or virtual time under test.
template <class Executor>
[[nodiscard]] time_point now(Executor const& executor)
{
    return timer_queue::of(executor).now();
}

}  // namespace weir
