// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>

#include <boost/intrusive/list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

struct pool_limits {
    std::size_t idle_per_endpoint = 64;  ///< kept for later use, for one endpoint; 0: none
    std::size_t idle = 1024;             ///< kept for later use, in all; 0: none
    std::size_t used_per_endpoint = 0;   ///< in use at one time, for one endpoint; 0: no limit
    duration idle_timeout = std::chrono::seconds(4);  ///< idle for this long or longer: not used again
};

/// Base of what a pool keeps: its place in the pool's lists, so that keeping it allocates nothing.
class pooled {
public:
    [[nodiscard]] time_point idle_since() const noexcept { return idle_since_; }

private:
    template <std::derived_from<pooled> T>
    friend class pool;
    friend class pool_slot;

    using hook = boost::intrusive::list_member_hook<>;
    hook by_age_, by_endpoint_;
    class pool_slot* slot_ = nullptr;
    time_point idle_since_{};
};

/// One endpoint's share of a pool. Lives while something of it is in use or idle.
class pool_slot {
public:
    pool_slot(std::string_view host, std::uint16_t port) : host_(host), port_(port) {}

    [[nodiscard]] std::string const& host() const noexcept { return host_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }

private:
    template <std::derived_from<pooled> T>
    friend class pool;

    std::string host_;
    std::uint16_t port_;
    std::size_t in_use_ = 0;
    boost::intrusive::list<pooled, boost::intrusive::member_hook<pooled, pooled::hook, &pooled::by_endpoint_>> idle_;
};

/// Idle connections by endpoint: the one used last is used first, so that the rest grow old and go. Decides only: it
/// does no I/O and reads no clock.
///
/// Threads: one at a time.   Cost: one look-up in a map a use; no allocation while an endpoint is in steady use.
template <std::derived_from<pooled> T>
class pool {
public:
    using slot = pool_slot;

    explicit pool(pool_limits limits) : limits_(limits) {}
    pool(pool const&) = delete;
    pool& operator=(pool const&) = delete;
    ~pool() { clear(); }

    /// Begins a use of that endpoint; null when its limit is reached. Every slot it gives is followed by one `leave`.
    [[nodiscard]] slot* enter(std::string_view host, std::uint16_t port);
    void leave(slot& s) noexcept;

    /// The youngest idle one of this endpoint, or null.
    [[nodiscard]] std::unique_ptr<T> take(slot& s, time_point now) noexcept;

    /// Keeps `t` for later. The oldest make room for it.
    void put(slot& s, std::unique_ptr<T> t, time_point now) noexcept;

    /// Destroys what is idle for one endpoint, or for all.
    void drop(slot& s) noexcept;
    void clear() noexcept;

    /// Destroys what has been idle for too long, as `take` and `put` do, too.
    void expire(time_point now) noexcept;

    /// When the oldest will have been idle for too long; `never` when there is none.
    [[nodiscard]] time_point next_expiry() const noexcept
    {
        return by_age_.empty() ? never : later(by_age_.front().idle_since_, limits_.idle_timeout);
    }

    [[nodiscard]] std::size_t idle() const noexcept { return by_age_.size(); }
    [[nodiscard]] std::size_t endpoints() const noexcept { return slots_.size(); }

private:
    using key = std::pair<std::string_view, std::uint16_t>;

    std::unique_ptr<T> remove(pooled& p) noexcept;
    void destroy(pooled& p) noexcept;
    void forget_if_unused(slot& s) noexcept;

    pool_limits limits_;
    std::map<key, std::unique_ptr<slot>> slots_;  // a key views its slot's host
    boost::intrusive::list<pooled, boost::intrusive::member_hook<pooled, pooled::hook, &pooled::by_age_>> by_age_;
};

// Bodies

template <std::derived_from<pooled> T>
pool_slot* pool<T>::enter(std::string_view host, std::uint16_t port)
{
    auto i = slots_.find(key(host, port));
    if (i == slots_.end()) {
        auto s = std::make_unique<slot>(host, port);
        i = slots_.try_emplace(key(s->host(), port), std::move(s)).first;
    }
    auto& s = *i->second;
    if (limits_.used_per_endpoint != 0 && s.in_use_ >= limits_.used_per_endpoint) return nullptr;
    ++s.in_use_;
    return &s;
}

template <std::derived_from<pooled> T>
void pool<T>::leave(slot& s) noexcept
{
    --s.in_use_;
    forget_if_unused(s);
}

template <std::derived_from<pooled> T>
std::unique_ptr<T> pool<T>::take(slot& s, time_point now) noexcept
{
    expire(now);
    return s.idle_.empty() ? nullptr : remove(s.idle_.back());
}

template <std::derived_from<pooled> T>
void pool<T>::put(slot& s, std::unique_ptr<T> t, time_point now) noexcept
{
    expire(now);
    if (limits_.idle == 0 || limits_.idle_per_endpoint == 0) return;
    if (s.idle_.size() >= limits_.idle_per_endpoint) destroy(s.idle_.front());
    if (by_age_.size() >= limits_.idle) destroy(by_age_.front());
    pooled& p = *t.release();
    p.slot_ = &s;
    p.idle_since_ = now;
    s.idle_.push_back(p);
    by_age_.push_back(p);
}

template <std::derived_from<pooled> T>
void pool<T>::drop(slot& s) noexcept
{
    // The last one may take an unused slot with it.
    for (auto left = s.idle_.size(); left != 0; --left) destroy(s.idle_.front());
}

template <std::derived_from<pooled> T>
void pool<T>::clear() noexcept
{
    while (!by_age_.empty()) destroy(by_age_.front());
}

template <std::derived_from<pooled> T>
void pool<T>::expire(time_point now) noexcept
{
    while (!by_age_.empty() && later(by_age_.front().idle_since_, limits_.idle_timeout) <= now)
        destroy(by_age_.front());
}

template <std::derived_from<pooled> T>
std::unique_ptr<T> pool<T>::remove(pooled& p) noexcept
{
    by_age_.erase(by_age_.iterator_to(p));
    p.slot_->idle_.erase(p.slot_->idle_.iterator_to(p));
    return std::unique_ptr<T>(static_cast<T*>(&p));
}

template <std::derived_from<pooled> T>
void pool<T>::destroy(pooled& p) noexcept
{
    auto& s = *p.slot_;
    remove(p);
    forget_if_unused(s);
}

template <std::derived_from<pooled> T>
void pool<T>::forget_if_unused(slot& s) noexcept
{
    if (s.in_use_ == 0 && s.idle_.empty()) slots_.erase(key(s.host(), s.port()));
}

}  // namespace weir::http
