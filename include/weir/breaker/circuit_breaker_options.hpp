// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/breaker/outcome_window.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace weir {

struct circuit_breaker_options {
    // When to open. Rates are judged once the window holds `minimum_calls`, and trip at the threshold, not above it.
    double failure_rate = 0.5;              ///< failures / calls; in (0, 1]
    double slow_call_rate = 1.0;            ///< slow calls / calls; in (0, 1]
    duration slow_call_duration{};          ///< a call that takes longer than this is slow; 0: none is
    unsigned minimum_calls = 20;            ///< at least 1; for a shorter count window, its length
    unsigned consecutive_failures = 0;      ///< this many failures in a row open it too, whatever the rates say; 0: off
    unsigned failures = 0;                  ///< this many in the window, too, also below minimum_calls; 0: off
    outcome_window window = time_window{};  ///< what rates and `failures` are taken over

    // How long.
    duration open_for = std::chrono::seconds(5);       ///< the first time; at least 0
    double open_multiplier = 1.5;                      ///< each time that half-open fails; in [1, 1000]
    duration max_open_for = std::chrono::seconds(60);  ///< at most this; at least open_for
    double open_jitter =
        0;  ///< every open time is longer by a random share of itself up to this; in [0, 1]. For a fleet

    // How to find out that it is over. Decided as early as possible, both ways.
    unsigned half_open_probes = 10;  ///< calls let through; in [1, 1000]
    double half_open_success_rate =
        0;                     ///< so many of all probes must succeed, [0, 1]. 0: the rates above must not trip
    duration probe_timeout{};  ///< a probe not settled by then is a failure; 0: the value of open_for, then not 0
    duration half_open_for{};  ///< undecided for so long, it opens again; 0: the probes' own time limit is enough

    // How to come back: a share of the calls that grows to all of them, the rest refused.
    duration ramp_for{};     ///< after closing; 0: all at once
    double ramp_from = 0.1;  ///< the share in the beginning; in (0, 1)

    bool dry_run = false;                    ///< count and tell listeners, never refuse
    unsigned stripes = 0;                    ///< 128 bytes each, up to 64; fixed. 0: one per processor, at most 16
    std::optional<std::uint64_t> seed = {};  ///< of the jitter and the ramp; fixed. Empty: random
    std::string name = "circuit_breaker";    ///< the gate name in refusals; fixed
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
    if (auto const* const w = std::get_if<count_window>(&o.window); w != nullptr && o.failures > w->calls)
        bad_option("circuit_breaker_options.failures", "at most the calls of the count window", o.failures);
    if (o.minimum_calls < 1) bad_option("circuit_breaker_options.minimum_calls", "at least 1", o.minimum_calls);
    if (o.open_for < duration::zero()) bad_option("circuit_breaker_options.open_for", "at least 0 ms", o.open_for);
    if (!(o.open_multiplier >= 1 && o.open_multiplier <= 1000))
        bad_option("circuit_breaker_options.open_multiplier", "in [1, 1000]", o.open_multiplier);
    if (o.max_open_for < o.open_for)
        bad_option("circuit_breaker_options.max_open_for", "at least open_for", o.max_open_for);
    if (o.half_open_probes < 1 || o.half_open_probes > 1000)
        bad_option("circuit_breaker_options.half_open_probes", "in [1, 1000]", o.half_open_probes);
    if (!(o.open_jitter >= 0 && o.open_jitter <= 1))
        bad_option("circuit_breaker_options.open_jitter", "in [0, 1]", o.open_jitter);
    if (!(o.half_open_success_rate >= 0 && o.half_open_success_rate <= 1))
        bad_option("circuit_breaker_options.half_open_success_rate", "in [0, 1]", o.half_open_success_rate);
    if (o.half_open_for < duration::zero())
        bad_option("circuit_breaker_options.half_open_for", "at least 0 ms", o.half_open_for);
    if (o.ramp_for < duration::zero()) bad_option("circuit_breaker_options.ramp_for", "at least 0 ms", o.ramp_for);
    if (!(o.ramp_from > 0 && o.ramp_from < 1))
        bad_option("circuit_breaker_options.ramp_from", "in (0, 1)", o.ramp_from);
    if (o.stripes > 64) bad_option("circuit_breaker_options.stripes", "at most 64", o.stripes);
    if (o.probe_timeout < duration::zero() || (o.probe_timeout == duration::zero() && o.open_for == duration::zero()))
        bad_option("circuit_breaker_options.probe_timeout", "more than 0 ms, or 0 with open_for more than 0",
                   o.probe_timeout);
}

}  // namespace detail
}  // namespace weir
