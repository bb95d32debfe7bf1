// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/endpoint.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::registry {

/// What a registry says of an instance.
enum class health : std::uint8_t {
    passing,   ///< serves
    warning,   ///< serves, with the lesser weight its registry may give it
    critical,  ///< does not serve: failed its check, or is under maintenance
};

[[nodiscard]] constexpr std::string_view to_string(health h) noexcept
{
    switch (h) {
        case health::passing: return "passing";
        case health::warning: return "warning";
        case health::critical: return "critical";
    }
    return "unknown";
}

/// One instance of a service, as its registry knows it. A plain value.
struct instance {
    weir::endpoint address;         ///< where it listens; its id is the instance's, its weight is that of its state
    std::string service;            ///< what it is an instance of
    std::vector<std::string> tags;  ///< sorted
    health state = health::passing;

    [[nodiscard]] std::string const& id() const noexcept { return address.id; }
    [[nodiscard]] bool serves() const noexcept { return state != health::critical; }

    friend bool operator==(instance const&, instance const&) = default;
};

/// Which instances are asked for. A plain value.
struct query {
    std::string service;
    std::string tag = {};         ///< only instances that carry this tag; empty: all
    std::string datacenter = {};  ///< empty: the registry's own; only registries that have several look at it

    /// Whether `i` is meant, as far as an instance can tell.
    [[nodiscard]] bool matches(instance const& i) const
    {
        return i.service == service && (tag.empty() || std::find(i.tags.begin(), i.tags.end(), tag) != i.tags.end());
    }

    friend auto operator<=>(query const&, query const&) = default;
};

}  // namespace weir::registry
