// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/circuit_breaker.hpp>
#include <weir/breaker/keyed_breakers_options.hpp>
#include <weir/core/admission.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/outcome.hpp>
#include <weir/core/time.hpp>
#include <weir/core/tsc_clock.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir {

/// A circuit breaker for every key (endpoint, tenant, route), made when it is first asked for, and never more of them
/// than `capacity`:
///
///   weir::keyed_breakers<std::string> per_host{{.each = {.failure_rate = 0.5}, .capacity = 1'000}};
///   auto leave = per_host.admit(host, now);              // or of(host): one key as a gate for a pipeline
///
/// When it is full, a new key takes the place of one that is not needed: closed, with no call in flight and nobody who
/// holds its gate, and either equal to a new one or not asked for `idle_for`. A key that is open, half open, on the
/// ramp or set by hand stays, whatever comes. It looks at up to 64 of those that were not asked for longest. If none of
/// them can go, the call of the new key is let through without a breaker, and `unguarded()` counts it: too many sick
/// peers are no reason to refuse a well one.
///
/// Key:     text, or any value with std::hash and ==.
/// Refuses: as the key's circuit_breaker.
/// Throws:  constructor, reconfigure, for_each and on_transition; std::invalid_argument names the field. The rest does
///          not: out of memory, a new key is unguarded.
/// Threads: everything, from any thread. It must outlive its permits and gates, and is not moved.
/// Cost:    a look-up under a short lock, of one of 16 parts from a capacity of 1024 on. A gate looks up once: keep it
///          where the key is known for longer. A new key allocates.
/// Seen in: examples/31_keyed_breakers.cpp
template <class Key = std::string, clock Clock = tsc_clock>
class basic_keyed_breakers {
    struct entry;
    class pin;

public:
    using options = keyed_breakers_options;
    using breaker = basic_circuit_breaker<Clock>;
    using key_view = std::conditional_t<std::convertible_to<Key const&, std::string_view>, std::string_view, Key>;
    class permit;
    class gate;

    explicit basic_keyed_breakers(options o = {}, Clock c = {});
    basic_keyed_breakers(basic_keyed_breakers&&) = delete;

    [[nodiscard]] admission<permit> admit(key_view key, time_point now) noexcept;
    [[nodiscard]] admission<permit> admit(key_view key) noexcept { return admit(key, clock_.now()); }

    /// One key as a gate, which keeps its place while the gate lives.
    [[nodiscard]] gate of(key_view key, time_point now) noexcept { return gate(find_or_make(key, now)); }
    [[nodiscard]] gate of(key_view key) noexcept { return of(key, clock_.now()); }

    /// Calls f(key, breaker) for each, without locks; those that come and go meanwhile may be missed.
    template <std::invocable<Key const&, basic_circuit_breaker<Clock>&> F>
    void for_each(F&& f);

    /// For a key that will not come again, an endpoint that was deregistered. False: there is none, or it is in use.
    bool forget(key_view key) noexcept;

    /// The listener hears every transition of every key, as with a single breaker; of two keys, perhaps at once.
    void on_transition(std::function<void(Key const&, circuit_transition const&)> f);

    /// New limits for all keys; everything a breaker keeps when it is reconfigured stays. The capacity stays, too.
    void reconfigure(options o, time_point now);
    void reconfigure(options o) { reconfigure(std::move(o), clock_.now()); }

    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// Keys that gave their place to another.
    [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_.load(std::memory_order_relaxed); }
    /// Calls and gates that got no breaker, because there was no room.
    [[nodiscard]] std::uint64_t unguarded() const noexcept { return unguarded_.load(std::memory_order_relaxed); }

private:
    struct entry {
        entry(key_view k, options const& o, Clock const& c, time_point now) : key(k), guard(o.each, c), last_used(now)
        {
        }

        Key const key;
        breaker guard;
        atomic<std::uint32_t> pins{0};  // raised under the lock of its part only
        time_point last_used;           // under that lock
    };
    struct part {
        mutex lock;
        std::list<entry> entries;  // the longest unused first
        std::unordered_map<key_view, typename std::list<entry>::iterator> index;
        std::shared_ptr<options const> settings;  // for new ones
    };
    using listener = std::function<void(Key const&, circuit_transition const&)>;

    static options checked(options o)
    {
        detail::check(o);
        if (o.each.stripes == 0) o.each.stripes = 1;
        return o;
    }
    [[nodiscard]] std::size_t home(key_view key) const noexcept
    {
        auto const mixed = std::uint64_t{std::hash<key_view>{}(key)} * 0x9e3779b97f4a7c15u;
        return static_cast<std::size_t>(mixed >> 60) & (parts_.size() - 1);
    }
    [[nodiscard]] static std::shared_ptr<options const> settings_of(part& p) noexcept
    {
        std::scoped_lock const lock(p.lock);
        return p.settings;
    }
    [[nodiscard]] static std::vector<Key> keys_of(part& p);
    [[nodiscard]] static pin find(part& p, key_view key) noexcept;
    [[nodiscard]] pin find_or_make(key_view key, time_point now) noexcept;
    [[nodiscard]] bool take_room(std::size_t home, time_point now) noexcept;
    [[nodiscard]] std::list<entry> evict_one(part& p, std::size_t looks, time_point now) noexcept;
    void tell(Key const& key, circuit_transition const& t);

    std::vector<part> parts_;
    std::size_t const capacity_;
    std::string const name_;
    atomic<std::size_t> size_{0};  // never above the capacity: room is taken first
    atomic<std::uint64_t> evictions_{0};
    atomic<std::uint64_t> unguarded_{0};
    mutex listeners_lock_;
    std::shared_ptr<std::vector<listener> const> listeners_;  // replaced, never changed
    [[no_unique_address]] Clock clock_;
};

template <class Key = std::string>
using keyed_breakers = basic_keyed_breakers<Key>;

/// Keeps a key in its place.
template <class Key, clock Clock>
class basic_keyed_breakers<Key, Clock>::pin {
public:
    pin() = default;
    explicit pin(entry& e) noexcept : entry_(&e) { e.pins.fetch_add(1, std::memory_order_relaxed); }
    pin(pin&& o) noexcept : entry_(std::exchange(o.entry_, nullptr)) {}
    pin& operator=(pin&& o) noexcept
    {
        std::swap(entry_, o.entry_);
        return *this;
    }
    ~pin()
    {
        // Release pairs with the acquire of who drops the entry: our use of it is over.
        if (entry_ != nullptr) entry_->pins.fetch_sub(1, std::memory_order_release);
    }

    [[nodiscard]] entry* get() const noexcept { return entry_; }

private:
    entry* entry_ = nullptr;
};

/// Leave to make one call. Settle it with how the call ended.
template <class Key, clock Clock>
class [[nodiscard]] basic_keyed_breakers<Key, Clock>::permit {
public:
    permit(pin p, typename breaker::permit inner) noexcept : pin_(std::move(p)), inner_(std::move(inner)) {}
    permit(permit&&) = default;
    permit& operator=(permit&& o) noexcept
    {
        inner_ = std::move(o.inner_);  // gives back what it had while that is still pinned
        pin_ = std::move(o.pin_);
        return *this;
    }

    void record(outcome const& o, time_point now) noexcept { inner_.record(o, now); }
    void record(outcome const& o) noexcept { inner_.record(o); }

private:
    pin pin_;
    typename breaker::permit inner_;  // destroyed first
};

/// One key. Threads: any may use it.   Lifetimes: it outlives its permits.
template <class Key, clock Clock>
class basic_keyed_breakers<Key, Clock>::gate {
public:
    [[nodiscard]] admission<typename breaker::permit> admit(time_point now) noexcept
    {
        if (auto* const e = pin_.get()) return e->guard.admit(now);
        return typename breaker::permit(nullptr, 0u, 0u);
    }

    /// Null: there was no room for the key; everything passes.
    [[nodiscard]] breaker* guard() const noexcept { return pin_.get() != nullptr ? &pin_.get()->guard : nullptr; }

private:
    friend basic_keyed_breakers;
    explicit gate(pin p) noexcept : pin_(std::move(p)) {}

    pin pin_;
};

// Bodies

template <class Key, clock Clock>
basic_keyed_breakers<Key, Clock>::basic_keyed_breakers(options o, Clock c)
    : parts_((o = checked(std::move(o)), o.capacity < 1024 ? 1 : 16)),
      capacity_(o.capacity),
      name_(o.each.name),
      clock_(std::move(c))
{
    auto const settings = std::make_shared<options const>(std::move(o));
    for (auto& p : parts_) p.settings = settings;
}

template <class Key, clock Clock>
auto basic_keyed_breakers<Key, Clock>::admit(key_view key, time_point now) noexcept -> admission<permit>
{
    auto p = find_or_make(key, now);
    if (p.get() == nullptr) return permit(std::move(p), typename breaker::permit(nullptr, 0u, 0u));
    auto a = p.get()->guard.admit(now);
    if (!a) {
        auto r = a.refused();
        r.gate = name_;  // the breaker's own may go
        return r;
    }
    return permit(std::move(p), *std::move(a));
}

template <class Key, clock Clock>
auto basic_keyed_breakers<Key, Clock>::find_or_make(key_view key, time_point now) noexcept -> pin
{
    auto const at = home(key);
    auto& p = parts_[at];
    auto const asked = [&]() -> entry* {
        auto const it = p.index.find(key);
        if (it == p.index.end()) return nullptr;
        p.entries.splice(p.entries.end(), p.entries, it->second);
        it->second->last_used = std::max(it->second->last_used, now);
        return &*it->second;
    };
    {
        std::scoped_lock const lock(p.lock);
        if (auto* const e = asked()) return pin(*e);
    }
    if (take_room(at, now)) {
        try {
            for (;;) {
                auto const o = settings_of(p);
                std::list<entry> fresh;
                auto& e = fresh.emplace_back(key, *o, clock_, now);
                e.guard.on_transition([this, &e](circuit_transition const& t) { tell(e.key, t); });

                std::scoped_lock const lock(p.lock);
                if (auto* const other = asked()) {  // somebody was faster
                    size_.fetch_sub(1, std::memory_order_relaxed);
                    return pin(*other);
                }
                if (p.settings != o) continue;  // reconfigured meanwhile
                p.index.emplace(key_view(e.key), fresh.begin());
                p.entries.splice(p.entries.end(), fresh);
                return pin(e);
            }
        } catch (...) {
            size_.fetch_sub(1, std::memory_order_relaxed);  // out of memory
        }
    }
    unguarded_.fetch_add(1, std::memory_order_relaxed);
    return {};
}

/// Room for one more, by counting or by dropping another. No two parts are locked at once.
template <class Key, clock Clock>
bool basic_keyed_breakers<Key, Clock>::take_room(std::size_t home, time_point now) noexcept
{
    auto n = size_.load(std::memory_order_relaxed);
    while (n < capacity_)
        if (size_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
    constexpr std::size_t looks = 64;
    for (std::size_t i = 0; i < parts_.size(); ++i)
        if (!evict_one(parts_[(home + i) % parts_.size()], looks / parts_.size(), now).empty()) {
            evictions_.fetch_add(1, std::memory_order_relaxed);
            return true;
        }
    return false;
}

/// What is taken out is destroyed by the caller, without the lock.
template <class Key, clock Clock>
auto basic_keyed_breakers<Key, Clock>::evict_one(part& p, std::size_t looks, time_point now) noexcept
    -> std::list<entry>
{
    std::list<entry> out;
    std::scoped_lock const lock(p.lock);
    for (auto left = std::min(looks, p.entries.size()); left > 0; --left) {
        auto const it = p.entries.begin();
        bool const closed = it->guard.state(now) == circuit_state::closed && it->guard.share(now) == 1;
        bool const rests = it->guard.idle(now) || now >= later(it->last_used, p.settings->idle_for);
        if (closed && rests && it->pins.load(std::memory_order_acquire) == 0) {
            p.index.erase(key_view(it->key));
            out.splice(out.begin(), p.entries, it);
            break;
        }
        p.entries.splice(p.entries.end(), p.entries, it);  // the next look begins behind it
    }
    return out;
}

template <class Key, clock Clock>
template <std::invocable<Key const&, basic_circuit_breaker<Clock>&> F>
void basic_keyed_breakers<Key, Clock>::for_each(F&& f)
{
    for (auto& p : parts_)
        for (auto const& key : keys_of(p))
            if (auto const held = find(p, key); held.get() != nullptr) f(held.get()->key, held.get()->guard);
}

template <class Key, clock Clock>
auto basic_keyed_breakers<Key, Clock>::keys_of(part& p) -> std::vector<Key>
{
    std::vector<Key> keys;
    std::scoped_lock const lock(p.lock);
    keys.reserve(p.entries.size());
    for (auto const& e : p.entries) keys.push_back(e.key);
    return keys;
}

/// Without taking it for a call.
template <class Key, clock Clock>
auto basic_keyed_breakers<Key, Clock>::find(part& p, key_view key) noexcept -> pin
{
    std::scoped_lock const lock(p.lock);
    auto const it = p.index.find(key);
    return it != p.index.end() ? pin(*it->second) : pin();
}

template <class Key, clock Clock>
bool basic_keyed_breakers<Key, Clock>::forget(key_view key) noexcept
{
    auto& p = parts_[home(key)];
    std::list<entry> out;
    std::scoped_lock const lock(p.lock);
    auto const it = p.index.find(key);
    if (it == p.index.end() || it->second->pins.load(std::memory_order_acquire) != 0) return false;
    out.splice(out.begin(), p.entries, it->second);
    p.index.erase(it);
    size_.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

template <class Key, clock Clock>
void basic_keyed_breakers<Key, Clock>::on_transition(listener f)
{
    std::scoped_lock const lock(listeners_lock_);
    auto longer = listeners_ ? *listeners_ : std::vector<listener>();
    longer.push_back(std::move(f));
    listeners_ = std::make_shared<std::vector<listener> const>(std::move(longer));
}

template <class Key, clock Clock>
void basic_keyed_breakers<Key, Clock>::tell(Key const& key, circuit_transition const& t)
{
    auto const listeners = [&] {
        std::scoped_lock const lock(listeners_lock_);
        return listeners_;
    }();
    if (!listeners) return;
    for (auto const& f : *listeners) {
        try {
            f(key, t);
        } catch (...) {
            // A listener that throws harms neither the breaker nor the next listener.
        }
    }
}

template <class Key, clock Clock>
void basic_keyed_breakers<Key, Clock>::reconfigure(options o, time_point now)
{
    auto const next = std::make_shared<options const>(checked(std::move(o)));
    for (auto& p : parts_) {
        {
            std::scoped_lock const lock(p.lock);
            p.settings = next;
        }
        // Of two that reconfigure at once, whoever comes to a breaker last finds the settings that came last.
        for (auto const& key : keys_of(p))
            if (auto const held = find(p, key); held.get() != nullptr)
                for (std::shared_ptr<options const> used; used != settings_of(p);) {
                    used = settings_of(p);
                    held.get()->guard.reconfigure(used->each, now);
                }
    }
}

}  // namespace weir
