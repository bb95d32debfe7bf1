// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A byte rate is a policy of Beast's streams: give each connection a copy, and together they stay below the limit. The
// code that reads and writes does not know of it.
//
// Expected output:
//   every connection of this server together: 5 MB/s, after a burst of 100 kB
//   download 1: 300 kB
//   download 2: 300 kB
//   600 kB in no less than 100 ms: true

#include <weir/core/time.hpp>
#include <weir/http/byte_rate.hpp>

#include <boost/asio.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include <cstdio>
#include <string>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

using limited_stream = boost::beast::basic_stream<tcp, asio::any_io_executor, weir::http::byte_rate>;

namespace {

std::string const file(300'000, 'x');

asio::awaitable<void> serve(tcp::acceptor& acceptor)
{
    // With `least` at 1 a stream goes on with as little as there is. Otherwise it waits for Beast's timer, which comes
    // once a second: fewer and larger operations, and what a server of long downloads wants.
    weir::http::byte_rate const limit{{.write = 5'000'000, .burst = 20ms, .least = 1}};
    for (int i = 0; i < 2; ++i) {
        limited_stream stream(limit, co_await acceptor.async_accept(asio::use_awaitable));
        co_await asio::async_write(stream, asio::buffer(file), asio::use_awaitable);
    }
}

asio::awaitable<void> download_twice(tcp::endpoint server)
{
    for (int i = 1; i <= 2; ++i) {
        tcp::socket socket(co_await asio::this_coro::executor);
        co_await socket.async_connect(server, asio::use_awaitable);
        std::string received(file.size(), '\0');
        auto const bytes = co_await asio::async_read(socket, asio::buffer(received), asio::use_awaitable);
        std::printf("download %d: %zu kB\n", i, bytes / 1000);
    }
}

}  // namespace

int main()
{
    asio::io_context context;
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});

    std::puts("every connection of this server together: 5 MB/s, after a burst of 100 kB");
    auto const begin = weir::steady_clock::now();
    asio::co_spawn(context, serve(acceptor), asio::detached);
    asio::co_spawn(context, download_twice(acceptor.local_endpoint()), asio::detached);
    context.run();

    auto const took = weir::steady_clock::now() - begin;
    std::printf("600 kB in no less than 100 ms: %s\n", took >= 99ms ? "true" : "false");
}
