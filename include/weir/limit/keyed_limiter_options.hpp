// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/limit/rate.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// What one key may do, like the options of a token_bucket.
struct keyed_quota {
    weir::rate rate = per_second(10);  ///< how fast permits come back; one per 365 days to 1e9 per second
    std::uint64_t burst = 10;          ///< permits on hand after a pause, up to 1e9. 0: every request is refused

    friend bool operator==(keyed_quota const&, keyed_quota const&) = default;
};

struct keyed_limiter_options {
    std::vector<keyed_quota> quotas = {
        {}};                         ///< 1 to 8 classes of keys; without a policy's quota_of all are of the first
    std::size_t capacity = 100'000;  ///< keys in debt at once, 1 to 2^40; those at rest take no room. Fixed
    std::optional<std::uint64_t> seed = {};  ///< of the hash; for tests. Empty: 128 random bits. Fixed
    std::string name = "keyed_limiter";      ///< the gate name in refusals; fixed at construction
};

}  // namespace weir
