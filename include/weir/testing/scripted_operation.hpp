// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/erased_handler.hpp>
#include <weir/async/timer.hpp>
#include <weir/core/attempt.hpp>
#include <weir/core/result.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::testing {

/// An operation that plays a script: its n-th attempt ends as the n-th line says, and later ones as the last line.
/// Stands in for the network in a test of your own pipeline, blocking or asynchronous.
///
///   weir::testing::scripted_operation<int> op;
///   op.fail(std::errc::connection_refused, 5ms).succeed(42, 10ms);
///   guarded.call(op.blocking(clock), clock);                       // manual clock: takes 15 ms of its time
///   guarded.async_call(op.async(world.get_executor()), token);     // virtual time
///
/// Threads: one at a time.   Lifetime: outlives the operations it gave.
template <class T>
class scripted_operation {
public:
    /// The attempt ends with `value` after `takes`.
    scripted_operation& succeed(T value, duration takes = {}) { return add({takes, {}, std::move(value), nullptr}); }

    /// The attempt ends with an error after `takes`.
    scripted_operation& fail(std::error_code ec, duration takes = {}) { return add({takes, ec, T{}, nullptr}); }
    scripted_operation& fail(std::errc e, duration takes = {}) { return fail(std::make_error_code(e), takes); }
    scripted_operation& fail(errc e, duration takes = {}) { return fail(make_error_code(e), takes); }

    /// The attempt never ends by itself (asynchronous only).
    scripted_operation& hang() { return succeed(T{}, duration::max()); }

    /// The attempt throws instead of beginning.
    template <class Exception>
    scripted_operation& raise(Exception e)
    {
        return add({{}, {}, T{}, std::make_exception_ptr(std::move(e))});
    }

    /// An operation for `pipeline::call`, which spends `clock`'s time.
    template <class Clock>
    [[nodiscard]] auto blocking(Clock const& clock)
    {
        return [this, clock](attempt const& a) -> result<T> {
            auto const& now = begin(a);
            clock.sleep_until(later(clock.now(), now.takes));
            ++ended_;
            if (now.code) return error(now.code);
            return now.value;
        };
    }

    /// An operation for `async_call`: void(error_code, T), cancellable by every cancellation type.
    template <class Executor>
    [[nodiscard]] auto async(Executor const& executor)
    {
        return [this, clock = std::make_shared<timer>(executor)](attempt const& a) { return play(clock, begin(a)); };
    }

    /// The attempts seen, as they came.
    [[nodiscard]] std::vector<attempt> const& attempts() const noexcept { return attempts_; }
    [[nodiscard]] std::size_t in_flight() const noexcept { return attempts_.size() - raised_ - ended_; }
    [[nodiscard]] std::size_t cancelled() const noexcept { return cancelled_; }

private:
    struct line {
        duration takes;
        std::error_code code;
        T value;
        std::exception_ptr thrown;
    };

    scripted_operation& add(line l)
    {
        script_.push_back(std::move(l));
        return *this;
    }

    line const& begin(attempt const& a)
    {
        auto const& l = script_.at(std::min(attempts_.size(), script_.size() - 1));
        attempts_.push_back(a);
        if (l.thrown) {
            ++raised_;
            std::rethrow_exception(l.thrown);
        }
        return l;
    }

    // By value: the script may grow, and the callable that began the attempt may go, while it is in flight.
    auto play(std::shared_ptr<timer> t, line l)
    {
        return asio::async_initiate<asio::deferred_t const, void(boost::system::error_code, T)>(
            [this](auto handler, std::shared_ptr<timer> clock, line end) {
                auto const executor = clock->get_executor();
                begin_to_play({std::move(handler), executor}, std::move(clock), std::move(end));
            },
            asio::deferred, std::move(t), std::move(l));
    }

    void begin_to_play(detail::erased_handler<T> handler, std::shared_ptr<timer> t, line l)
    {
        auto const executor = t->get_executor();
        asio::async_compose<detail::erased_handler<T>, void(boost::system::error_code, T)>(
            [this, t = std::move(t), l = std::move(l), begun = false](auto& self,
                                                                      boost::system::error_code ec = {}) mutable {
                if (!std::exchange(begun, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    return t->async_wait_for(l.takes, std::move(self));
                }
                ++ended_;
                if (ec) ++cancelled_;
                self.complete(ec ? ec : boost::system::error_code(l.code), ec ? T{} : l.value);
            },
            handler, executor);
    }

    std::vector<line> script_;
    std::vector<attempt> attempts_;
    std::size_t ended_ = 0;
    std::size_t raised_ = 0;
    std::size_t cancelled_ = 0;
};

}  // namespace weir::testing
