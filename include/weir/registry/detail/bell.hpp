// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace weir::registry::detail {

/// Wakes who waits for something to look at: a timer that never expires, whose cancellation is the ring. So waits
/// belong to the execution context, which ends them when it goes down. Threads: any.
class bell {
public:
    explicit bell(asio::any_io_executor executor) : timer_(std::move(executor)) {}

    [[nodiscard]] asio::any_io_executor get_executor() const noexcept { return timer_.get_executor(); }
    [[nodiscard]] std::uint64_t rings() const noexcept { return rings_.load(); }

    void ring()
    {
        rings_.fetch_add(1);
        timer_.cancel();
    }

    /// Completes when the bell rang after `heard` rings, or at `latest`.
    template <class Handler>
    void async_wait(std::uint64_t heard, Handler&& handler, time_point latest = never)
    {
        timer_.async_wait_until(latest, std::forward<Handler>(handler));
        // A ring between the look and the wait found nobody to wake.
        if (rings() != heard) timer_.cancel();
    }

private:
    weir::timer timer_;
    std::atomic<std::uint64_t> rings_{0};
};

template <class Look, class Target, class... Values>
struct listen_op {
    std::weak_ptr<Target> target;
    Look look;
    bool started = false;

    template <class Self>
    void operator()(Self& self, boost::system::error_code = {})
    {
        if (!std::exchange(started, true)) {
            self.reset_cancellation_state(asio::enable_total_cancellation());
            return asio::post(std::move(self));
        }
        auto const t = target.lock();
        if (!t || self.get_cancellation_state().cancelled() != asio::cancellation_type::none)
            return self.complete(asio::error::operation_aborted, Values{}...);
        auto const heard = t->bell.rings();
        std::optional<std::tuple<boost::system::error_code, Values...>> found = look(*t);
        if (!found) return t->bell.async_wait(heard, std::move(self));
        std::apply([&](auto&... values) { self.complete(std::move(values)...); }, *found);
    }
};

/// Completes with what `look(target)` finds, an optional tuple of error code and values, once it finds something; looks
/// again whenever target.bell rings. Runs on the handler's executor from end to end, because only there may its
/// cancellation slot be touched. Cancelled, or with the target gone, it completes with operation_aborted and has not
/// looked: so what a look takes is always delivered.
template <class... Values, class Target, class Look, class Token>
auto async_listen(std::shared_ptr<Target> const& target, Look look, Token&& token)
{
    return asio::async_compose<Token, void(boost::system::error_code, Values...)>(
        listen_op<Look, Target, Values...>{target, std::move(look)}, token, target->bell.get_executor());
}

}  // namespace weir::registry::detail
