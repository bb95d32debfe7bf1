// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/core/random.hpp>
#include <weir/retry/latency_quantile.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::latency_quantile;

namespace {

weir::time_point const t0{1h};

}  // namespace

TEST_CASE("latency_quantile: says nothing before it has enough samples")
{
    latency_quantile q({.min_samples = 10});
    for (int i = 0; i < 9; ++i) q.record(5ms, t0);
    CHECK_FALSE(q.value(t0));
    q.record(5ms, t0);
    REQUIRE(q.value(t0));
    CHECK(*q.value(t0) >= 5ms);
    CHECK(*q.value(t0) <= 5313us);
}

TEST_CASE("latency_quantile: never below the true one, at most 1/16 or 256 ns above, from nanoseconds to hours")
{
    weir::random_engine random(7);
    for (double const quantile : {0.01, 0.5, 0.9, 0.95, 0.99})
        for (int scale = 0; scale < 40; ++scale) {
            CAPTURE(quantile);
            CAPTURE(scale);
            // As many samples as make the last one a moment at which the answer is worked out.
            latency_quantile q({.quantile = quantile, .min_samples = 1});
            std::vector<weir::duration> all;
            for (int i = 0; i < 320; ++i) {
                auto const ns = std::exp2(scale + weir::uniform_unit(random) * 3);
                all.push_back(weir::duration(static_cast<std::int64_t>(ns)));
                q.record(all.back(), t0);
            }
            std::sort(all.begin(), all.end());
            auto const rank = static_cast<std::size_t>(std::ceil(quantile * 320)) - 1;
            REQUIRE(q.value(t0));
            CHECK(*q.value(t0) >= all[rank]);
            CHECK(*q.value(t0) <= all[rank] + all[rank] / 16 + 256ns);
        }
}

TEST_CASE("latency_quantile: senseless latencies are held at the ends of the scale")
{
    latency_quantile q({.min_samples = 1});
    q.record(weir::duration::min(), t0);
    CHECK(*q.value(t0) <= 256ns);
    latency_quantile longest({.min_samples = 1});
    longest.record(weir::duration::max(), t0);
    CHECK(*longest.value(t0) > 4h);
    CHECK(*longest.value(t0) < 6h);
}

TEST_CASE("latency_quantile: samples count for half the window at least and for all of it at most")
{
    for (int offset = 0; offset < 20; ++offset) {
        auto const start = t0 + offset * 1s;
        latency_quantile q({.min_samples = 50, .window = 20s});
        for (int i = 0; i < 64; ++i) q.record(5ms, start);
        CHECK(q.value(start + 9s));
        CHECK_FALSE(q.value(start + 20s));
        for (int i = 0; i < 64; ++i) q.record(1ms, start + 20s);
        REQUIRE(q.value(start + 20s));
        CHECK(*q.value(start + 20s) < 2ms);
    }
}

TEST_CASE("latency_quantile: what is old is gone after any pause")
{
    for (int pause = 10; pause < 100; ++pause) {
        CAPTURE(pause);
        latency_quantile q({.min_samples = 1, .window = 20s});
        for (int i = 0; i < 40; ++i) q.record(500ms, t0 + i * 1s);
        auto const later = t0 + 40s + pause * 1s;
        for (int i = 0; i < 32; ++i) q.record(1ms, later);
        REQUIRE(q.value(later));
        if (pause >= 20) CHECK(*q.value(later) < 2ms);
    }
}

TEST_CASE("latency_quantile: follows a change within a window")
{
    latency_quantile q({.quantile = 0.5, .min_samples = 32, .window = 10s});
    auto now = t0;
    for (int i = 0; i < 1000; ++i) q.record(10ms, now += 10ms);
    CHECK(*q.value(now) < 11ms);
    for (int i = 0; i < 1100; ++i) q.record(80ms, now += 10ms);
    CHECK(*q.value(now) >= 80ms);
}

TEST_CASE("latency_quantile: a clock that is behind writes into the latest half")
{
    latency_quantile q({.min_samples = 2, .window = 2s});
    q.record(1ms, t0 + 1h);
    q.record(1ms, t0);
    CHECK(q.value(t0 + 1h));
    CHECK(q.value(weir::time_point::min()));
    CHECK_FALSE(q.value(weir::time_point::max()));
}

TEST_CASE("latency_quantile: threads record through turns of the window, and the answer stays in range")
{
    latency_quantile q({.min_samples = 100, .window = 2ms});
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (std::size_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50000; ++i) {
                auto const now = t0 + i * 200ns;
                q.record(10ms + i % 2 * 1ms, now);
                auto const v = q.value(now);
                if (v && (*v < 10ms || *v > 12ms)) ++wrong[t];
            }
        });
    for (auto& t : threads) t.join();
    for (int const w : wrong) CHECK(w == 0);
}

TEST_CASE("latency_quantile: bad options throw and name the field")
{
    auto const refused = [](weir::latency_quantile_options o, char const* field) {
        try {
            latency_quantile q(o);
            FAIL("accepted");
        } catch (std::invalid_argument const& e) {
            CHECK(std::string(e.what()).find(field) != std::string::npos);
        }
    };
    for (double const q : {0.0, 1.0, -1.0, std::nan("")}) refused({.quantile = q}, "latency_quantile_options.quantile");
    refused({.min_samples = 0}, "latency_quantile_options.min_samples");
    refused({.window = 1ms}, "latency_quantile_options.window");
    refused({.window = 25h}, "latency_quantile_options.window");
}
