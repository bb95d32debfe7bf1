// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/attempt_result.hpp>
#include <weir/async/detail/call_frame.hpp>
#include <weir/async/detail/completion.hpp>
#include <weir/call/operation.hpp>
#include <weir/call/pipeline.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

/// Runs `op` through `guarded` and completes with its result, the last real error, or the refusal.
///
///   order o = co_await guarded.async_call(
///       [&](weir::attempt const& a) { return client.async_get(a, "/orders/42", asio::deferred); },
///       asio::use_awaitable);
///
/// `op` is called once per attempt, on the call's executor, with `attempt const&` (valid until that attempt has ended).
/// It returns a deferred Asio operation `void(error_code, T...)`, or an `asio::awaitable<T>`. Where the pipeline has a
/// `hedge`, say whether copies of it may run side by side: `weir::hedgeable(op)` or `weir::not_hedgeable(op)`. What
/// this call alone has to say (deadline, key, priority, idempotent, refused): `weir::with(call_options, op)`, or
/// `guarded.async_call([executor,] op, {.deadline = ...}, token)`.
///
/// Signature:    void(boost::system::error_code, T...) for a deferred operation (what `op` itself throws becomes its
///               code, or errc::operation_threw); void(std::exception_ptr, T) for an awaitable, whose own exceptions
///               reach the caller, and where a refusal is a boost::system::system_error. T are default constructed when
///               there is no result.
/// Fails:        the last attempt's own error, untouched; errc::attempt_timed_out, errc::deadline_exceeded; a gate's
///               refusal (condition::rejected); asio::error::operation_aborted when the caller cancelled. An error_code
///               has no room for who refused and when to come back: call_options::refused says where to put that, and a
///               `weir::observe` in the pipeline is told.
/// Cancellation: all types. A wait ends at once and whatever it held is given back; an attempt in flight gets the same
///               type, and if it completes all the same, its result is delivered. A timeout cancels with `terminal`.
///               The call ends when its attempts have: one that ignores cancellation makes it late, and keeps its slot.
/// Executor:     everything of one call runs on `executor`, or without one on the handler's associated executor, one
///               thing at a time: on a context with several threads it must be a strand, as for any Asio operation with
///               parallel parts. The pipeline and its gates may be shared by any number of strands. The handler itself
///               is called on its associated executor.
/// Completion:   once, never inside this function; handler destroyed uncalled if the context goes down first.
/// Lifetimes:    pipeline and lvalue gates until completion; `op` is moved in.
/// Cost:         one allocation, from the handler's associated allocator; time comes from the executor's context.
/// Seen in: examples/05_guard_any_async_operation.cpp
template <class Executor, class... Stages, class Op, class Token>
auto async_call(Executor const& executor, pipeline<Stages...>& guarded, Op&& op, Token&& token);

namespace detail {

/// How many attempts of a call may be in flight at once.
template <class Pipeline, class Op>
inline constexpr std::size_t most_in_flight =
    is_hedged<typename Pipeline::stages> &&
            (hedging_of<Op> == hedging::allowed || hedging_of<Op> == hedging::by_options)
        ? 1 + hedge::most_extra
        : 1;

/// What a call holds its pipeline by: a pointer, where the pipeline names nothing else.
template <class Pipeline>
struct pipeline_hold {
    using type = Pipeline*;
};
template <class Pipeline>
    requires requires { typename Pipeline::held_by; }
struct pipeline_hold<Pipeline> {
    using type = typename Pipeline::held_by;
};

/// The frame of a call of this operation, as its handler would have it.
template <class Op, class Handler, class Executor>
using frame_of_call = call_frame<typename attempt_result<Op>::values, Executor, asio::associated_allocator_t<Handler>>;

template <class Pipeline, class Op, class Handler, class Executor>
class async_call_op final : public frame_of_call<Op, Handler, Executor> {
    using frame = frame_of_call<Op, Handler, Executor>;
    using typename frame::event;
    using typename frame::pointer;
    static constexpr std::size_t in_flight = most_in_flight<Pipeline, Op>;
    using machine_type = machine<Pipeline, in_flight>;
    using step_type = typename machine_type::step;
    using verb = typename machine_type::verb;
    using verdict = typename machine_type::verdict;
    using result = attempt_result<Op>;
    using values = typename result::values;

public:
    async_call_op(typename pipeline_hold<Pipeline>::type around, Op&& op, Handler&& handler, Executor const& executor)
        : frame(executor, asio::get_associated_allocator(handler)),
          pipeline_(std::move(around)),
          machine_(*pipeline_),
          op_(std::move(op)),
          handler_(std::move(handler)),
          work_(handler_, executor)
    {
    }

    static void start(std::shared_ptr<async_call_op> self)
    {
        frame::listen(self, asio::get_associated_cancellation_slot(self->handler_));
        auto& op = *self;
        op.happened(std::move(self), {.what = event::begun});
    }

private:
    /// Lets `e` happen, then does what the machine says. What an attempt has ended with mostly is the end of the call,
    /// too, so then it is kept nowhere. One event at a time: an operation that completes inside its own initiation,
    /// against Asio's rules, finds the loop running and leaves the rest to it.
    void happened(pointer self, event const& e) override
    {
        if (ended_) return;
        auto const nested = std::exchange(running_, true);
        bool is_the_end = false;
        try {
            auto const now = this->queue_.now();  // one reading for all of it
            auto& random = thread_random();
            bool const keep = take_in(e, now);
            auto step = nested ? step_type{verb::wait} : machine_.next(now, random);
            is_the_end = keep && step.what == verb::done;
            if (keep && !is_the_end) kept_.emplace(std::move(*e.values));
            if (nested) return;
            for (; step.what == verb::send || step.what == verb::cancel; step = machine_.next(now, random)) {
                if (step.what == verb::send)
                    send(self, step.slot);
                else
                    stop_[step.slot].emit(stop_type_);
            }
            stop_type_ = asio::cancellation_type::terminal;
            running_ = false;
            if (step.what == verb::wait) return this->wait(std::move(self), step.until);
        } catch (...) {
            // A gate or a classifier threw. Tokens are settled; the caller learns what happened.
            if (!self) self = this->waiting_;
            machine_.abandon();
            failed_ = std::current_exception();
            is_the_end = false;
            for (auto& stop : stop_) stop.emit(asio::cancellation_type::terminal);
            if (nested) return;
        }
        end(std::move(self), e.in_our_handler(), is_the_end ? std::move(*e.values) : take_result());
    }

    /// True: what an attempt has ended with is the result so far.
    [[nodiscard]] bool take_in(event const& e, time_point now)
    {
        switch (e.what) {
            case event::begun: machine_.start(now, said_of(op_)); break;
            case event::attempt_ended: return finished(e.slot, *e.values, now);
            case event::cancelled:
                stop_type_ = e.type;
                machine_.cancel();
                break;
            case event::time_is_up: break;
        }
        return false;
    }
    [[nodiscard]] bool finished(std::size_t slot, values const& ended, time_point now)
    {
        auto const o = std::apply([&](auto const&... v) { return result::classify(*pipeline_, v...); }, ended);
        return machine_.finished(slot, o, now, thread_random());
    }

    void send(pointer const& self, std::size_t slot)
    {
        if constexpr (machine_type::may_fault())
            if (auto const f = machine_.fault_in(slot)) return never_begun(slot, result::error(f));
        // An operation that throws instead of starting has ended, with what it threw.
        try {
            result::initiate(op_, machine_.attempt_in(slot), this->executor_,
                             typename frame::attempt_handler{self, slot, stop_[slot].slot()});
        } catch (...) {
            never_begun(slot, result::thrown(std::current_exception()));
        }
    }
    void never_begun(std::size_t slot, values latest)
    {
        if (finished(slot, latest, this->queue_.now())) kept_.emplace(std::move(latest));
    }

    [[nodiscard]] values&& take_result()
    {
        if (failed_) {
            kept_.emplace(result::thrown(std::move(failed_)));
        } else {
            switch (machine_.how_it_ended()) {
                case verdict::timed_out: kept_.emplace(result::error(machine_.code())); break;
                case verdict::refused:
                    tell_refusal(op_, machine_.refusal());
                    kept_.emplace(result::error(machine_.refusal().code));
                    break;
                case verdict::cancelled: kept_.emplace(result::error(asio::error::operation_aborted)); break;
                default: break;
            }
        }
        return std::move(*kept_);
    }

    void end(pointer self, bool by_upcall, values&& ending)
    {
        ended_ = true;
        this->wait_no_more();
        completion<Handler, Executor, values> complete(std::move(handler_), std::move(work_), std::move(ending));
        self.reset();  // memory goes back before the upcall
        if (by_upcall)
            std::move(complete).deliver();
        else
            std::move(complete).post();
    }

    typename pipeline_hold<Pipeline>::type const pipeline_;
    machine_type machine_;
    Op op_;
    Handler handler_;
    completion_work<Handler, Executor> work_;
    std::array<asio::cancellation_signal, in_flight> stop_;
    asio::cancellation_type stop_type_ = asio::cancellation_type::terminal;  // the caller's, while it is obeyed
    std::optional<values> kept_;
    std::exception_ptr failed_;
    bool running_ = false;
    bool ended_ = false;
};

}  // namespace detail

template <class Executor, class... Stages, class Op, class Token>
auto async_call(Executor const& executor, pipeline<Stages...>& guarded, Op&& op, Token&& token)
{
    using stages = typename pipeline<Stages...>::stages;
    using given_type = std::decay_t<Op>;
    static_assert(detail::check_operation<stages, given_type>());
    static_assert(!detail::is_hedged<stages> || detail::hedging_of<given_type> != detail::hedging::unsaid,
                  "weir::async_call: this pipeline hedges, so say whether several copies of this operation may run at "
                  "once: weir::hedgeable(op), weir::not_hedgeable(op), or call_options with .idempotent");
    using op_type = detail::kept_operation<given_type>;
    return asio::async_initiate<Token, typename detail::attempt_result<op_type>::signature>(
        [executor, &guarded](auto handler, op_type o) {
            auto const runs_on = detail::operation_executor(executor, handler);
            using call_op = detail::async_call_op<pipeline<Stages...>, op_type, decltype(handler),
                                                  std::remove_cv_t<decltype(runs_on)>>;
            auto const allocator = asio::get_associated_allocator(handler);
            call_op::start(
                std::allocate_shared<call_op>(allocator, &guarded, std::move(o), std::move(handler), runs_on));
        },
        token, op_type{std::forward<Op>(op)});
}

template <class... Stages>
template <class... Args>
auto pipeline<Stages...>::async_call(Args&&... args)
{
    static_assert(sizeof...(Args) == 2 || sizeof...(Args) == 3,
                  "weir: async_call([executor,] operation, completion_token)");
    if constexpr (sizeof...(Args) == 2) {
        return [this]<class Op, class Token>(Op&& op, Token&& token) {
            return weir::async_call(detail::of_handler{}, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    } else {
        return [this]<class Ex, class Op, class Token>(Ex const& executor, Op&& op, Token&& token) {
            return weir::async_call(executor, *this, std::forward<Op>(op), std::forward<Token>(token));
        }(std::forward<Args>(args)...);
    }
}

}  // namespace weir
