// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/etcd_document.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace weir::registry::detail {

inline constexpr std::size_t etcd_max_keys = 100'000;

/// The keys under a prefix as they are now: what a read found, and what a watch from there on has told since. Each
/// value is read once, when it comes.
template <class Entry>
class etcd_table {
public:
    using reader = std::function<Entry(etcd_pair&&)>;

    enum class news : std::uint8_t {
        none,     ///< the watch is alive
        changed,  ///< there is something else to tell
        lost,     ///< what is between here and the watch cannot be known: read all again
        ended,    ///< the frame's error has ended the watch
    };

    explicit etcd_table(reader read) : read_(std::move(read)) {}

    /// Everything, from the beginning. False when it is too much.
    [[nodiscard]] bool load(etcd_range all);

    [[nodiscard]] news apply(etcd_frame frame);

    [[nodiscard]] std::map<std::string, Entry> const& entries() const noexcept { return entries_; }

    /// Everything up to here is in. A watch goes on with the next.
    [[nodiscard]] std::uint64_t revision() const noexcept { return revision_; }

private:
    reader read_;
    std::map<std::string, Entry> entries_;
    std::uint64_t cluster_ = 0, revision_ = 0;
};

// Bodies

template <class Entry>
bool etcd_table<Entry>::load(etcd_range all)
{
    entries_.clear();
    cluster_ = all.cluster;
    revision_ = all.revision;
    if (all.pairs.size() > etcd_max_keys) return false;
    for (auto& p : all.pairs) {
        auto key = p.key;
        entries_.insert_or_assign(std::move(key), read_(std::move(p)));
    }
    return true;
}

template <class Entry>
auto etcd_table<Entry>::apply(etcd_frame frame) -> news
{
    bool const other_store = frame.cluster != 0 && frame.cluster != cluster_;
    if (other_store || frame.error.what == etcd_trouble::compacted) return news::lost;
    if (frame.error.what != etcd_trouble::none) return news::ended;
    // A store restored from a backup may keep its id, but not its revisions; and a watch from a future one is silent.
    if (frame.created) return frame.revision < revision_ ? news::lost : news::none;
    if (frame.events.empty()) {
        // Sent only when all before has been.
        revision_ = std::max(revision_, frame.revision);
        return news::none;
    }
    auto answer = news::none;
    auto const known = revision_;
    for (auto& e : frame.events) {
        if (e.revision <= known) continue;
        // The header's revision may be ahead of the events; clientv3 goes on from the events, too.
        revision_ = std::max(revision_, e.revision);
        answer = news::changed;
        if (e.deleted) {
            entries_.erase(e.key);
            continue;
        }
        if (entries_.size() >= etcd_max_keys && !entries_.contains(e.key)) return news::lost;
        auto key = e.key;
        entries_.insert_or_assign(std::move(key), read_(std::move(e)));
    }
    return answer;
}

}  // namespace weir::registry::detail
