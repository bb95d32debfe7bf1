// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Another asynchronous operation, when the first one has failed for good. The shop is asked through a pipeline; if that
// fails, its mirror, which is slower; if that fails as well, the answer carries both failures. And what was kept of a
// better time may be better than nothing. Chaos makes the trouble, and since the program runs in virtual time, none of
// the delays is waited out.
//
// Expected output:
//   all is well:          42 after 20 ms
//   the shop is down:     42 after 330 ms, from the mirror, for: Connection reset by peer
//   the shop is slow:     42 after 800 ms, from the mirror, for: attempt timed out
//   both are down:        nothing after 30 ms: Connection reset by peer; the mirror: No route to host
//   out of the cache:     42, a second old or more, for: Connection reset by peer

#include <weir/async/async_call.hpp>
#include <weir/async/async_chaos.hpp>
#include <weir/async/async_fallback.hpp>
#include <weir/async/async_stale_cache.hpp>
#include <weir/testing/virtual_time.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <string>
#include <system_error>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// In your service a request; here an answer that takes its time.
asio::awaitable<int> answer(weir::duration takes)
{
    weir::timer clock(co_await asio::this_coro::executor);
    co_await clock.async_wait_for(takes, asio::deferred);
    co_return 42;
}

asio::awaitable<void> shopping(weir::testing::virtual_time& world)
{
    weir::chaos shop_chaos(1), mirror_chaos(2);
    auto shop = shop_chaos.async_around([](weir::attempt const&) { return answer(20ms); });
    auto mirror = mirror_chaos.async_around([](weir::attempt const&) { return answer(300ms); });

    auto const twice = weir::retry({.max_attempts = 2, .backoff = weir::constant(30ms).with(weir::jitter::none)});
    auto guarded = weir::pipeline(twice, weir::attempt_timeout(235ms));
    auto spare = weir::pipeline(weir::deadline(1s));

    // The fallback is a function that begins another operation. A value, or a function that returns one, would do, too.
    weir::fallback from_mirror{[&] { return spare.async_call(mirror, asio::use_awaitable); }};

    auto const ask = [&](char const* how) -> asio::awaitable<void> {
        auto const begin = world.now();
        auto const r = co_await from_mirror.async_call([&] { return guarded.async_call(shop, asio::use_awaitable); },
                                                       asio::use_awaitable);
        std::printf("%-21s ", how);
        auto const took = static_cast<int>((world.now() - begin) / 1ms);
        if (!r)
            std::printf("nothing after %d ms: %s; the mirror: %s\n", took, r.error().code.message().c_str(),
                        r.report().own->error.code.message().c_str());
        else if (r.degraded())
            std::printf("%d after %d ms, from the mirror, for: %s\n", *r, took,
                        r.report().original->error.code.message().c_str());
        else
            std::printf("%d after %d ms\n", *r, took);
    };

    weir::stale_cache<std::string, int> cache{{.fresh_for = 1s, .stale_for = 1h}};
    auto const from_shop = [&] { return guarded.async_call(shop, asio::use_awaitable); };
    (void)co_await cache.async_call("tea", from_shop, asio::use_awaitable);

    co_await ask("all is well:");
    shop_chaos.reconfigure({.enabled = true, .fault_rate = 1});
    co_await ask("the shop is down:");
    shop_chaos.reconfigure({.enabled = true, .latency_rate = 1, .latency = 10s});
    co_await ask("the shop is slow:");
    shop_chaos.reconfigure({.enabled = true, .fault_rate = 1});
    mirror_chaos.reconfigure(
        {.enabled = true, .fault_rate = 1, .fault = std::make_error_code(std::errc::host_unreachable)});
    co_await ask("both are down:");

    auto const kept = co_await cache.async_call("tea", from_shop, asio::use_awaitable);
    std::printf("out of the cache:     %d, %s, for: %s\n", *kept, kept.stale ? "a second old or more" : "fresh",
                kept.error ? kept.error->code.message().c_str() : "no reason");
}

int main()
{
    weir::testing::virtual_time world;
    asio::co_spawn(world.get_executor(), shopping(world), asio::detached);
    world.run();
}
