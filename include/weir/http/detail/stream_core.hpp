// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/erased_handler.hpp>
#include <weir/async/detail/work_guard.hpp>
#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/detail/client_exchange.hpp>
#include <weir/http/detail/outgoing.hpp>
#include <weir/http/message.hpp>
#include <weir/http/validate.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#if defined(__linux__)
#include <netinet/tcp.h>
#endif

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::http::detail {

/// What a basic_answer_stream is, for as long as anything of it is pending. All on one strand. Whatever Asio calls back
/// looks first whether the operation is still wanted: `abort` completes it at once, and need not wait for a look-up of
/// the system's that nobody can interrupt.
template <class Executor, class Transport>
class stream_core final : public std::enable_shared_from_this<stream_core<Executor, Transport>> {
    using error_code = boost::system::error_code;
    using tcp = asio::ip::tcp;

public:
    using open_handler = weir::detail::erased_handler<response>;
    using read_handler = weir::detail::erased_handler<std::string>;

    stream_core(Executor executor, client_options o, Transport transport)
        : executor_(std::move(executor)),
          options_((o.check(), std::move(o))),
          transport_(std::move(transport)),
          resolver_(executor_),
          clock_(executor_)
    {
    }

    [[nodiscard]] Executor const& get_executor() const noexcept { return executor_; }

    void open(std::string host, std::uint16_t port, request r, time_point deadline, open_handler done)
    {
        begin(opening_, std::move(done));
        auto const now = clock_.now();
        if (opened_ || !defect_in(r).empty() || host.empty() || port == 0 || !valid_field_value(host))
            return give_up(errc::bad_request);
        opened_ = true;
        if (deadline == never && options_.timeout != duration::zero()) deadline = later(now, options_.timeout);
        if (deadline <= now) return give_up(errc::no_time_left);
        request_ = std::move(r);
        fill_in(request_, options_, host, port);
        stream_.emplace(transport_.open(executor_, host));

        auto const connect_by =
            options_.connect_timeout == duration::zero() ? never : later(now, options_.connect_timeout);
        limit(std::min(deadline, connect_by), connect_by < deadline);
        auto const connected = [deadline](stream_core& s, error_code ec, auto const&...) { s.connected(ec, deadline); };
        error_code not_an_address;
        auto const address = asio::ip::make_address(host, not_an_address);
        if (!not_an_address) return socket().async_connect(tcp::endpoint(address, port), then(connected));
        resolver_.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                then([connected](stream_core& s, error_code ec, auto const& found) {
                                    if (ec) return s.fail(ec);
                                    asio::async_connect(s.socket(), found, s.then(connected));
                                }));
    }

    void read(read_handler done)
    {
        begin(reading_, std::move(done));
        if (ended_ || !parser_) return abort(asio::error::operation_aborted);
        read_on();
    }

    void abort(error_code why)
    {
        if (!std::exchange(ended_, true)) {
            why_ = why;
            resolver_.cancel();
            clock_.cancel();
            close();
        }
        finish(why_);
    }

private:
    static constexpr std::size_t piece_size = 16 * 1024;

    // What an operation of Asio's holds. The user's handler may hold this object, and would for ever if the context
    // goes with the operation pending.
    class pending {
    public:
        explicit pending(std::shared_ptr<stream_core> s) : self_(std::move(s)) {}
        pending(pending&&) noexcept = default;
        ~pending()
        {
            if (!self_) return;
            self_->ended_ = true;
            std::exchange(self_->opening_, std::nullopt);
            std::exchange(self_->reading_, std::nullopt);
        }
        [[nodiscard]] std::shared_ptr<stream_core> take() noexcept { return std::move(self_); }

    private:
        std::shared_ptr<stream_core> self_;
    };

    // What Asio calls back: the next step, where the operation is still wanted.
    template <class Next>
    [[nodiscard]] auto then(Next next)
    {
        return [held = pending(this->shared_from_this()), next](error_code ec, auto const&... what) mutable {
            auto const self = held.take();
            if (!self->ended_) next(*self, ec, what...);
        };
    }

    // The operation under way, at its handler's executor in the end.
    template <class Handler>
    void begin(std::optional<Handler>& place, Handler&& done)
    {
        auto slot = done.get_cancellation_slot();
        place.emplace(std::move(done));
        work_.emplace(place->get_executor());
        if (slot.is_connected())
            slot.assign([weak = this->weak_from_this()](asio::cancellation_type type) {
                auto const self = weak.lock();
                if (self && type != asio::cancellation_type::none) self->abort(asio::error::operation_aborted);
            });
    }

    template <class Handler, class Value>
    void complete(std::optional<Handler>& place, error_code ec, Value value)
    {
        auto done = std::move(*place);
        place.reset();
        auto const work = std::move(work_);
        work_.reset();
        if (auto slot = done.get_cancellation_slot(); slot.is_connected()) slot.clear();
        // Posted: `abort` may be called from anywhere, and nothing completes inside what began it.
        auto const executor = done.get_executor();
        asio::post(executor,
                   [done = std::move(done), ec, value = std::move(value)]() mutable { done(ec, std::move(value)); });
    }

    void finish(error_code ec)
    {
        if (opening_) complete(opening_, ec, response());
        if (reading_) complete(reading_, ec, std::string());
    }

    void fail(error_code ec) { abort(client_error(ec)); }
    void give_up(errc e) { abort(std::error_code(make_error_code(e))); }

    void connected(error_code ec, time_point deadline)
    {
        if (ec) return fail(ec);
        keep_alive();
        if constexpr (Transport::handshakes) {
            transport_.async_handshake(*stream_, then([deadline](stream_core& s, error_code e) {
                if (e) return s.fail(e);
                s.write(deadline);
            }));
        } else {
            write(deadline);
        }
    }

    void write(time_point deadline)
    {
        limit(deadline, false);
        asio::async_write(*stream_, bytes_of(request_, head_), all_at_once{},
                          then([](stream_core& s, error_code ec, std::size_t) {
                              if (ec) return s.fail(ec);
                              s.read_head();
                          }));
    }

    void read_head()
    {
        parser_.emplace();
        parser_->header_limit(options_.max_header_bytes);
        parser_->body_limit(boost::none);
        beast::http::async_read_header(*stream_, buffer_, *parser_,
                                       then([](stream_core& s, error_code ec, std::size_t) {
                                           if (ec) return s.fail(ec);
                                           s.head_read();
                                       }));
    }

    void head_read()
    {
        auto const code = parser_->get().result_int();
        if (code < 200) {
            if (code == 101 || ++interim_ > 16) return give_up(errc::bad_response);
            return read_head();
        }
        if (!framing_defect(parser_->get().base()).empty()) return give_up(errc::bad_response);
        limit(never, false);
        response head;
        head.base() = parser_->get().base();
        complete(opening_, {}, std::move(head));
    }

    void read_on()
    {
        if (parser_->is_done()) return abort(asio::error::eof);
        piece_.resize(piece_size);
        auto& body = parser_->get().body();
        body.data = piece_.data();
        body.size = piece_.size();
        body.more = true;
        beast::http::async_read_some(*stream_, buffer_, *parser_,
                                     then([](stream_core& s, error_code ec, std::size_t) { s.piece_read(ec); }));
    }

    void piece_read(error_code ec)
    {
        if (ec && ec != beast::http::error::need_buffer) return fail(ec);
        piece_.resize(piece_size - parser_->get().body().size);
        // What was read may have been the transfer coding's own.
        if (piece_.empty()) return read_on();
        complete(reading_, {}, std::exchange(piece_, {}));
    }

    // Half a minute of silence at the other end's TCP is the end. Rule 8 of a registry's client: a half-open socket is
    // how a watch is lost most often.
    void keep_alive()
    {
        error_code ignored;
        socket().set_option(tcp::no_delay(true), ignored);
        socket().set_option(asio::socket_base::keep_alive(true), ignored);
#if defined(__linux__)
        using asio::detail::socket_option::integer;
        socket().set_option(integer<IPPROTO_TCP, TCP_KEEPIDLE>(15), ignored);
        socket().set_option(integer<IPPROTO_TCP, TCP_KEEPINTVL>(5), ignored);
        socket().set_option(integer<IPPROTO_TCP, TCP_KEEPCNT>(3), ignored);
#endif
    }

    // Replaces the limit before it.
    void limit(time_point at, bool of_connecting)
    {
        auto const which = ++limit_;
        clock_.cancel();
        if (at == never) return;
        clock_.async_wait_until(at, [weak = this->weak_from_this(), of_connecting, which](error_code ec) {
            auto const self = weak.lock();
            // One that was replaced may have passed already, and be on its way here.
            if (ec || !self || self->limit_ != which) return;
            self->abort(of_connecting ? error_code(asio::error::timed_out)
                                      : error_code(std::error_code(make_error_code(errc::attempt_timed_out))));
        });
    }

    [[nodiscard]] auto& socket() noexcept { return beast::get_lowest_layer(*stream_); }

    void close() noexcept
    {
        error_code ignored;
        if (stream_) socket().close(ignored);
    }

    Executor executor_;
    client_options options_;
    Transport transport_;
    asio::ip::basic_resolver<tcp, Executor> resolver_;
    weir::timer clock_;
    std::optional<typename Transport::template stream<Executor>> stream_;
    beast::flat_buffer buffer_;
    request request_;
    std::string head_;
    std::optional<beast::http::response_parser<beast::http::buffer_body>> parser_;
    std::string piece_;
    std::optional<open_handler> opening_;
    std::optional<read_handler> reading_;
    std::optional<weir::detail::work_guard<asio::any_io_executor>> work_;
    error_code why_;  // why it ended
    std::uint64_t limit_ = 0;
    int interim_ = 0;
    bool opened_ = false;
    bool ended_ = false;
};

}  // namespace weir::http::detail
