// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/instance.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::registry {

/// What a service wants its registry to say of it. A plain value.
struct registration {
    std::string service;
    std::string address;  ///< where callers reach it
    std::uint16_t port = 0;
    std::string id = {};  ///< unique in the registry; empty: made of service, address and port
    std::vector<std::string> tags = {};
    std::map<std::string, std::string> meta = {};
    std::uint32_t weight = 1;          ///< share of traffic while passing
    std::uint32_t warning_weight = 1;  ///< and while warning
    duration ttl =
        std::chrono::seconds(15);  ///< critical after this long without a heartbeat; beats come at a third of it
    duration deregister_after =
        std::chrono::minutes(1);  ///< critical for this long: removed. 0: never. Consul: at least 1 min
};

/// The registration with its id filled in.
/// Throws: std::invalid_argument, naming the field.
[[nodiscard]] inline registration checked(registration r)
{
    if (r.service.empty()) throw std::invalid_argument("weir: registration.service must not be empty");
    if (r.address.empty()) throw std::invalid_argument("weir: registration.address must not be empty");
    using weir::detail::bad_option;
    if (r.port == 0) bad_option("registration.port", "in [1, 65535]", r.port);
    if (r.ttl < std::chrono::milliseconds(100)) bad_option("registration.ttl", "at least 100 ms", r.ttl);
    if (r.deregister_after < duration::zero())
        bad_option("registration.deregister_after", "at least 0 ms", r.deregister_after);
    if (r.id.empty()) r.id = r.service + "-" + r.address + "-" + std::to_string(r.port);
    return r;
}

/// The instance that a registration describes, in a state of health.
[[nodiscard]] inline instance to_instance(registration const& r, health state)
{
    instance i{.address = {.id = r.id, .host = r.address, .port = r.port, .metadata = r.meta},
               .service = r.service,
               .tags = r.tags,
               .state = state};
    i.address.weight = state == health::warning ? r.warning_weight : r.weight;
    if (auto const zone = r.meta.find("zone"); zone != r.meta.end()) i.address.zone = zone->second;
    std::sort(i.tags.begin(), i.tags.end());
    return i;
}

}  // namespace weir::registry
