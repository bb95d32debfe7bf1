// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/http_access.hpp>
#include <weir/registry/detail/http_channel.hpp>
#include <weir/registry/lease_backend.hpp>
#include <weir/retry/retry_after.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// What a registry's HTTP answer means: an error, or none and what it said.
using http_verdict = std::tuple<boost::system::error_code, reply>;

/// By the status alone. Too many connections, or no leader at the moment, are errc::registry_unavailable: the same
/// request will do later. Everything else but 2xx is errc::registry_refused.
[[nodiscard]] http_verdict judged(http::response const& a);

/// What a registry says to people, fit for a log: the status and the beginning of the body, printable.
[[nodiscard]] std::string shown(http::response const& a);

/// The rest of an answer that is still coming. Destroying it closes the connection.
class http_body {
public:
    http_body(std::shared_ptr<http_stream> s, std::function<void()> failed, asio::any_io_executor strand)
        : stream_(std::move(s)), failed_(std::move(failed)), strand_(std::move(strand))
    {
    }

    /// What came next, in pieces of no meaning: void(boost::system::error_code, std::string). asio::error::eof: the
    /// server has said all. Cancelling it closes the connection. One at a time.
    template <class Token>
    auto async_read(Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code, std::string)>(
            [stream = stream_, failed = failed_, started = false](auto& self, boost::system::error_code ec = {},
                                                                  std::string piece = {}) mutable {
                if (!std::exchange(started, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    auto const s = stream;
                    return s->read(piece_handler(std::move(self), self.get_executor()));
                }
                if (ec && ec != asio::error::eof && ec != asio::error::operation_aborted) failed();
                self.complete(ec, std::move(piece));
            },
            token, strand_);
    }

private:
    std::shared_ptr<http_stream> stream_;
    std::function<void()> failed_;
    asio::any_io_executor strand_;
};

/// One conversation with a registry over HTTP: each question over a connection of its own, to one of several servers.
///
///   http_session http(strand, access, limit);
///   http.async_send(http::get("/v1/..."), token);             void(error_code, http::response)
///   http.ask(http::put("/v1/...", body), judged, done);       done: reply_handler
///   http.async_open(http::post("/v3/watch", body), token);    void(error_code, http::response, shared_ptr<http_body>)
///
/// `async_send` puts the base path in front of the target and adds the credentials. A question that fails in transport,
/// is cancelled (that is how time limits come), or is answered by 5xx, 429 or 408 moves the session on to the next
/// server; one that is answered stays. A 401 with a token from a file: the file is read again, and if it has another
/// token the question is asked once more with that.
/// `async_open` is for answers that are read while they come: 2xx brings the head, and the body to read from; any other
/// status brings no http_body, but the beginning of the answer's own body, fit for `judged`.
/// Cancellation: all types.   Threads: one strand.   Lifetimes: copies share it; what is pending outlives it.
class http_session {
public:
    using executor_type = asio::any_io_executor;

    /// `limit`: of each question; 0 where somebody else holds the clock.
    http_session(executor_type strand, std::shared_ptr<http_access> access, duration limit)
        : state_(std::make_shared<state>(std::move(strand), std::move(access), limit))
    {
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return state_->strand; }

    /// The server to be asked next, as host:port: for watch_status. Empty when there is but one.
    [[nodiscard]] std::string server() const
    {
        if (state_->access->servers() == 1) return {};
        auto const& e = state_->where();
        return e.host + ':' + std::to_string(e.port);
    }

    /// How long the server that is to be asked next wishes not to be: what it said with 429 or 503, if it did.
    [[nodiscard]] duration retry_after() const
    {
        return std::max(between(state_->now(), state_->quiet_until[state_->at]), duration::zero());
    }

    /// Sent from now on in place of the configured credentials, under the same header: what a login gave. Empty: the
    /// configured ones again.
    void authorize(secret value) { state_->login = std::move(value); }

    /// Signature: void(boost::system::error_code, http::response).
    template <class Token>
    auto async_send(http::request r, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, http::response)>(
            [s = state_](auto handler, http::request&& what) {
                send(s, std::move(what), response_handler(std::move(handler), s->strand));
            },
            token, std::move(r));
    }

    /// Signature: void(boost::system::error_code, http::response, std::shared_ptr<http_body>).
    template <class Token>
    auto async_open(http::request r, Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code, http::response, std::shared_ptr<http_body>)>(
            open_op{state_, std::move(r)}, token, state_->strand);
    }

    /// For questions that are answered by yes, no or a word.
    void ask(http::request r, http_verdict (*read)(http::response const&), reply_handler done)
    {
        struct judge {
            reply_handler done;
            http_verdict (*read)(http::response const&);

            using executor_type = asio::any_io_executor;
            using cancellation_slot_type = asio::cancellation_slot;
            [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }
            [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept
            {
                return done.get_cancellation_slot();
            }
            void operator()(boost::system::error_code ec, http::response const& answer)
            {
                if (ec) return done(ec, reply{});
                auto [code, said] = read(answer);
                done(code, std::move(said));
            }
        };
        send(state_, std::move(r), response_handler(judge{std::move(done), read}, state_->strand));
    }

private:
    struct state {
        state(executor_type e, std::shared_ptr<http_access> a, duration limit)
            : strand(std::move(e)),
              access(std::move(a)),
              channel(access->open(strand, limit)),
              at(access->preferred()),
              quiet_until(access->servers())
        {
        }

        [[nodiscard]] endpoint const& where() const { return access->options().servers[at]; }
        [[nodiscard]] time_point now() const { return timer_queue::of(strand).now(); }

        // Puts in what every request has. False: there should be credentials and are none; then `why` is the answer.
        [[nodiscard]] bool complete(http::request& r, std::optional<secret>& value, http::response& why) const
        {
            auto const& o = access->options();
            std::string reason;
            value = login.empty() ? access->credentials(now(), reason) : login;
            if (!reason.empty()) {
                why = http::response(http::status::unauthorized, 11);
                why.body() = reason;
                return false;
            }
            if (!o.base.empty()) r.target(o.base + std::string(r.target()));
            if (value) r.set(o.credentials.header, value->reveal());
            return true;
        }

        // Server `asked` did not do its work.
        void leave(std::size_t asked)
        {
            auto const next = access->failed(asked);
            if (at == asked) at = next;
        }

        // What server `asked` did is its own trouble. Late, or no longer wanted, is nothing for other sessions.
        void note(std::size_t asked, boost::system::error_code ec, http::response const& answer)
        {
            auto const status = answer.result_int();
            if (!ec) quiet_until[asked] = later(now(), wish_of(answer));
            bool const overloaded = !ec && (status >= 500 || status == 429 || status == 408);
            if (ec == asio::error::operation_aborted) {
                if (at == asked) at = (asked + 1) % access->servers();
            } else if (ec || overloaded) {
                leave(asked);
            }
        }

        // RFC 9110, 10.2.3; RFC 6585, 4.
        [[nodiscard]] static duration wish_of(http::response const& a)
        {
            if (a.result_int() != 429 && a.result_int() != 503) return duration::zero();
            auto const said = a[http::field::retry_after];
            auto const today = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
            return parse_retry_after({said.data(), said.size()}, today).value_or(duration::zero());
        }

        // Whether the token just shown, and refused, has become another one.
        [[nodiscard]] bool has_other(std::optional<secret> const& shown) const
        {
            return shown && login.empty() && access->refused(*shown, now());
        }

        executor_type strand;
        std::shared_ptr<http_access> access;
        std::unique_ptr<http_channel> channel;
        secret login;
        std::size_t at;                       // which server
        std::vector<time_point> quiet_until;  // for each of them
    };

    // Takes out of an answer that says why not what it repeats of the question.
    static void hide(http::response& answer, std::optional<secret> const& value)
    {
        if (!value || answer.result_int() / 100 == 2) return;
        std::string_view const all = value->reveal();
        detail::hide(answer.body(), all.substr(all.rfind(' ') + 1));  // "Bearer " is no secret
    }

    // A question on its way, and its answer's first reader.
    struct sent {
        std::shared_ptr<state> s;
        response_handler done;
        std::size_t asked;                    // which server
        std::optional<secret> shown_token;    // what was sent
        std::optional<http::request> repeat;  // without credentials, for the same case

        using executor_type = asio::any_io_executor;
        using cancellation_slot_type = asio::cancellation_slot;
        [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept
        {
            return done.get_cancellation_slot();
        }

        void operator()(boost::system::error_code ec, http::response answer)
        {
            s->note(asked, ec, answer);
            if (!ec) hide(answer, shown_token);
            if (!ec && s->access->refuses_token(answer) && repeat && s->has_other(shown_token))
                return send(s, std::move(*repeat), std::move(done), false);
            done(ec, std::move(answer));
        }
    };

    static void send(std::shared_ptr<state> const& s, http::request r, response_handler done, bool again = true)
    {
        sent way{s, std::move(done), s->at, {}, {}};
        if (again && !s->access->options().credentials.file.empty()) way.repeat = r;
        http::response none;
        if (!s->complete(r, way.shown_token, none)) {
            auto const executor = way.get_executor();
            return asio::post(executor, [way = std::move(way), none = std::move(none)]() mutable {
                way.done(boost::system::error_code(), std::move(none));
            });
        }
        s->channel->send(s->where(), std::move(r), response_handler(std::move(way), s->strand));
    }

    // Head first, and the beginning of a body that says why not.
    struct open_op {
        std::shared_ptr<state> s;
        http::request r;
        std::size_t asked = 0;
        std::optional<secret> shown_token = {};
        std::shared_ptr<http_stream> stream = {};
        http::response head = {};
        enum class step : std::uint8_t { begin, refused, opening, explaining } at = step::begin;
        bool again = true;

        template <class Self>
        void operator()(Self& self)
        {
            if (at == step::refused) return self.complete({}, std::move(head), nullptr);
            self.reset_cancellation_state(asio::enable_total_cancellation());
            auto what = r;
            asked = s->at;
            if (!s->complete(what, shown_token, head)) {
                at = step::refused;
                return asio::post(std::move(self));
            }
            at = step::opening;
            auto const opened = stream = s->channel->stream();
            auto const state = s;
            opened->open(state->where(), std::move(what), response_handler(std::move(self), state->strand));
        }

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec, http::response answer)
        {
            s->note(asked, ec, answer);
            if (ec) return self.complete(ec, std::move(answer), nullptr);
            if (s->access->refuses_token(answer) && std::exchange(again, false) && s->has_other(shown_token))
                return (*this)(self);
            head = std::move(answer);
            if (head.result_int() / 100 != 2) return explain(self);
            auto const leave = [s = s, asked = asked] { s->leave(asked); };
            auto const strand = s->strand;
            self.complete(ec, std::move(head), std::make_shared<http_body>(std::move(stream), leave, strand));
        }

        template <class Self>
        void operator()(Self& self, boost::system::error_code ec, std::string const& piece)
        {
            head.body() += piece;
            if (!ec && head.body().size() < 4096) return explain(self);
            hide(head, shown_token);
            self.complete({}, std::move(head), nullptr);
        }

        template <class Self>
        void explain(Self& self)
        {
            auto const from = stream;
            auto const state = s;
            at = step::explaining;
            from->read(piece_handler(std::move(self), state->strand));
        }
    };

    std::shared_ptr<state> state_;
};

// Bodies

inline std::string shown(http::response const& a)
{
    std::string out = std::to_string(a.result_int());
    auto const text = std::string_view(a.body()).substr(0, 200);
    if (!text.empty()) out += ": ";
    for (char const c : text) out += c >= 0x20 && c < 0x7f ? c : '?';
    return out;
}

inline http_verdict judged(http::response const& a)
{
    auto const code = a.result_int();
    if (code >= 200 && code < 300) return {boost::system::error_code(), reply{}};
    bool const later = code >= 500 || code == 429 || code == 408;
    return {make_error_code(later ? errc::registry_unavailable : errc::registry_refused), reply{true, shown(a)}};
}

}  // namespace weir::registry::detail
