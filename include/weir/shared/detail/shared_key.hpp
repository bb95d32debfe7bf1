// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra.hpp>
#include <weir/shared/detail/lease_book.hpp>
#include <weir/shared/detail/lease_terms.hpp>
#include <weir/shared/detail/shared_core.hpp>
#include <weir/shared/detail/store_health.hpp>

#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace weir::detail {

/// Somebody who waits in async_acquire. Alive from `enqueue` until `leave` said true, or a hook was called.
class shared_waiter : public boost::intrusive::list_base_hook<> {
public:
    virtual void ended(std::error_code ec) noexcept = 0;
    virtual void abandoned() noexcept = 0;  ///< the context is going down: let go, call nobody

protected:
    shared_waiter() = default;
    ~shared_waiter() = default;

private:
    friend class shared_key;
    std::uint64_t permits_ = 0;
    time_point gives_up_{};    // does not wait for permits longer than this
    time_point decided_by_{};  // nor for an answer
    bool waits_ = false;
    std::error_code how_;
};

/// One key of a shared limit in one process: the book of its lease, those who wait, and the fallback. Whatever follows
/// from a decision, a question to the store or a handler to be called, is done after the lock.
/// Threads: all, from any.
class shared_key final : public std::enable_shared_from_this<shared_key>, timer_queue::node {
public:
    using terms_pointer = std::shared_ptr<lease_terms const>;

    struct verdict {
        bool admitted = false;
        errc why = errc::rate_limited;
        time_point at = never;
    };

    shared_key(std::shared_ptr<shared_core> core, std::string key, terms_pointer terms)
        : core_(std::move(core)),
          key_(std::move(key)),
          health_(*core_->health[core_->port->shard_of(key_)]),
          terms_(std::move(terms)),
          local_(terms_->local)
    {
    }

    [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return core_->executor; }
    [[nodiscard]] time_point now() const noexcept { return core_->now(); }

    /// From the lease, or not at all.
    [[nodiscard, gnu::always_inline]] bool take(std::uint64_t n, time_point now, lease_lots::place& from) noexcept
    {
        if (!book_.lots.take(n, now, from)) return false;
        if (book_.runs_low(now)) [[unlikely]]
            refill(now);
        return true;
    }
    bool put_back(std::uint64_t n, lease_lots::place const& to) noexcept { return book_.lots.put_back(n, to); }

    /// Where the lease is not enough. Asks the store, and does not wait for it.
    [[nodiscard]] verdict decide(std::uint64_t n, time_point now) noexcept;

    /// `w` waits; or the verdict.
    [[nodiscard]] std::optional<verdict> enqueue(shared_waiter& w, std::uint64_t n, duration max_wait, time_point now);
    /// `w` gives up. False: it was ended already.
    bool leave(shared_waiter& w) noexcept;
    [[nodiscard]] bool somebody_waits() const noexcept { return waiting_.load(std::memory_order_relaxed) != 0; }

    /// The store's answer to a question.
    void answered(std::uint64_t id, boost::system::error_code ec, permit_grant const& g) noexcept;

    void use(terms_pointer terms, time_point now) noexcept;
    void stop() noexcept;

    [[nodiscard]] std::uint64_t held(time_point now) const noexcept { return book_.lots.left(now); }
    [[nodiscard]] bool forgettable(time_point now) const noexcept;

private:
    using waiters = boost::intrusive::list<shared_waiter, boost::intrusive::constant_time_size<false>>;

    // What is to be done when the lock is free.
    struct actions {
        std::optional<lease_book::question> question;
        std::array<lease_lots::lot, 3> returns{};
        std::size_t return_count = 0;
        waiters done;
        terms_pointer terms;
    };

    void refill(time_point now) noexcept;
    void ask(time_point now, actions& todo) noexcept;
    [[nodiscard]] verdict without(std::uint64_t n, time_point now, store_health::view const& v) noexcept;
    void lose(bool late, time_point now, actions& todo) noexcept;
    void hand_out(permit_grant const& g, time_point now, actions& todo) noexcept;
    void send_away(time_point now, actions& todo) noexcept;
    void end(shared_waiter& w, std::error_code how, actions& todo) noexcept;
    void give_back(lease_lots::lot const& l, actions& todo) noexcept;
    void arm() noexcept;
    void act(actions& todo) noexcept;
    void tick() noexcept;
    void expired() noexcept override;
    void abandoned() noexcept override;

    // First, what every permit touches.
    alignas(64) lease_book book_;
    atomic<std::uint32_t> waiting_{0};

    std::shared_ptr<shared_core> const core_;
    std::string const key_;
    store_health& health_;
    mutable weir::mutex mutex_;
    terms_pointer terms_;
    gcra local_;
    std::uint64_t outage_ = 0;  // the one that local_ was emptied for
    waiters waiters_;
    std::uint64_t waited_for_ = 0;  // permits
    time_point decide_next_ = never;
    time_point armed_for_ = never;
    std::shared_ptr<shared_key> while_armed_;
};

}  // namespace weir::detail

#include <weir/shared/detail/shared_key_bodies.hpp>
