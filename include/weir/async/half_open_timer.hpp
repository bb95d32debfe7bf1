// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/core/time.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace weir {

/// Makes an open breaker half open when its time is over, without a call that asks: listeners, dashboards and health
/// checks then see it in time, and the end of a ramp and of a probe that nobody reported as well.
///
///   weir::circuit_breaker breaker;
///   weir::half_open_timer in_time(io.get_executor(), breaker);
///
/// Threads:   made and destroyed on `executor`, which runs one handler at a time (or a strand). The breaker may be used
///            from everywhere meanwhile.
/// Lifetimes: the breaker and the context outlive it. Its listener stays in the breaker, and then does nothing.
/// Context:   kept running while a change is due.
/// Cost:      a post for each transition, a wait for each change that is due; nothing for a call.
/// Seen in:   examples/13_wait_for_a_permit.cpp
template <class Breaker = circuit_breaker>
class half_open_timer {
public:
    using executor_type = asio::any_io_executor;

    half_open_timer(executor_type executor, Breaker& breaker) : core_(std::make_shared<core>(executor, breaker))
    {
        breaker.on_transition([weak = std::weak_ptr<core>(core_)](circuit_transition const&) {
            if (auto const c = weak.lock()) c->told(c);
        });
        core_->look(core_);
    }
    half_open_timer(half_open_timer const&) = delete;
    half_open_timer& operator=(half_open_timer const&) = delete;
    ~half_open_timer() { core_->stop(); }

private:
    struct core {
        core(executor_type const& e, Breaker& b) : executor(e), breaker(b) { clock.emplace(e); }

        /// Comes from any thread. What is due is found out on the executor, where the timer lives. Under the lock,
        /// because the context may be gone once stop() has returned.
        void told(std::shared_ptr<core> const& self)
        {
            std::scoped_lock const lock(mutex);
            if (!stopped) asio::post(executor, [self] { self->look(self); });
        }

        void look(std::shared_ptr<core> const& self)
        {
            if (!clock) return;
            auto const due = breaker.next_transition();
            if (due == armed) return;
            clock->cancel();
            armed = due;
            if (due == never) return;
            clock->async_wait_until(due, asio::bind_executor(executor, [self, due](boost::system::error_code ec) {
                                        if (!ec && self->clock && self->armed == due) self->ring(self);
                                    }));
        }

        void ring(std::shared_ptr<core> const& self)
        {
            // Told no earlier than it asked for, whatever the two clocks think of each other. `armed` stays: what
            // `advance` does not change is not waited for again.
            breaker.advance(std::max(clock->now(), armed));
            look(self);
        }

        void stop()
        {
            std::scoped_lock const lock(mutex);
            stopped = true;
            clock.reset();
        }

        executor_type const executor;
        Breaker& breaker;
        std::optional<timer> clock;  // on the executor, and so is `armed`
        time_point armed = never;
        std::mutex mutex;
        bool stopped = false;  // under the lock
    };

    std::shared_ptr<core> const core_;
};

}  // namespace weir
