// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/any_pipeline.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/limit/token_bucket.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::any_stage;

TEST_CASE("any_pipeline: replaced under load, every call goes by one of the two, and no slot or permit is lost")
{
    auto const slots = std::make_shared<weir::concurrency_limit>(weir::concurrency_limit_options{.limit = 2});
    std::vector<any_stage> const one{weir::deadline(1h), slots};
    std::vector<any_stage> const two{slots, weir::retry({.max_attempts = 1}), weir::attempt_timeout(2h)};
    weir::any_pipeline guarded(one);
    std::atomic<bool> stop{false};
    std::atomic<int> strange{0}, most{0}, served{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 3; ++t)
        callers.emplace_back([&] {
            while (!stop.load()) {
                auto const r = guarded.call([&](weir::attempt const& a) {
                    if (slots->in_flight() > 2) ++most;
                    return a.time_left(weir::tsc_clock::now());
                });
                if (r && *r <= 59min) ++strange;
                if (r) ++served;
                if (!r && r.error().code != weir::errc::too_many_calls) ++strange;
            }
        });
    for (int i = 0; i < 2'000; ++i) {
        guarded.replace(i % 2 == 0 ? two : one);
        if (i % 64 == 0) std::this_thread::yield();
    }
    while (served.load() < 100) std::this_thread::yield();
    stop = true;
    for (auto& c : callers) c.join();
    CHECK(strange == 0);
    CHECK(most == 0);
    CHECK(slots->in_flight() == 0);
}
