// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Of all who ask for the same thing at the same time, one asks the origin, and everybody gets its answer. Whoever loses
// patience leaves the others waiting undisturbed; when nobody is left, the operation itself is cancelled.
//
// Expected output:
//   100 callers want tea, one gives up: 99 got 3.20, 1 cancelled, the shop was asked 1 time
//   nobody waits for coffee any longer: 1 cancelled, and so was the question to the shop

#include <weir/async/single_flight.hpp>
#include <weir/testing/scripted_operation.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <cstdio>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main()
{
    weir::testing::virtual_time world;  // in your service, an io_context

    // The operation to share: in your service guarded.async_call(..., asio::deferred), or a coroutine.
    weir::testing::scripted_operation<double> shop;
    shop.succeed(3.2, 50ms).hang();
    auto const ask_the_shop = [&] { return shop.async(world.get_executor())(weir::attempt{}); };

    weir::single_flight<std::string, double> prices(world.get_executor(), {.max_in_flight = 100});

    int answered = 0, cancelled = 0;
    double price = 0;
    auto const done = [&](boost::system::error_code ec, double p) {
        ++(ec ? cancelled : answered);
        if (!ec) price = p;
    };
    asio::cancellation_signal impatient;

    prices.async_call("tea", ask_the_shop, asio::bind_cancellation_slot(impatient.slot(), done));
    for (int i = 1; i < 100; ++i) prices.async_call("tea", ask_the_shop, done);
    world.run_for(10ms);
    impatient.emit(asio::cancellation_type::terminal);  // it was the first of them, and yet nobody else notices
    world.run();
    std::printf("100 callers want tea, one gives up: %d got %.2f, %d cancelled, the shop was asked %zu time\n",
                answered, price, cancelled, shop.attempts().size());

    cancelled = 0;
    prices.async_call("coffee", ask_the_shop, asio::bind_cancellation_slot(impatient.slot(), done));
    world.run_for(10ms);
    impatient.emit(asio::cancellation_type::terminal);
    world.run();
    std::printf("nobody waits for coffee any longer: %d cancelled, and %s the question to the shop\n", cancelled,
                shop.cancelled() == 1 ? "so was" : "not");
}
