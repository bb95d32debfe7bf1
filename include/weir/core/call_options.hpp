// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/admission.hpp>
#include <weir/core/priority.hpp>
#include <weir/core/time.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// What one call says of itself; a pipeline says what holds of all.
///
///   guarded.call(op, {.deadline = came_with_the_request, .key = tenant, .idempotent = true});
///
/// Seen in: tests/call/operation.cpp
struct call_options {
    time_point deadline = never;  ///< for the whole call; the nearer of this and the pipeline's holds
    std::string key = {};         ///< whose call it is (tenant, client, peer), for the pipeline's keyed gates
    std::optional<request_priority> priority = {};  ///< unsaid: gates that ask take it for the default one
    /// Whether it does no harm to run the operation twice. False: once sent, never again, neither by `retry` nor by
    /// `hedge`. True: both may. Unsaid: `retry` does as it would without, and `hedge` sends no copy.
    std::optional<bool> idempotent = {};
    /// Where to say who refused and when to come back, for callers who get an error code only. Filled before the call
    /// ends, if it ends with a refusal, and otherwise left as it is.
    std::optional<rejection>* refused = nullptr;
};

/// What a gate may know of the call that asks it. Valid while it is asked.
struct call_facts {
    time_point deadline = never;  ///< of the call, the nearest of all
    std::string_view key = {};    ///< empty: none was said
    request_priority priority = {};
};

}  // namespace weir
