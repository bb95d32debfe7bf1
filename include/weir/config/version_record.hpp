// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/finding.hpp>
#include <weir/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace weir::config {

enum class verdict : std::uint8_t {
    applied,      ///< the policies have what it says
    refused,      ///< nothing was changed; `why` says what is wrong
    rolled_back,  ///< an earlier version was put back into force by hand
};

[[nodiscard]] constexpr char const* to_string(verdict v) noexcept
{
    switch (v) {
        case verdict::applied: return "applied";
        case verdict::refused: return "refused";
        case verdict::rolled_back: return "rolled back";
    }
    return "?";
}

/// One line of the audit list: what was done with one version of a document.
struct version_record {
    std::uint64_t number = 0;                      ///< 1, 2, 3, ... as they came
    std::chrono::system_clock::time_point when{};  ///< for people: nothing is decided by it
    config::verdict verdict = verdict::applied;
    std::string version = {};               ///< the source's name of it
    std::size_t bytes = 0;                  ///< length of the document
    findings why = {};                      ///< of a refusal
    std::vector<std::string> changed = {};  ///< the keys whose policies were reconfigured
    std::uint64_t restored = 0;             ///< of a roll-back: the number of what was put back

    friend bool operator==(version_record const&, version_record const&) = default;
};

/// How following a source is going: for metrics, logs and dashboards.
struct refresh_status {
    bool connected = false;         ///< the source's last answer was good
    bool missing = false;           ///< and there is no document
    time_point last_answer{};       ///< when it last answered well, in steady time
    std::uint64_t answers = 0;      ///< good answers
    std::uint64_t failures = 0;     ///< questions that failed
    std::error_code last_error{};   ///< of the last failure
    std::string note = {};          ///< what the source said with it, for people
    std::uint64_t applied = 0;      ///< versions applied
    std::uint64_t refused = 0;      ///< versions refused
    std::uint64_t rolled_back = 0;  ///< roll-backs
    std::uint64_t number = 0;       ///< the record that is in force; 0: none, the policies are as they were built
    std::string version = {};       ///< the source's name of what is in force
    std::chrono::system_clock::time_point last_success{};  ///< when that was applied
    /// The source has something else than what is in force: the last version was refused, or rolled back.
    bool differs = false;

    /// How long ago the source last answered well, as of `now`; `never` before its first answer.
    [[nodiscard]] duration age(time_point now) const noexcept
    {
        return answers == 0 ? never.time_since_epoch() : between(last_answer, now);
    }
};

}  // namespace weir::config
