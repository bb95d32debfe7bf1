// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/detail/server_core.hpp>
#include <weir/http/message.hpp>
#include <weir/http/server_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/detached.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

namespace weir::http {

/// A small HTTP/1.1 server: what a service needs to answer its callers, its health check and its tests. Keep-alive,
/// limits on size and time, a graceful stop. No routing, no TLS, no streaming.
///
///   weir::http::server shop(io.get_executor(), [](weir::http::request const& r) {
///       return weir::http::reply(weir::http::status::ok, "hello");
///   });
///
/// Handler:   `response(request const&)`, or `asio::awaitable<response, Executor>(request)`. One that throws is
///            answered for with 500; so is an answer whose headers could not be written safely. Length and connection
///            headers are the server's business.
/// Refuses:   400 what is not HTTP or doubtfully framed, 413 and 431 what is too large.
/// Deadlines: swept ten times a second, not armed for each operation (which costs a third of a request), so they end up
///            to 100 ms late.
/// Throws:    the constructor: std::invalid_argument naming the option, std::system_error when it cannot listen.
/// Threads:   one, or one strand: `executor`. For more cores, one server a thread with `share_port`.
/// Lifetimes: the destructor closes everything; a handler still running finishes, and its answer goes nowhere.
/// Seen in:   examples/06_http_client.cpp
template <class Executor = asio::any_io_executor>
class basic_server {
    using core = detail::server_core<Executor>;

public:
    using executor_type = Executor;
    using options = server_options;
    using handler = std::function<response(request const&)>;
    using coroutine_handler = std::function<asio::awaitable<response, Executor>(request)>;

    /// Listens and accepts from now on.
    template <class Handler>
        requires std::is_invocable_r_v<response, Handler&, request const&> ||
                 std::is_invocable_r_v<asio::awaitable<response, Executor>, Handler&, request>
    basic_server(Executor executor, Handler h, options o = {})
    {
        typename core::any_handler any;
        if constexpr (std::is_invocable_r_v<response, Handler&, request const&>) any = handler(std::move(h));
        else any = coroutine_handler(std::move(h));
        core_ = std::make_shared<core>(executor, std::move(any), std::move(o));
        asio::co_spawn(executor, core::accept(core_), asio::detached);
    }
    basic_server(basic_server&&) noexcept = default;
    basic_server& operator=(basic_server&&) = delete;
    ~basic_server()
    {
        if (core_) core_->stop();
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return core_->port(); }
    [[nodiscard]] std::size_t connections() const noexcept { return core_->connections(); }

    /// Accepts no more, closes idle connections, and lets requests that have begun end, each with "Connection: close".
    void drain() { core_->drain(); }

    /// `drain`, and waits for the last one; at `until` the rest is closed by force.
    /// Signature:    void(error_code): success, or errc::deadline_exceeded when force was needed.
    /// Cancellation: terminal, partial and total end the wait; the draining goes on.
    template <class Token>
    auto async_drain(time_point until, Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code)>(
            [core = core_, until, begun = false](auto& self, boost::system::error_code ec = {}) mutable {
                if (!std::exchange(begun, true)) {
                    core->drain();
                    return core->async_drained(until, std::move(self));
                }
                if (core->connections() == 0) return self.complete({});
                if (ec) return self.complete(ec);
                core->stop();
                self.complete(std::error_code(make_error_code(errc::deadline_exceeded)));
            },
            token, core_->get_executor());
    }

    /// Closes everything now.
    void stop() { core_->stop(); }

private:
    std::shared_ptr<core> core_;
};

template <class Executor, class Handler>
basic_server(Executor, Handler, server_options) -> basic_server<Executor>;

using server = basic_server<>;

}  // namespace weir::http
