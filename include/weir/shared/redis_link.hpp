// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/shared/detail/redis_core.hpp>
#include <weir/shared/redis_options.hpp>
#include <weir/shared/redis_reply.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace weir {

/// One connection to one Redis, over which any number of commands are under way at once. Connected on first use; after
/// a loss it connects again by itself, with pauses. Protocol and parsing are hiredis'.
///
///   weir::redis_link link(io.get_executor(), {.host = "10.0.0.5"});
///   weir::redis_reply pong = co_await link.async_command(weir::redis_command({"PING"}), asio::use_awaitable);
///
/// Signature:    void(boost::system::error_code, redis_reply). An error reply of Redis is a success here: it tells.
/// Fails:        store_errc::unavailable while there is no connection and it is not the time to make one: at once, so
///               nothing piles up; errc::too_many_calls above max_pending; errc::attempt_timed_out when a reply is
///               overdue, for all behind it too; store_errc::bad_answer; store_errc::refused when AUTH or SELECT was,
///               or the password's file cannot be read;
///               errc::stopped; what the system says. Nothing is sent twice.
/// Cancellation: all types; the command may have been executed.
/// Transport:    http::plain_transport, or http::tls_transport for TLS.
/// Threads:      any.   Lifetimes: its context outlives it; commands end with it.
/// Cost:         a post and two allocations for a command; commands that come together leave in one write.
template <class Transport = http::plain_transport>
class basic_redis_link {
    using core = detail::redis_core<Transport>;

public:
    using executor_type = asio::any_io_executor;

    /// Of `o`, all but the servers. Throws: std::invalid_argument.
    basic_redis_link(executor_type const& executor, redis_server server, redis_options const& o = {},
                     Transport transport = {})
        : core_((o.check(),
                 std::make_shared<core>(asio::make_strand(executor), std::move(server), o, std::move(transport))))
    {
    }
    basic_redis_link(basic_redis_link&&) noexcept = default;
    basic_redis_link& operator=(basic_redis_link&&) = delete;
    ~basic_redis_link()
    {
        if (core_) stop();
    }

    template <class Token>
    auto async_command(std::string wire, Token&& completion)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, redis_reply)>(
            [c = core_](auto handler, std::string w) {
                auto const id = c->next_id();
                if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
                    slot.assign([weak = std::weak_ptr(c), id](asio::cancellation_type) {
                        if (auto const there = weak.lock())
                            asio::post(there->strand(), [there, id] { there->cancel(id); });
                    });
                auto waiter =
                    std::make_unique<detail::redis_waiter_of<decltype(handler)>>(std::move(handler), c->strand());
                asio::post(c->strand(), [c, id, w = std::move(w), waiter = std::move(waiter)]() mutable {
                    c->submit(std::move(w), id, std::move(waiter));
                });
            },
            completion, std::move(wire));
    }

    /// Ends what is pending, and all that comes, with errc::stopped.
    void stop()
    {
        asio::post(core_->strand(), [c = core_] { c->stop(); });
    }

    [[nodiscard]] bool connected() const noexcept { return core_->connected(); }
    /// Connections made so far, and writes; commands by writes tell how well they travel together.
    [[nodiscard]] std::uint64_t connections() const noexcept { return core_->connections(); }
    [[nodiscard]] std::uint64_t writes() const noexcept { return core_->writes(); }

private:
    std::shared_ptr<core> core_;
};

using redis_link = basic_redis_link<>;

}  // namespace weir
