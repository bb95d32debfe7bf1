// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::etcd on a context with several threads, for ThreadSanitizer: conversations that end while their stream is
// being read.
#include <weir/registry/etcd.hpp>

#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

using namespace std::chrono_literals;
using weir::registry::etcd;
using weir::registry::lease;
using weir::testing::script;
namespace asio = boost::asio;

TEST_CASE("etcd: on a context with several threads, with watches, leases and questions coming and going")
{
    asio::io_context server_io;
    weir::testing::scripted_server server(server_io.get_executor());
    // To whatever it is asked: a range without keys, a lease, and after that events without end.
    std::string const head = R"({"header":{"cluster_id":"7","revision":"3"},"ID":"1","TTL":"9"})";
    std::string const frame = R"({"result":{"header":{"cluster_id":"7","revision":"3"},"events":[{"kv":{"key":)"
                              R"("L3dlaXIvc2VydmljZXMvd2ViL2E=","mod_revision":"4","value":"MTAuMC4wLjE6ODA="}}]}})";
    server.always(script().read_request().answer(200, head));
    for (int n = 0; n < 400; ++n)
        server.next(n % 3 == 2 ? script().read_request().answer(200, frame + frame).wait(2ms)
                               : script().read_request().answer(200, head));
    std::jthread const serving([&] { server_io.run(); });
    std::atomic<int> told{0}, resolved{0};
    {
        asio::thread_pool pool(3);
        weir::registry::etcd_options o{.url = "etcd://127.0.0.1:" + std::to_string(server.port())};
        o.watch.pace = 0ms;
        o.watch.backoff = weir::constant(1ms);
        o.lease.backoff = weir::constant(1ms);
        etcd registry(pool.get_executor(), o);
        for (int round = 0; round < 40; ++round) {
            auto watch = registry.watch({"web"});
            std::atomic<bool> done{false};
            watch.async_next([&](boost::system::error_code, auto const&) { ++told; });
            std::optional<lease> kept;
            registry.async_register({.service = "web", .address = "10.0.0.1", .port = 80},
                                    [&](boost::system::error_code, lease l) {
                                        kept = std::move(l);
                                        done = true;
                                    });
            registry.async_resolve({"web"}, [&](boost::system::error_code, auto const&) { ++resolved; });
            while (!done) std::this_thread::yield();
            for (int turn = 0; turn < round * 500; ++turn) std::this_thread::yield();
        }
        pool.stop();
        pool.join();
    }
    server_io.stop();
    CHECK(told > 0);
    CHECK(resolved > 0);
}
