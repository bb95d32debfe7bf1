// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/attempt_timeout.hpp>
#include <weir/call/classify.hpp>
#include <weir/call/deadline.hpp>
#include <weir/call/enough_time.hpp>
#include <weir/call/observe.hpp>
#include <weir/core/gate.hpp>
#include <weir/retry/hedge.hpp>
#include <weir/retry/retry.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace weir {

/// First in a pipeline: the order of the stages is meant as written, although the checks would refuse it.
struct unchecked_order {};

namespace detail {

template <class... T>
struct type_list {};

template <class Stage>
inline constexpr bool is_classify = false;
template <class F>
inline constexpr bool is_classify<classify<F>> = true;

template <class Stage>
inline constexpr bool is_observe = false;
template <class O>
inline constexpr bool is_observe<observe<O>> = true;

/// What a stage of a pipeline is.
enum class role : std::uint8_t {
    gate,
    balancer,
    deadline,
    retry,
    hedge,
    attempt_timeout,
    enough_time,
    classify,
    observe,
    unchecked,
    none
};

template <class Stage>
[[nodiscard]] consteval role role_of()
{
    if constexpr (requires { Stage::stands_for; })
        return Stage::stands_for;
    else if constexpr (requires { typename Stage::rule_on_trial; })
        return role_of<typename Stage::rule_on_trial>();
    else if constexpr (std::same_as<Stage, deadline>)
        return role::deadline;
    else if constexpr (std::same_as<Stage, retry>)
        return role::retry;
    else if constexpr (std::same_as<Stage, hedge>)
        return role::hedge;
    else if constexpr (std::same_as<Stage, enough_time>)
        return role::enough_time;
    else if constexpr (std::same_as<Stage, attempt_timeout>)
        return role::attempt_timeout;
    else if constexpr (std::same_as<Stage, unchecked_order>)
        return role::unchecked;
    else if constexpr (is_classify<Stage>)
        return role::classify;
    else if constexpr (is_observe<Stage>)
        return role::observe;
    else if constexpr (balancer<Stage>)
        return role::balancer;
    else if constexpr (any_gate<Stage>)
        return role::gate;
    else
        return role::none;
}

inline constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

[[nodiscard]] constexpr std::size_t find(std::span<role const> roles, role wanted)
{
    for (std::size_t i = 0; i < roles.size(); ++i)
        if (roles[i] == wanted) return i;
    return nowhere;
}

[[nodiscard]] constexpr std::size_t count(std::span<role const> roles, role wanted)
{
    std::size_t n = 0;
    for (auto const r : roles) n += r == wanted;
    return n;
}

/// Which side of a rule; a pipeline without it has no sides.
enum class side : std::uint8_t { left, right };

[[nodiscard]] constexpr bool stands(std::span<role const> roles, role r, side s, role of)
{
    auto const rule = find(roles, of);
    if (rule == nowhere) return false;
    for (std::size_t i = 0; i < roles.size(); ++i)
        if (roles[i] == r && (s == side::left ? i < rule : i > rule)) return true;
    return false;
}

/// Whether a gate stands between the two rules.
[[nodiscard]] constexpr bool parted(std::span<role const> roles, role left, role right)
{
    auto const first = find(roles, left), last = find(roles, right);
    if (first == nowhere || last == nowhere) return false;
    for (std::size_t i = first + 1; i < last; ++i)
        if (roles[i] == role::gate) return true;
    return false;
}

/// Each mistake in a sentence of its own, with what to write instead. The same sentences, for what is assembled at run
/// time, are in detail/order.hpp: a static_assert takes literals only.
template <class... Stages>
[[nodiscard]] consteval bool check_stages()
{
    constexpr std::array<role, sizeof...(Stages)> roles{role_of<Stages>()...};
    static_assert(
        ((role_of<Stages>() != role::none) && ...),
        "weir::pipeline: an argument is neither a gate (it needs admit(now), see weir/core/gate.hpp), nor a "
        "balancer, nor one of the rules deadline, retry, hedge, attempt_timeout, enough_time, classify, observe");
    static_assert(count(roles, role::retry) <= 1,
                  "weir::pipeline: two retries in one pipeline multiply the attempts; keep one, with the budget");
    static_assert(count(roles, role::classify) <= 1,
                  "weir::pipeline: one classify decides what an ending means; keep one");
    static_assert(count(roles, role::balancer) <= 1, "weir::pipeline: one balancer picks the endpoint; keep one");

    constexpr bool checked = count(roles, role::unchecked) == 0;
    static_assert(!checked || !stands(roles, role::attempt_timeout, side::left, role::retry),
                  "weir::pipeline: attempt_timeout bounds one attempt, so it stands right of retry; for the whole call "
                  "write weir::deadline left of retry");
    static_assert(!checked || !stands(roles, role::deadline, side::right, role::retry),
                  "weir::pipeline: deadline bounds the whole call, so it stands left of retry; for one attempt write "
                  "weir::attempt_timeout right of retry");
    static_assert(
        !stands(roles, role::balancer, side::left, role::retry),
        "weir::pipeline: a balancer left of retry would send every attempt to the same endpoint; put it right "
        "of retry");
    static_assert(!checked || !stands(roles, role::enough_time, side::left, role::retry),
                  "weir::pipeline: enough_time is asked before each attempt, so it stands right of retry");

    static_assert(count(roles, role::hedge) <= 1,
                  "weir::pipeline: two hedges in one pipeline multiply the copies; keep one, with a larger max_extra");
    static_assert(!checked || !stands(roles, role::hedge, side::left, role::retry),
                  "weir::pipeline: hedge stands right of retry: a try may have copies, a copy is not tried again");
    static_assert(
        !checked || !parted(roles, role::retry, role::hedge),
        "weir::pipeline: a gate between retry and hedge would be asked once for several copies; put it left of "
        "retry, once per call, or right of hedge, once per copy");
    static_assert(!checked || !stands(roles, role::attempt_timeout, side::left, role::hedge),
                  "weir::pipeline: attempt_timeout bounds each copy, so it stands right of hedge");
    static_assert(!checked || !stands(roles, role::deadline, side::right, role::hedge),
                  "weir::pipeline: deadline bounds the whole call, so it stands left of hedge");
    static_assert(
        !stands(roles, role::balancer, side::left, role::hedge),
        "weir::pipeline: a balancer left of hedge would send every copy to the same endpoint; put it right of "
        "hedge");
    return true;
}

}  // namespace detail
}  // namespace weir
