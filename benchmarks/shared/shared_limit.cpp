// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a limit that many processes share costs a decision: from the lease, with what the leases cost spread over it;
// and where WEIR_REDIS_PORT names a Redis on loopback, decisions per second through it, with leases and without.

#include "../support/limiters.hpp"

#include <weir/limit/token_bucket.hpp>
#include <weir/shared/memory_store.hpp>
#include <weir/shared/redis_store.hpp>
#include <weir/shared/shared_limit.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t billion = 1'000'000'000;

weir::shared_limit_options plenty(std::uint64_t lease)
{
    return {.rate = weir::per_second(billion),
            .burst = billion,
            .name = "benchmark",
            .hold = 1s,
            .lease = lease,
            .share = 1,
            .acquire_timeout = 500ms};
}

template <class Store>
struct world {
    template <class... Args>
    explicit world(weir::shared_limit_options const& o, Args const&... args)
        : store(io.get_executor(), args...), limit(io.get_executor(), store, o)
    {
    }
    boost::asio::io_context io{1};
    Store store;
    weir::shared_limit<Store> limit;

    /// Permits for a chunk, if there are not. The first leases are small: nothing is known yet of how many are used.
    void refill()
    {
        while (limit.held(weir::now(io.get_executor())) < 1024) {
            io.restart();
            bool waiting = true;
            limit.async_acquire(1024, [&](boost::system::error_code) { waiting = false; });
            while (waiting) io.run_one_for(1s);
        }
    }
    /// No question stays open, for until the next window it would be late.
    void settle()
    {
        io.restart();
        (void)io.poll();
    }
};

using memory_world = world<weir::memory_store>;

bench::contender hit(std::string name, bool given)
{
    auto const own = std::make_shared<memory_world>(plenty(65'535));
    return {std::move(name), [own, given](unsigned, unsigned n) {
                own->refill();
                auto& l = own->limit;
                bool good = true;
                if (given) {
                    bench::passing_time now;
                    for (unsigned k = 0; k < n; ++k) good &= l.try_acquire(1, now());
                } else {
                    for (unsigned k = 0; k < n; ++k) good &= l.try_acquire();
                }
                own->settle();
                return good;
            }};
}

/// Decisions per second: as many callers at a time, each asking again when it was answered.
template <class Ask>
void through_redis(char const* name, boost::asio::io_context& io, int callers, Ask ask)
{
    std::uint64_t done = 0;
    bool stop = false;
    struct caller {
        Ask& ask;
        std::uint64_t& done;
        bool& stop;
        void operator()() const
        {
            ask([self = *this] {
                ++self.done;
                if (!self.stop) self();
            });
        }
    };
    for (int k = 0; k < callers; ++k) caller{ask, done, stop}();
    io.run_for(200ms);
    auto const before = done;
    auto const begin = std::chrono::steady_clock::now();
    io.run_for(1s);
    auto const t = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    stop = true;
    std::printf("  %-52s %4d at a time %9.1f k/s\n", name, callers, static_cast<double>(done - before) / t / 1e3);
    io.run_for(100ms);
}

void with_redis(std::uint16_t port)
{
    weir::redis_options const o{.servers = {{.port = port}}};
    for (int const callers : {1, 64, 256}) {
        boost::asio::io_context io{1};
        weir::redis_store store(io.get_executor(), o);
        auto const ask = [&](auto then) {
            store.async_acquire({.key = "benchmark", .interval = weir::micros(0.001), .tolerance = 1s, .hold = 50ms},
                                [then](boost::system::error_code, weir::permit_grant) { then(); });
        };
        through_redis("redis_store: one question for each decision", io, callers, ask);
    }
    for (std::uint64_t const lease : {16U, 256U, 4096U}) {
        world<weir::redis_store> w(plenty(lease), o);
        auto const ask = [&](auto then) { w.limit.async_acquire(1, [then](boost::system::error_code) { then(); }); };
        through_redis(("async_acquire: leases of " + std::to_string(lease)).c_str(), w.io, 64, ask);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    bench::report r("shared_limit", argc, argv);
    auto const& t = r.run({bench::floors::tsc_now(), bench::floors::cas(),
                           bench::decide<weir::token_bucket>(
                               "token_bucket: allow", {.rate = weir::per_second(billion), .burst = billion}, true),
                           hit("shared_limit: try_acquire, from the lease", false),
                           hit("shared_limit: try_acquire, from the lease, now given", true)},
                          1, "tsc_clock::now");
    r.judge({.name = "a decision from the lease",
             .value = t.ns("shared_limit: try_acquire, from the lease"),
             .limit = 50,
             .unit = "ns"});
    if (auto const* const port = std::getenv("WEIR_REDIS_PORT"))
        with_redis(static_cast<std::uint16_t>(std::atoi(port)));
    return r.finish();
}
