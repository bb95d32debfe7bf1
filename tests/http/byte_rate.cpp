// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/byte_rate.hpp>

#include <weir/testing/manual_clock.hpp>

#include "support/rate_policy_probe.hpp"
#include "support/thorough.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;
using weir::duration;
using weir::http::byte_rate;
using weir::http::byte_rate_options;
using weir::testing::manual_clock;

using policy = weir::http::basic_byte_rate<manual_clock>;

namespace {

using beasts = weir::test::rate_policy_probe;
using stream = beast::basic_stream<asio::ip::tcp, asio::any_io_executor, byte_rate>;

constexpr auto unlimited = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("byte_rate: reading and writing have limits of their own, and none at all by default")
{
    manual_clock clock;
    policy both{{.read = 1000, .write = 2000, .least = 1}, clock};
    CHECK(beasts::can_read(both) == 1000);
    CHECK(beasts::can_write(both) == 2000);
    beasts::has_read(both, 1000);
    CHECK(beasts::can_read(both) == 0);
    CHECK(beasts::can_write(both) == 2000);
    clock.advance(250ms);
    CHECK(beasts::can_read(both) == 250);
    clock.advance(10s);
    CHECK(beasts::can_read(both) == 1000);

    byte_rate none;
    CHECK(beasts::can_read(none) == unlimited);
    beasts::has_read(none, 1'000'000'000);
    beasts::has_written(none, 1'000'000'000);
    beasts::second(none);
    CHECK(beasts::can_read(none) == unlimited);
    CHECK(beasts::can_write(none) == unlimited);
}

TEST_CASE("byte_rate: a direction without a limit asks neither clock nor lock, until it has one")
{
    struct counting_clock {
        int* readings;
        [[nodiscard]] weir::time_point now() const noexcept { return ++*readings, weir::time_point(1h); }
    };
    int readings = 0;
    weir::http::basic_byte_rate p{{.read = 1000, .burst = 1s, .least = 1}, counting_clock{&readings}};
    auto const asked = [&](auto&& action) {
        readings = 0;
        action();
        return readings;
    };
    CHECK(asked([&] { beasts::can_write(p), beasts::has_written(p, 1'000'000); }) == 0);
    CHECK(asked([&] { beasts::can_read(p), beasts::has_read(p, 10); }) == 2);
    p.reconfigure({.write = 1000, .least = 1});
    CHECK(beasts::can_write(p) == 1000);
    CHECK(asked([&] { beasts::can_write(p), beasts::has_written(p, 10); }) == 2);
    CHECK(asked([&] { beasts::can_read(p), beasts::has_read(p, 1'000'000); }) == 0);
}

TEST_CASE("byte_rate: an operation moves `transfer` at most, and is not begun for less than `least`")
{
    manual_clock clock;
    policy p{{.write = 100'000, .transfer = 8192, .least = 4096}, clock};
    CHECK(beasts::can_write(p) == 8192);
    beasts::has_written(p, 100'000);
    clock.advance(40ms);
    CHECK(beasts::can_write(p) == 0);
    clock.advance(960us);
    CHECK(beasts::can_write(p) == 4096);
    // A slow or short limit is never stuck below it.
    policy slow{{.write = 800, .least = 4096}, clock};
    CHECK(beasts::can_write(slow) == 800);
    beasts::has_written(slow, 800);
    clock.advance(124ms);
    CHECK(beasts::can_write(slow) == 0);
    clock.advance(1ms);
    CHECK(beasts::can_write(slow) == 100);
    policy brief{{.write = 1'000'000, .burst = 1ms, .least = 4096}, clock};
    CHECK(beasts::can_write(brief) == 1000);
    policy one{{.write = 1, .burst = 1ns}, clock};
    CHECK(beasts::can_write(one) == 1);
}

TEST_CASE("byte_rate: what was too much is owed")
{
    manual_clock clock;
    policy p{{.read = 1000, .burst = 100ms, .least = 1}, clock};
    auto other = p;  // both may read 100 now
    CHECK(beasts::can_read(p) == 100);
    CHECK(beasts::can_read(other) == 100);
    beasts::has_read(p, 100);
    beasts::has_read(other, 100);
    clock.advance(100ms);
    CHECK(beasts::can_read(p) == 0);
    beasts::has_read(p, 1);  // Beast lets one byte through, once a second
    clock.advance(1ms);
    CHECK(beasts::can_read(p) == 0);
    clock.advance(1ms);
    CHECK(beasts::can_read(other) == 1);
}

TEST_CASE("byte_rate: a clock that steps back or stands still brings no bytes")
{
    manual_clock clock;
    policy p{{.write = 1000, .least = 1}, clock};
    clock.advance(-10min);
    CHECK(beasts::can_write(p) == 1000);  // nor does it take any
    beasts::has_written(p, 1000);
    clock.advance(-20min);
    CHECK(beasts::can_write(p) == 0);
    clock.advance(30min);
    CHECK(beasts::can_write(p) == 0);
    clock.advance(5ms);
    CHECK(beasts::can_write(p) == 5);
    clock.set(weir::never);
    CHECK(beasts::can_write(p) == 1000);
}

TEST_CASE("byte_rate: a jump of the clock is a burst at most, and what was owed before it is not owed twice")
{
    manual_clock clock(weir::time_point::min());
    policy p{{.write = 1'000'000'000'000, .burst = 6min, .transfer = 1 << 30, .least = 1}, clock};
    std::uint64_t sent = 0;
    auto const send_all = [&] {
        sent = 0;
        while (auto const n = beasts::can_write(p)) beasts::has_written(p, n), sent += n;
        return sent;
    };
    CHECK(send_all() == 360'000'000'000'000);
    for (auto const at : {weir::time_point{}, weir::time_point{24h * 365 * 100}, weir::never}) {
        clock.set(at);
        CHECK(send_all() == 360'000'000'000'000);
    }
    clock.set(weir::time_point::min());
    CHECK(send_all() == 0);
    policy q{{.write = 1000, .least = 1}, clock};
    beasts::has_written(q, 5000);  // four seconds' worth owed
    clock.advance(24h * 365);
    CHECK(beasts::can_write(q) == 1000);
}

TEST_CASE("byte_rate: another rate is for all copies, and debts stay")
{
    manual_clock clock;
    policy p{{.write = 1000, .least = 1}, clock};
    auto copy = p;
    beasts::has_written(p, 1500);
    copy.reconfigure({.write = 10'000, .least = 1});
    CHECK(beasts::can_write(p) == 0);
    clock.advance(50ms);
    CHECK(beasts::can_write(p) == 0);
    clock.advance(1ms);
    CHECK(beasts::can_write(p) == 10);
    CHECK(beasts::can_read(p) == unlimited);
    clock.advance(1s);
    p.reconfigure({.read = 100, .write = 100, .least = 1});
    CHECK(beasts::can_write(p) == 100);
    CHECK(beasts::can_read(p) == 100);
}

TEST_CASE("byte_rate: options out of range name the field and the range")
{
    CHECK_THROWS_WITH_AS((byte_rate{{.read = 1'000'000'000'001}}),
                         "weir: byte_rate_options.read must be at most 1e12 per second, and is 1000000000001",
                         std::invalid_argument);
    CHECK_THROWS_AS((byte_rate{{.write = 1'000'000'000'001}}), std::invalid_argument);
    CHECK_THROWS_WITH_AS((byte_rate{{.burst = 0s}}),
                         "weir: byte_rate_options.burst must be more than 0 and at most an hour, and is 0 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((byte_rate{{.transfer = 0}}), "weir: byte_rate_options.transfer must be at least 1, and is 0",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS((byte_rate{{.least = 0}}), "weir: byte_rate_options.least must be at least 1, and is 0",
                         std::invalid_argument);
    byte_rate p;
    CHECK_THROWS_AS(p.reconfigure({.burst = 2h}), std::invalid_argument);
}

TEST_CASE("byte_rate: a million operations as exact arithmetic has them")
{
    __extension__ using int128 = __int128;
    std::mt19937_64 g{2};
    auto const up_to = [&](std::uint64_t most) {  // of every order of magnitude
        return std::clamp<std::uint64_t>(g() >> (g() % 64), 1, most);
    };
    for (int round = 0; round < weir::test::thorough(500); ++round) {
        CAPTURE(round);
        std::int64_t const starts[] = {0, -1'000'000'000, INT64_MIN, INT64_MAX / 2};
        manual_clock clock{weir::time_point{duration{starts[g() % 4]}}};
        byte_rate_options o;
        // In 1e-9 bytes: what can be saved up, and what of that is gone.
        int128 full = 0, owed = 0;
        auto newest = clock.now();
        std::size_t least = 1;
        auto const change = [&] {
            o = {.read = up_to(1'000'000'000'000),
                 .burst = duration{static_cast<std::int64_t>(up_to(3'600'000'000'000))},
                 .transfer = up_to(std::numeric_limits<std::size_t>::max()),
                 .least = up_to(100'000)};
            full = std::max<int128>(int128{o.burst.count()} * o.read, 1'000'000'000);
            least = std::max<std::size_t>(
                std::min({o.least, o.transfer, static_cast<std::size_t>(o.read / 8),
                          static_cast<std::size_t>(std::min<int128>(full / 1'000'000'000, INT64_MAX))}),
                1);
        };
        change();
        policy limit{o, clock};
        auto const earn = [&] {
            if (clock.now() <= newest) return;
            owed = std::max<int128>(owed - weir::between(newest, clock.now()).count() * int128{o.read}, 0);
            newest = clock.now();
        };
        for (int i = 0; i < 2000; ++i) {
            CAPTURE(i);
            if (g() % 64 == 0)
                clock.set(weir::later(clock.now(), duration{static_cast<std::int64_t>(up_to(INT64_MAX / 4))}));
            else if (g() % 64 == 0)
                clock.set(weir::later(clock.now(), -duration{static_cast<std::int64_t>(up_to(1'000'000'000'000))}));
            else
                clock.set(weir::later(clock.now(), duration{static_cast<std::int64_t>(up_to(200'000'000))}));
            earn();
            if (g() % 64 == 0) {
                auto const level = full - owed;
                change();
                owed = full - std::min(level, full);
                limit.reconfigure(o);
            }
            auto const on_hand = owed < full ? (full - owed) / 1'000'000'000 : 0;
            auto const expected =
                on_hand < static_cast<int128>(least) ? 0 : std::min<int128>(on_hand, static_cast<int128>(o.transfer));
            auto const n = beasts::can_read(limit);
            REQUIRE(static_cast<int128>(n) == expected);
            auto const moved = g() % 32 == 0 ? up_to(std::numeric_limits<std::size_t>::max()) : n;
            if (owed > int128{1} << 120) continue;  // nobody owes so much
            beasts::has_read(limit, moved);
            owed += static_cast<int128>(moved) * 1'000'000'000;
        }
    }
}

TEST_CASE("byte_rate: in a hundred thousand operations never over rate * t + burst + a transfer for each stream")
{
    std::mt19937_64 g{1};
    __extension__ using int128 = __int128;
    for (int round = 0; round < 50; ++round) {
        manual_clock clock;
        std::uint64_t const rate = 1 + g() % (g() % 2 ? 1'000 : 1'000'000'000'000);
        auto const burst = duration{static_cast<std::int64_t>(1 + g() % 2'000'000'000)};
        std::size_t const transfer = 1 + g() % 100'000;
        policy limit{{.read = rate, .burst = burst, .transfer = transfer, .least = 1 + g() % 10'000}, clock};
        struct connection {
            policy limit;
            std::size_t moving = 0;
        };
        std::vector<connection> streams(1 + g() % 5, {limit, 0});
        auto const begin = clock.now();
        // sum - rate * t is bounded above its own minimum, for every pair of instants.
        int128 sum = 0, lowest = 0;
        auto const nano = int128{1'000'000'000};
        auto const allowed = std::max<int128>(int128{burst.count()} * rate, nano) +
                             static_cast<int128>(transfer * streams.size()) * nano;
        for (int i = 0; i < 2000; ++i) {
            clock.advance(duration{static_cast<std::int64_t>(g() % (1 + g() % 100'000'000))});
            auto& s = streams[g() % streams.size()];
            auto const refilled = int128{(clock.now() - begin).count()} * rate;
            if (s.moving == 0) {
                s.moving = beasts::can_read(s.limit);
                REQUIRE(s.moving <= transfer);
            } else {
                lowest = std::min(lowest, sum * nano - refilled);
                beasts::has_read(s.limit, s.moving);
                sum += static_cast<int128>(s.moving);
                s.moving = 0;
                REQUIRE(sum * nano - refilled - lowest <= allowed);
            }
        }
    }
}

TEST_CASE("byte_rate: streams in many threads share one limit")
{
    manual_clock clock;
    policy limit{{.write = 1'000'000, .transfer = 100, .least = 1}, clock};
    constexpr int threads = 8;
    std::vector<std::size_t> moved(threads);
    std::barrier gate{threads};
    {
        std::vector<std::jthread> all;
        for (std::size_t i = 0; i < threads; ++i)
            all.emplace_back([&, i, mine = limit]() mutable {
                gate.arrive_and_wait();
                while (auto const n = beasts::can_write(mine)) {
                    beasts::has_written(mine, n);
                    moved[i] += n;
                    if (i == 0 && moved[i] % 7 == 0)
                        mine.reconfigure({.write = 1'000'000, .transfer = 100, .least = 1});
                }
            });
    }
    std::size_t sum = 0;
    for (auto n : moved) sum += n;
    CHECK(sum >= 1'000'000);
    CHECK(sum <= 1'000'000 + threads * 100);
    clock.advance(1s);
    CHECK(beasts::can_write(limit) == 100);
}

TEST_CASE("byte_rate: bytes between two real sockets take as long as their limit says")
{
    asio::io_context context;
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    // With `least` at 1 no wait for Beast's timer comes in between.
    byte_rate limit{{.write = 20'000'000, .burst = 1ms, .least = 1}};
    stream sender(limit, context.get_executor());
    asio::ip::tcp::socket receiver(context);
    sender.socket().connect(acceptor.local_endpoint());
    acceptor.accept(receiver);

    std::string const sent(2'020'000, 'x');
    std::string received(sent.size(), '\0');
    bool all = false;
    auto const begin = weir::steady_clock::now();
    asio::async_write(sender, asio::buffer(sent), [&](auto ec, std::size_t) { CHECK_FALSE(ec); });
    asio::async_read(receiver, asio::buffer(received), [&](auto ec, std::size_t) {
        CHECK_FALSE(ec);
        all = true;
    });
    while (!all) context.run_one();
    auto const took = weir::steady_clock::now() - begin;
    CHECK(received == sent);
    CHECK(took >= 99ms);  // 20 kB of burst, 2 MB at 20 MB/s; two clocks
}

TEST_CASE("byte_rate: a real stream without bytes goes on when Beast's timer comes")
{
    asio::io_context context;
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    byte_rate limit{{.read = 100'000, .transfer = 4096}};
    auto hungry = limit;
    beasts::has_read(hungry, 150'000);  // somebody else of the same limit has taken it all
    stream receiver(limit, context.get_executor());
    asio::ip::tcp::socket sender(context);
    sender.connect(acceptor.local_endpoint());
    acceptor.accept(receiver.socket());
    asio::write(sender, asio::buffer("ab", 2));

    char bytes[2] = {};
    std::size_t got = 0;
    receiver.async_read_some(asio::buffer(bytes), [&](auto ec, std::size_t n) {
        CHECK_FALSE(ec);
        got = n;
    });
    while (got == 0) context.run_one();
    CHECK(got == 1);  // the first tick of the timer is at once, and one byte is what Beast allows
    CHECK(bytes[0] == 'a');
    CHECK(beasts::can_read(limit) == 0);
}
