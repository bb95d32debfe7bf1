// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/breaker/keyed_breakers.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::keyed_breakers;
using weir::outcome;
using weir::time_point;

namespace {

constexpr time_point t0{1h};

void call(keyed_breakers<int>& b, int key, outcome const& o)
{
    if (auto a = b.admit(key, t0)) a->record(o, t0);
}

}  // namespace

TEST_CASE("keyed_breakers: many threads, many keys, little room: no call is lost, none is counted for another key")
{
    weir::keyed_breakers_options o{.capacity = 64};
    o.each.minimum_calls = 1'000'000;
    o.each.window = weir::count_window{1000};
    keyed_breakers<int> b(o);
    constexpr int threads = 4, calls = 2'000, keys = 40;
    std::vector<std::thread> crew;
    std::atomic<bool> done{false};
    std::thread meddler([&] {
        while (!done) {
            b.reconfigure(o, t0);
            b.for_each([](int, auto& breaker) { (void)breaker.tally(t0); });
            std::this_thread::yield();
        }
    });
    for (int me = 0; me < threads; ++me)
        crew.emplace_back([&, me] {
            for (int i = 0; i < calls; ++i) {
                auto const key = (i + me) % keys;
                call(b, key, key % 2 ? outcome::failure() : outcome::success());
                call(b, 1000 + i % 1000, outcome::ignored());  // they come and go
            }
        });
    for (auto& t : crew) t.join();
    done = true;
    meddler.join();
    CHECK(b.size() <= 64);
    b.for_each([&](int key, auto& breaker) {
        if (key >= 1000) return;
        auto const t = breaker.tally(t0);
        CHECK(t.failures == (key % 2 ? t.calls : 0));
        CHECK(t.calls == threads * calls / keys);
    });
}
