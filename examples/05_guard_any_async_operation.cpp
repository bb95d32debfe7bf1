// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A pipeline guards any Asio operation, not only HTTP. Here it is a read from a pipe: a sensor writes a line now and
// then, and sometimes nothing. A read that takes too long is cancelled for real and tried again; any completion token
// works.
//
// Expected output:
//   the sensor says: 21.5 degrees (attempt 1)
//   the sensor says: 22.0 degrees (attempt 2)
//   a silent sensor: attempt timed out
#include <weir/asio.hpp>

#include <boost/asio.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main()
{
    asio::io_context context;
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return 1;
    asio::posix::stream_descriptor sensor(context, ends[0]);
    asio::posix::stream_descriptor wire(context, ends[1]);
    auto const measure = [&](std::string_view line) { asio::write(wire, asio::buffer(line)); };

    auto guarded = weir::pipeline(weir::deadline(2s), weir::retry({.max_attempts = 2, .backoff = weir::constant(1ms)}),
                                  weir::attempt_timeout(100ms));

    // An operation: any function that takes the attempt and returns a deferred Asio operation, or an awaitable.
    std::string line;
    unsigned attempts = 0;
    auto const read_line = [&](weir::attempt const& a) {
        attempts = a.number();
        if (a.number() == 2 && line.empty()) measure("22.0 degrees\n");  // the sensor comes back to life
        return asio::async_read_until(sensor, asio::dynamic_buffer(line), '\n', asio::deferred);
    };
    auto const say = [&] {
        std::printf("the sensor says: %.*s (attempt %u)\n", static_cast<int>(line.find('\n')), line.c_str(), attempts);
        line.clear();
    };

    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            measure("21.5 degrees\n");
            co_await guarded.async_call(read_line, asio::use_awaitable);
            say();
            co_await guarded.async_call(read_line, asio::use_awaitable);  // nothing is written at first
            say();
            line = "(half a line";  // and now nothing ever comes
            auto const [error, size] = co_await guarded.async_call(read_line, asio::as_tuple(asio::use_awaitable));
            std::printf("a silent sensor: %s\n", error.message().c_str());
        },
        asio::detached);
    context.run();
}
