// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/endpoint.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing {

/// What a scripted server does on one connection, step by step. At the end of the steps the connection is closed.
class script {
public:
    /// Reads one request, head and body (by Content-Length).
    script& read_request() { return add({.what = read_one}); }
    /// The same, and notes a failure when `part` is not in it.
    script& expect(std::string part) { return add({.what = read_one, .text = std::move(part)}); }
    /// Reads until `count` more bytes have come.
    script& read_bytes(std::size_t count) { return add({.what = read_count, .size = count}); }
    /// Reads until the peer closes.
    script& read_to_end() { return add({.what = read_all}); }

    script& send(std::string bytes) { return send_in_pieces(std::move(bytes), static_cast<std::size_t>(-1)); }
    /// In pieces of `size` bytes, each a write of its own, `pause` apart. Without a pause others run in between.
    script& send_in_pieces(std::string bytes, std::size_t size, duration pause = {})
    {
        return add({.what = write, .text = std::move(bytes), .size = size, .span = pause});
    }
    /// Only the first `count` bytes: the answer is cut short.
    script& send_cut(std::string_view bytes, std::size_t count) { return send(std::string(bytes.substr(0, count))); }

    /// A complete answer with this body, after which the connection stays as it is.
    script& answer(int status, std::string const& body, std::string const& headers = {})
    {
        return send("HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }

    script& wait(duration d) { return add({.what = rest, .span = d}); }
    script& call(std::function<void()> f) { return add({.what = run, .function = std::move(f)}); }
    /// From the first step again, for as long as the peer stays.
    script& repeat() { return add({.what = again}); }

    script& close() { return add({.what = end}); }                  ///< the ordinary end
    script& reset() { return add({.what = reset_connection}); }     ///< RST: the peer sees connection_reset
    script& half_close() { return add({.what = shut_down_send}); }  ///< says it has no more to send, and reads on
    script& hang() { return read_to_end(); }                        ///< silent for as long as the peer stays

private:
    friend class scripted_server;

    enum kind { read_one, read_count, read_all, write, rest, run, again, end, reset_connection, shut_down_send };
    struct step {
        kind what;
        std::string text = {};
        std::size_t size = 0;
        duration span = {};
        std::function<void()> function = {};
    };

    script& add(step s)
    {
        steps_.push_back(std::move(s));
        return *this;
    }

    std::vector<step> steps_;
};

/// A TCP server on a loopback port of the system's choice that does to its clients exactly what a script says, for
/// tests of everything that talks to a server: answers cut in the middle, bytes that trickle, resets, silence. It is
/// raw TCP: what is sent is what the script holds, HTTP or not.
///
///   weir::testing::scripted_server server(io.get_executor());
///   server.next(weir::testing::script().expect("GET /a ").answer(200, "hello").close());
///
/// Each connection takes the next script, in order; when none is left, the one given to `always`; without that it is
/// closed, and noted as a failure. What was received, and what went wrong, is kept for the test to look at.
/// Threads: one.   Lifetimes: the destructor closes everything.   Seen in: examples/36_scripted_server.cpp
class scripted_server {
    using tcp = asio::ip::tcp;
    using error_code = boost::system::error_code;

public:
    explicit scripted_server(asio::any_io_executor executor)
        : state_(std::make_shared<state>(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)))
    {
        asio::co_spawn(executor, accept(state_), asio::detached);
    }
    scripted_server(scripted_server const&) = delete;
    scripted_server& operator=(scripted_server const&) = delete;
    ~scripted_server() { stop(); }

    scripted_server& next(script s)
    {
        state_->scripts.push_back(std::move(s));
        return *this;
    }
    scripted_server& always(script s)
    {
        state_->fallback = std::move(s);
        return *this;
    }

    /// Refuses further connections and resets those there are.
    void stop()
    {
        error_code ignored;
        state_->acceptor.close(ignored);
        for (auto& c : state_->connections)
            if (c->socket.is_open()) abandon(*c);
    }

    [[nodiscard]] std::uint16_t port() const { return state_->port; }
    [[nodiscard]] weir::endpoint endpoint() const { return {"scripted", "127.0.0.1", port()}; }

    /// Connections accepted so far, and what each has sent, all of it.
    [[nodiscard]] std::size_t connections() const noexcept { return state_->connections.size(); }
    [[nodiscard]] std::string const& received(std::size_t which) const
    {
        return state_->connections.at(which)->received;
    }
    /// True when that connection's script has come to its end.
    [[nodiscard]] bool finished(std::size_t which) const { return state_->connections.at(which)->finished; }

    /// What did not go by the scripts, in order.
    [[nodiscard]] std::vector<std::string> const& failures() const noexcept { return state_->failures; }

private:
    struct connection {
        explicit connection(tcp::socket s) : socket(std::move(s)), clock(socket.get_executor()) {}
        tcp::socket socket;
        timer clock;
        std::string received;
        std::size_t used = 0;  // of `received`, by earlier steps
        bool finished = false;
    };
    struct state {
        state(asio::any_io_executor const& e, tcp::endpoint const& at)
            : acceptor(e, at), port(acceptor.local_endpoint().port())
        {
        }
        tcp::acceptor acceptor;
        std::uint16_t port;
        std::deque<script> scripts;
        std::optional<script> fallback;
        std::vector<std::shared_ptr<connection>> connections;
        std::vector<std::string> failures;
    };

    static constexpr auto tuple = asio::as_tuple(asio::use_awaitable);

    static void abandon(connection& c)
    {
        error_code ignored;
        c.socket.set_option(asio::socket_base::linger(true, 0), ignored);
        c.socket.close(ignored);
        c.clock.cancel();
    }

    static asio::awaitable<void> accept(std::shared_ptr<state> s)
    {
        for (;;) {
            auto [ec, socket] = co_await s->acceptor.async_accept(tuple);
            if (!s->acceptor.is_open()) co_return;
            if (ec) continue;
            error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            auto c = std::make_shared<connection>(std::move(socket));
            s->connections.push_back(c);
            if (s->scripts.empty() && !s->fallback) {
                s->failures.push_back("connection " + std::to_string(s->connections.size()) + " has no script");
                end(*c);
                continue;
            }
            script play = s->scripts.empty() ? *s->fallback : std::move(s->scripts.front());
            if (!s->scripts.empty()) s->scripts.pop_front();
            asio::co_spawn(s->acceptor.get_executor(), perform(s, c, std::move(play)), asio::detached);
        }
    }

    // A step that cannot go on, because the peer is gone, ends the script.
    static asio::awaitable<void> perform(std::shared_ptr<state> s, std::shared_ptr<connection> c, script play)
    {
        for (std::size_t i = 0; i < play.steps_.size(); ++i) {
            if (play.steps_[i].what == script::again) i = 0;
            bool const going = co_await perform(*s, *c, play.steps_[i]);
            if (!going) co_return end(*c);
        }
        end(*c);
        c->finished = true;
    }

    static asio::awaitable<bool> perform(state& s, connection& c, script::step const& step)
    {
        error_code ignored;
        switch (step.what) {
            case script::read_one: co_return co_await read_request(s, c, step.text);
            case script::read_count: co_return co_await read_more(c, step.size);
            case script::read_all: co_return co_await read_to_end(c);
            case script::write: co_return co_await send(c, step.text, step.size, step.span);
            case script::rest: co_return co_await wait(c, step.span);
            case script::run: step.function(); break;
            case script::again: break;
            case script::end: end(c); break;
            case script::reset_connection: abandon(c); break;
            case script::shut_down_send: c.socket.shutdown(tcp::socket::shutdown_send, ignored); break;
        }
        co_return true;
    }

    static void end(connection& c)
    {
        error_code ignored;
        c.socket.close(ignored);
    }

    static asio::awaitable<bool> wait(connection& c, duration span)
    {
        auto [ec] = co_await c.clock.async_wait_for(span, tuple);
        co_return !ec;
    }

    static asio::awaitable<bool> read_some(connection& c)
    {
        char bytes[4096];
        auto [ec, n] = co_await c.socket.async_read_some(asio::buffer(bytes), tuple);
        c.received.append(bytes, n);
        co_return !ec;
    }

    static asio::awaitable<bool> read_more(connection& c, std::size_t count)
    {
        while (c.received.size() - c.used < count) {
            bool const more = co_await read_some(c);
            if (!more) co_return false;
        }
        c.used += count;
        co_return true;
    }

    static asio::awaitable<bool> read_to_end(connection& c)
    {
        for (bool more = true; more;) more = co_await read_some(c);
        c.used = c.received.size();
        co_return true;
    }

    static asio::awaitable<bool> read_request(state& s, connection& c, std::string const& part)
    {
        for (;;) {
            auto const size = request_size(std::string_view(c.received).substr(c.used));
            if (size != 0) {
                auto const request = c.received.substr(c.used, size);
                c.used += size;
                if (request.find(part) == request.npos)
                    s.failures.push_back("expected \"" + part + "\" and got \"" + request + "\"");
                co_return true;
            }
            bool const more = co_await read_some(c);
            if (!more) {
                if (!part.empty()) s.failures.push_back("expected \"" + part + "\" and the peer closed");
                co_return false;
            }
        }
    }

    // Of the first request in `text`; 0 while it is incomplete.
    static std::size_t request_size(std::string_view text)
    {
        auto const end = text.find("\r\n\r\n");
        if (end == text.npos) return 0;
        std::size_t body = 0;
        constexpr std::string_view name = "\r\nContent-Length: ";
        if (auto const at = text.substr(0, end).find(name); at != text.npos)
            body = std::strtoul(text.data() + at + name.size(), nullptr, 10);
        return text.size() >= end + 4 + body ? end + 4 + body : 0;
    }

    static asio::awaitable<bool> send(connection& c, std::string_view rest, std::size_t size, duration pause)
    {
        while (!rest.empty()) {
            auto const piece = rest.substr(0, std::max<std::size_t>(size, 1));
            auto [ec, n] = co_await asio::async_write(c.socket, asio::buffer(piece.data(), piece.size()), tuple);
            if (ec) co_return false;
            rest.remove_prefix(n);
            if (rest.empty()) break;
            if (pause > duration::zero()) {
                bool const going = co_await wait(c, pause);
                if (!going) co_return false;
            } else {
                co_await asio::post(c.socket.get_executor(), asio::use_awaitable);
            }
        }
        co_return true;
    }

    std::shared_ptr<state> state_;
};

}  // namespace weir::testing
