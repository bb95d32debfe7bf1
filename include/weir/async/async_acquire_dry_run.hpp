// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/async_acquire.hpp>
#include <weir/async/async_enqueue.hpp>
#include <weir/call/dry_run.hpp>

#include <boost/asio/async_result.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

namespace detail {

template <class Gate>
inline constexpr bool is_slot_queue = std::same_as<Gate, concurrency_limit>;
template <class Algorithm>
inline constexpr bool is_slot_queue<shedding_queue<Algorithm>> = true;

/// A dry_run of what is waited for in a queue of its own.
template <class Trial>
concept slot_trial = requires(Trial& t) { requires is_slot_queue<std::remove_reference_t<decltype(t.inner())>>; };

template <slot_trial Trial>
using slot_on_trial = typename std::remove_reference_t<decltype(std::declval<Trial&>().inner())>::token;

}  // namespace detail

/// Waits for a slot of a concurrency_limit or a shedding_queue that is in a dry_run: where its refusal, or the wait for
/// a slot, does not stand, nobody waits, and the slot is an empty one. `how`: the longest wait, or the ticket. A rate
/// limiter in a dry_run is waited for as without (async_acquire.hpp).
///
///   auto slot = co_await weir::async_acquire(watched, 500ms, asio::use_awaitable);
///
/// All else is as in async_acquire.hpp and async_enqueue.hpp.
/// Seen in: tests/async/async_acquire_dry_run.cpp
template <class Executor, detail::slot_trial Trial, class How, class Token>
    requires std::same_as<How, shedding_ticket> || std::convertible_to<How, duration>
auto async_acquire(Executor const& executor, Trial& trial, How how, Token&& token);

template <detail::slot_trial Trial, class How, class Token>
    requires std::same_as<How, shedding_ticket> || std::convertible_to<How, duration>
auto async_acquire(Trial& trial, How how, Token&& token);

// Bodies

namespace detail {

/// Whether the caller goes without a slot. Takes one if it is free.
template <class Trial>
[[nodiscard]] bool goes_without(Trial& trial, duration, time_point now, concurrency_slot& slot)
{
    auto answer = trial.inner().admit(now);
    if (answer) slot = *std::move(answer);
    return !answer && trial.lets_pass(answer.refused());
}
template <class Trial>
[[nodiscard]] bool goes_without(Trial& trial, shedding_ticket ticket, time_point now, slot_on_trial<Trial>& slot)
{
    auto& queue = trial.inner();
    auto answer = queue.at_once(ticket, now);
    if (answer && *answer) {
        slot = *std::move(*answer);
        return false;
    }
    return trial.lets_pass(answer ? answer->refused() : rejection{errc::too_many_calls, now, queue.name()});
}

struct start_trial_acquire {
    template <class Handler, class Executor, class Trial, class How>
    void operator()(Handler handler, Executor const& given, Trial* trial, How how) const
    {
        auto const executor = operation_executor(given, handler);
        slot_on_trial<Trial> slot;
        if (goes_without(*trial, how, weir::now(executor), slot) || slot)
            return post_success(executor, std::move(handler), std::move(slot));
        if constexpr (std::same_as<How, shedding_ticket>)
            start_shedding_acquire<std::remove_reference_t<decltype(trial->inner())>>{}(std::move(handler), executor,
                                                                                        &trial->inner(), how, nullptr);
        else
            start_slot_acquire{}(std::move(handler), executor, &trial->inner(), how, nullptr);
    }
};

}  // namespace detail

template <class Executor, detail::slot_trial Trial, class How, class Token>
    requires std::same_as<How, shedding_ticket> || std::convertible_to<How, duration>
auto async_acquire(Executor const& executor, Trial& trial, How how, Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code, detail::slot_on_trial<Trial>)>(
        detail::start_trial_acquire{}, token, executor, &trial, how);
}

template <detail::slot_trial Trial, class How, class Token>
    requires std::same_as<How, shedding_ticket> || std::convertible_to<How, duration>
auto async_acquire(Trial& trial, How how, Token&& token)
{
    return async_acquire(detail::of_handler{}, trial, how, std::forward<Token>(token));
}

}  // namespace weir
