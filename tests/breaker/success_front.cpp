// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/success_front.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

using weir::detail::success_front;

TEST_CASE("success_front: counts for its generation, until it is drained or restarted")
{
    success_front f(1, 7);
    CHECK(f.count(7) == 1);
    CHECK(f.count(6) == 0);
    CHECK(f.count(7) == 2);
    CHECK(f.total() == 2);
    CHECK(f.drain() == 2);
    CHECK(f.drain() == 0);
    CHECK(f.count(7) == 1);
    CHECK(f.restart(8) == 1);
    CHECK(f.count(7) == 0);
    CHECK(f.count(8) == 1);
}

TEST_CASE("success_front: any number of stripes, none lost while one drains all the time")
{
    for (unsigned const stripes : {0u, 1u, 3u, 64u}) {
        constexpr std::uint64_t each = 50'000;
        success_front f(stripes, 1);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (std::uint64_t i = 0; i < each; ++i) {
                    (void)f.count(1);
                    f.count_refusal();
                }
            });
        std::uint64_t drained = 0;
        while (drained < each) drained += f.drain();
        for (auto& t : threads) t.join();
        drained += f.drain();
        CHECK(drained == 4 * each);
        CHECK(f.refusals() == 4 * each);
    }
}
