// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/hop.hpp>
#include <weir/async/detail/work_guard.hpp>
#include <weir/async/timer_queue.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>

#include <memory>
#include <utility>

namespace weir {

/// A timer on its context's clock: steady time in production, virtual time under test. Waits of any number may be
/// pending at once, each with an end of its own.
///
/// Signature: void(boost::system::error_code): success at the end, asio::error::operation_aborted when cancelled.
/// Cancellation: terminal, partial and total, all without side effects. The destructor cancels what is pending.
/// Threads:  waiting and cancelling from any thread; construction and destruction alone.
/// Cost:     one allocation a wait, from the handler's allocator; no Asio timer armed (see timer_queue.hpp).
class timer {
public:
    using executor_type = asio::any_io_executor;

    explicit timer(executor_type executor) : executor_(std::move(executor)), queue_(timer_queue::of(executor_)) {}
    timer(timer const&) = delete;
    timer& operator=(timer const&) = delete;
    ~timer() { cancel(); }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] time_point now() const noexcept { return queue_.now(); }

    /// Completes at `at`, or at once if that has passed; never inside this function.
    template <class Token>
    auto async_wait_until(time_point at, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [this, at](auto handler) { this->start(std::move(handler), at); }, token);
    }

    /// Completes `span` from now.
    template <class Token>
    auto async_wait_for(duration span, Token&& token)
    {
        return async_wait_until(later(now(), span), std::forward<Token>(token));
    }

    /// Ends every pending wait with operation_aborted. Returns how many there were.
    std::size_t cancel()
    {
        std::size_t count = 0;
        for (; auto* const n = queue_.remove_one(waits_); ++count)
            static_cast<wait*>(n)->finish(asio::error::operation_aborted);
        return count;
    }

private:
    // One pending wait. It outlives its end until the completion has run on the handler's executor, because only there
    // may the cancellation slot be touched.
    class wait : public timer_queue::node {
    public:
        virtual void finish(boost::system::error_code ec) = 0;

    protected:
        ~wait() = default;
    };

    template <class Handler>
    class wait_for final : public wait {
    public:
        using executor_type = asio::associated_executor_t<Handler, timer::executor_type>;
        using allocator_type =
            typename std::allocator_traits<asio::associated_allocator_t<Handler>>::template rebind_alloc<wait_for>;

        wait_for(timer& owner, Handler&& handler)
            : queue_(owner.queue_),
              handler_(std::move(handler)),
              work_(asio::get_associated_executor(handler_, owner.executor_))
        {
        }

        void listen()
        {
            if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
                slot.assign([this](asio::cancellation_type) {
                    if (queue_.remove(*this)) finish(asio::error::operation_aborted);
                });
        }

        void finish(boost::system::error_code ec) override
        {
            auto const allocator = asio::get_associated_allocator(handler_);
            detail::post_to(work_.get_executor(), completion{this, ec}, allocator);
        }

    private:
        void expired() noexcept override { finish({}); }
        void abandoned() noexcept override { destroy(); }

        Handler destroy()
        {
            allocator_type allocator(asio::get_associated_allocator(handler_));
            Handler handler(std::move(handler_));
            std::allocator_traits<allocator_type>::destroy(allocator, this);
            std::allocator_traits<allocator_type>::deallocate(allocator, this, 1);
            return handler;
        }

        struct completion {
            struct release {
                void operator()(wait_for* w) const { w->destroy(); }
            };
            completion(wait_for* w, boost::system::error_code e) : self(w), ec(e) {}

            std::unique_ptr<wait_for, release> self;
            boost::system::error_code ec;

            void operator()()
            {
                if (auto slot = asio::get_associated_cancellation_slot(self->handler_); slot.is_connected())
                    slot.clear();
                auto const keep_running = std::move(self->work_);
                auto handler = self.release()->destroy();  // memory goes back before the upcall
                std::move(handler)(ec);
            }
        };

        timer_queue& queue_;
        Handler handler_;
        detail::work_guard<executor_type> work_;
    };

    template <class Handler>
    void start(Handler handler, time_point at)
    {
        using wait_type = wait_for<Handler>;
        using traits = std::allocator_traits<typename wait_type::allocator_type>;
        typename wait_type::allocator_type allocator(asio::get_associated_allocator(handler));
        auto* const memory = traits::allocate(allocator, 1);
        traits::construct(allocator, memory, *this, std::move(handler));
        memory->listen();
        queue_.insert(*memory, at, executor_, &waits_);
    }

    executor_type executor_;
    timer_queue& queue_;
    timer_queue::group waits_;
};

}  // namespace weir
