// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/time.hpp>
#include <weir/registry/instance.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::registry {

/// How far a snapshot can be trusted.
enum class origin : std::uint8_t {
    live,    ///< what the registry says now
    cached,  ///< read from a store at start; the registry has not answered yet
    stale,   ///< what the registry last said: it does not answer, or what it says now is being doubted
};

/// The instances of one query at one moment. Immutable once published: readers share it.
struct snapshot {
    using list = std::vector<instance>;

    std::uint64_t version = 0;  ///< counts what was published to this process, from 1
    std::string revision;       ///< the registry's own word for this state; opaque
    origin from = origin::live;
    time_point as_of{};                                                      ///< when the registry last said so
    std::shared_ptr<list const> instances = std::make_shared<list const>();  ///< sorted by id, never null
};

/// What turns one snapshot into another.
struct delta {
    std::vector<instance> added, changed;  ///< sorted by id
    std::vector<std::string> removed;      ///< ids, sorted

    [[nodiscard]] bool empty() const noexcept { return added.empty() && changed.empty() && removed.empty(); }
};

/// Why a consumer is told something.
enum class cause : std::uint8_t {
    first,    ///< the first set this consumer sees; the delta adds all of it
    change,   ///< the registry reported a change
    resync,   ///< all was read again after the connection to the registry, or its history, was lost
    guarded,  ///< the registry reports a loss too large to believe at once: the set stays and is stale, see watcher.hpp
    state,    ///< only the origin changed
};

/// What `watch::async_next` delivers: the newest snapshot, and how it differs from the one delivered before.
struct update {
    std::shared_ptr<snapshot const> now;
    delta diff;
    cause why = cause::first;
};

/// The difference between two lists, both sorted by id. Linear.
[[nodiscard]] delta difference(snapshot::list const& before, snapshot::list const& after);

/// What a balancer works with: the endpoints of the instances that serve. Feed it to `endpoint_set::update`. What has
/// no id, host or port is left out: a set refuses all for the sake of one such.
[[nodiscard]] std::vector<endpoint> to_endpoints(snapshot const& s);

/// How many instances serve.
[[nodiscard]] std::size_t count_serving(snapshot::list const& l) noexcept;

/// Sorts by id; of several instances with one id the first in the list stays.
void normalize(snapshot::list& l);

// Bodies

inline delta difference(snapshot::list const& before, snapshot::list const& after)
{
    delta d;
    auto old = before.begin();
    for (auto const& now : after) {
        for (; old != before.end() && old->id() < now.id(); ++old) d.removed.push_back(old->id());
        if (old == before.end() || old->id() != now.id())
            d.added.push_back(now);
        else if (!(*old++ == now))
            d.changed.push_back(now);
    }
    for (; old != before.end(); ++old) d.removed.push_back(old->id());
    return d;
}

inline std::vector<endpoint> to_endpoints(snapshot const& s)
{
    std::vector<endpoint> out;
    out.reserve(s.instances->size());
    for (auto const& i : *s.instances)
        if (i.serves() && !i.id().empty() && !i.address.host.empty() && i.address.port != 0) out.push_back(i.address);
    return out;
}

inline std::size_t count_serving(snapshot::list const& l) noexcept
{
    return static_cast<std::size_t>(std::count_if(l.begin(), l.end(), [](instance const& i) { return i.serves(); }));
}

inline void normalize(snapshot::list& l)
{
    for (auto& i : l) std::sort(i.tags.begin(), i.tags.end());
    // Most sessions keep their instances in order, and 10,000 are long to sort.
    auto const before = [](instance const& a, instance const& b) { return a.id() < b.id(); };
    if (std::adjacent_find(l.begin(), l.end(), [&](auto const& a, auto const& b) { return !before(a, b); }) == l.end())
        return;
    std::stable_sort(l.begin(), l.end(), before);
    auto const same = [](instance const& a, instance const& b) { return a.id() == b.id(); };
    l.erase(std::unique(l.begin(), l.end(), same), l.end());
}

}  // namespace weir::registry
