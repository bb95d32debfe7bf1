// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>
#include <weir/limit/rate.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir::detail {

// What a person wants to read of a stage. A gate is asked by what it has, not by its type, so that this includes none
// of them and a user's gate with the same words reads as well as ours.

[[nodiscard]] inline std::string number_text(double v)
{
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, v, std::chars_format::general, 10).ptr};
}

/// "2s", "1.5s", "300ms", "1h": in the largest unit that takes at most two decimals.
[[nodiscard]] inline std::string duration_text(duration d)
{
    if (d == duration::max()) return "unlimited";
    constexpr std::pair<std::int64_t, char const*> units[] = {
        {3'600'000'000'000, "h"}, {60'000'000'000, "min"}, {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}};
    for (auto const& [worth, name] : units)
        if (d.count() >= worth && d.count() % (worth / 100 > 0 ? worth / 100 : 1) == 0)
            return number_text(static_cast<double>(d.count()) / static_cast<double>(worth)) + name;
    return d == duration::zero() ? "0" : std::to_string(d.count()) + "ns";
}

/// "500/s", "30/min".
[[nodiscard]] inline std::string rate_text(rate const& r)
{
    constexpr std::pair<double, char const*> units[] = {{1e9, "/s"}, {60e9, "/min"}, {3600e9, "/h"}, {86400e9, "/d"}};
    auto const each = static_cast<double>(r.permits) / static_cast<double>(r.per.count());
    for (auto const& [worth, name] : units)
        if (each * worth >= 1 || worth == 86400e9) return number_text(each * worth) + name;
    return {};
}

[[nodiscard]] inline std::string share_text(double share) { return number_text(share * 100) + '%'; }

/// The name of a type without its namespaces and arguments: for a gate that has no name.
template <class T>
[[nodiscard]] std::string_view type_text()
{
    std::string_view name = __PRETTY_FUNCTION__;
    name.remove_prefix(name.find("T = ") + 4);
    name = name.substr(0, name.find_first_of(";]<"));
    if (auto const colons = name.rfind("::"); colons != name.npos) name.remove_prefix(colons + 2);
    return name;
}

template <class S>
concept tells_options = requires(S const& s) { s.get_options(); };

template <class Gate>
[[nodiscard]] std::string gate_text(Gate const& g)
{
    if constexpr (requires {
                      {
                          g.describe()
                      } -> std::convertible_to<std::string>;
                  }) {
        return g.describe();
    } else if constexpr (requires(Gate& wrapper) { wrapper.inner(), wrapper.enforce(); }) {  // a dry_run
        return "dry_run enforce " + share_text(g.enforce()) + " of " + gate_text(const_cast<Gate&>(g).inner());
    } else {
        std::string text;
        if constexpr (requires { std::string(g.name()); })
            text = std::string(g.name());
        else
            text = type_text<Gate>();
        if constexpr (requires { rate_text(g.rate()); }) text += ' ' + rate_text(g.rate());
        if constexpr (requires { duration_text(g.max_wait()); }) text += " wait " + duration_text(g.max_wait());
        if constexpr (requires { std::to_string(g.burst()); }) text += " burst " + std::to_string(g.burst());
        if constexpr (requires { std::to_string(g.limit()); }) text += ' ' + std::to_string(g.limit());
        if constexpr (requires { duration_text(g.window()); }) text += " per " + duration_text(g.window());
        if constexpr (requires { std::to_string(g.capacity()); })
            text += " for " + std::to_string(g.capacity()) + " keys";
        if constexpr (tells_options<Gate>) {
            if constexpr (requires { g.get_options().failure_rate, g.get_options().open_for; }) {
                auto const o = g.get_options();
                text += ' ' + share_text(o.failure_rate) + " failures, open " + duration_text(o.open_for);
                if (o.dry_run) text += ", dry run";
            }
        }
        if constexpr (requires { bool(g.enabled()); }) text += g.enabled() ? " on" : " off";
        return text;
    }
}

[[nodiscard]] inline std::string rule_text(retry const& r)
{
    auto const& o = r.get_options();
    auto text = o.name + ' ' + std::to_string(o.max_attempts);
    if (o.max_attempts > 1) {
        text += " after " + duration_text(o.backoff.base());
        if (o.backoff.max() > o.backoff.base()) text += ".." + duration_text(o.backoff.max());
    }
    if (o.max_elapsed != duration::max()) text += " within " + duration_text(o.max_elapsed);
    return r.budget() ? text : text + ", no budget";
}

[[nodiscard]] inline std::string rule_text(hedge const& h)
{
    auto const& o = h.get_options();
    auto text = o.name + ' ' + std::to_string(o.max_extra) + " after ";
    if (auto const* fixed = std::get_if<duration>(&o.delay)) return text + duration_text(*fixed);
    return text + 'p' + number_text(std::get<latency_quantile_options>(o.delay).quantile * 100);
}

template <class Stage>
[[nodiscard]] std::string stage_text(Stage const& s)
{
    constexpr auto what = role_of<Stage>();
    if constexpr (requires(Stage& rule) { rule.on_trial(); })
        return "dry_run enforce " + share_text(s.enforce()) + " of " + stage_text(s.inner());
    else if constexpr (what == role::deadline)
        return "deadline " + duration_text(s.span());
    else if constexpr (what == role::attempt_timeout)
        return "attempt_timeout " + duration_text(s.span());
    else if constexpr (what == role::retry || what == role::hedge)
        return rule_text(s);
    else if constexpr (what == role::enough_time)
        return std::string(s.name());
    else if constexpr (what == role::classify)
        return "classify";
    else if constexpr (what == role::observe)
        return "observe";
    else if constexpr (what == role::unchecked)
        return "unchecked_order";
    else
        return gate_text(s);
}

}  // namespace weir::detail
