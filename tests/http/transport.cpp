// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <support/answer_handler.hpp>
#include <weir/http/client.hpp>
#include <weir/http/transport.hpp>
#include <weir/testing/scripted_server.hpp>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;
using weir::testing::answer_handler;
using weir::testing::script;

namespace {

// A transport of one's own: TCP, with a handshake that can fail.
struct counted_transport {
    struct seen {
        std::vector<std::string> hosts;
        int handshakes = 0;
        error_code answer;
    };
    seen* log;

    template <class Executor>
    using stream = http::plain_transport::stream<Executor>;

    static constexpr bool handshakes = true;

    template <class Executor>
    stream<Executor> open(Executor const& executor, std::string_view host) const
    {
        log->hosts.emplace_back(host);
        return stream<Executor>(executor);
    }

    template <class Stream, class Handler>
    void async_handshake(Stream& s, Handler handler) const
    {
        ++log->handshakes;
        asio::post(s.get_executor(), [handler = std::move(handler), ec = log->answer]() mutable { handler(ec); });
    }
};

// TCP that tells how much it was given to write at most.
struct measured_transport {
    template <class Executor>
    struct stream : asio::basic_stream_socket<asio::ip::tcp, Executor> {
        stream(Executor const& executor, std::size_t& l)
            : asio::basic_stream_socket<asio::ip::tcp, Executor>(executor), largest(&l)
        {
        }

        template <class Buffers, class Token>
        auto async_write_some(Buffers const& buffers, Token&& token)
        {
            *largest = std::max(*largest, asio::buffer_size(buffers));
            return asio::basic_stream_socket<asio::ip::tcp, Executor>::async_write_some(buffers,
                                                                                        std::forward<Token>(token));
        }

        std::size_t* largest;
    };

    std::size_t* largest;

    static constexpr bool handshakes = false;

    template <class Executor>
    [[nodiscard]] stream<Executor> open(Executor const& executor, std::string_view) const
    {
        return stream<Executor>(executor, *largest);
    }
};

}  // namespace

TEST_CASE("transport: a request is given to it whole, however large its body is")
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    server.always(script().read_request().answer(200, "hello"));
    std::size_t largest = 0;
    http::basic_client<asio::any_io_executor, measured_transport> client(io.get_executor(), {}, {&largest});
    std::optional<error_code> got;
    client.async_send(server.endpoint(), http::post("/", std::string(1'000'000, 'x')), weir::never,
                      answer_handler([&](error_code ec, http::response const&) { got = ec; }));
    while (!got) io.run_one();
    CHECK_FALSE(*got);
    CHECK(largest > 1'000'000);
}

TEST_CASE("transport: a client takes one of the user's own, opened and shaken hands with once a connection")
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    server.always(script().read_request().answer(200, "hello").repeat());
    counted_transport::seen log;
    http::basic_client<asio::any_io_executor, counted_transport> client(io.get_executor(), {}, {&log});
    for (int i = 0; i < 2; ++i) {
        std::optional<std::string> body;
        client.async_get(server.endpoint(), "/",
                         answer_handler([&](error_code, http::response const& r) { body = r.body(); }));
        io.restart();
        while (!body) io.run_one();
        CHECK(*body == "hello");
    }
    CHECK(log.hosts == std::vector<std::string>{"127.0.0.1"});
    CHECK(log.handshakes == 1);
}

TEST_CASE("transport: a handshake that fails ends the call with its error, and nothing is written")
{
    asio::io_context io;
    weir::testing::scripted_server server(io.get_executor());
    server.always(script().read_to_end());
    counted_transport::seen log{.hosts = {}, .answer = asio::error::access_denied};
    http::basic_client<asio::any_io_executor, counted_transport> client(io.get_executor(), {}, {&log});
    std::optional<error_code> got;
    client.async_get(server.endpoint(), "/", answer_handler([&](error_code ec, http::response const&) { got = ec; }));
    while (!got) io.run_one();
    CHECK(*got == asio::error::access_denied);
    CHECK(client.idle() == 0);
    while (server.connections() == 0 || !server.finished(0)) io.run_one();
    CHECK(server.received(0).empty());
}
