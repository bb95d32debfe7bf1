// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/bell.hpp>
#include <weir/registry/registration.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry {

/// Something that happened to a registration.
struct lease_event {
    enum class kind : std::uint8_t {
        registered,  ///< the registry has it
        lost,        ///< the registry forgot it, or heard no heartbeat for its TTL; it is being registered again
        restored,    ///< the registry has it again
        refused,     ///< the registry said no; it is being tried again
        updated,     ///< the registry has what `update` said
    };

    kind what = kind::registered;
    boost::system::error_code code{};
    std::string note{};  ///< what the registry said, for people
};

/// How a registration is doing: for metrics, logs and dashboards. Counters run from the start of the lease.
struct lease_status {
    bool registered = false;     ///< the registry has it, as far as is known here
    time_point last_beat{};      ///< when the registry last heard us
    std::uint64_t beats = 0;     ///< heartbeats that were heard
    std::uint64_t failures = 0;  ///< questions of any kind that failed
    std::uint64_t lost = 0;      ///< times the registry had lost it
};

namespace detail {

/// What a lease and the loop that keeps it share. Threads: any.
class lease_state {
public:
    using event_found = std::tuple<boost::system::error_code, lease_event>;
    using end_found = std::tuple<boost::system::error_code>;

    lease_state(asio::any_io_executor executor, registration r) : bell(std::move(executor)), what_(std::move(r)) {}
    lease_state(lease_state const&) = delete;
    virtual ~lease_state() = default;

    virtual void stop() = 0;    ///< no more heartbeats
    virtual void remove() = 0;  ///< no more heartbeats, and out of the registry
    virtual void set_state(health h) = 0;
    virtual void update(registration r) = 0;
    virtual void drain(duration d) = 0;  ///< critical now, and out of the registry after `d`
    /// Drops `self`, which is this and may be the last to hold it, where it is right to go.
    virtual void let_go(std::shared_ptr<lease_state> self) { self.reset(); }

    [[nodiscard]] registration what() const
    {
        std::lock_guard const lock(mutex_);
        return what_;
    }

    void describe(registration r)
    {
        std::lock_guard const lock(mutex_);
        what_ = std::move(r);
    }

    template <class Change>
    void update_status(Change change)
    {
        std::lock_guard const lock(mutex_);
        change(status_);
    }

    [[nodiscard]] lease_status status() const
    {
        std::lock_guard const lock(mutex_);
        return status_;
    }

    void tell(lease_event e)
    {
        {
            std::lock_guard const lock(mutex_);
            if (e.what == lease_event::kind::registered || e.what == lease_event::kind::restored)
                status_.registered = true;
            if (e.what == lease_event::kind::lost) status_.registered = false, ++status_.lost;
            if (events_.size() == 16) events_.pop_front();  // nobody reads them
            events_.push_back(std::move(e));
        }
        bell.ring();
    }

    void finish(boost::system::error_code ec)
    {
        {
            std::lock_guard const lock(mutex_);
            if (!finished_) finished_ = ec;
            status_.registered = false;
        }
        bell.ring();
    }

    // The lease is gone.
    static void release(std::shared_ptr<lease_state> s)
    {
        {
            std::lock_guard const lock(s->mutex_);
            s->released_ = true;
        }
        s->bell.ring();
        s->stop();
        auto& last = *s;
        last.let_go(std::move(s));
    }

    [[nodiscard]] std::optional<event_found> next_event()
    {
        std::lock_guard const lock(mutex_);
        if (released_) return event_found(asio::error::operation_aborted, lease_event{});
        if (!events_.empty()) {
            event_found found(boost::system::error_code(), std::move(events_.front()));
            events_.pop_front();
            return found;
        }
        if (finished_) return event_found(make_error_code(errc::stopped), lease_event{});
        return std::nullopt;
    }

    [[nodiscard]] std::optional<end_found> end() const
    {
        std::lock_guard const lock(mutex_);
        if (finished_) return end_found(*finished_);
        return std::nullopt;
    }

    detail::bell bell;

private:
    mutable std::mutex mutex_;
    std::deque<lease_event> events_;
    std::optional<boost::system::error_code> finished_;
    registration what_;
    lease_status status_;
    bool released_ = false;
};

}  // namespace detail

/// A registration that is being kept true: heartbeats are sent, and the registry is told again when it forgot, for as
/// long as this object lives. Destroying it only stops the heartbeats, and the registry notices when the TTL has
/// passed. To leave in good order: `async_drain`.
///
/// Threads:      any, but one `async_wait_event` at a time.
/// Cancellation: all types; a cancelled wait takes no event away, a cancelled `async_deregister` goes on by itself.
/// Seen in:      examples/10_discover.cpp
class lease {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;

    /// For registries.
    explicit lease(std::shared_ptr<detail::lease_state> state) : state_(std::move(state)) {}

    lease() = default;  ///< no lease: may only be assigned to and destroyed
    lease(lease&&) noexcept = default;
    lease& operator=(lease&& other) noexcept
    {
        auto old = std::exchange(state_, std::move(other.state_));
        if (old) detail::lease_state::release(std::move(old));
        return *this;
    }
    ~lease()
    {
        if (state_) detail::lease_state::release(std::move(state_));
    }

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    [[nodiscard]] executor_type get_executor() const noexcept { return state_->bell.get_executor(); }
    /// What is registered, or is to be.
    [[nodiscard]] registration what() const { return state_->what(); }

    /// Whether the registry has it, as far as is known here.
    [[nodiscard]] bool registered() const { return state_->status().registered; }

    [[nodiscard]] lease_status status() const { return state_->status(); }

    /// The state that heartbeats report, told at once. Starts as passing.
    void set_state(health h) { state_->set_state(h); }

    /// Says something else of the instance, told at once and until the registry has it: tags, meta, weights, address.
    /// Throws: std::invalid_argument, naming the field, for a registration that is none, or of another id or service.
    void update(registration r)
    {
        auto const now = what();
        if (r.id.empty()) r.id = now.id;
        r = checked(std::move(r));
        if (r.id != now.id) throw std::invalid_argument("weir: registration.id must stay in an update: " + now.id);
        if (r.service != now.service)
            throw std::invalid_argument("weir: registration.service must stay in an update: " + now.service);
        state_->update(std::move(r));
    }

    /// Leaves in good order: critical at once, so that callers turn away, and out of the registry after `wait`, which
    /// should be longer than the slowest caller takes to hear of it. Go on serving until it completes. Completes as
    /// async_deregister, and goes on by itself when it is cancelled or the lease is gone.
    /// Signature: void(boost::system::error_code).
    template <class Token = default_token>
    auto async_drain(duration wait, Token&& token = Token())
    {
        state_->drain(wait);
        return detail::async_listen<>(
            state_, [hold = state_](detail::lease_state& s) { return s.end(); }, std::forward<Token>(token));
    }

    /// The next event, oldest first; of more than 16 unread ones the oldest are dropped.
    /// Signature: void(boost::system::error_code, lease_event). errc::stopped: deregistered.
    template <class Token = default_token>
    auto async_wait_event(Token&& token = Token())
    {
        return detail::async_listen<lease_event>(
            state_, [](detail::lease_state& s) { return s.next_event(); }, std::forward<Token>(token));
    }

    /// Stops the heartbeats and takes the instance out of the registry; gives up after 2 s, and the TTL does it then.
    /// Signature: void(boost::system::error_code).
    template <class Token = default_token>
    auto async_deregister(Token&& token = Token())
    {
        state_->remove();
        // The wait holds the state, and so outlives the lease.
        return detail::async_listen<>(
            state_, [hold = state_](detail::lease_state& s) { return s.end(); }, std::forward<Token>(token));
    }

private:
    std::shared_ptr<detail::lease_state> state_;
};

}  // namespace weir::registry
