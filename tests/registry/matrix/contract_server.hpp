// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

namespace asio = boost::asio;

/// An HTTP server that is a function from requests (head and body) to answers (all of them, as bytes). An answer that
/// ends with its headers is a stream of chunks, to which `push` adds for half a second. Threads: one. Lives as long as its io_context
/// runs.
class contract_server {
public:
    using function = std::function<std::string(std::string const& request)>;

    contract_server(asio::io_context& io, function f) : state_(std::make_shared<state>(io, std::move(f)))
    {
        asio::co_spawn(io, accept(state_), asio::detached);
    }
    ~contract_server()
    {
        boost::system::error_code ignored;
        state_->acceptor.close(ignored);
        for (auto const& weak : state_->streams)
            if (auto const s = weak.lock()) s->close(ignored);
    }

    [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return state_->acceptor.local_endpoint(); }

    /// One more chunk to all streams that are open.
    void push(std::string const& bytes)
    {
        char size[24];
        std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
        auto const chunk = std::make_shared<std::string>(size + bytes + "\r\n");
        for (auto const& weak : state_->streams)
            if (auto const s = weak.lock())
                asio::async_write(*s, asio::buffer(*chunk), [s, chunk](boost::system::error_code, std::size_t) {});
    }

private:
    using tcp = asio::ip::tcp;
    struct state {
        state(asio::io_context& io, function f)
            : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), answer(std::move(f))
        {
        }
        tcp::acceptor acceptor;
        function answer;
        std::vector<std::weak_ptr<tcp::socket>> streams;
    };
    static constexpr auto token = asio::as_tuple(asio::use_awaitable);

    static asio::awaitable<void> accept(std::shared_ptr<state> s)
    {
        for (;;) {
            auto const socket = std::make_shared<tcp::socket>(s->acceptor.get_executor());
            auto const [ec] = co_await s->acceptor.async_accept(*socket, token);
            if (ec) co_return;
            asio::co_spawn(s->acceptor.get_executor(), serve(s, socket), asio::detached);
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<state> s, std::shared_ptr<tcp::socket> socket)
    {
        for (std::string in;;) {
            auto const [ec, n] = co_await asio::async_read_until(*socket, asio::dynamic_buffer(in), "\r\n\r\n", token);
            if (ec) co_return;
            std::size_t body = 0;
            if (auto const at = in.find("Content-Length: "); at < n)
                body = std::strtoul(in.c_str() + at + 16, nullptr, 10);
            if (in.size() < n + body) {
                auto const missing = n + body - in.size();
                auto const [cut, m] = co_await asio::async_read(*socket, asio::dynamic_buffer(in),
                                                                asio::transfer_exactly(missing), token);
                if (cut) co_return;
            }
            auto const out = s->answer(in.substr(0, n + body));
            in.erase(0, n + body);
            auto const [lost, m] = co_await asio::async_write(*socket, asio::buffer(out), token);
            if (lost) co_return;
            if (!out.ends_with("chunked\r\n\r\n")) continue;
            s->streams.push_back(socket);
            weir::timer life(socket->get_executor());
            co_await life.async_wait_for(std::chrono::milliseconds(500), token);
            std::erase_if(s->streams, [&](auto const& weak) { return weak.lock() == socket; });
            auto const [gone, k] = co_await asio::async_write(*socket, asio::buffer("0\r\n\r\n", 5), token);
            if (gone) co_return;
        }
    }

    std::shared_ptr<state> state_;
};

}  // namespace weir::testing
