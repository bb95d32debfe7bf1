// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "story.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace shop {

enum class arm { bare, governed };
[[nodiscard]] constexpr char const* name_of(arm a) noexcept { return a == arm::bare ? "bare" : "governed"; }

/// How one order ended, as its customer saw it.
enum class ending : std::uint8_t {
    ok,       ///< an answer in time
    refused,  ///< told at once to come back later: 429 or 503 with Retry-After
    failed,   ///< an error
    left,     ///< no answer within the customer's patience
};

struct order {
    double at = 0;       ///< when the customer came, in seconds of the story; not when the request could be sent
    double latency = 0;  ///< from then, in seconds
    ending how = ending::left;
    int tries = 0;       ///< requests sent to the inventory for it
};

struct instance_state {
    std::string id;
    unsigned in_flight = 0;
    double ewma_ms = 0;
};

/// The order service as it describes itself, a few times a second.
struct gauge {
    double at = 0;
    std::uint64_t tries = 0;        ///< so far
    std::string breaker;                    ///< empty: there is none
    double limiter = 0, budget = 0;         ///< filled from 0 to 1
    std::vector<instance_state> instances;
};

/// All that is remembered of one arm.
struct record {
    arm which = arm::bare;
    std::vector<order> orders;
    std::vector<gauge> gauges;
    std::vector<double> restarts;  ///< when the operator had to start everything anew
    double length = 0;
};

/// One arm in one act.
struct row {
    std::size_t orders = 0;
    double ok_percent = 0;       ///< of the orders that were not refused
    double refused_percent = 0;  ///< of all
    double ok_rate = 0;          ///< orders served per second
    double p50_ms = 0, p99_ms = 0;
    double tries = 0;            ///< requests to the inventory per order
    std::optional<double> back;  ///< seconds from the end of the fault until all was well; none: it never was
    bool pass = false;
    std::string why;             ///< the first condition that was not met
};

/// One row for each act of the story.
[[nodiscard]] std::vector<row> score(story const&, record const&);

/// What an act demands, in words. The same of both arms.
[[nodiscard]] std::string demands(act const&);

/// Value at quantile `q` of unsorted `values`; 0 of none.
[[nodiscard]] double quantile(std::vector<double> values, double q);

}  // namespace shop
