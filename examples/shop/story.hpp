// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace shop {

enum class fault { none, spike, kill, slow, outage, registry };

/// One act. Times are seconds from the start of the story. The fault lasts from `begin` to `until`; from there to `end`
/// the shop has time to get well, and how long it takes is what the column "back" says.
struct act {
    std::string_view name;
    fault what;
    double begin, until, end;
    std::string_view says;   ///< what is done to the shop, for people
};

struct story {
    std::vector<act> acts;
    double calm_rate = 60;   ///< orders per second
    double spike = 6;        ///< the rate is this many times the calm one

    [[nodiscard]] double length() const noexcept { return acts.back().end; }
    [[nodiscard]] double rate_at(double t) const noexcept;
    [[nodiscard]] act const& act_at(double t) const noexcept;
};

/// What the shop can do: three instances with four workers each, 70 ms an order on average.
inline constexpr int instances = 3;
inline constexpr int workers = 4;
inline constexpr double service_min = 0.050;     ///< every order takes this long,
inline constexpr double service_random = 0.020;  ///< and an exponential share of this mean on top
inline constexpr double capacity = instances * workers / (service_min + service_random);  ///< orders per second: 171
inline constexpr double slow_service = 2.0;      ///< of the slow instance
inline constexpr double patience = 2.0;          ///< a customer who waited this long has left

[[nodiscard]] story make_story(bool fast);

/// When customers come: a Poisson process, drawn beforehand, so that the load does not wait for a shop in trouble.
/// A closed loop of clients would: it makes a sick service look up to 25 times better (Schroeder, NSDI 2006).
[[nodiscard]] std::vector<double> arrivals(story const&, std::uint64_t seed);

}  // namespace shop
