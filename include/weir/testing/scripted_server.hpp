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
#include <variant>
#include <vector>

namespace weir::testing {

/// What a scripted server does on one connection, step by step. At the end of the steps the connection is closed.
class script {
public:
    /// Reads one request, head and body (by Content-Length).
    script& read_request() { return add(read_one{}); }
    /// The same, and notes a failure when `part` is not in it.
    script& expect(std::string part) { return add(read_one{std::move(part)}); }
    /// Reads until `count` bytes have come.
    script& read_bytes(std::size_t count) { return add(read_count{count}); }
    /// Reads until the peer closes.
    script& read_to_end() { return add(read_count{static_cast<std::size_t>(-1)}); }

    script& send(std::string bytes) { return add(write{std::move(bytes), static_cast<std::size_t>(-1), {}}); }
    /// In pieces of `size` bytes, each a write of its own, `pause` apart. Without a pause others run in between.
    script& send_in_pieces(std::string bytes, std::size_t size, duration pause = {})
    {
        return add(write{std::move(bytes), std::max<std::size_t>(size, 1), pause});
    }
    /// Only the first `count` bytes: the answer is cut short.
    script& send_cut(std::string bytes, std::size_t count) { return send(bytes.substr(0, count)); }

    /// A complete answer with this body, after which the connection stays as it is.
    script& answer(int status, std::string const& body, std::string const& headers = {})
    {
        return send("HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }

    script& wait(duration d) { return add(rest{d}); }
    script& call(std::function<void()> f) { return add(std::move(f)); }

    script& close() { return add(ending::close); }            ///< the ordinary end
    script& reset() { return add(ending::reset); }            ///< RST: the peer sees connection_reset
    script& half_close() { return add(ending::half_close); }  ///< says it has no more to send, and reads on
    script& hang() { return add(ending::hang); }              ///< holds the connection, silent, until the server goes

private:
    friend class scripted_server;

    struct read_one {
        std::string part = {};
    };
    struct read_count {
        std::size_t count;
    };
    struct write {
        std::string bytes;
        std::size_t piece;
        duration between;
    };
    struct rest {
        duration span;
    };
    enum class ending { close, reset, half_close, hang };
    using step = std::variant<read_one, read_count, write, rest, std::function<void()>, ending>;

    script& add(step s)
    {
        steps_.push_back(std::move(s));
        return *this;
    }

    std::vector<step> steps_;
};

/// A TCP server on a loopback port of the system's choice that does to its clients exactly what a script says, for tests
/// of everything that talks to a server: answers cut in the middle, bytes that trickle, resets, silence. It is raw TCP:
/// what is sent is what the script holds, HTTP or not.
///
///   weir::testing::scripted_server server(io.get_executor());
///   server.next(weir::testing::script().expect("GET /a ").answer(200, "hello").close());
///
/// Each connection takes the next script, in order; when none is left, the one given to `always`; without that it is
/// closed, and noted as a failure. What was received, and what went wrong, is kept for the test to look at.
/// Threads: one.   Lifetimes: the destructor closes everything.   Seen in: tests/http/client.cpp
class scripted_server {
    using tcp = asio::ip::tcp;

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
        boost::system::error_code ignored;
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
        state(asio::any_io_executor const& e, tcp::endpoint const& at) : acceptor(e, at), port(acceptor.local_endpoint().port()) {}
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
        boost::system::error_code ignored;
        c.socket.set_option(asio::socket_base::linger(true, 0), ignored);
        c.socket.close(ignored);
        c.clock.cancel();
    }

    static asio::awaitable<void> accept(std::shared_ptr<state> s)
    {
        for (;;) {
            auto [ec, socket] = co_await s->acceptor.async_accept(tuple);
            if (ec) co_return;
            socket.set_option(tcp::no_delay(true));
            auto c = std::make_shared<connection>(std::move(socket));
            s->connections.push_back(c);
            if (s->scripts.empty() && !s->fallback) {
                s->failures.push_back("connection " + std::to_string(s->connections.size()) + " has no script");
                c->socket.close();
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
        bool going = true;
        for (auto const& step : play.steps_) {
            if (!going) break;
            if (auto* const one = std::get_if<script::read_one>(&step)) going = co_await read_request(*s, *c, one->part);
            else if (auto* const n = std::get_if<script::read_count>(&step)) going = co_await read_more(*c, n->count);
            else if (auto* const w = std::get_if<script::write>(&step)) going = co_await send(*c, *w);
            else if (auto* const p = std::get_if<script::rest>(&step)) {
                auto [ec] = co_await c->clock.async_wait_for(p->span, tuple);
                going = !ec;
            } else if (auto* const f = std::get_if<std::function<void()>>(&step)) (*f)();
            else going = co_await end(*c, std::get<script::ending>(step));
        }
        boost::system::error_code ignored;
        c->socket.close(ignored);
        c->finished = going;
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
        bool const to_end = count == static_cast<std::size_t>(-1);
        while (to_end || c.received.size() - c.used < count) {
            bool const more = co_await read_some(c);
            if (!more) co_return to_end;
        }
        c.used += count;
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

    static asio::awaitable<bool> send(connection& c, script::write const& w)
    {
        std::string_view rest = w.bytes;
        while (!rest.empty()) {
            auto const piece = rest.substr(0, w.piece);
            auto [ec, n] = co_await asio::async_write(c.socket, asio::buffer(piece.data(), piece.size()), tuple);
            if (ec) co_return false;
            rest.remove_prefix(n);
            if (rest.empty()) break;
            if (w.between > duration::zero()) {
                auto [stopped] = co_await c.clock.async_wait_for(w.between, tuple);
                if (stopped) co_return false;
            } else {
                co_await asio::post(c.socket.get_executor(), asio::use_awaitable);
            }
        }
        co_return true;
    }

    static asio::awaitable<bool> end(connection& c, script::ending how)
    {
        boost::system::error_code ignored;
        switch (how) {
            case script::ending::close: c.socket.close(ignored); co_return true;
            case script::ending::reset: abandon(c); co_return true;
            case script::ending::half_close: c.socket.shutdown(tcp::socket::shutdown_send, ignored); co_return true;
            case script::ending::hang: break;
        }
        bool const closed = co_await read_more(c, static_cast<std::size_t>(-1));
        co_return closed;
    }

    std::shared_ptr<state> state_;
};

}  // namespace weir::testing
