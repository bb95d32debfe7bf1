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

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::testing {

namespace asio = boost::asio;

/// The value of a header of a request, whose name is given in small letters; empty if there is none.
inline std::string header_of(std::string const& request, std::string const& name)
{
    auto head = request.substr(0, request.find("\r\n\r\n") + 2);
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    auto const at = head.find("\r\n" + name + ": ");
    if (at == head.npos) return {};
    auto const from = at + name.size() + 4;
    return request.substr(from, request.find("\r\n", from) - from);
}

/// What a query or a form says.
inline std::map<std::string, std::string> form_fields(std::string const& text)
{
    std::map<std::string, std::string> out;
    for (std::size_t from = 0; from < text.size();) {
        auto const end = std::min(text.find('&', from), text.size());
        auto const equals = text.find('=', from);
        if (equals >= end) break;
        std::string value;
        for (auto i = equals + 1; i < end; ++i) {
            bool const coded = text[i] == '%';
            value += coded            ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16))
                     : text[i] == '+' ? ' '
                                      : text[i];
            if (coded) i += 2;
        }
        out[text.substr(from, equals - from)] = value;
        from = end + 1;
    }
    return out;
}

/// An HTTP server that is a function from requests (head and body) to answers (all of them, as bytes). A chunked answer
/// is a stream, to which `push` adds for half a second. A function that takes how long it has been thinking, too, may
/// say nothing yet, and is asked again soon. Threads: one. Lives as long as its io_context runs.
class contract_server {
public:
    using function = std::function<std::string(std::string const& request, std::chrono::milliseconds held)>;

    template <class F>
    contract_server(asio::io_context& io, F f) : state_(std::make_shared<state>(io, taking_time(std::move(f))))
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
    template <class F>
    static function taking_time(F f)
    {
        if constexpr (std::is_invocable_v<F&, std::string const&, std::chrono::milliseconds>)
            return f;
        else
            return [f = std::move(f)](std::string const& request, std::chrono::milliseconds) mutable {
                return f(request);
            };
    }
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
            auto const body = std::strtoul(header_of(in.substr(0, n), "content-length").c_str(), nullptr, 10);
            if (in.size() < n + body) {
                auto const missing = n + body - in.size();
                auto const [cut, m] = co_await asio::async_read(*socket, asio::dynamic_buffer(in),
                                                                asio::transfer_exactly(missing), token);
                if (cut) co_return;
            }
            auto const request = in.substr(0, n + body);
            auto out = s->answer(request, std::chrono::milliseconds(0));
            for (auto const since = std::chrono::steady_clock::now(); out.empty();) {
                weir::timer later(socket->get_executor());
                co_await later.async_wait_for(std::chrono::milliseconds(10), token);
                auto const held = std::chrono::steady_clock::now() - since;
                out = s->answer(request, std::chrono::duration_cast<std::chrono::milliseconds>(held));
            }
            in.erase(0, n + body);
            auto const [lost, m] = co_await asio::async_write(*socket, asio::buffer(out), token);
            if (lost) co_return;
            if (out.find("chunked\r\n\r\n") == out.npos) continue;
            s->streams.push_back(socket);
            weir::timer life(socket->get_executor());
            co_await life.async_wait_for(std::chrono::milliseconds(500), token);
            std::erase_if(s->streams, [&](auto const& weak) { return weak.lock() == socket; });
            // A blank line first: when a body without any chunk ends byte by byte, Beast 1.81 stops the program in an
            // assertion (parse_chunk_header, n >= 5).
            auto const [gone, k] = co_await asio::async_write(*socket, asio::buffer("1\r\n\n\r\n0\r\n\r\n", 11), token);
            if (gone) co_return;
        }
    }

    std::shared_ptr<state> state_;
};

}  // namespace weir::testing
