// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/erased_handler.hpp>
#include <weir/core/endpoint.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/detail/stream_core.hpp>
#include <weir/http/message.hpp>
#include <weir/http/transport.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <memory>
#include <string>
#include <utility>

namespace weir::http {

/// One request whose answer is read piece by piece, while the server is still writing it: a stream of events that may
/// go on for days. It pulls: what is not asked for waits in the connection, and the server with it.
///
///   weir::http::answer_stream events(io.get_executor());
///   auto const head = co_await events.async_open(server, weir::http::get("/watch"), weir::never, asio::use_awaitable);
///   for (;;) std::string const piece = co_await events.async_read(asio::use_awaitable);  // throws asio::error::eof
///
/// `async_open` connects, sends and reads the head: void(boost::system::error_code, response), with an empty body. Once
/// in the life of an object; a connection is never used twice.
/// `async_read` brings what came next, 1 byte to 16 KiB, without the transfer coding: void(boost::system::error_code,
/// std::string). asio::error::eof: the answer is complete. errc::connection_closed: it was cut short. Where pieces end
/// means nothing. How much may come in all is for the caller to say: client_options.max_body_bytes does not.
///
/// Deadline:     of opening, with client_options.connect_timeout for the connection: errc::attempt_timed_out. Reading
///               has none, because silence is normal in a stream: a peer that is gone is found by TCP keep-alive after
///               half a minute (`std::errc::timed_out`), and who needs more cancels.
/// Cancellation: terminal, partial and total close the connection, and so does the destructor: what is pending ends
///               with operation_aborted, every later read too.
/// Refuses:      as basic_client.
/// Threads:      one, or one strand: `executor` must be it. One operation at a time.
/// Cost:         one connection; an allocation a piece.
/// Seen in:      tests/http/answer_stream.cpp
template <class Executor = asio::any_io_executor, class Transport = plain_transport>
class basic_answer_stream {
    using core = detail::stream_core<Executor, Transport>;

public:
    using executor_type = Executor;
    using options = client_options;

    /// Throws std::invalid_argument naming the field of `o` that is out of range.
    explicit basic_answer_stream(Executor executor, options o = {}, Transport transport = {})
        : core_(std::make_shared<core>(std::move(executor), std::move(o), std::move(transport)))
    {
    }
    basic_answer_stream(basic_answer_stream&&) noexcept = default;
    basic_answer_stream& operator=(basic_answer_stream&&) = delete;
    ~basic_answer_stream()
    {
        if (core_) core_->abort(asio::error::operation_aborted);
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return core_->get_executor(); }

    template <class Token>
    auto async_open(weir::endpoint const& to, request r, time_point deadline, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, response)>(
            [c = core_, deadline](auto handler, std::string host, std::uint16_t port, request what) {
                c->open(std::move(host), port, std::move(what), deadline,
                        weir::detail::erased_handler<response>(std::move(handler), c->get_executor()));
            },
            token, to.host, to.port, std::move(r));
    }

    template <class Token>
    auto async_read(Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, std::string)>(
            [c = core_](auto handler) {
                c->read(weir::detail::erased_handler<std::string>(std::move(handler), c->get_executor()));
            },
            token);
    }

    /// Ends it: as the destructor.
    void close() { core_->abort(asio::error::operation_aborted); }

private:
    std::shared_ptr<core> core_;
};

using answer_stream = basic_answer_stream<>;

}  // namespace weir::http
