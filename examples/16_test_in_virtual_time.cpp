// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// How to test your own asynchronous code: run it on a virtual_time instead of an io_context. Time moves only when there
// is nothing left to do, so a day of pauses, timeouts and retries runs in a moment, in the same order every time; and
// the code under test does not change by a letter.
//
// Expected output:
//   00:00:00  1200 articles
//   01:00:01  1210 articles, at the second attempt
//   02:00:33  kept the old catalogue: attempt timed out
//   03:00:35  1230 articles
//   ok: after a day it was brought up to date 23 times
//   ok: of 27 downloads the 3 that hung were cancelled, and none is left behind
//   ok: told to stop, it stops

#include <weir/async/async_call.hpp>
#include <weir/async/timer.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <system_error>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// --- Your code ------------------------------------------------------------------------------------------------------

/// Downloads the catalogue every hour, for ever. `report` hears how each time went.
template <class Download>
asio::awaitable<void> keep_up_to_date(Download download, std::function<void(boost::system::error_code, int)> report)
{
    auto guarded =
        weir::pipeline(weir::retry({.max_attempts = 3, .backoff = weir::constant(1s).with(weir::jitter::none)}),
                       weir::attempt_timeout(10s));
    weir::timer pause(co_await asio::this_coro::executor);  // in place of an asio::steady_timer
    for (;;) {
        auto const [ec, articles] = co_await guarded.async_call(download, asio::as_tuple(asio::use_awaitable));
        report(ec, articles);
        co_await pause.async_wait_for(1h, asio::use_awaitable);
    }
}

// --- Your test ------------------------------------------------------------------------------------------------------

void check(bool good, char const* claim) { std::printf("%s: %s\n", good ? "ok" : "WRONG", claim); }

}  // namespace

int main()
{
    weir::testing::virtual_time world;
    weir::testing::scripted_operation<int> shop;  // in place of the network
    shop.succeed(1200).fail(std::errc::connection_reset).succeed(1210).hang().hang().hang().succeed(1230, 2s);

    auto const start = world.now();
    int updates = 0;
    auto const report = [&](boost::system::error_code ec, int articles) {
        updates += !ec;
        if (world.now() - start > 4h) return;
        auto const s = static_cast<int>((world.now() - start) / 1s);
        std::printf("%02d:%02d:%02d  ", s / 3600, s / 60 % 60, s % 60);
        if (ec)
            std::printf("kept the old catalogue: %s\n", ec.message().c_str());
        else
            std::printf("%d articles%s\n", articles, articles == 1210 ? ", at the second attempt" : "");
    };

    bool stopped = false;
    asio::cancellation_signal stop;
    asio::co_spawn(world.get_executor(), keep_up_to_date(shop.async(world.get_executor()), report),
                   asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { stopped = true; }));

    world.run_for(24h);
    check(updates == 23, "after a day it was brought up to date 23 times");
    check(shop.attempts().size() == 27 && shop.cancelled() == 3 && shop.in_flight() == 0,
          "of 27 downloads the 3 that hung were cancelled, and none is left behind");

    stop.emit(asio::cancellation_type::terminal);
    world.run_for(1s);
    check(stopped && world.waiting() == 0, "told to stop, it stops");
}
