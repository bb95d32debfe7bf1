// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A limiter's rate, a breaker's threshold and a route's weights, changed while they work by rewriting a file: no
// restart, and nothing of what they have counted is lost. A document with one mistake in it is refused whole, with a
// sentence for each mistake, and the one before stays in force. And when the new values were a bad idea, the list of
// versions goes back.
//
// Expected output:
//   version 1 applied:      100 a second   opens after 5 failures   blue 9, green 1
//   version 2 applied:      250 a second   opens after 3 failures   blue 5, green 5
//   version 3 refused:      250 a second   opens after 3 failures   blue 5, green 5
//      limits.checkout.rat: is unknown; did you mean "rate"?
//      breakers.inventory.failure_rate = "120%": must be in (0, 1]
//   version 4 rolled back:  100 a second   opens after 5 failures   blue 9, green 1

#include <weir/balance/endpoint_set.hpp>
#include <weir/balance/round_robin.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/config/file.hpp>
#include <weir/config/refresh.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/manual_clock.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

using namespace std::chrono_literals;
namespace config = weir::config;

namespace {

/// What is to be changed: made once, used by every call.
struct service {
    weir::testing::manual_clock clock;  // so that this example takes no time
    weir::basic_token_bucket<weir::testing::manual_clock> checkout{{}, clock};
    weir::basic_circuit_breaker<weir::testing::manual_clock> inventory{{}, clock};
    weir::endpoint_set search{{{.id = "blue", .host = "10.0.0.1", .port = 80},  //
                               {.id = "green", .host = "10.0.0.2", .port = 80}}};
    weir::round_robin balancer{search};
    weir::random_engine random{1};

    std::string behaviour()
    {
        int passed = 0, failures = 0, blue = 0;
        while (checkout.try_acquire()) {}
        clock.advance(1s);
        while (checkout.try_acquire()) ++passed;
        inventory.reset(clock.now());
        for (; inventory.state() == weir::circuit_state::closed; ++failures)
            inventory.admit()->record(weir::outcome::failure(), clock.now());
        for (int n = 0; n < 10; ++n) blue += balancer.pick(clock.now(), random, nullptr)->endpoint().id == "blue";
        return std::to_string(passed) + " a second   opens after " + std::to_string(failures) + " failures   blue " +
               std::to_string(blue) + ", green " + std::to_string(10 - blue);
    }
};

}  // namespace

int main()
{
    auto const path =
        std::filesystem::temp_directory_path() / ("weir-example-" + std::to_string(weir::thread_random()()));
    auto const write = [&](char const* text) {
        std::ofstream(path.string() + ".new") << text;
        std::filesystem::rename(path.string() + ".new", path);  // at once whole
    };
    write(R"({
        "limits":   {"checkout":  {"rate": "100/s", "burst": 1000}},
        "breakers": {"inventory": {"consecutive_failures": 5, "open_for": "10s"}},
        "routes":   {"search":    {"blue": 90, "green": 10}}})");

    service shop;
    config::binding bound;
    bound.bind("limits.checkout", shop.checkout)
        .bind("breakers.inventory", shop.inventory)
        .bind("routes.search", shop.search);

    // config::consul, or another source, takes the place of the file with one line.
    boost::asio::io_context io;
    config::refresh refresh(io.get_executor(), config::file(path), std::move(bound));

    auto const show = [&](config::version_record const& r) {
        std::printf("%-24s%s\n", ("version " + std::to_string(r.number) + " " + to_string(r.verdict) + ":").c_str(),
                    shop.behaviour().c_str());
        for (auto const& f : r.why) std::printf("   %s\n", to_text(f).c_str());
    };
    auto const next = [&] {
        auto record = refresh.async_next(boost::asio::use_future);
        while (record.wait_for(0s) != std::future_status::ready) io.run_one();
        return record.get();
    };
    show(next());

    write(R"({
        "limits":   {"checkout":  {"rate": "250/s", "burst": 1000}},
        "breakers": {"inventory": {"consecutive_failures": 3, "open_for": "10s"}},
        "routes":   {"search":    {"blue": 50, "green": 50}}})");
    show(next());

    write(R"({
        "limits":   {"checkout":  {"rat": "900/s", "burst": 1000}},
        "breakers": {"inventory": {"consecutive_failures": 1, "failure_rate": "120%"}},
        "routes":   {"search":    {"blue": 0, "green": 100}}})");
    show(next());

    refresh.async_roll_back(1, [](boost::system::error_code, config::version_record const&) {});
    show(next());

    std::filesystem::remove(path);
}
