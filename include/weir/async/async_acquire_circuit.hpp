// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/detail/immediate_end.hpp>
#include <weir/async/detail/waiting_op.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/breaker/circuit_breaker.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace weir {

/// Waits until a circuit breaker lets a call through, closed or as a probe, at most `max_wait`: for a consumer that has
/// nothing better to do than to wait for its peer.
///
///   auto leave = co_await weir::async_acquire(breaker, 30s, asio::use_awaitable);
///   ...
///   leave.record(weir::outcome::success());
///
/// Those who wait stand in line. When the circuit is half open, as many of them go as there are probes, the first in
/// line first; the others wait on, for the probes' verdict or for a probe that was given back unused. When it closes,
/// all go, in order. Unless it has a ramp: then each draws its own lot, and they come spread over the ramp. Give a
/// breaker that many wait for a ramp.
///
/// Signature:    void(boost::system::error_code, basic_circuit_breaker<Clock>::permit); to be settled with how the call
///               ended.
/// Fails:        errc::circuit_open: at once if it is known to stay open, or forced open, for longer than max_wait,
///               else after max_wait; asio::error::operation_aborted.
/// Cancellation: all types. Too late when it has been let through: then the operation succeeds.
/// Executor:     the handler's associated executor, or `executor` as the first argument; also the source of time.
///               Listeners of the breaker may be called by its context.
/// Lifetimes:    the breaker, until completion; where a context is destroyed under its waiters, until then.
/// Cost:         without a wait, that of a post. A wait is one allocation from the handler's allocator and a node in
///               the timer queue. A change of state is a question for each who gets through, and one more.
/// Seen in:      examples/13_wait_for_a_permit.cpp
template <class Executor, clock Clock, class Token>
auto async_acquire(Executor const& executor, basic_circuit_breaker<Clock>& breaker, duration max_wait, Token&& token);

template <clock Clock, class Token>
auto async_acquire(basic_circuit_breaker<Clock>& breaker, duration max_wait, Token&& token);

// Bodies

namespace detail {

/// While open, time alone says when: then there is no hope before. Probes may be through sooner than their leases end.
template <class Breaker>
[[nodiscard]] bool hopeless(Breaker const& breaker, rejection const& no, time_point now, time_point deadline) noexcept
{
    return now >= deadline || (no.retry_at > deadline && breaker.state(now) != circuit_state::half_open);
}

// Its wait in the timer queue is what it is owned by: whoever takes that out, or is called by it, goes on with the
// operation, and nobody else touches it. It is put in, and by others taken out, under the lock of the line.
template <class Breaker, class Handler, class Executor>
class circuit_wait final
    : public waiting_op<circuit_wait<Breaker, Handler, Executor>, Handler, Executor, typename Breaker::permit>,
      public circuit_waiter,
      public timer_queue::node {
    using permit = typename Breaker::permit;
    using base = waiting_op<circuit_wait, Handler, Executor, permit>;
    friend base;

public:
    circuit_wait(Handler&& handler, Executor const& executor, Breaker& breaker, time_point const& deadline)
        : base(std::move(handler), executor), breaker_(breaker), timers_(timer_queue::of(executor)), deadline_(deadline)
    {
    }

    /// It was refused when the line had seen so many changes.
    static void start(Handler&& handler, Executor const& executor, Breaker& breaker, time_point deadline,
                      rejection const& no, std::uint64_t changes, time_point now)
    {
        auto self = base::make(std::move(handler), executor, breaker, deadline);
        self->listen([op = self.get()] { op->cancel(); });
        self.release()->refused(no, changes, now);
    }

private:
    static constexpr duration at_least = std::chrono::milliseconds(1);  // between two questions, if nothing changes

    void ask(time_point now)
    {
        auto const changes = line().changes();
        auto answer = breaker_.admit(now);
        if (!answer) return refused(answer.refused(), changes, now);
        end(line().hold(), {}, *std::move(answer));
    }

    void refused(rejection no, std::uint64_t changes, time_point now)
    {
        auto held = line().hold();
        if (cancelled_) return end(std::move(held), asio::error::operation_aborted);
        if (line().changes() != changes && now < deadline_) {
            held.unlock();
            return timers_.insert(*this, now, this->executor());
        }
        if (hopeless(breaker_, no, now, deadline_)) return end(std::move(held), make_error_code(no.code));
        auto const due = std::min(deadline_, std::max(no.retry_at, later(now, at_least)));
        if (breaker_.state(now) ==
            circuit_state::closed) {  // on the ramp: it has drawn its lot, the next draws another
            line().leave(*this);
            line().tell_first();
            return timers_.insert(*this, due, this->executor());
        }
        line().join(*this);
        timers_.insert(*this, line().is_first(*this) ? due : deadline_, this->executor());
    }

    void end(circuit_line::guard held, boost::system::error_code ec, permit leave = {})
    {
        if (line().leave(*this) || !ec) line().tell_first();
        held.unlock();
        this->post({ec, std::move(leave)});
    }

    void cancel()
    {
        auto held = line().hold();
        cancelled_ = true;
        if (timers_.remove(*this)) end(std::move(held), asio::error::operation_aborted);
    }

    void told() noexcept override
    {
        if (timers_.remove(*this)) timers_.insert(*this, timers_.now(), this->executor());
    }
    void expired() noexcept override { ask(std::max(timers_.now(), expiry())); }
    void abandoned() noexcept override
    {
        {
            auto const held = line().hold();
            if (line().leave(*this)) line().tell_first();
        }
        this->destroy();
    }

    [[nodiscard]] circuit_line& line() const noexcept { return breaker_.line(); }

    Breaker& breaker_;
    timer_queue& timers_;
    time_point const deadline_;
    bool cancelled_ = false;  // under the lock of the line
};

struct start_circuit_acquire {
    template <class Handler, class Executor, class Breaker>
    void operator()(Handler handler, Executor const& given, Breaker* breaker, duration max_wait) const
    {
        auto const executor = operation_executor(given, handler);
        auto const now = weir::now(executor);
        auto const changes = breaker->line().changes();
        auto answer = breaker->admit(now);
        if (answer) return post_success(executor, std::move(handler), *std::move(answer));
        auto const deadline = later(now, max_wait);
        if (hopeless(*breaker, answer.refused(), now, deadline))
            return post_refusal<typename Breaker::permit>(executor, std::move(handler), answer.refused().code);
        using op = circuit_wait<Breaker, Handler, std::remove_cv_t<decltype(executor)>>;
        op::start(std::move(handler), executor, *breaker, deadline, answer.refused(), changes, now);
    }
};

}  // namespace detail

template <class Executor, clock Clock, class Token>
auto async_acquire(Executor const& executor, basic_circuit_breaker<Clock>& breaker, duration max_wait, Token&& token)
{
    using permit = typename basic_circuit_breaker<Clock>::permit;
    return asio::async_initiate<Token, void(boost::system::error_code, permit)>(detail::start_circuit_acquire{}, token,
                                                                                executor, &breaker, max_wait);
}

template <clock Clock, class Token>
auto async_acquire(basic_circuit_breaker<Clock>& breaker, duration max_wait, Token&& token)
{
    return async_acquire(detail::of_handler{}, breaker, max_wait, std::forward<Token>(token));
}

}  // namespace weir
