// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/timer.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/rate_permit.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace weir {

/// A limiter whose permits are reserved ahead: token_bucket, leaky_bucket.
template <class L>
concept rate_limiter = requires(L& l, std::uint64_t n, duration max_wait, time_point now) {
    {
        l.reserve(n, max_wait, now)
    } -> std::same_as<admission<rate_permit>>;
};

/// Waits for `n` permits of a rate limiter, at most `max_wait`. They are reserved at once, so those who wait are served
/// in the order they came, and each sleeps exactly once.
///
///   co_await weir::async_acquire(bucket, 1, 500ms, asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code); on success the permits are spent.
/// Fails:        errc::rate_limited at once, if the wait would be longer than max_wait; errc::exceeds_burst;
///               asio::error::operation_aborted.
/// Cancellation: all types. The permits go back if nobody has reserved behind them; otherwise they stay spent, for
///               giving them back later could mint a permit.
/// Executor:     the handler's associated executor, or `executor` as the first argument; also the source of time.
/// Lifetimes:    the limiter, until completion.   Cost: an allocation, two if there is a wait.
template <class Executor, rate_limiter Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter& limiter, std::uint64_t n, duration max_wait, Token&& token);

template <rate_limiter Limiter, class Token>
auto async_acquire(Limiter& limiter, std::uint64_t n, duration max_wait, Token&& token);

/// Waits for a slot of a concurrency limit, first come first served, at most `max_wait`.
///
///   weir::concurrency_slot slot = co_await weir::async_acquire(limit, 500ms, asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code, concurrency_slot); the slot is given back when it is destroyed.
/// Fails:        errc::too_many_calls, at once if the queue is full, otherwise after max_wait;
///               asio::error::operation_aborted.
/// Cancellation: all types; the place in the queue is given up. A slot handed over in the same moment goes to the next.
/// Executor, lifetimes and cost: as above.   Seen in: examples/03_concurrency_limit.cpp
template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait, Token&& token);

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, Token&& token);

// Bodies

namespace detail {

/// One wait for permits or for a slot. `Ending` is what completes besides the error code.
template <class Handler, class Executor, class... Ending>
class acquire_op {
public:
    using pointer = std::shared_ptr<acquire_op>;
    using values = std::tuple<boost::system::error_code, Ending...>;

    acquire_op(Handler&& handler, Executor const& executor)
        : executor_(executor), handler_(std::move(handler)), work_(handler_, executor_), timer_(executor_)
    {
    }

    [[nodiscard]] Executor const& executor() const noexcept { return executor_; }
    [[nodiscard]] time_point now() const noexcept { return timer_.now(); }

    /// `on_end(error_code)` runs on the operation's executor at `at`, or with operation_aborted when the caller
    /// cancels.
    template <class OnEnd>
    static void wait_until(pointer const& self, time_point at, OnEnd on_end)
    {
        if (auto slot = asio::get_associated_cancellation_slot(self->handler_); slot.is_connected())
            slot.assign([weak = std::weak_ptr(self)](asio::cancellation_type) {
                if (auto alive = weak.lock()) {
                    auto const& ex = alive->executor_;
                    asio::dispatch(ex, [alive = std::move(alive)] { alive->timer_.cancel(); });
                }
            });
        self->timer_.async_wait_until(at, asio::bind_executor(self->executor_, std::move(on_end)));
    }

    void stop_waiting() { timer_.cancel(); }

    /// The completion, once; the operation is over.
    [[nodiscard]] completion<Handler, Executor, values> end(boost::system::error_code ec, Ending... ending)
    {
        return {std::move(handler_), std::move(work_), values(ec, std::move(ending)...)};
    }

private:
    Executor executor_;
    Handler handler_;
    completion_work<Handler, Executor> work_;
    timer timer_;
};

template <class Limiter>
struct start_rate_acquire {
    template <class Handler, class Executor>
    void operator()(Handler handler, Executor const& given, Limiter* limiter, std::uint64_t n, duration max_wait) const
    {
        auto const executor = operation_executor(given, handler);
        using op = acquire_op<Handler, std::remove_cv_t<decltype(executor)>>;
        auto const allocator = asio::get_associated_allocator(handler);
        auto self = std::allocate_shared<op>(allocator, std::move(handler), executor);
        auto const now = self->now();
        auto answer = limiter->reserve(n, max_wait, now);
        if (!answer) return self->end(make_error_code(answer.refused().code)).post();
        if (answer->start_at() <= now) {
            answer->record(outcome::success(), now);
            return self->end({}).post();
        }
        auto const at = answer->start_at();
        op::wait_until(self, at, [self, permit = *std::move(answer)](boost::system::error_code ec) mutable {
            if (ec)
                permit.cancel();
            else
                permit.record(outcome::success(), self->now());
            std::exchange(self, nullptr)->end(ec).deliver();
        });
    }
};

// Three may end it: the limit that hands over a slot, the clock, the caller. The limit decides: whoever takes the
// waiter out of its queue ends the operation, and if nobody could, the slot is coming.
template <class Handler, class Executor>
class slot_acquire_op final : public acquire_op<Handler, Executor, concurrency_slot>, public concurrency_waiter {
    using base = acquire_op<Handler, Executor, concurrency_slot>;

public:
    using pointer = std::shared_ptr<slot_acquire_op>;

    slot_acquire_op(Handler&& handler, Executor const& executor, concurrency_limit& limit)
        : base(std::move(handler), executor), limit_(limit)
    {
    }

    static void start(pointer self, duration max_wait)
    {
        auto const now = self->now();
        self->queued_ = self;
        auto answer = self->limit_.enqueue(*self, now);
        if (answer) {
            self->queued_.reset();
            if (*answer) return self->end({}, *std::move(*answer)).post();
            return self->end(make_error_code(answer->refused().code), {}).post();
        }
        base::wait_until(self, later(now, max_wait), [self](boost::system::error_code ec) mutable {
            if (!self->limit_.cancel(*self)) return;
            self->queued_.reset();
            if (!ec) ec = make_error_code(errc::too_many_calls);
            std::exchange(self, nullptr)->end(ec, {}).deliver();
        });
    }

private:
    void granted(concurrency_slot slot) noexcept override
    {
        auto self = std::move(queued_);
        auto const& executor = self->executor();
        asio::post(executor, [self = std::move(self), slot = std::move(slot)]() mutable {
            self->stop_waiting();
            std::exchange(self, nullptr)->end({}, std::move(slot)).deliver();
        });
    }

    concurrency_limit& limit_;
    pointer queued_;  // alive while the limit may call
};

struct start_slot_acquire {
    template <class Handler, class Executor>
    void operator()(Handler handler, Executor const& given, concurrency_limit* limit, duration max_wait) const
    {
        auto const executor = operation_executor(given, handler);
        using op = slot_acquire_op<Handler, std::remove_cv_t<decltype(executor)>>;
        auto const allocator = asio::get_associated_allocator(handler);
        op::start(std::allocate_shared<op>(allocator, std::move(handler), executor, *limit), max_wait);
    }
};

}  // namespace detail

template <class Executor, rate_limiter Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter& limiter, std::uint64_t n, duration max_wait, Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code)>(detail::start_rate_acquire<Limiter>{}, token,
                                                                        executor, &limiter, n, max_wait);
}

template <rate_limiter Limiter, class Token>
auto async_acquire(Limiter& limiter, std::uint64_t n, duration max_wait, Token&& token)
{
    return async_acquire(detail::of_handler{}, limiter, n, max_wait, std::forward<Token>(token));
}

template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait, Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code, concurrency_slot)>(
        detail::start_slot_acquire{}, token, executor, &limit, max_wait);
}

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, Token&& token)
{
    return async_acquire(detail::of_handler{}, limit, max_wait, std::forward<Token>(token));
}

}  // namespace weir
