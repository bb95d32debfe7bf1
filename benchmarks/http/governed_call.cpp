// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What five policies and two deadlines add to a real HTTP call: CPU time of the client process for one call, 32 in
// flight over kept loopback connections, against the same call of the same client without them.
//
// The two take turns in short slices of one run, and each pair of neighbouring slices gives one ratio, because the
// machine's other work moves a single figure by far more than the difference. The server is a process of its own.

#include <weir/async/async_call.hpp>
#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/peak_ewma.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/call/pipeline.hpp>
#include <weir/http/classify.hpp>
#include <weir/http/client.hpp>
#include <weir/http/server.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/retry/backoff.hpp>
#include <weir/retry/retry.hpp>
#include <weir/retry/retry_budget.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = weir::http;
using executor = asio::io_context::executor_type;

constexpr int in_flight = 32;
constexpr double bar = 1.06;

/// A server in a child process, which ends with this one: it notices when the pipe between them closes.
std::uint16_t start_server()
{
    int to_child[2], to_parent[2];
    if (pipe(to_child) != 0 || pipe(to_parent) != 0) std::abort();
    if (fork() == 0) {
        close(to_child[1]);
        asio::io_context io(1);
        http::basic_server server(
            io.get_executor(),
            [](http::request const&) { return http::reply(http::status::ok, std::string(128, 'x')); }, {});
        auto const port = server.port();
        if (write(to_parent[1], &port, sizeof port) != sizeof port) std::_Exit(1);
        asio::posix::stream_descriptor parent(io, to_child[0]);
        char c;
        parent.async_read_some(asio::buffer(&c, 1), [](auto...) { std::_Exit(0); });
        io.run();
        std::_Exit(0);
    }
    close(to_child[0]);
    std::uint16_t port = 0;
    if (read(to_parent[0], &port, sizeof port) != sizeof port) std::abort();
    return port;
}

double cpu_ns()
{
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> v)
{
    auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::nth_element(v.begin(), middle, v.end());
    return *middle;
}

/// Runs `calls` calls, 32 at a time, and gives the CPU time of one.
template <class Start>
double slice(asio::io_context& io, int calls, Start const& start)
{
    struct worker {
        Start const& start;
        int left;
        int& working;

        void next()
        {
            if (left-- == 0) {
                --working;
                return;
            }
            start([this](boost::system::error_code ec, http::response const& r) {
                if (ec || r.body().size() != 128) {
                    std::fprintf(stderr, "a call failed: %s\n", ec.message().c_str());
                    std::exit(1);
                }
                next();
            });
        }
    };
    int working = in_flight;
    std::vector<worker> workers(in_flight, worker{start, calls / in_flight, working});
    io.restart();
    auto const before = cpu_ns();
    for (auto& w : workers) w.next();
    while (working != 0) io.run_one();
    return (cpu_ns() - before) / calls;
}

}  // namespace

int main(int argc, char** argv)
{
    bool json = false, quick = false;
    for (std::string_view const argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
        json = json || argument == "--benchmark_format=json";
        quick = quick || argument == "--benchmark_min_time=0.005";
    }

    auto const port = start_server();
    asio::io_context io(1);
    auto const ex = io.get_executor();
    http::basic_client<executor> client(ex, {.timeout = 1s});

    weir::token_bucket bucket({.rate = weir::per_second(1'000'000'000), .burst = 1'000'000});
    weir::retry_budget budget;
    weir::circuit_breaker breaker;
    // Eight entries for one server, so that the balancer has something to choose from and all connections are shared.
    std::vector<weir::endpoint> endpoints;
    for (int i = 0; i < 8; ++i) endpoints.push_back({std::to_string(i), "127.0.0.1", port});
    weir::endpoint_set const set(endpoints);
    weir::peak_ewma balancer(set);
    auto guarded = weir::pipeline(weir::deadline(2s), bucket, weir::retry({.max_attempts = 3}, budget), breaker,
                                  balancer, weir::attempt_timeout(1s),
                                  weir::classify(http::classifier(http::verb::get)));

    auto const& to = endpoints.front();
    auto const bare = [&](auto done) {
        client.async_get(to, "/hello", std::move(done));
    };
    auto const governed = [&](auto done) {
        guarded.async_call(
            ex, [&](weir::attempt const& a) { return client.async_get(a, "/hello", asio::deferred); }, std::move(done));
    };

    int const calls = 3200, pairs = quick ? 15 : 101;
    slice(io, calls, bare);
    slice(io, calls, governed);
    std::vector<double> without, with, ratios;
    for (int i = 0; i < pairs; ++i) {
        // Now the one first, now the other.
        if (i % 2 == 0) without.push_back(slice(io, calls, bare));
        with.push_back(slice(io, calls, governed));
        if (i % 2 != 0) without.push_back(slice(io, calls, bare));
        ratios.push_back(with.back() / without.back());
    }
    auto const ratio = median(ratios);

    if (json) {
        auto const figure = [](char const* name, double ns, char const* more) {
            std::printf("{\"name\": \"%s\", \"run_name\": \"%s\", \"run_type\": \"iteration\", \"threads\": 1, "
                        "\"cpu_time\": %.1f, \"time_unit\": \"ns\"%s}",
                        name, name, ns, more);
        };
        char targets[128];
        std::snprintf(targets, sizeof targets, ", \"percent_of_bare\": %.1f, \"target_percent_of_bare\": %.0f",
                      ratio * 100, bar * 100);
        std::printf("{\"benchmarks\": [\n");
        figure("http/call/bare", median(without), "");
        std::printf(",\n");
        figure("http/call/governed", median(with), targets);
        std::printf("\n]}\n");
        return 0;
    }
    std::printf("32 calls in flight, CPU time of the client for one, medians of %d pairs of slices\n", pairs);
    std::printf("  bare      %7.0f ns\n  governed  %7.0f ns\n", median(without), median(with));
    std::printf("  ratio     %7.3f   bar %.2f: %s\n", ratio, bar, ratio <= bar ? "ok" : "OVER");
    return ratio <= bar ? 0 : 1;
}
