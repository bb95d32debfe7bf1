// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/limit/detail/gcra_rate.hpp>
#include <weir/limit/rate.hpp>
#include <weir/shared/limit_store.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weir {

/// What decides while the store of a shared limit cannot be asked.
enum class without_store : std::uint8_t {
    local_share,  ///< a token bucket of this process: rate / nodes, and burst / nodes, empty at the beginning
    deny,         ///< nobody is admitted
    allow,        ///< everybody is
};

struct shared_limit_options {
    weir::rate rate = per_second(100);  ///< of all processes together; one per 365 days to 1e9 per second
    std::uint64_t burst = 100;          ///< of all processes together, after a pause; 1 to 1e9
    std::uint64_t nodes = 1;            ///< processes that share it, as far as known; 1 to 1e6. See `set_nodes`
    std::string name = "shared_limit";  ///< the key of the limit itself, before those of `of(key)`; the gate name

    duration hold = std::chrono::milliseconds(50);  ///< H: permits are held that long at most; 1 ms to 60 s
    std::uint64_t lease = 0;  ///< L: permits held at most, for a key; up to 65535. 0: what suits rate, burst and nodes
    duration pause =
        std::chrono::milliseconds(10);  ///< after a refusal the store is not asked again so soon; below hold
    double share = 0.5;   ///< of what is free in the store, the most that one question takes; above 0, up to 1
    bool strict = false;  ///< ask for so much less burst that the bound is rate * t + burst, with nothing added

    without_store when_gone = without_store::local_share;
    duration acquire_timeout = std::chrono::milliseconds(5);  ///< an answer later than that is not waited for
    unsigned patience = 3;  ///< answers that fail or are late, in a row, after which the store is only probed
    duration probe_every = std::chrono::milliseconds(100);  ///< half of that more or less

    std::size_t max_keys = 100'000;  ///< that `of` knows at once
    std::size_t max_waiting = 1024;  ///< that wait in async_acquire, for a key
    std::uint64_t seed = 0;          ///< of the jitter; 0: another one in each process

    /// Permits held at most by one process for a key. Chosen, it is a quarter of the burst for all nodes together, but
    /// never less than one process needs to use the whole rate with one question per pause; at most 4096.
    [[nodiscard]] std::uint64_t permits_held() const noexcept;

    /// What all processes may be over `rate * t + burst` by, in any window: min(rate * hold, nodes * lease). In the
    /// long run they never are.
    [[nodiscard]] std::uint64_t excess() const noexcept;

    /// The burst that the store is asked to keep: less by the excess when strict.
    [[nodiscard]] std::uint64_t burst_in_store() const noexcept { return strict ? burst - excess() : burst; }

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;

    /// Permits that come back in that time, rounded up.
    [[nodiscard]] std::uint64_t earned_in(duration span) const noexcept
    {
        auto const whole = static_cast<detail::int128>(rate.permits) * span.count() + rate.per.count() - 1;
        return static_cast<std::uint64_t>(whole / rate.per.count());
    }
};

// Bodies

inline std::uint64_t shared_limit_options::permits_held() const noexcept
{
    if (lease != 0) return std::min(lease, burst);
    auto const in_a_pause = earned_in(pause);
    return std::clamp<std::uint64_t>(std::max(burst / (4 * nodes), in_a_pause), 1,
                                     std::min<std::uint64_t>(burst, 4096));
}

inline std::uint64_t shared_limit_options::excess() const noexcept
{
    return std::min(earned_in(hold), nodes * permits_held());
}

inline void shared_limit_options::check() const
{
    using namespace std::chrono_literals;
    using detail::bad_option;
    (void)detail::gcra_rate(rate, burst, "shared_limit_options");
    if (burst == 0) bad_option("shared_limit_options.burst", "at least 1", burst);
    if (nodes == 0 || nodes > 1'000'000) bad_option("shared_limit_options.nodes", "1 to 1000000", nodes);
    if (hold < 1ms || hold > 60s) bad_option("shared_limit_options.hold", "1 to 60000 ms", hold);
    if (lease > 65535) bad_option("shared_limit_options.lease", "at most 65535", lease);
    if (pause < 0ms || pause >= hold) bad_option("shared_limit_options.pause", "at least 0 and below hold", pause);
    if (!(share > 0 && share <= 1)) bad_option("shared_limit_options.share", "above 0, up to 1", share);
    if (acquire_timeout <= 0ms || acquire_timeout >= hold)
        bad_option("shared_limit_options.acquire_timeout", "above 0 and below hold", acquire_timeout);
    if (patience == 0) bad_option("shared_limit_options.patience", "at least 1", patience);
    if (probe_every <= 0ms) bad_option("shared_limit_options.probe_every", "above 0 ms", probe_every);
    if (max_keys == 0) bad_option("shared_limit_options.max_keys", "at least 1", max_keys);
    if (strict && excess() >= burst)
        bad_option("shared_limit_options.burst",
                   "above " + std::to_string(excess()) + " where strict, which is min(rate * hold, nodes * lease)",
                   burst);
}

}  // namespace weir
