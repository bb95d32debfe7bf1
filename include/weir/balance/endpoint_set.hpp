// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/balance/endpoint_snapshot.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/endpoint.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir {

/// The endpoints of one service, as last reported: written by a registry's watch (or by hand), read by balancers.
/// An update replaces the whole set at once. What is known of an endpoint stays with its id.
///
/// Throws:  constructor and update, std::invalid_argument naming the endpoint, when an id is empty or appears twice, a
///          host is empty or a port 0. Then nothing is taken over and the old set stays.
/// Threads: everything, from any thread. It stays where it is: balancers point to it.
/// Cost:    snapshot is one load and a count that no other thread touches, as long as the set does not change; after a
///          change, a short lock once per thread. update is O(n log n), outside that lock.
/// Memory:  a thread that has read the set keeps its last version until it reads a set again, or ends.
/// Seen in: examples/07_balance.cpp
class endpoint_set {
public:
    endpoint_set() : id_(++ids_), current_(std::make_shared<endpoint_snapshot const>()) {}
    explicit endpoint_set(std::vector<endpoint> endpoints) : endpoint_set() { update(std::move(endpoints)); }
    endpoint_set(endpoint_set const&) = delete;
    endpoint_set& operator=(endpoint_set const&) = delete;

    /// Replaces the set. An empty one is a set too: then there is nothing to pick. False when nothing has changed.
    bool update(std::vector<endpoint> endpoints);

    /// The set as it is now. Hold it to see one consistent version.
    [[nodiscard]] std::shared_ptr<endpoint_snapshot const> snapshot() const noexcept
    {
        auto& mine = cache_[id_ % readings];
        if (mine.set != id_ || mine.version != version_.load(std::memory_order_acquire)) read_into(mine);
        return mine.snapshot;
    }

    [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t size() const noexcept { return snapshot()->members().size(); }

private:
    /// What a thread has read last, behind a reference count of its own: calls on many threads share no counter.
    struct reading {
        std::uint64_t set;
        std::uint64_t version;
        std::shared_ptr<endpoint_snapshot const> snapshot;
    };

    static void check(std::vector<endpoint> const& endpoints);
    void read_into(reading& mine) const noexcept;

    static constexpr std::size_t readings = 8;
    static inline thread_local std::array<reading, readings> cache_{};
    static inline atomic<std::uint64_t> ids_{0};

    std::uint64_t const id_;  // not the address: another set may come to lie there
    atomic<std::uint64_t> version_{0};
    mutex writing_;
    mutable mutex reading_;
    std::shared_ptr<endpoint_snapshot const> current_;
};

inline void endpoint_set::read_into(reading& mine) const noexcept
{
    auto const current = [this] {
        std::scoped_lock const lock{reading_};
        return current_;
    }();
    mine = {id_, current->version(), current};
    try {
        using shared = std::shared_ptr<endpoint_snapshot const>;
        mine.snapshot = shared(std::make_shared<shared>(current), current.get());
    } catch (std::bad_alloc const&) {
        // The count is shared, then: slower, and just as right.
    }
}

inline void endpoint_set::check(std::vector<endpoint> const& endpoints)
{
    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        auto const& e = endpoints[i];
        auto const refuse = [&](std::string const& why) {
            throw std::invalid_argument("endpoint_set: endpoint " + std::to_string(i) + " (id \"" + e.id + "\") " +
                                        why);
        };
        if (e.id.empty()) refuse("has no id");
        if (e.host.empty()) refuse("has no host");
        if (e.port == 0) refuse("has port 0");
        if (auto const [first, fresh] = seen.emplace(e.id, i); !fresh)
            refuse("has the id of endpoint " + std::to_string(first->second));
    }
}

inline bool endpoint_set::update(std::vector<endpoint> endpoints)
{
    check(endpoints);
    std::scoped_lock const only_writer{writing_};
    auto old = snapshot();
    auto const& before = old->members();
    if (std::equal(before.begin(), before.end(), endpoints.begin(), endpoints.end(),
                   [](auto const& m, auto const& e) { return m.endpoint == e; }))
        return false;

    std::unordered_map<std::string_view, endpoint_snapshot::member const*> known;
    for (auto const& m : before) known.emplace(m.endpoint.id, &m);
    std::vector<endpoint_snapshot::member> members;
    members.reserve(endpoints.size());
    for (auto& e : endpoints) {
        auto const it = known.find(e.id);
        auto state = it != known.end() ? it->second->state : std::make_shared<endpoint_state>();
        members.push_back({std::move(e), std::move(state)});
    }
    auto next = std::make_shared<endpoint_snapshot const>(old->version() + 1, std::move(members));
    auto const version = next->version();
    {
        std::scoped_lock const lock{reading_};
        current_.swap(next);
    }
    version_.store(version, std::memory_order_release);
    return true;
}

}  // namespace weir
