// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/hop.hpp>
#include <weir/async/timer_queue.hpp>
#include <weir/core/time.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace weir {

namespace asio = boost::asio;

namespace detail {

/// What happens to an asynchronous call. `what` decides how the call may complete: by an upcall from a handler of ours,
/// by a post from inside somebody else's function.
template <class Values>
struct call_event {
    enum kind { begun, cancelled, attempt_ended, time_is_up } what;
    asio::cancellation_type type = asio::cancellation_type::none;  // cancelled
    std::size_t slot = 0;                                          // attempt_ended
    Values* values = nullptr;                                      // attempt_ended, with these

    [[nodiscard]] bool in_our_handler() const noexcept { return what == attempt_ended || what == time_is_up; }
};

/// What of a call knows neither its pipeline nor its operation nor its handler: where it runs, its wait, and the handler
/// of its attempts, so that the operations of others are compiled once for all calls with such values.
template <class Values, class Executor, class Allocator>
class call_frame : public timer_queue::node {
public:
    using pointer = std::shared_ptr<call_frame>;
    using event = call_event<Values>;

protected:
    call_frame(Executor const& executor, Allocator const& allocator)
        : executor_(executor), allocator_(allocator), queue_(timer_queue::of(executor_))
    {
    }
    ~call_frame() = default;

    /// The completion handler of one attempt.
    struct attempt_handler {
        using executor_type = Executor;
        using allocator_type = Allocator;
        using cancellation_slot_type = asio::cancellation_slot;

        pointer self;
        std::size_t slot;
        asio::cancellation_slot stop;

        [[nodiscard]] executor_type get_executor() const noexcept { return self->executor_; }
        [[nodiscard]] allocator_type get_allocator() const noexcept { return self->allocator_; }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return stop; }

        template <class... Args>
        void operator()(Args&&... args)
        {
            Values ended(std::forward<Args>(args)...);
            auto& call = *self;
            call.happened(std::move(self), {.what = event::attempt_ended, .slot = slot, .values = &ended});
        }
    };

    /// The caller's cancel comes on the handler's executor, which need not be the call's.
    template <class Slot>
    static void listen(pointer const& self, Slot slot)
    {
        if (!slot.is_connected()) return;
        slot.assign([weak = std::weak_ptr(self)](asio::cancellation_type type) {
            if (type == asio::cancellation_type::none) return;
            if (auto alive = weak.lock()) {
                auto const& call = *alive;
                dispatch_to(call.executor_, from_outside{std::move(alive), type}, call.allocator_);
            }
        });
    }

    // The node of this call in the timer queue. While it waits, and until its hook's handler has run, `waiting_` keeps
    // the call alive; `armed_` is the strand's own view and stays true until then.
    void wait(pointer self, time_point until)
    {
        if (armed_) {
            if (until == expiry() || !queue_.remove(*this)) return;  // it stands already, or is coming
            disarmed();
        }
        if (until == never) return;
        armed_ = true;
        waiting_ = std::move(self);
        queue_.insert(*this, until, executor_);
    }
    void wait_no_more() noexcept
    {
        if (armed_ && queue_.remove(*this)) disarmed();
    }

    Executor const executor_;  // constant, for they are read from the timer queue's thread too
    Allocator const allocator_;
    timer_queue& queue_;
    pointer waiting_;

private:
    virtual void happened(pointer self, event const& e) = 0;

    void disarmed() noexcept
    {
        armed_ = false;
        waiting_.reset();
    }

    void expired() noexcept override
    {
        auto self = std::move(waiting_);
        post_to(executor_, from_outside{std::move(self), asio::cancellation_type::none}, allocator_);
    }

    void abandoned() noexcept override { auto const self = std::move(waiting_); }

    /// A cancel by the caller, or the end of a wait: `none`.
    struct from_outside {
        pointer self;
        asio::cancellation_type type;

        void operator()()
        {
            auto& call = *self;
            bool const expired = type == asio::cancellation_type::none;
            if (expired) call.armed_ = false;
            call.happened(std::move(self), {.what = expired ? event::time_is_up : event::cancelled, .type = type});
        }
    };

    bool armed_ = false;
};

}  // namespace detail
}  // namespace weir
