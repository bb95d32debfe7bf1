// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/kubernetes_document.hpp>
#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

inline constexpr std::size_t kubernetes_max_instances = 100'000;

/// The slices of a service as they are now: what a list found, and what a watch from there on has told since.
class kubernetes_table {
public:
    enum class news : std::uint8_t {
        none,     ///< the watch is alive
        changed,  ///< there is something else to tell
        lost,     ///< what is between here and the watch cannot be known: read all again
        ended,    ///< the event's error has ended the watch
    };

    /// False when it is too much.
    [[nodiscard]] bool load(kubernetes_list all);

    [[nodiscard]] news apply(kubernetes_event e);

    /// All instances, each once. While a slice is being replaced, its instances are in two: the one that serves counts.
    /// errc::bad_document when there are endpoints and none can be used.
    [[nodiscard]] std::tuple<boost::system::error_code, listing> tell() const;

    /// Empty: nothing has been loaded.
    [[nodiscard]] std::string const& revision() const noexcept { return revision_; }

private:
    [[nodiscard]] bool put(kubernetes_slice s);

    std::map<std::string, kubernetes_slice> slices_;
    std::string revision_;
    std::size_t count_ = 0;  // of instances in slices
};

// Bodies

inline bool kubernetes_table::put(kubernetes_slice s)
{
    auto& known = slices_[s.name];
    count_ = count_ - known.instances.size() + s.instances.size();
    known = std::move(s);
    return count_ <= kubernetes_max_instances && slices_.size() <= kubernetes_max_instances;
}

inline bool kubernetes_table::load(kubernetes_list all)
{
    slices_.clear();
    count_ = 0;
    revision_ = std::move(all.revision);
    for (auto& s : all.slices)
        if (!put(std::move(s))) return false;
    return true;
}

inline auto kubernetes_table::apply(kubernetes_event e) -> news
{
    using kind = kubernetes_event::kind;
    if (e.what == kind::error) return e.error.code == 410 ? news::lost : news::ended;
    revision_ = std::move(e.revision);
    if (e.what == kind::bookmark) return news::none;
    if (e.what == kind::changed) return put(std::move(e.slice)) ? news::changed : news::lost;
    if (auto const known = slices_.find(e.slice.name); known != slices_.end()) {
        count_ -= known->second.instances.size();
        slices_.erase(known);
    }
    return news::changed;
}

inline std::tuple<boost::system::error_code, listing> kubernetes_table::tell() const
{
    listing all;
    all.revision = revision_;
    struct found {
        instance const* what;
        bool second_best;
        [[nodiscard]] auto rank() const { return std::tuple(!what->serves(), second_best); }
    };
    std::map<std::string, found> by_id;
    for (auto const& [name, slice] : slices_) {
        if (all.skipped == 0) all.note = slice.note;
        all.skipped += slice.skipped;
        for (auto const& i : slice.instances) {
            found const f{&i, slice.second_best};
            auto const [at, fresh] = by_id.emplace(i.id(), f);
            if (!fresh && f.rank() < at->second.rank()) at->second = f;
        }
    }
    if (by_id.empty() && all.skipped != 0) {
        all.note = "none of " + std::to_string(all.skipped) + " endpoints can be used; the first: " + all.note;
        return {make_error_code(errc::bad_document), std::move(all)};
    }
    if (all.skipped != 0) all.note = std::to_string(all.skipped) + " endpoints skipped; the first: " + all.note;
    all.instances.reserve(by_id.size());
    for (auto const& [id, f] : by_id) all.instances.push_back(*f.what);
    return {boost::system::error_code(), std::move(all)};
}

}  // namespace weir::registry::detail
