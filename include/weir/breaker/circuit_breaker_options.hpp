// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/outcome_window.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <chrono>
#include <string>

namespace weir {

struct circuit_breaker_options {
    // When to open. Rates are judged once the window holds `minimum_calls`, and trip at the threshold, not above it.
    double failure_rate = 0.5;              ///< failures / calls; in (0, 1]
    double slow_call_rate = 1.0;            ///< slow calls / calls; in (0, 1]
    duration slow_call_duration{};          ///< a call that takes longer than this is slow; 0: none is
    unsigned minimum_calls = 20;            ///< at least 1; for a shorter count window, its length
    unsigned consecutive_failures = 0;      ///< this many failures in a row open it too, whatever the rates say; 0: off
    outcome_window window = time_window{};  ///< what the rates are taken over

    // How long.
    duration open_for = std::chrono::seconds(5);       ///< the first time; at least 0
    double open_multiplier = 1.5;                      ///< each time that half-open fails; in [1, 1000]
    duration max_open_for = std::chrono::seconds(60);  ///< at most this; at least open_for

    // How to find out that it is over. The thresholds are those above, over all probes, decided as early as possible.
    unsigned half_open_probes = 10;  ///< calls let through; in [1, 1000]
    duration probe_timeout{};        ///< a probe not settled by then is a failure; 0: the value of open_for, then not 0

    bool dry_run = false;  ///< count and tell listeners, never refuse
    std::string name = "circuit_breaker";
};

namespace detail {

/// Throws std::invalid_argument. The window checks itself.
inline void check(circuit_breaker_options const& o)
{
    auto const rate = [](char const* field, double r) {
        if (!(r > 0 && r <= 1)) bad_option(field, "in (0, 1]", r);
    };
    rate("circuit_breaker_options.failure_rate", o.failure_rate);
    rate("circuit_breaker_options.slow_call_rate", o.slow_call_rate);
    if (o.slow_call_duration < duration::zero())
        bad_option("circuit_breaker_options.slow_call_duration", "at least 0 ms", o.slow_call_duration);
    if (o.minimum_calls < 1) bad_option("circuit_breaker_options.minimum_calls", "at least 1", o.minimum_calls);
    if (o.open_for < duration::zero()) bad_option("circuit_breaker_options.open_for", "at least 0 ms", o.open_for);
    if (!(o.open_multiplier >= 1 && o.open_multiplier <= 1000))
        bad_option("circuit_breaker_options.open_multiplier", "in [1, 1000]", o.open_multiplier);
    if (o.max_open_for < o.open_for)
        bad_option("circuit_breaker_options.max_open_for", "at least open_for", o.max_open_for);
    if (o.half_open_probes < 1 || o.half_open_probes > 1000)
        bad_option("circuit_breaker_options.half_open_probes", "in [1, 1000]", o.half_open_probes);
    if (o.probe_timeout < duration::zero() || (o.probe_timeout == duration::zero() && o.open_for == duration::zero()))
        bad_option("circuit_breaker_options.probe_timeout", "more than 0 ms, or 0 with open_for more than 0",
                   o.probe_timeout);
}

}  // namespace detail
}  // namespace weir
