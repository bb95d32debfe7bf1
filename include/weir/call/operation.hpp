// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/time.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace weir {

/// An operation that can be begun again: what `retry` and `hedge` need. One that hands its body away with its first run
/// says so by being callable as an rvalue only, `operator()(attempt const&) &&`; a pipeline that might repeat it does
/// not compile.
template <class Op>
concept replayable = std::invocable<Op&, attempt const&>;

namespace detail {

enum class hedging : std::uint8_t { unsaid, allowed, forbidden };

/// An operation with what its caller says of it.
template <class Op, hedging Hedging>
struct marked_operation {
    Op op;
    time_point deadline = never;

    decltype(auto) operator()(attempt const& a) &
            requires std::invocable<Op&, attempt const&>
    {
        return op(a);
    }
    decltype(auto) operator()(attempt const& a) &&
            requires std::invocable<Op, attempt const&>
    {
        return std::move(op)(a);
    }
};

/// Makes the only run of an operation that can run once.
template <class Op>
struct only_run {
    Op op;
    decltype(auto) operator()(attempt const& a) { return std::move(op)(a); }
};

template <class Op>
inline constexpr hedging hedging_of = hedging::unsaid;
template <class Op, hedging Hedging>
inline constexpr hedging hedging_of<marked_operation<Op, Hedging>> = Hedging;

template <class Op>
[[nodiscard]] constexpr time_point deadline_of(Op const&) noexcept
{
    return never;
}
template <class Op, hedging Hedging>
[[nodiscard]] constexpr time_point deadline_of(marked_operation<Op, Hedging> const& o) noexcept
{
    return o.deadline;
}
template <class Op>
[[nodiscard]] constexpr time_point deadline_of(only_run<Op> const& o) noexcept
{
    return deadline_of(o.op);
}

template <hedging Hedging, class Op>
[[nodiscard]] auto mark(Op&& op)
{
    return marked_operation<std::decay_t<Op>, Hedging>{std::forward<Op>(op)};
}
template <hedging Hedging, class Op, hedging Before>
[[nodiscard]] auto mark(marked_operation<Op, Before>&& o)
{
    return marked_operation<Op, Hedging>{std::move(o.op), o.deadline};
}

template <class Pipeline>
inline constexpr bool may_repeat = false;
template <class... Stages>
inline constexpr bool may_repeat<type_list<Stages...>> =
    ((role_of<Stages>() == role::retry || role_of<Stages>() == role::hedge) || ...);

template <class Stages>
inline constexpr bool is_hedged = false;
template <class... Stages>
inline constexpr bool is_hedged<type_list<Stages...>> = ((role_of<Stages>() == role::hedge) || ...);

template <class Stages, class Op>
[[nodiscard]] consteval bool check_operation()
{
    static_assert(replayable<Op> || std::invocable<Op, attempt const&>,
                  "weir: the operation takes a weir::attempt const&");
    static_assert(replayable<Op> || !may_repeat<Stages>,
                  "weir: this operation can run once only (it is callable as an rvalue, so its body is consumed), and "
                  "the pipeline may have to repeat it; make it callable again, or leave retry and hedge out");
    return true;
}
/// How an operation is kept and called: as it is, or with its only run wrapped.
template <class Op>
using kept_operation = std::conditional_t<replayable<Op>, Op, only_run<std::remove_reference_t<Op>>>;

}  // namespace detail

/// Says of an operation that several copies of it may run at once, at different peers: reads, and whatever is
/// idempotent. A pipeline with a `hedge` takes only operations of which one or the other is said.
template <class Op>
[[nodiscard]] auto hedgeable(Op&& op)
{
    return detail::mark<detail::hedging::allowed>(std::forward<Op>(op));
}

/// Says that it may not: through a pipeline with a `hedge` it goes without.
template <class Op>
[[nodiscard]] auto not_hedgeable(Op&& op)
{
    return detail::mark<detail::hedging::forbidden>(std::forward<Op>(op));
}

/// Gives one call a deadline of its own, such as the one that came with the request being served. The nearer of this
/// and the pipeline's `deadline` holds.
template <class Op>
[[nodiscard]] auto until(time_point deadline, Op&& op)
{
    auto marked = detail::mark<detail::hedging_of<std::decay_t<Op>>>(std::forward<Op>(op));
    marked.deadline = std::min(marked.deadline, deadline);
    return marked;
}

}  // namespace weir
