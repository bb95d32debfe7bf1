// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/detail/stages.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/call_options.hpp>
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

/// `by_options`: call_options::idempotent says it for each call.
enum class hedging : std::uint8_t { unsaid, allowed, forbidden, by_options };

/// An operation with what its caller says of it. `Op` is a reference where the operation stays its caller's.
template <class Op, hedging Hedging>
struct marked_operation {
    Op op;
    call_options said{};

    decltype(auto) operator()(attempt const& a) &
            requires std::invocable<Op&, attempt const&>
    {
        return op(a);
    }
    decltype(auto) operator()(attempt const& a) &&
            requires std::invocable<Op, attempt const&>
    {
        return std::forward<Op>(op)(a);
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
inline constexpr hedging hedging_of<only_run<Op>> = hedging_of<Op>;

/// What is said of an operation; null: nothing.
template <class Op>
[[nodiscard]] constexpr call_options const* said_of(Op const&) noexcept
{
    return nullptr;
}
template <class Op, hedging Hedging>
[[nodiscard]] constexpr call_options const* said_of(marked_operation<Op, Hedging> const& o) noexcept
{
    return &o.said;
}
template <class Op>
[[nodiscard]] constexpr call_options const* said_of(only_run<Op> const& o) noexcept
{
    return said_of(o.op);
}

/// Tells the caller who refused, where that is asked for. Done by drivers, which turn the refusal into an error anyhow:
/// in the machine it would cost every call.
template <class Op>
void tell_refusal(Op const& op, rejection const& why)
{
    if (auto const* const said = said_of(op); said && said->refused) *said->refused = why;
}

/// What is said last holds, except that of two deadlines the nearer does.
inline void add_to(call_options& said, call_options&& more)
{
    said.deadline = std::min(said.deadline, more.deadline);
    if (!more.key.empty()) said.key = std::move(more.key);
    if (more.priority) said.priority = more.priority;
    if (more.idempotent) said.idempotent = more.idempotent;
    if (more.refused) said.refused = more.refused;
}

/// A mark replaces one that was there; an operation that had none is kept as `Kept`.
template <hedging Hedging, class Kept, class Op>
[[nodiscard]] auto mark(Op&& op, call_options more = {})
{
    return marked_operation<Kept, Hedging>{std::forward<Op>(op), std::move(more)};
}
template <hedging Hedging, class, class Op, hedging Before>
[[nodiscard]] auto mark(marked_operation<Op, Before> o, call_options more = {})
{
    add_to(o.said, std::move(more));
    return marked_operation<Op, Hedging>{std::forward<Op>(o.op), std::move(o.said)};
}

template <class Op>
inline constexpr hedging hedging_with_options =
    hedging_of<Op> == hedging::unsaid ? hedging::by_options : hedging_of<Op>;

/// The operation of one call with options: the caller's own where that is an lvalue.
template <class Op>
[[nodiscard]] auto with_options(call_options said, Op&& op)
{
    return mark<hedging_with_options<std::decay_t<Op>>, Op>(std::forward<Op>(op), std::move(said));
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

/// Says of an operation what only its caller knows: `call_options`, for drivers and layers that take no options beside
/// it. `guarded.call(op, options)` is `guarded.call(with(options, op))`.
template <class Op>
[[nodiscard]] auto with(call_options said, Op&& op)
{
    using own = std::decay_t<Op>;
    return detail::mark<detail::hedging_with_options<own>, own>(std::forward<Op>(op), std::move(said));
}

/// Says of an operation that several copies of it may run at once, at different peers: reads, and whatever is
/// idempotent. A pipeline with a `hedge` takes only operations of which one or the other is said, or that come with
/// `call_options`.
template <class Op>
[[nodiscard]] auto hedgeable(Op&& op)
{
    return detail::mark<detail::hedging::allowed, std::decay_t<Op>>(std::forward<Op>(op), {.idempotent = true});
}

/// Says that it may not: through a pipeline with a `hedge` it goes without.
template <class Op>
[[nodiscard]] auto not_hedgeable(Op&& op)
{
    return detail::mark<detail::hedging::forbidden, std::decay_t<Op>>(std::forward<Op>(op));
}

/// Gives one call a deadline of its own, such as the one that came with the request being served. The nearer of this
/// and the pipeline's `deadline` holds.
template <class Op>
[[nodiscard]] auto until(time_point deadline, Op&& op)
{
    using own = std::decay_t<Op>;
    return detail::mark<detail::hedging_of<own>, own>(std::forward<Op>(op), {.deadline = deadline});
}

}  // namespace weir
