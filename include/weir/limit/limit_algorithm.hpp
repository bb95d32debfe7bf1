// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// One call that has ended, as a limit learns from it.
struct limit_sample {
    duration latency{};           ///< from admission to the end
    std::uint32_t in_flight = 1;  ///< calls in progress when it was admitted, itself included
    bool dropped = false;         ///< it failed for overload: refused further in, or timed out
    time_point now{};             ///< when it ended
    std::uint32_t calls = 1;      ///< how many ended calls it stands for; the others came too thick to be told apart
};

/// What turns samples into a limit: a plain class, without clock, randomness or lock, for one thread at a time. The
/// gates around it (adaptive_limit, shedding_queue, partitioned_limit) see to that.
///
///   void          update(limit_sample const&) noexcept;
///   std::uint32_t limit() const noexcept;              // calls in progress that may be, now
///   void          reconfigure(options const&);         // keeps what was learnt; throws std::invalid_argument
///   using options = ...;                               // an aggregate with a default for everything
template <class A>
concept limit_algorithm =
    std::default_initializable<typename A::options> && std::constructible_from<A, typename A::options const&> &&
    requires(A& a, A const& c, limit_sample const& s, typename A::options const& o) {
        requires noexcept(a.update(s));
        {
            c.limit()
        } noexcept -> std::same_as<std::uint32_t>;
        a.reconfigure(o);
    };

struct fixed_limit_options {
    std::uint32_t limit = 25;  ///< calls in progress at once; 1 to 1'000'000'000
};

/// A limit that learns nothing: for gates that take an algorithm, with a number that you know.
class fixed_limit {
public:
    using options = fixed_limit_options;

    explicit fixed_limit(options const& o = {}) { reconfigure(o); }

    void update(limit_sample const&) noexcept {}
    [[nodiscard]] std::uint32_t limit() const noexcept { return options_.limit; }
    void reconfigure(options const& o)
    {
        if (o.limit == 0 || o.limit > 1'000'000'000)
            detail::bad_option("fixed_limit_options.limit", "from 1 to 1000000000", o.limit);
        options_ = o;
    }

private:
    options options_;
};

namespace detail {

/// The three fields that every adaptive algorithm has.
template <class Options>
void check_limits(Options const& o, std::string_view name)
{
    std::string const field(name);
    if (o.min_limit == 0 || o.min_limit > 1'000'000'000)
        bad_option(field + ".min_limit", "from 1 to 1000000000", o.min_limit);
    if (o.max_limit < o.min_limit || o.max_limit > 1'000'000'000)
        bad_option(field + ".max_limit", "from min_limit to 1000000000", o.max_limit);
    if (o.initial_limit < o.min_limit || o.initial_limit > o.max_limit)
        bad_option(field + ".initial_limit", "from min_limit to max_limit", o.initial_limit);
}

/// Negated, so that not-a-number is refused too.
inline void check_ratio(double value, double low, double high, std::string_view field, std::string_view range)
{
    if (!(value >= low && value <= high)) bad_option(field, range, value);
}

}  // namespace detail
}  // namespace weir
