// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/client.hpp>
#include <weir/http/server.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using boost::system::error_code;

// The look-out for deadlines runs on whichever thread runs the timer queue; everything else on the client's strand.
TEST_CASE("client: on a strand among several threads, deadlines, cancellations and answers end each call once")
{
    asio::io_context io;
    auto const strand = asio::make_strand(io);
    auto const server_strand = asio::make_strand(io);
    constexpr int calls = 2000;
    std::atomic<int> answered = 0, timed_out = 0, cancelled = 0, others = 0, ended = 0;

    auto const hello = [](http::request const&) { return http::reply(http::status::ok, "hello"); };
    http::basic_server server(server_strand, hello, {});
    auto client = std::make_shared<http::basic_client<asio::strand<asio::io_context::executor_type>>>(strand);
    weir::endpoint const to{"", "127.0.0.1", server.port()};
    std::vector<asio::cancellation_signal> signals(8);

    // Eight chains of calls. Every third has next to no time, every fifth is cancelled from another chain's handler.
    struct chain {
        std::function<void(int)> next;
    };
    std::vector<std::shared_ptr<chain>> chains;
    for (std::size_t c = 0; c < signals.size(); ++c) {
        auto const self = std::make_shared<chain>();
        chains.push_back(self);
        self->next = [&, c, self = self.get()](int left) {
            if (left == 0) {
                if (++ended == static_cast<int>(signals.size())) {
                    client.reset();
                    asio::post(server_strand, [&] { server.stop(); });
                }
                return;
            }
            auto const limit = left % 3 == 0 ? 50us : weir::duration(10s);
            auto handler = [&, c, self, left](error_code ec, http::response const&) {
                if (!ec) ++answered;
                else if (ec == weir::errc::attempt_timed_out || ec == weir::errc::no_time_left) ++timed_out;
                else if (ec == asio::error::operation_aborted) ++cancelled;
                else ++others;
                asio::post(strand, [&, c, self, left] {
                    self->next(left - 1);
                    if (left % 5 == 0) signals[(c + 1) % signals.size()].emit(asio::cancellation_type::terminal);
                });
            };
            client->async_send(to, http::get("/"), weir::now(strand) + limit,
                               asio::bind_cancellation_slot(signals[c].slot(), std::move(handler)));
        };
    }
    asio::post(strand, [&] {
        for (auto& c : chains) c->next(calls / 8);
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { io.run(); });
    for (auto& t : threads) t.join();
    CHECK(answered + timed_out + cancelled == calls);
    CHECK(answered > 0);
    CHECK(timed_out > 0);
    CHECK(cancelled > 0);
    CHECK(others == 0);
}
