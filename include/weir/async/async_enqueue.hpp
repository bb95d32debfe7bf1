// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/detail/immediate_end.hpp>
#include <weir/async/detail/waiting_op.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/limit/shedding_queue.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>

#include <atomic>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

/// Waits for a slot of a shedding queue, no longer than the ticket's deadline.
///
///   auto slot = co_await weir::async_acquire(queue, weir::shedding_ticket{.deadline = at}, asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code, shedding_queue<A>::token); the slot is given back when it is
///          destroyed.
/// Fails:        errc::too_many_calls when refused or shed; errc::no_time_left when the deadline leaves too little
///               time, or has come; asio::error::operation_aborted. `refused` gets the refusal itself.
/// Cancellation: all types; the place in the queue is given up. Too late when the slot has been handed over: then the
///               operation succeeds.
/// Executor:     the handler's associated executor, or `executor` as the first argument; also the source of time.
/// Lifetimes:    the queue, until completion.
/// Cost:         without a wait, that of a post; a wait is one allocation from the handler's allocator, and a node in
///               the context's timer queue.
template <class Executor, limit_algorithm Algorithm, class Token>
auto async_acquire(Executor const& executor, shedding_queue<Algorithm>& from, shedding_ticket ticket, Token&& token);

template <limit_algorithm Algorithm, class Token>
auto async_acquire(shedding_queue<Algorithm>& from, shedding_ticket ticket, Token&& token);

template <class Executor, limit_algorithm Algorithm, class Token>
auto async_acquire(Executor const& executor, shedding_queue<Algorithm>& from, shedding_ticket ticket,
                   std::optional<rejection>& refused, Token&& token);

template <limit_algorithm Algorithm, class Token>
auto async_acquire(shedding_queue<Algorithm>& from, shedding_ticket ticket, std::optional<rejection>& refused,
                   Token&& token);

// Bodies

namespace detail {

// As slot_wait in async_acquire.hpp: three may end it, the queue that hands over a slot or sheds, the clock, the
// caller. The queue decides: whoever takes the waiter out of it ends the operation, and if nobody could, the answer is
// coming. The completion is posted when all three that may still come here are through: the queue, the timer queue, and
// `start`.
template <class Queue, class Handler, class Executor>
class shedding_wait final
    : public waiting_op<shedding_wait<Queue, Handler, Executor>, Handler, Executor, typename Queue::token>,
      public Queue::waiter,
      public timer_queue::node {
    using base = waiting_op<shedding_wait, Handler, Executor, typename Queue::token>;
    friend base;

public:
    shedding_wait(Handler&& handler, Executor const& executor, Queue& from, std::optional<rejection>* refused)
        : base(std::move(handler), executor), queue_(from), timers_(timer_queue::of(executor)), refused_(refused)
    {
    }

    static void start(Handler&& handler, Executor const& executor, Queue& from, time_point now, shedding_ticket ticket,
                      std::optional<rejection>* refused)
    {
        auto self = base::make(std::move(handler), executor, from, refused);
        self->listen([op = self.get()] {
            if (op->timers_.remove(*op)) op->give_up(asio::error::operation_aborted);
        });
        auto answer = from.enqueue(*self, ticket, now);
        auto* const op = self.release();
        if (answer) {
            if (*answer)
                op->slot_ = *std::move(*answer);
            else
                op->error_ = make_error_code(told(answer->refused(), refused));
            return op->leave(3);
        }
        op->timers_.insert(*op, ticket.deadline, executor);
        // Answered before there was a wait to take back.
        if (op->answered_.load(std::memory_order_relaxed) && op->timers_.remove(*op)) op->leave(1);
        op->leave(1);
    }

private:
    void granted(typename Queue::token slot) noexcept override
    {
        slot_ = std::move(slot);
        answered();
    }
    void shed(rejection why) noexcept override
    {
        error_ = make_error_code(told(why, refused_));
        answered();
    }
    void expired() noexcept override { give_up(make_error_code(errc::no_time_left)); }
    void abandoned() noexcept override
    {
        if (queue_.cancel(*this))
            this->destroy();
        else
            leave(1);  // the answer is coming, and goes with the rest of the context
    }

    void answered() noexcept
    {
        answered_.store(true, std::memory_order_relaxed);  // ordered by the lock of the timer queue
        leave(timers_.remove(*this) ? 2 : 1);
    }

    /// It waits no more in the timer queue.
    void give_up(boost::system::error_code why)
    {
        bool const ours = queue_.cancel(*this);
        if (ours) error_ = why;
        if (ours && why == errc::no_time_left) (void)told({errc::no_time_left, never, queue_.name()}, refused_);
        leave(ours ? 2 : 1);
    }

    void leave(unsigned parties)
    {
        if (parties_.fetch_sub(parties, std::memory_order_acq_rel) == parties) this->post({error_, std::move(slot_)});
    }

    Queue& queue_;
    timer_queue& timers_;
    std::optional<rejection>* const refused_;
    typename Queue::token slot_;
    boost::system::error_code error_;
    std::atomic<bool> answered_{false};
    std::atomic<unsigned> parties_{3};
};

template <class Queue>
struct start_shedding_acquire {
    template <class Handler, class Executor>
    void operator()(Handler handler, Executor const& given, Queue* from, shedding_ticket ticket,
                    std::optional<rejection>* refused) const
    {
        auto const executor = operation_executor(given, handler);
        auto const now = weir::now(executor);
        if (auto answer = from->at_once(ticket, now)) {
            if (*answer) return post_success(executor, std::move(handler), *std::move(*answer));
            return post_refusal<typename Queue::token>(executor, std::move(handler), told(answer->refused(), refused));
        }
        using op = shedding_wait<Queue, Handler, std::remove_cv_t<decltype(executor)>>;
        op::start(std::move(handler), executor, *from, now, ticket, refused);
    }
};

}  // namespace detail

template <class Executor, limit_algorithm Algorithm, class Token>
auto async_acquire(Executor const& executor, shedding_queue<Algorithm>& from, shedding_ticket ticket, Token&& token)
{
    using queue_type = shedding_queue<Algorithm>;
    return asio::async_initiate<Token, void(boost::system::error_code, typename queue_type::token)>(
        detail::start_shedding_acquire<queue_type>{}, token, executor, &from, ticket, nullptr);
}

template <limit_algorithm Algorithm, class Token>
auto async_acquire(shedding_queue<Algorithm>& from, shedding_ticket ticket, Token&& token)
{
    return async_acquire(detail::of_handler{}, from, ticket, std::forward<Token>(token));
}

template <class Executor, limit_algorithm Algorithm, class Token>
auto async_acquire(Executor const& executor, shedding_queue<Algorithm>& from, shedding_ticket ticket,
                   std::optional<rejection>& refused, Token&& token)
{
    using queue_type = shedding_queue<Algorithm>;
    return asio::async_initiate<Token, void(boost::system::error_code, typename queue_type::token)>(
        detail::start_shedding_acquire<queue_type>{}, token, executor, &from, ticket, &refused);
}

template <limit_algorithm Algorithm, class Token>
auto async_acquire(shedding_queue<Algorithm>& from, shedding_ticket ticket, std::optional<rejection>& refused,
                   Token&& token)
{
    return async_acquire(detail::of_handler{}, from, ticket, refused, std::forward<Token>(token));
}

}  // namespace weir
