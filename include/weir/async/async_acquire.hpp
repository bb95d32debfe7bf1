// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>
#include <weir/async/detail/immediate_end.hpp>
#include <weir/async/detail/permit_queues.hpp>
#include <weir/async/detail/waiting_op.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/core/gate.hpp>
#include <weir/limit/concurrency_limit.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

namespace detail {

template <class T>
concept reservation = token<T> && requires(T& t, T const& c) {
    {
        c.start_at()
    } noexcept -> std::same_as<time_point>;
    {
        t.cancel()
    } noexcept -> std::same_as<bool>;
};

}  // namespace detail

/// A limiter whose permits are reserved ahead: token_bucket, leaky_bucket, the windows, a wrapper around one of them.
/// Its token tells when to start, and `cancel` gives the permits back if that cannot mint one. `try_acquire(n, now)`
/// and `max_wait()` are used where they are.
template <class L>
concept rate_limiter = requires(L& l, std::uint64_t n, duration max_wait, time_point now) {
    requires detail::is_admission<decltype(l.reserve(n, max_wait, now))>;
    requires detail::reservation<typename decltype(l.reserve(n, max_wait, now))::token_type>;
};

namespace detail {

// A limiter that can be copied is a handle to one, like a key of a keyed_limiter, and may be a temporary.
template <class L>
concept limiter_argument = rate_limiter<std::remove_reference_t<L>> &&
                           (std::is_lvalue_reference_v<L> || std::copyable<std::remove_reference_t<L>>);

}  // namespace detail

/// Waits for `n` permits of a rate limiter, at most `max_wait`. They are reserved at once, so those who wait are served
/// in the order they came. When one of them gives up, those behind it move up, and start earlier.
///
///   co_await weir::async_acquire(bucket, 1, 500ms, asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code); on success the permits are spent.
/// Fails:        what the limiter refuses with, at once: errc::rate_limited if the wait would be longer than max_wait,
///               errc::exceeds_burst; asio::error::operation_aborted. `refused` gets the refusal itself, with retry_at.
/// Cancellation: all types. The next waiter of this limiter in this context that needs no more permits takes the place,
///               another takes its place, and so on; nobody is delayed. The place left over goes back to the limiter if
///               nobody has reserved behind it; otherwise it stays spent, for giving it back later could mint a permit.
/// max_wait:     left out, it is `limiter.max_wait()` where there is one, and otherwise for ever.
/// now:          given, it is the time of asking, and no clock is read unless there is a wait.
/// Executor:     the handler's associated executor, or `executor` as the first argument; also the source of time.
/// Lifetimes:    the limiter, until completion; where a context is destroyed under its waiters, until then. A handle,
///               that is a limiter that can be copied, is copied. Those who wait for handles of one `identity()`, an
///               optional std::pair<void const*, std::uint64_t>, are one queue, as keyed_limiter::of(key) has it;
///               without one they give their place to nobody.
/// Cost:         without a wait, that of a post. A wait is one allocation from the handler's allocator and a short
///               lock, and every few waits one block from the heap for the queue of the limiter; all waits of a limiter
///               in a context are one node in its timer queue.
/// Seen in:      examples/13_wait_for_a_permit.cpp
template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait, Token&& token);

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, Token&& token);

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, Token&& token);

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, Token&& token);

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait,
                   std::optional<rejection>& refused, Token&& token);

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, std::optional<rejection>& refused,
                   Token&& token);

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait, time_point now,
                   Token&& token);

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, time_point now, Token&& token);

/// Waits for a slot of a concurrency limit, first come first served, at most `max_wait`.
///
///   weir::concurrency_slot slot = co_await weir::async_acquire(limit, 500ms, asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code, concurrency_slot); the slot is given back when it is destroyed.
/// Fails:        errc::too_many_calls, at once if the queue is full, otherwise after max_wait;
///               asio::error::operation_aborted. `refused` gets the refusal itself, as it was when asked.
/// Cancellation: all types; the place in the queue is given up. Too late when the slot has been handed over: then the
///               operation succeeds.
/// Executor, lifetimes and cost: as above, with a node in the timer queue for each wait.
/// Seen in:      examples/03_concurrency_limit.cpp
template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait, Token&& token);

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, Token&& token);

template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait,
                   std::optional<rejection>& refused, Token&& token);

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, std::optional<rejection>& refused, Token&& token);

// Bodies

namespace detail {

/// In place of an instant: the context's time.
struct of_context {};

template <class Executor>
[[nodiscard]] time_point time_of_asking(of_context, Executor const& executor) noexcept
{
    return now(executor);
}
template <class Executor>
[[nodiscard]] time_point time_of_asking(time_point given, Executor const&) noexcept
{
    return given;
}

template <class Limiter>
class limiter_ref {
public:
    explicit limiter_ref(Limiter& limiter) noexcept : limiter_(&limiter) {}
    [[nodiscard]] Limiter& get() noexcept { return *limiter_; }
    [[nodiscard]] limiter_identity identity() const noexcept { return {limiter_, 0}; }

private:
    Limiter* limiter_;
};

// Two handles at one address, one after the other, may stand for two limiters: one says for which, or its waiter is
// alone in its queue.
template <std::copyable Limiter>
class limiter_ref<Limiter> {
public:
    explicit limiter_ref(Limiter& limiter) : limiter_(limiter) {}
    [[nodiscard]] Limiter& get() noexcept { return limiter_; }
    [[nodiscard]] limiter_identity identity() const noexcept
    {
        if constexpr (requires {
                          {
                              std::as_const(limiter_).identity()
                          } -> std::same_as<limiter_identity>;
                      })
            return limiter_.identity();
        else
            return {};
    }

private:
    Limiter limiter_;
};

template <class Limiter>
[[nodiscard]] duration longest_wait(Limiter const& limiter) noexcept
{
    if constexpr (requires { limiter.max_wait(); })
        return limiter.max_wait();
    else
        return duration::max();
}

template <class Limiter>
using permit_of =
    typename decltype(std::declval<Limiter&>().reserve(std::uint64_t{}, duration{}, time_point{}))::token_type;

/// The same address for each type, another for each.
template <class Limiter>
inline constexpr char limiter_type = 0;

template <class Permit, class Handler, class Executor>
class permit_wait final : public waiting_op<permit_wait<Permit, Handler, Executor>, Handler, Executor>,
                          public permit_waiter<Permit> {
    using base = waiting_op<permit_wait, Handler, Executor>;
    friend base;

public:
    permit_wait(Handler&& handler, Executor const& executor) : base(std::move(handler), executor) {}

    /// Without a name it is alone in its queue.
    static void start(Handler&& handler, Executor const& executor, limiter_name limiter, std::uint64_t n,
                      Permit&& permit)
    {
        auto& waiting = permit_queues<Permit>::of(executor);
        auto self = base::make(std::move(handler), executor);
        if (limiter.of.first == nullptr) limiter.of.first = self.get();
        self->listen([op = self.get(), &waiting] {
            if (waiting.leave(*op)) op->post({asio::error::operation_aborted});
        });
        if (waiting.insert(*self, limiter, n, std::move(permit))) (void)self.release();
    }

private:
    void granted() noexcept override { this->post({boost::system::error_code{}}); }
    void abandoned() noexcept override { this->destroy(); }
    void arm(timer_queue& timers, timer_queue::node& n, time_point at) const override
    {
        timers.insert(n, at, this->executor());
    }
};

template <class Limiter>
struct start_rate_acquire {
    template <class Handler, class Executor, class Now>
    void operator()(Handler handler, Executor const& given, limiter_ref<Limiter> limiter, std::uint64_t n,
                    duration max_wait, Now when, std::optional<rejection>* refused) const
    {
        auto const executor = operation_executor(given, handler);
        if (try_first(limiter.get(), n, executor, when)) return post_success(executor, std::move(handler));
        auto const now = time_of_asking(when, executor);
        auto answer = limiter.get().reserve(n, max_wait, now);
        if (!answer) return post_refusal(executor, std::move(handler), told(answer.refused(), refused));
        if (answer->start_at() <= now) {
            answer->record(outcome::success(), now);
            return post_success(executor, std::move(handler));
        }
        using op = permit_wait<permit_of<Limiter>, Handler, std::remove_cv_t<decltype(executor)>>;
        op::start(std::move(handler), executor, {&limiter_type<Limiter>, limiter.identity()}, n, *std::move(answer));
    }

private:
    /// Permits on hand are taken without a token, and in real time without reading a clock, where the limiter can do
    /// that. False: ask further.
    template <class Executor, class Now>
    static bool try_first(Limiter& limiter, std::uint64_t n, Executor const& executor, Now when)
    {
        if constexpr (requires { Limiter::asked_once; }) return false;  // a dry_run draws each time it is asked
        if constexpr (std::same_as<Now, of_context> && requires {
                          {
                              limiter.try_acquire(n)
                          } -> std::same_as<bool>;
                      })
            if (timer_queue::real_time(executor)) return limiter.try_acquire(n);
        if constexpr (requires(time_point t) {
                          {
                              limiter.try_acquire(n, t)
                          } -> std::same_as<bool>;
                      })
            return limiter.try_acquire(n, time_of_asking(when, executor));
        return false;
    }
};

// Three may end it: the limit that hands over a slot, the clock, the caller. The limit decides: whoever takes the
// waiter out of its queue ends the operation, and if nobody could, the slot is coming. The completion is posted when
// all three that may still come here are through: the limit, the timer queue, and the function that started it.
template <class Handler, class Executor>
class slot_wait final : public waiting_op<slot_wait<Handler, Executor>, Handler, Executor, concurrency_slot>,
                        public concurrency_waiter,
                        public timer_queue::node {
    using base = waiting_op<slot_wait, Handler, Executor, concurrency_slot>;
    friend base;

public:
    slot_wait(Handler&& handler, Executor const& executor, concurrency_limit& limit, rejection const& why,
              std::optional<rejection>* refused)
        : base(std::move(handler), executor),
          limit_(limit),
          timers_(timer_queue::of(executor)),
          why_(why),
          refused_(refused)
    {
    }

    /// `why` there is no slot at once.
    static void start(Handler&& handler, Executor const& executor, concurrency_limit& limit, time_point now,
                      duration max_wait, rejection const& why, std::optional<rejection>* refused)
    {
        auto self = base::make(std::move(handler), executor, limit, why, refused);
        self->listen([op = self.get()] {
            if (op->timers_.remove(*op)) op->give_up(asio::error::operation_aborted);
        });
        auto answer = limit.enqueue(*self, now);
        auto* const op = self.release();
        if (answer) {
            if (*answer)
                op->slot_ = *std::move(*answer);
            else
                op->error_ = make_error_code(told(answer->refused(), refused));
            return op->leave(3);
        }
        op->timers_.insert(*op, later(now, max_wait), executor);
        // Handed over before there was a wait to take back.
        if (op->handed_over_.load(std::memory_order_relaxed) && op->timers_.remove(*op)) op->leave(1);
        op->leave(1);
    }

private:
    void granted(concurrency_slot slot) noexcept override
    {
        slot_ = std::move(slot);
        handed_over_.store(true, std::memory_order_relaxed);  // ordered by the lock of the timer queue
        leave(timers_.remove(*this) ? 2 : 1);
    }
    void expired() noexcept override { give_up(make_error_code(errc::too_many_calls)); }
    void abandoned() noexcept override
    {
        if (limit_.cancel(*this))
            this->destroy();
        else
            leave(1);  // the slot is coming, and goes back with the rest of the context
    }

    /// It waits no more in the timer queue.
    void give_up(boost::system::error_code why)
    {
        bool const ours = limit_.cancel(*this);
        if (ours) error_ = why;
        if (ours && why == errc::too_many_calls) (void)told(why_, refused_);
        leave(ours ? 2 : 1);
    }

    void leave(unsigned parties)
    {
        if (parties_.fetch_sub(parties, std::memory_order_acq_rel) == parties) this->post({error_, std::move(slot_)});
    }

    concurrency_limit& limit_;
    timer_queue& timers_;
    rejection const why_;
    std::optional<rejection>* const refused_;
    concurrency_slot slot_;
    boost::system::error_code error_;
    std::atomic<bool> handed_over_{false};
    std::atomic<unsigned> parties_{3};
};

struct start_slot_acquire {
    template <class Handler, class Executor>
    void operator()(Handler handler, Executor const& given, concurrency_limit* limit, duration max_wait,
                    std::optional<rejection>* refused) const
    {
        auto const executor = operation_executor(given, handler);
        auto const now = weir::now(executor);
        auto answer = limit->admit(now);
        if (answer) return post_success(executor, std::move(handler), *std::move(answer));
        if (max_wait <= duration::zero())
            return post_refusal<concurrency_slot>(executor, std::move(handler), told(answer.refused(), refused));
        using op = slot_wait<Handler, std::remove_cv_t<decltype(executor)>>;
        op::start(std::move(handler), executor, *limit, now, max_wait, answer.refused(), refused);
    }
};

template <class Token, class Executor, class Limiter, class Now>
auto acquire_permits(Executor const& executor, Limiter& limiter, std::uint64_t n, duration max_wait, Now now,
                     Token&& token, std::optional<rejection>* refused = nullptr)
{
    return asio::async_initiate<Token, void(boost::system::error_code)>(
        start_rate_acquire<Limiter>{}, token, executor, limiter_ref<Limiter>(limiter), n, max_wait, now, refused);
}

}  // namespace detail

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait, Token&& token)
{
    return detail::acquire_permits<Token>(executor, limiter, n, max_wait, detail::of_context{},
                                          std::forward<Token>(token));
}

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, Token&& token)
{
    return detail::acquire_permits<Token>(detail::of_handler{}, limiter, n, max_wait, detail::of_context{},
                                          std::forward<Token>(token));
}

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, Token&& token)
{
    return detail::acquire_permits<Token>(executor, limiter, n, detail::longest_wait(limiter), detail::of_context{},
                                          std::forward<Token>(token));
}

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, Token&& token)
{
    return detail::acquire_permits<Token>(detail::of_handler{}, limiter, n, detail::longest_wait(limiter),
                                          detail::of_context{}, std::forward<Token>(token));
}

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait,
                   std::optional<rejection>& refused, Token&& token)
{
    return detail::acquire_permits<Token>(executor, limiter, n, max_wait, detail::of_context{},
                                          std::forward<Token>(token), &refused);
}

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, std::optional<rejection>& refused,
                   Token&& token)
{
    return detail::acquire_permits<Token>(detail::of_handler{}, limiter, n, max_wait, detail::of_context{},
                                          std::forward<Token>(token), &refused);
}

template <class Executor, detail::limiter_argument Limiter, class Token>
auto async_acquire(Executor const& executor, Limiter&& limiter, std::uint64_t n, duration max_wait, time_point now,
                   Token&& token)
{
    return detail::acquire_permits<Token>(executor, limiter, n, max_wait, now, std::forward<Token>(token));
}

template <detail::limiter_argument Limiter, class Token>
auto async_acquire(Limiter&& limiter, std::uint64_t n, duration max_wait, time_point now, Token&& token)
{
    return detail::acquire_permits<Token>(detail::of_handler{}, limiter, n, max_wait, now, std::forward<Token>(token));
}

template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait, Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code, concurrency_slot)>(
        detail::start_slot_acquire{}, token, executor, &limit, max_wait, nullptr);
}

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, Token&& token)
{
    return async_acquire(detail::of_handler{}, limit, max_wait, std::forward<Token>(token));
}

template <class Executor, class Token>
auto async_acquire(Executor const& executor, concurrency_limit& limit, duration max_wait,
                   std::optional<rejection>& refused, Token&& token)
{
    return asio::async_initiate<Token, void(boost::system::error_code, concurrency_slot)>(
        detail::start_slot_acquire{}, token, executor, &limit, max_wait, &refused);
}

template <class Token>
auto async_acquire(concurrency_limit& limit, duration max_wait, std::optional<rejection>& refused, Token&& token)
{
    return async_acquire(detail::of_handler{}, limit, max_wait, refused, std::forward<Token>(token));
}

}  // namespace weir
