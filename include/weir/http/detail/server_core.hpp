// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/http/message.hpp>
#include <weir/http/server_options.hpp>
#include <weir/http/validate.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/intrusive/list.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace weir::http::detail {

/// What a server and its connections share, and what the connections keep alive when the server goes.
template <class Executor>
class server_core : public std::enable_shared_from_this<server_core<Executor>> {
    using tcp = asio::ip::tcp;
    using error_code = boost::system::error_code;
    using socket = asio::basic_stream_socket<tcp, Executor>;
    template <class T>
    using task = asio::awaitable<T, Executor>;

    static constexpr duration sweep_every = std::chrono::milliseconds(100);
    static constexpr auto token = asio::as_tuple(asio::use_awaitable_t<Executor>{});

public:
    using any_handler =
        std::variant<std::function<response(request const&)>, std::function<task<response>(request)>>;

    server_core(Executor const& executor, any_handler h, server_options o)
        : options_((o.check(), std::move(o))),
          handler_(std::move(h)),
          acceptor_(executor),
          clock_(executor),
          room_(executor),
          drained_(executor)
    {
        try {
            tcp::endpoint const at(asio::ip::make_address(options_.address), options_.port);
            acceptor_.open(at.protocol());
            acceptor_.set_option(asio::socket_base::reuse_address(true));
#ifdef SO_REUSEPORT
            if (options_.share_port)
                acceptor_.set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true));
#endif
            acceptor_.bind(at);
            acceptor_.listen();
            port_ = acceptor_.local_endpoint().port();
        } catch (boost::system::system_error const& e) {
            throw std::system_error(e.code(), "weir: http::server cannot listen at " + options_.address + " port " +
                                                  std::to_string(options_.port));
        }
    }

    [[nodiscard]] Executor get_executor() { return acceptor_.get_executor(); }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::size_t connections() const noexcept { return sessions_.size(); }

    void drain()
    {
        draining_ = true;
        close(acceptor_);
        room_.cancel();
        for (auto& s : sessions_)
            if (s.idle) close(s.connection);
        if (sessions_.empty()) drained_.cancel();
    }

    void stop()
    {
        drain();
        clock_.cancel();
        for (auto& s : sessions_) close(s.connection);
    }

    template <class Handler>
    void async_drained(time_point until, Handler h)
    {
        drained_.async_wait_until(sessions_.empty() ? drained_.now() : until, std::move(h));
    }

    static task<void> accept(std::shared_ptr<server_core> self)
    {
        while (!self->draining_) {
            auto const most = self->options_.max_connections;
            if (most != 0 && self->sessions_.size() >= most) {
                co_await self->room_.async_wait_until(never, token);  // a connection that ends cancels this
                continue;
            }
            auto [ec, connection] = co_await self->acceptor_.async_accept(token);
            if (self->draining_) break;
            if (ec) {
                // Out of descriptors, or the peer has gone already: the listener itself is well.
                co_await self->room_.async_wait_for(sweep_every, token);
                continue;
            }
            asio::co_spawn(self->acceptor_.get_executor(), serve(self, std::move(connection)), asio::detached);
        }
    }

private:
    struct session : boost::intrusive::list_base_hook<> {
        session(server_core& c, socket s) : core(c), connection(std::move(s))
        {
            error_code ignored;
            connection.set_option(tcp::no_delay(true), ignored);
            buffer.reserve(4096);
            core.sessions_.push_back(*this);
            if (core.sessions_.size() == 1) core.sweep();
        }
        session(session const&) = delete;
        session& operator=(session const&) = delete;
        ~session()
        {
            core.sessions_.erase(core.sessions_.iterator_to(*this));
            core.room_.cancel();
            if (core.sessions_.empty()) {
                core.clock_.cancel();
                core.drained_.cancel();
            }
        }

        void limit(duration span) noexcept
        {
            until = span == duration::zero() ? never : later(core.now_, later_by(span));
        }
        // The time in hand may be one sweep old.
        static duration later_by(duration span) noexcept
        {
            return span > duration::max() - sweep_every ? span : span + sweep_every;
        }

        server_core& core;
        socket connection;
        beast::flat_buffer buffer;
        time_point until = never;
        bool idle = true;
    };

    template <class Socket>
    static void close(Socket& s)
    {
        error_code ignored;
        s.close(ignored);
    }

    // Looks at all deadlines, now and then again while there are connections.
    void sweep()
    {
        now_ = clock_.now();
        for (auto& s : sessions_)
            if (s.until <= now_) close(s.connection);
        auto again = [weak = this->weak_from_this()](error_code ec) {
            auto const self = weak.lock();
            if (!ec && self && !self->sessions_.empty()) self->sweep();
        };
        clock_.async_wait_until(now_ + sweep_every, asio::bind_executor(acceptor_.get_executor(), std::move(again)));
    }

    static task<void> serve(std::shared_ptr<server_core> self, socket connection)
    {
        session s(*self, std::move(connection));
        auto const& o = self->options_;
        for (bool keep = true; keep && !self->draining_;) {
            s.idle = s.buffer.size() == 0;
            s.limit(o.idle_timeout);
            if (s.idle) {
                auto [ec, n] = co_await s.connection.async_read_some(s.buffer.prepare(4096), token);
                if (ec) break;
                s.buffer.commit(n);
                s.idle = false;
            }

            s.limit(o.request_timeout);
            beast::http::request_parser<beast::http::string_body> parser;
            parser.header_limit(o.max_header_bytes);
            parser.body_limit(o.max_body_bytes);
            error_code const ec = co_await read(s, parser);
            auto const refused = refusal(ec, parser);
            if (ec && !refused) break;

            bool const is_head = parser.get().method() == verb::head;
            bool const wanted = parser.get().keep_alive();
            unsigned const version = parser.get().version();
            s.until = never;  // the handler's time is its own
            response answer;
            if (refused) answer = reply(*refused);
            else answer = co_await handle(*self, parser.release());
            keep = wanted && !refused && !self->draining_ && answer.keep_alive();
            finish(answer, version, keep, is_head);

            s.limit(o.request_timeout);
            beast::http::response_serializer<beast::http::string_body> serializer(answer);
            auto [failed, n] = co_await beast::http::async_write(s.connection, serializer, token);
            if (failed) break;
            if (refused) co_await linger(s);
        }
        close(s.connection);
    }

    // Whatever has come is parsed here; Beast's own reading costs one more turn of the event loop.
    static task<error_code> read(session& s, beast::http::request_parser<beast::http::string_body>& parser)
    {
        error_code ec;
        parser.eager(true);
        s.buffer.consume(parser.put(s.buffer.data(), ec));
        if (ec && ec != beast::http::error::need_more) co_return ec;
        if (!parser.is_header_done()) {
            auto [e, n] = co_await beast::http::async_read_header(s.connection, s.buffer, parser, token);
            if (e) co_return e;
        }
        if (!parser.is_done()) {
            if (beast::iequals(parser.get()[field::expect], "100-continue")) {
                static constexpr std::string_view go = "HTTP/1.1 100 Continue\r\n\r\n";
                auto [e, n] = co_await asio::async_write(s.connection, asio::buffer(go), token);
                if (e) co_return e;
            }
            auto [e, n] = co_await beast::http::async_read(s.connection, s.buffer, parser, token);
            if (e) co_return e;
        }
        co_return error_code();
    }

    // How to refuse what was read; nothing when it is a request, or when nobody is left to be told.
    static std::optional<status> refusal(error_code ec, beast::http::request_parser<beast::http::string_body>& parser)
    {
        using beast::http::error;
        static auto const& of_beast = make_error_code(error::end_of_stream).category();
        if (ec == error::body_limit) return status::payload_too_large;
        if (ec == error::header_limit) return status::request_header_fields_too_large;
        if (ec == error::end_of_stream || ec == error::partial_message) return std::nullopt;
        if (ec.category() == of_beast && ec) return status::bad_request;
        if (ec) return std::nullopt;
        auto const& header = parser.get().base();
        if (!framing_defect(header).empty()) return status::bad_request;
        if (header.version() == 11 && header.count(field::host) != 1) return status::bad_request;
        return std::nullopt;
    }

    static task<response> handle(server_core& core, request r)
    {
        try {
            if (auto* const plain = std::get_if<0>(&core.handler_)) co_return (*plain)(r);
            auto answering = std::get<1>(core.handler_)(std::move(r));
            co_return co_await std::move(answering);
        } catch (...) {
        }
        co_return reply(status::internal_server_error);
    }

    // Beast writes a line break where it is given one.
    static bool fit(response const& answer)
    {
        if (!valid_field_value(view(answer.reason()))) return false;
        for (auto const& f : answer)
            if (!valid_field_value(view(f.value())) ||
                (f.name() == field::unknown && !valid_token(view(f.name_string()))))
                return false;
        return true;
    }

    static void finish(response& answer, unsigned version, bool keep, bool to_head)
    {
        if (!fit(answer)) answer = reply(status::internal_server_error);
        answer.version(version);
        answer.keep_alive(keep);
        answer.chunked(false);
        bool const bare = answer.result_int() < 200 || answer.result() == status::no_content ||
                          answer.result() == status::not_modified;
        if (bare) answer.body().clear();
        answer.content_length(bare ? boost::none : boost::optional<std::uint64_t>(answer.body().size()));
        if (to_head) answer.body().clear();
    }

    // Closing with something unread would reset the connection, and the peer might never see the answer.
    static task<void> linger(session& s)
    {
        error_code ignored;
        s.connection.shutdown(tcp::socket::shutdown_send, ignored);
        s.limit(std::chrono::seconds(1));
        char bytes[4096];
        for (int i = 0; i < 256; ++i) {
            auto [ec, n] = co_await s.connection.async_read_some(asio::buffer(bytes), token);
            if (ec) break;
        }
    }

    server_options options_;
    any_handler handler_;
    asio::basic_socket_acceptor<tcp, Executor> acceptor_;
    timer clock_, room_, drained_;
    boost::intrusive::list<session> sessions_;
    time_point now_{};
    std::uint16_t port_ = 0;
    bool draining_ = false;
};

}  // namespace weir::http::detail
