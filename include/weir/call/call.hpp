// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/call/machine.hpp>
#include <weir/call/operation.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/core/result.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {
namespace detail {

template <class R>
struct call_result {
    using type = result<R>;
};
template <class T>
struct call_result<result<T>> {
    using type = result<T>;
};
template <>
struct call_result<std::error_code> {
    using type = result<void>;
};

/// The outcome of an ending, by the pipeline's classify rule or by the default.
template <class... Stages, class... Ending>
[[nodiscard]] outcome classify_by(pipeline<Stages...>& p, Ending const&... ending)
{
    constexpr std::array<role, sizeof...(Stages)> roles{role_of<std::remove_cvref_t<Stages>>()...};
    constexpr auto index = find(roles, role::classify);
    if constexpr (index != nowhere)
        return std::as_const(p.template stage<index>())(ending...);
    else if constexpr (std::invocable<default_classifier, Ending const&...>)
        return default_classifier{}(ending...);
    else
        return outcome::success();
}

/// The attempt's ending while it may still be the answer: a result, or what it threw.
template <class Result>
struct answer {
    std::optional<Result> value;
    std::exception_ptr thrown;
};

template <class Result, class Pipeline, class Op>
[[nodiscard]] outcome run_attempt(Pipeline& p, Op& op, attempt const& a, answer<Result>& out)
{
    using returned = std::invoke_result_t<Op&, attempt const&>;
    try {
        if constexpr (std::is_void_v<returned>) {
            op(a);
            out.value.emplace();
            return classify_by(p);
        } else if constexpr (std::same_as<std::remove_cvref_t<returned>, std::error_code>) {
            std::error_code const ec = op(a);
            if (ec)
                out.value.emplace(error(ec));
            else
                out.value.emplace();
            return ec ? classify_by(p, ec) : classify_by(p);
        } else {
            out.value.emplace(op(a));
        }
    } catch (...) {
        out.thrown = std::current_exception();
        return classify_by(p, out.thrown);
    }
    if constexpr (!std::is_void_v<returned> && !std::same_as<std::remove_cvref_t<returned>, std::error_code>) {
        auto& value = *out.value;
        if (!value) return classify_by(p, value.error().code);
        if constexpr (std::is_void_v<typename Result::value_type>)
            return classify_by(p);
        else
            return classify_by(p, *value);
    }
}

template <class Result, class Pipeline>
[[nodiscard]] outcome fail_attempt(Pipeline& p, std::error_code const& fault, answer<Result>& out)
{
    out.value.emplace(error(fault));
    return classify_by(p, fault);
}

/// Drives the machine of one call on this thread.
template <class Pipeline, class Op, clock Clock>
[[nodiscard]] auto run_call(Pipeline& around, Op& op, Clock const& clock)
{
    using result_type = typename call_result<std::remove_cvref_t<std::invoke_result_t<Op&, attempt const&>>>::type;
    using machine_type = machine<Pipeline>;
    using verb = typename machine_type::verb;
    using verdict = typename machine_type::verdict;

    auto& random = thread_random();
    answer<result_type> kept;
    machine_type m(around);
    auto now = clock.now();
    m.start(now, said_of(op), random);
    for (;;) {
        auto const step = m.next(now, random);
        if (step.what == verb::done) break;
        if (step.what == verb::wait) {
            if constexpr (requires { clock.sleep_until(step.until); })
                clock.sleep_until(step.until);
            else
                static_assert(
                    requires { clock.sleep_until(step.until); },
                    "weir::pipeline::call: the clock needs sleep_until(time_point), to wait out a pause");
            now = clock.now();
        } else if (step.what == verb::send) {
            answer<result_type> latest;
            auto const o = [&] {
                if constexpr (machine_type::may_fault())
                    if (auto const f = m.fault_in(step.slot)) return fail_attempt(around, f, latest);
                return run_attempt(around, op, m.attempt_in(step.slot), latest);
            }();
            now = clock.now();
            if (m.finished(step.slot, o, now, random)) kept = std::move(latest);
        }
        // verb::cancel cannot come: no attempt is in flight between `send` and `finished`.
    }
    switch (m.how_it_ended()) {
        case verdict::timed_out: return result_type(error(m.code()));
        case verdict::refused: tell_refusal(op, m.refusal()); return result_type(error(m.refusal()));
        default: break;
    }
    if (kept.thrown) std::rethrow_exception(std::move(kept.thrown));
    return *std::move(kept.value);
}

}  // namespace detail

template <class... Stages>
template <class Op, clock Clock>
auto pipeline<Stages...>::call(Op&& op, Clock const& clock)
{
    static_assert(detail::check_operation<stages, Op>());
    static_assert(!detail::is_hedged<stages>,
                  "weir::pipeline::call: a blocking call cannot have two copies of an operation in flight; hedge with "
                  "async_call (weir/async/async_call.hpp), or leave hedge out of this pipeline");
    detail::kept_operation<Op&&> body{std::forward<Op>(op)};
    return detail::run_call(*this, body, clock);
}

}  // namespace weir
