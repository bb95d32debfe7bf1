// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>

#include <span>

namespace weir::detail {

/// What is wrong with a pipeline of these stages, and what to write instead; null: nothing. It says at run time what
/// `check_stages` says where the stages are types.
[[nodiscard]] constexpr char const* order_fault(std::span<role const> roles)
{
    bool const checked = count(roles, role::unchecked) == 0;
    if (count(roles, role::none) > 0)
        return "weir::pipeline: an argument is neither a gate (it needs admit(now), see weir/core/gate.hpp), nor a "
               "balancer, nor one of the rules deadline, retry, hedge, attempt_timeout, enough_time, classify, observe";
    if (count(roles, role::retry) > 1)
        return "weir::pipeline: two retries in one pipeline multiply the attempts; keep one, with the budget";
    if (count(roles, role::classify) > 1) return "weir::pipeline: one classify decides what an ending means; keep one";
    if (count(roles, role::balancer) > 1) return "weir::pipeline: one balancer picks the endpoint; keep one";

    if (checked && stands(roles, role::attempt_timeout, side::left, role::retry))
        return "weir::pipeline: attempt_timeout bounds one attempt, so it stands right of retry; for the whole call "
               "write weir::deadline left of retry";
    if (checked && stands(roles, role::deadline, side::right, role::retry))
        return "weir::pipeline: deadline bounds the whole call, so it stands left of retry; for one attempt write "
               "weir::attempt_timeout right of retry";
    if (stands(roles, role::balancer, side::left, role::retry))
        return "weir::pipeline: a balancer left of retry would send every attempt to the same endpoint; put it right "
               "of retry";
    if (checked && stands(roles, role::enough_time, side::left, role::retry))
        return "weir::pipeline: enough_time is asked before each attempt, so it stands right of retry";

    if (count(roles, role::hedge) > 1)
        return "weir::pipeline: two hedges in one pipeline multiply the copies; keep one, with a larger max_extra";
    if (checked && stands(roles, role::hedge, side::left, role::retry))
        return "weir::pipeline: hedge stands right of retry: a try may have copies, a copy is not tried again";
    if (checked && parted(roles, role::retry, role::hedge))
        return "weir::pipeline: a gate between retry and hedge would be asked once for several copies; put it left of "
               "retry, once per call, or right of hedge, once per copy";
    if (checked && stands(roles, role::attempt_timeout, side::left, role::hedge))
        return "weir::pipeline: attempt_timeout bounds each copy, so it stands right of hedge";
    if (checked && stands(roles, role::deadline, side::right, role::hedge))
        return "weir::pipeline: deadline bounds the whole call, so it stands left of hedge";
    if (stands(roles, role::balancer, side::left, role::hedge))
        return "weir::pipeline: a balancer left of hedge would send every copy to the same endpoint; put it right of "
               "hedge";
    return nullptr;
}

}  // namespace weir::detail
