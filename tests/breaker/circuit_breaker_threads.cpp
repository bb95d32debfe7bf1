// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What circuit_breaker promises when many threads use it at once. The counts are exact, not approximate.
#include <weir/breaker/circuit_breaker.hpp>

#include "support/thorough.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_breaker;
using weir::circuit_state;
using weir::circuit_tally;
using weir::outcome;
using weir::time_point;
using weir::test::thorough;

namespace {

constexpr time_point t0{1h};

/// Threads that do one thing after another at the same moment: `round(f)` runs f(index) in all of them and waits. They
/// spin, so that they meet within nanoseconds; yielding keeps that bearable on few cores.
class crew {
public:
    explicit crew(int n) : n_(n)
    {
        for (int i = 0; i < n; ++i)
            threads_.emplace_back([this, i] {
                for (int seen = 0;;) {
                    while (go_.load(std::memory_order_acquire) == seen) std::this_thread::yield();
                    ++seen;
                    if (!work_) return;
                    ready_.fetch_add(1);
                    for (int spin = 0; ready_.load() < n_; ++spin)
                        if (spin > 1000) std::this_thread::yield();
                    work_(i);
                    done_.fetch_add(1, std::memory_order_release);
                }
            });
    }
    ~crew()
    {
        work_ = nullptr;
        go_.fetch_add(1, std::memory_order_release);
        for (auto& t : threads_) t.join();
    }

    void round(std::function<void(int)> f)
    {
        work_ = std::move(f);
        ready_ = 0, done_ = 0;
        go_.fetch_add(1, std::memory_order_release);
        while (done_.load(std::memory_order_acquire) != n_) std::this_thread::yield();
    }

private:
    int n_;
    std::function<void(int)> work_;
    std::atomic<int> go_{0}, ready_{0}, done_{0};
    std::vector<std::thread> threads_;
};

void call(circuit_breaker& b, outcome const& o, time_point now)
{
    if (auto a = b.admit(now)) a->record(o, now);
}

}  // namespace

TEST_CASE("circuit_breaker: N + 20 threads at a half-open breaker: exactly N are admitted, and one transition is heard")
{
    constexpr int threads = 4, asks = 6, probes = 4;
    crew all(threads);
    for (int i = 0; i < thorough(500); ++i) {
        circuit_breaker b({.minimum_calls = 1, .half_open_probes = probes});
        std::atomic<int> heard{0}, admitted{0};
        b.on_transition([&](auto const& t) { heard += t.to == circuit_state::half_open; });
        call(b, outcome::failure(), t0);
        std::vector<std::vector<circuit_breaker::permit>> held(threads);
        all.round([&](int me) {
            for (int n = 0; n < asks; ++n)
                if (auto a = b.admit(t0 + 5s)) {
                    ++admitted;
                    held[static_cast<std::size_t>(me)].push_back(std::move(*a));
                }
        });
        REQUIRE(admitted == probes);
        REQUIRE(heard == 1);
    }
}

TEST_CASE("circuit_breaker: probes dropped and retaken by many threads: never more than N at a time, none lost")
{
    constexpr int probes = 3;
    circuit_breaker b({.minimum_calls = 1, .half_open_probes = probes});
    call(b, outcome::failure(), t0);
    std::atomic<int> inside{0}, most{0};
    crew all(4);
    all.round([&](int) {
        for (int i = 0; i < thorough(20'000); ++i) {
            auto const a = b.admit(t0 + 5s);
            if (!a) continue;
            auto const n = ++inside;
            for (auto m = most.load(); n > m && !most.compare_exchange_weak(m, n);) {}
            --inside;  // before the place is given back
        }
    });
    CHECK(most <= probes);
    CHECK(b.state(t0 + 5s) == circuit_state::half_open);
    std::vector<circuit_breaker::permit> held;
    while (auto a = b.admit(t0 + 5s)) held.push_back(std::move(*a));
    CHECK(held.size() == probes);
}

TEST_CASE("circuit_breaker: no call is lost or counted twice, whichever window, while time passes")
{
    constexpr int threads = 4, calls = 20'000;
    for (auto const& window : {weir::outcome_window(weir::time_window{1000s, 1000}),
                               weir::outcome_window(weir::count_window{threads * calls})}) {
        circuit_breaker b({.failure_rate = 1, .window = window, .stripes = 4});
        std::atomic<std::int64_t> time{0};
        std::atomic<std::uint64_t> failures{0};
        call(b, outcome::success(), t0);  // so that not all can have failed
        crew all(threads);
        all.round([&](int me) {
            std::mt19937 random(static_cast<unsigned>(me));
            for (int i = 1; i < calls; ++i) {
                auto const now = t0 + time.fetch_add(2, std::memory_order_relaxed) * 1ms;  // 160 buckets in all
                bool const bad = random() % 50 == 0;
                if (bad) ++failures;
                call(b, bad ? outcome::failure() : outcome::success(), now);
            }
        });
        auto const now = t0 + time.load() * 1ms;
        CHECK(b.tally(now) == circuit_tally{threads * (calls - 1) + 1, failures.load(), 0});
    }
}

TEST_CASE("circuit_breaker: a success and a failure that complete the minimum together always open it")
{
    // Either of them may come last, and whichever does must judge.
    for (auto const& window :
         {weir::outcome_window(weir::time_window{}), weir::outcome_window(weir::count_window{100})}) {
        crew both(2);
        for (int i = 0; i < thorough(20'000); ++i) {
            circuit_breaker b({.minimum_calls = 3, .window = window});
            call(b, outcome::success(), t0);  // the bucket exists: the next success is counted without the lock
            auto one = b.admit(t0), two = b.admit(t0);
            both.round([&](int me) {
                if (me == 0)
                    one->record(outcome::success(), t0);
                else
                    two->record(outcome::failure(), t0);
            });
            REQUIRE(b.state(t0) == circuit_state::closed);  // 1 of 3
            REQUIRE(b.tally(t0) == circuit_tally{3, 1, 0});

            circuit_breaker c({.failure_rate = 0.3, .minimum_calls = 3, .window = window});
            call(c, outcome::success(), t0);
            auto three = c.admit(t0), four = c.admit(t0);
            both.round([&](int me) {
                if (me == 0)
                    three->record(outcome::success(), t0);
                else
                    four->record(outcome::failure(), t0);
            });
            REQUIRE(c.state(t0) == circuit_state::open);  // 1 of 3 is at least 0.3
        }
    }
}

TEST_CASE("circuit_breaker: results that race with a reset count before it, and are wiped, or not at all")
{
    for (auto const& window :
         {weir::outcome_window(weir::time_window{}), weir::outcome_window(weir::count_window{100})}) {
        crew all(3);
        circuit_breaker b({.minimum_calls = 1000, .window = window});
        for (int i = 0; i < thorough(10'000); ++i) {
            call(b, outcome::success(), t0);
            auto one = b.admit(t0), two = b.admit(t0);
            all.round([&](int me) {
                if (me == 0) one->record(outcome::success(), t0);
                if (me == 1) two->record(outcome::failure(), t0);
                if (me == 2) b.reset(t0);
            });
            REQUIRE(b.tally(t0) == circuit_tally{});
        }
    }
}

TEST_CASE("circuit_breaker: a storm of everything: transitions are heard as one chain, and it works afterwards")
{
    circuit_breaker b({.minimum_calls = 5, .open_for = 1ms, .half_open_probes = 2});
    circuit_state last = circuit_state::closed;  // listeners run one at a time
    bool broken = false;
    int heard = 0;
    b.on_transition([&](weir::circuit_transition const& t) {
        broken |= t.from != last || t.from == t.to;
        last = t.to;
        ++heard;
        (void)b.state(t.at);
    });
    std::atomic<std::int64_t> time{0};
    crew all(4);
    all.round([&](int me) {
        std::mt19937 random(static_cast<unsigned>(me));
        for (int i = 0; i < thorough(20'000); ++i) {
            auto const now = t0 + time.fetch_add(1) * 100us;
            auto const dice = random() % 1000;
            if (dice == 0)
                b.force_open(now);
            else if (dice == 1)
                b.disable(now);
            else if (dice < 6)
                b.reset(now);
            else if (dice < 10) {
                b.reconfigure({.minimum_calls = 5,
                               .consecutive_failures = random() % 2 ? 3u : 0u,
                               .window = random() % 2 ? weir::outcome_window(weir::time_window{100ms, 4})
                                                      : weir::outcome_window(weir::count_window{20}),
                               .open_for = 1ms,
                               .half_open_probes = 1 + static_cast<unsigned>(random() % 4)},
                              now);
            } else if (dice < 30) {
                (void)b.failure_rate(now);
                (void)b.tally(now);
            } else if (auto a = b.admit(now)) {
                if (dice % 8 == 0) continue;  // dropped
                a->record(dice % 3 == 0 ? outcome::failure() : outcome::success(), now);
            }
        }
    });
    CHECK_FALSE(broken);
    CHECK(heard > 100);
    auto const now = t0 + time.load() * 100us;
    b.reset(now);
    for (int i = 0; i < 5; ++i) call(b, outcome::failure(), now);
    CHECK(b.state(now) == circuit_state::open);
    CHECK(last == circuit_state::open);
}
