// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/registration.hpp>
#include <weir/registry/watch_backend.hpp>

#include <boost/system/error_code.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::registry::detail {

/// What readers of Eureka's and Nacos' answers have in common: bad entries are skipped and counted, all bad is an
/// error, an id is there once.
class listing_tally {
public:
    static constexpr std::size_t most = 100'000;

    explicit listing_tally(listing& out) : out_(out) {}

    [[nodiscard]] boost::system::error_code refuse(std::string why)
    {
        out_.instances.clear();
        out_.note = std::move(why);
        return make_error_code(errc::bad_document);
    }

    /// `read` gives an instance, or throws bad_field. Those that `q` does not mean are read, and left out.
    template <class Read>
    void add(Read&& read, query const& q)
    {
        try {
            auto i = read();
            if (ids_.size() >= most) throw bad_field("more than " + std::to_string(most) + " instances");
            if (!ids_.insert(i.address.id).second) throw bad_field("two instances " + i.address.id);
            if (q.matches(i)) out_.instances.push_back(std::move(i));
        } catch (bad_field const& bad) {
            if (++out_.skipped == 1) why_ = bad.what();
        }
    }

    [[nodiscard]] boost::system::error_code end()
    {
        if (out_.skipped == 0) return {};
        if (ids_.empty())
            return refuse("none of " + std::to_string(out_.skipped) + " entries can be used; the first: " + why_);
        out_.note = std::to_string(out_.skipped) + " entries skipped; the first: " + why_;
        return {};
    }

private:
    listing& out_;
    std::set<std::string> ids_;
    std::string why_;
};

/// For registries that know neither: weight and tags go into the metadata, and come out of it, where `adopt_metadata`
/// finds the zone too.
[[nodiscard]] inline std::map<std::string, std::string> metadata_of(registration const& r, std::uint32_t weight = 1)
{
    auto all = r.meta;
    std::string tags;
    for (auto const& t : r.tags) tags += (tags.empty() ? "" : ",") + t;
    if (!tags.empty()) all.emplace("tags", std::move(tags));
    if (weight != 1) all.emplace("weight", std::to_string(weight));
    return all;
}

inline void adopt_metadata(instance& i)
{
    auto const find = [&](char const* key) {
        auto const found = i.address.metadata.find(key);
        return found == i.address.metadata.end() ? std::string_view() : std::string_view(found->second);
    };
    if (auto const zone = find("zone"); !zone.empty()) i.address.zone = zone;
    auto const weight = find("weight");
    std::uint32_t n = 0;
    auto const [end, error] = std::from_chars(weight.data(), weight.data() + weight.size(), n);
    bool const all = error == std::errc{} && end == weight.data() + weight.size();
    if (all && n <= 65535) i.address.weight = n;
    for (auto rest = find("tags"); !rest.empty();) {
        auto const tag = rest.substr(0, rest.find(','));
        if (!tag.empty()) i.tags.emplace_back(tag);
        rest.remove_prefix(tag.size() == rest.size() ? tag.size() : tag.size() + 1);
    }
}

}  // namespace weir::registry::detail
