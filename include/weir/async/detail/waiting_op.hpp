// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/completion.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <tuple>
#include <utility>

namespace weir::detail {

/// An acquisition that has to wait: its handler, what keeps the contexts running, and how it ended. One allocation,
/// from the handler's allocator. It lives until its completion has run on the handler's executor, because only there
/// may the cancellation slot be touched; its memory goes back before the upcall.
template <class Op, class Handler, class Executor, class... Ending>
class waiting_op {
public:
    using values = std::tuple<boost::system::error_code, Ending...>;
    using allocator_type =
        typename std::allocator_traits<asio::associated_allocator_t<Handler>>::template rebind_alloc<Op>;

    struct not_started {
        void operator()(Op* op) const
        {
            if (auto slot = asio::get_associated_cancellation_slot(op->handler_); slot.is_connected()) slot.clear();
            op->destroy();
        }
    };
    using pointer = std::unique_ptr<Op, not_started>;

    template <class... Args>
    [[nodiscard]] static pointer make(Handler&& handler, Executor const& executor, Args&... args)
    {
        using traits = std::allocator_traits<allocator_type>;
        allocator_type allocator(asio::get_associated_allocator(handler));
        auto* const memory = traits::allocate(allocator, 1);
        traits::construct(allocator, memory, std::move(handler), executor, args...);
        return pointer(memory);
    }

    /// `on_cancel()` is called when the caller cancels, on the handler's executor.
    template <class OnCancel>
    void listen(OnCancel on_cancel)
    {
        if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
            slot.assign([on_cancel](asio::cancellation_type) { on_cancel(); });
    }

protected:
    waiting_op(Handler&& handler, Executor const& executor) : handler_(std::move(handler)), work_(handler_, executor) {}
    ~waiting_op() = default;

    [[nodiscard]] Executor executor() const noexcept { return work_.runs_on(); }

    /// The end: hands the completion to the handler's executor.
    void post(values v)
    {
        // What asio::post does, except that no copy of the executor is left to be destroyed here when the completion
        // may already be running elsewhere. Asio counts the copies of a polymorphic executor with fences, which
        // ThreadSanitizer does not see.
        namespace ex = asio::execution;
        work_.operation.reset();
        auto const target =
            asio::prefer(asio::require(work_.caller.get_executor(), ex::blocking.never), ex::relationship.fork,
                         ex::allocator(asio::get_associated_allocator(handler_)));
        target.execute(completion{static_cast<Op*>(this), std::move(v)});
    }

    /// Its memory goes back, and nobody is called.
    Handler destroy()
    {
        using traits = std::allocator_traits<allocator_type>;
        allocator_type allocator(asio::get_associated_allocator(handler_));
        Handler handler(std::move(handler_));
        auto* const self = static_cast<Op*>(this);
        traits::destroy(allocator, self);
        traits::deallocate(allocator, self, 1);
        return handler;
    }

private:
    struct completion {
        struct release {
            void operator()(Op* op) const { op->destroy(); }
        };
        completion(Op* op, values&& v) : self(op), ending(std::move(v)) {}

        std::unique_ptr<Op, release> self;
        values ending;

        void operator()()
        {
            if (auto slot = asio::get_associated_cancellation_slot(self->handler_); slot.is_connected()) slot.clear();
            auto const keep_running = std::move(self->work_);
            auto handler = self.release()->destroy();
            std::apply(std::move(handler), std::move(ending));
        }
    };

    Handler handler_;
    completion_work<Handler, Executor> work_;
};

}  // namespace weir::detail
