// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing {

/// What stands between a client and its server, or in the server's place. A plain value.
struct fault {
    enum class kind : std::uint8_t {
        none,       ///< passes everything on
        refuse,     ///< nobody listens
        reset,      ///< a connection is reset at its first byte
        swallow,    ///< accepted, read, never answered
        freeze,     ///< a peer that is gone without a word: connections stay, nothing passes any more
        cut,        ///< the answer ends after `bytes`
        cut_body,   ///< the answer ends `bytes` after the end of its headers
        trickle,    ///< the answer passes, a byte a second
        delay,      ///< the answer passes, 200 ms late
        flap,       ///< every connection ends 30 ms after it began
        answer,     ///< `text` instead of the server's answer, then silence; the connection stays
        elsewhere,  ///< another server, at the port `bytes` of the loopback
        flood,      ///< `text`, then megabytes of it until the client has had enough
    };

    std::string name;
    kind what = kind::none;
    std::size_t bytes = 0;
    std::string text = {};
    bool at_start = false;  ///< there before the client is

    /// What is sent in the place of `text` to what was asked, where the answer has to fit the question.
    std::function<std::string(std::string_view asked)> reply = {};

    bool gradual = false;  ///< the server takes away one thing after the other

    std::size_t watchers = 1;  ///< how many there are in the client while this lasts
};

/// A TCP proxy on loopback that does to all connections what its present fault says. Threads: one.
class fault_proxy {
    using tcp = asio::ip::tcp;
    using error_code = boost::system::error_code;
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

public:
    fault_proxy(asio::any_io_executor executor, tcp::endpoint server, fault first = {})
        : state_(std::make_shared<state>(std::move(executor), std::move(server)))
    {
        state_->now = std::move(first);
        take_port();
        state_->port = state_->acceptor.local_endpoint().port();
        if (state_->now.what != fault::kind::refuse) listen();
    }
    fault_proxy(fault_proxy&&) = default;
    ~fault_proxy()
    {
        if (!state_) return;
        error_code ignored;
        state_->acceptor.close(ignored);
        state_->drop();
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return state_->port; }

    /// How often a fault was done to somebody. Where nobody listens, that is not known here.
    [[nodiscard]] std::size_t done() const noexcept { return state_->done; }

    /// How many connections there have been.
    [[nodiscard]] std::size_t connections() const noexcept { return state_->connections; }

    /// From now on. Connections that are open are closed, so that the client meets it, unless a frozen or slow peer is
    /// to be played.
    void set(fault f)
    {
        auto const before = std::exchange(state_->now, std::move(f)).what;
        auto const now = state_->now.what;
        if (now == fault::kind::refuse && before != now) {
            state_->acceptor.close();
            take_port();
        }
        if (before == fault::kind::refuse && now != before) listen();
        bool const stays = now == fault::kind::freeze || now == fault::kind::trickle || now == fault::kind::delay ||
                           now == fault::kind::none;
        if (!stays) state_->drop();
        state_->changed.cancel();
    }

private:
    struct link {
        explicit link(asio::any_io_executor const& e) : client(e), server(e) {}
        tcp::socket client, server;
        void close()
        {
            error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }
    };

    struct state {
        state(asio::any_io_executor e, tcp::endpoint s)
            : executor(std::move(e)), server(std::move(s)), acceptor(executor), changed(executor)
        {
        }
        void drop()
        {
            for (auto const& weak : links)
                if (auto const l = weak.lock()) l->close();
            links.clear();
        }
        asio::any_io_executor executor;
        tcp::endpoint server;
        tcp::acceptor acceptor;
        weir::timer changed;  // never fires: cancelled when the fault is another
        std::uint16_t port = 0;
        fault now;
        std::size_t done = 0, connections = 0;
        std::vector<std::weak_ptr<link>> links;
    };
    using state_pointer = std::shared_ptr<state>;

    // Bound and not listening: connections are refused, and nobody else gets the port meanwhile.
    void take_port()
    {
        state_->acceptor.open(tcp::v4());
        state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
        state_->acceptor.bind({asio::ip::address_v4::loopback(), state_->port});
    }

    void listen()
    {
        state_->acceptor.listen();
        asio::co_spawn(state_->executor, accept(state_), asio::detached);
    }

    static asio::awaitable<void> accept(state_pointer s)
    {
        for (;;) {
            auto const l = std::make_shared<link>(s->executor);
            auto const [ec] = co_await s->acceptor.async_accept(l->client, token);
            if (ec) co_return;
            ++s->connections;
            std::erase_if(s->links, [](auto const& weak) { return weak.expired(); });
            s->links.push_back(l);
            asio::co_spawn(s->executor, serve(s, l), asio::detached);
        }
    }

    static asio::awaitable<void> rest(state_pointer s, duration d)
    {
        weir::timer t(s->executor);
        co_await t.async_wait_for(d, token);
    }

    static asio::awaitable<void> serve(state_pointer s, std::shared_ptr<link> l)
    {
        auto const plays = s->now;
        switch (plays.what) {
            case fault::kind::answer:
            case fault::kind::flood: {
                for (std::string asked;;) {
                    if (!co_await read_some(l, &asked)) co_return l->close();
                    if (s->now.what != plays.what) co_return l->close();  // who played this is gone
                    ++s->done;
                    std::string const said = plays.reply ? plays.reply(asked) : plays.text;
                    if (!co_await send(l, said)) co_return l->close();
                    for (int i = 0; plays.what == fault::kind::flood && i < 4096; ++i)
                        if (!co_await send(l, plays.text)) co_return l->close();
                }
            }
            case fault::kind::swallow:
                while (co_await read_some(l)) ++s->done;
                co_return l->close();
            case fault::kind::reset: {
                (void)co_await read_some(l);
                ++s->done;
                error_code ignored;
                l->client.set_option(asio::socket_base::linger(true, 0), ignored);
                co_return l->close();
            }
            case fault::kind::flap: asio::co_spawn(s->executor, end_soon(s, l), asio::detached); break;
            default: break;
        }
        auto to = s->server;
        if (plays.what == fault::kind::elsewhere) {
            to.port(static_cast<std::uint16_t>(plays.bytes));
            ++s->done;
        }
        auto const [ec] = co_await l->server.async_connect(to, token);
        if (ec) co_return l->close();
        asio::co_spawn(s->executor, upward(s, l), asio::detached);
        co_await downward(s, l);
        l->close();
    }

    static asio::awaitable<void> end_soon(state_pointer s, std::shared_ptr<link> l)
    {
        co_await rest(s, std::chrono::milliseconds(30));
        ++s->done;
        l->close();
    }

    static asio::awaitable<bool> read_some(std::shared_ptr<link> l, std::string* into = nullptr)
    {
        std::array<char, 16384> buffer;
        auto const [ec, n] = co_await l->client.async_read_some(asio::buffer(buffer), token);
        if (into) into->assign(buffer.data(), n);
        co_return !ec;
    }

    static asio::awaitable<bool> send(std::shared_ptr<link> l, std::string_view bytes)
    {
        auto const [ec, n] = co_await asio::async_write(l->client, asio::buffer(bytes), token);
        co_return !ec;
    }

    static asio::awaitable<void> upward(state_pointer s, std::shared_ptr<link> l)
    {
        std::array<char, 16384> buffer;
        for (;;) {
            auto const [ec, n] = co_await l->client.async_read_some(asio::buffer(buffer), token);
            if (ec) break;
            while (s->now.what == fault::kind::freeze) {
                ++s->done;
                co_await s->changed.async_wait_until(never, token);
            }
            auto const [lost, m] = co_await asio::async_write(l->server, asio::buffer(buffer, n), token);
            if (lost) break;
        }
        l->close();
    }

    static asio::awaitable<void> downward(state_pointer s, std::shared_ptr<link> l)
    {
        std::array<char, 16384> buffer;
        std::size_t passed = 0;
        std::string head;  // of the answer, until its end is seen
        for (;;) {
            auto const [ec, n] = co_await l->server.async_read_some(asio::buffer(buffer), token);
            if (ec) co_return;
            std::string_view piece(buffer.data(), n);
            while (s->now.what == fault::kind::freeze) {
                ++s->done;
                co_await s->changed.async_wait_until(never, token);
            }
            auto const& f = s->now;
            if (f.what == fault::kind::delay || f.what == fault::kind::trickle) ++s->done;
            if (f.what == fault::kind::delay) co_await rest(s, std::chrono::milliseconds(200));
            if (f.what == fault::kind::cut || f.what == fault::kind::cut_body) {
                auto limit = f.bytes;
                if (f.what == fault::kind::cut_body) {
                    head.append(piece);
                    auto const end = head.find("\r\n\r\n");
                    limit = end == head.npos ? static_cast<std::size_t>(-1) : end + 4 + f.bytes;
                }
                auto const left = limit - std::min(limit, passed);
                if (piece.size() >= left) {
                    ++s->done;
                    (void)co_await send(l, piece.substr(0, left));
                    co_return;
                }
            }
            passed += piece.size();
            while (f.what == fault::kind::trickle && !piece.empty()) {
                if (!co_await send(l, piece.substr(0, 1))) co_return;
                piece.remove_prefix(1);
                weir::timer t(s->executor);
                // Ends at once when the fault does.
                auto const until = later(t.now(), std::chrono::seconds(1));
                while (s->now.what == fault::kind::trickle && t.now() < until)
                    co_await t.async_wait_for(std::chrono::milliseconds(50), token);
            }
            if (!co_await send(l, piece)) co_return;
        }
    }

    state_pointer state_;
};

}  // namespace weir::testing
