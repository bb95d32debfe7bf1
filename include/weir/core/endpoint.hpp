// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace weir {

/// One instance of a service: where it listens, and what its registry says of it. A plain value.
struct endpoint {
    std::string id;    ///< unique in its service, stable for the instance's life: live counters are kept by it
    std::string host;  ///< an address, or a name for the resolver
    std::uint16_t port = 0;
    std::uint32_t weight = 1;  ///< share of traffic relative to the others; 0: none
    std::string zone = {};     ///< where it runs; empty: unknown
    std::map<std::string, std::string> metadata = {};

    friend bool operator==(endpoint const&, endpoint const&) = default;
};

}  // namespace weir
