// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/attempt.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/priority.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/detail/client_call.hpp>
#include <weir/http/detail/client_core.hpp>
#include <weir/http/message.hpp>
#include <weir/http/transport.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

/// Sends one request to one endpoint over a pool of kept connections, and brings the answer. A transport, not a general
/// client: no redirects, cookies, proxies or decompression; which endpoint, how often and whether at all is decided
/// above, by a pipeline.
///
/// Signature:    void(boost::system::error_code, response). An answer of any status is a success here; see
///               classify.hpp.
/// Deadline:     one for the whole call: name, connection, request, answer. When it passes, the connection is closed
///               and the call ends with errc::attempt_timed_out. `never` stands for `client_options.timeout` from now.
/// Cancellation: terminal, partial and total close the connection; the call ends with operation_aborted, and the peer
///               may have done the work. The client's destructor does the same to every call, with errc::stopped.
/// Refuses:      errc::bad_request (see validate.hpp), no_time_left and too_many_calls, with nothing written. Framing
///               or size of an answer: errc::bad_response, body_too_large; cut short: connection_closed. Errors of the
///               system, the resolver and TLS pass through untouched.
/// Repeats:      a kept connection may be closed by the peer at the moment it is used. The request then goes out once
///               more, on a new connection, if no byte of an answer had come and either the method is idempotent or no
///               byte had been written. Nothing else is repeated here.
/// Threads:      one, or one strand: `executor` must be it, and all members and cancellations are called there.
///               Handlers run on their own executor.
/// Lifetimes:    arguments are copied or moved; calls outlive the client, and need only the executor's context.
/// Cost:         about what the bare Beast operations cost: one allocation more, no timer armed.
/// Seen in:      examples/06_http_client.cpp
template <class Executor = asio::any_io_executor, class Transport = plain_transport>
class basic_client {
    using core = detail::client_core<Executor, Transport>;

public:
    using executor_type = Executor;
    using transport_type = Transport;
    using options = client_options;

    /// Throws std::invalid_argument naming the field of `o` that is out of range.
    explicit basic_client(Executor executor, options o = {}, Transport transport = {})
        : core_(std::make_shared<core>(std::move(executor), std::move(o), std::move(transport)))
    {
    }
    basic_client(basic_client&&) noexcept = default;
    basic_client& operator=(basic_client&&) = delete;
    ~basic_client()
    {
        if (core_) core_->stop();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return core_->get_executor(); }

    template <class Token>
    auto async_send(weir::endpoint const& to, request r, time_point deadline, Token&& token)
    {
        return initiate(to, std::move(r), deadline, {}, std::forward<Token>(token));
    }

    /// To the endpoint that the balancer chose for this attempt, until the attempt's deadline, with its priority.
    template <class Token>
    auto async_send(weir::attempt const& a, request r, Token&& token)
    {
        return initiate(a.endpoint(), std::move(r), a.deadline(), a.priority(), std::forward<Token>(token));
    }

    template <class Token>
    auto async_get(weir::endpoint const& from, std::string target, Token&& token)
    {
        return initiate(from, std::move(target), never, {}, std::forward<Token>(token));
    }

    template <class Token>
    auto async_get(weir::attempt const& a, std::string target, Token&& token)
    {
        return initiate(a.endpoint(), std::move(target), a.deadline(), a.priority(), std::forward<Token>(token));
    }

    /// Closes the connections that are kept for later use.
    void close_idle() noexcept { core_->close_idle(); }

    [[nodiscard]] std::size_t idle() const noexcept { return core_->idle(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return core_->in_flight(); }

private:
    // `what` is a request, or the target of a GET: a Beast message is not cheap to move, and a deferred operation moves
    // its arguments three times.
    template <class What, class Token>
    auto initiate(weir::endpoint const& to, What what, time_point deadline, std::optional<request_priority> priority,
                  Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, response)>(
            [core = core_, port = to.port, deadline, priority](auto handler, std::string const& host, What&& given) {
                detail::client_call<basic_client::core, decltype(handler)>::start(core, std::move(handler), host, port,
                                                                                  std::move(given), deadline, priority);
            },
            token, to.host, std::move(what));
    }

    std::shared_ptr<core> core_;
};

using client = basic_client<>;

}  // namespace weir::http
