// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/adaptive_limit.hpp>

#include <weir/core/gate.hpp>
#include <weir/limit/aimd.hpp>
#include <weir/limit/gradient2.hpp>
#include <weir/limit/vegas.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::adaptive_limit;
using weir::aimd;
using weir::errc;
using weir::limit_sample;
using weir::outcome;
using weir::time_point;

static_assert(weir::gate<adaptive_limit<>>);
static_assert(weir::gate<adaptive_limit<weir::gradient2>>);
static_assert(weir::gate<adaptive_limit<weir::vegas>>);

namespace {

constexpr time_point start{1h};

struct recorder_options {
    std::uint32_t limit = 4;
    std::shared_ptr<std::vector<limit_sample>> samples = std::make_shared<std::vector<limit_sample>>();
};

/// Keeps what it is told, and does what it is told.
struct recorder {
    using options = recorder_options;
    explicit recorder(options const& o = {}) : o_(o) {}
    void update(limit_sample const& s) noexcept { o_.samples->push_back(s); }
    [[nodiscard]] std::uint32_t limit() const noexcept { return o_.limit; }
    void reconfigure(options const& o) { o_ = o; }

private:
    options o_;
};

/// Counts, and moves its limit up and down with every sample.
struct restless {
    struct options {};
    restless() = default;
    explicit restless(options const&) {}
    void update(limit_sample const& s) noexcept { ended += s.calls, up = !up; }
    [[nodiscard]] std::uint32_t limit() const noexcept { return up ? 3 : 1; }
    void reconfigure(options const&) {}
    std::uint64_t ended = 0;
    bool up = false;
};

}  // namespace

TEST_CASE("adaptive_limit: admits its limit and not one more, and says so")
{
    adaptive_limit<aimd> limit{{.concurrency = {.initial_limit = 2}, .name = "db"}};
    std::optional a = limit.admit(start);
    auto const b = limit.admit(start);
    auto const c = limit.admit(start);
    CHECK((*a && b));
    REQUIRE(!c);
    CHECK(c.refused().code == errc::too_many_calls);
    CHECK(c.refused().gate == "db");
    CHECK(c.refused().retry_at == start);
    CHECK(limit.in_flight() == 2);
    a.reset();
    CHECK(limit.in_flight() == 1);
    CHECK(limit.admit(start));
}

TEST_CASE("adaptive_limit: a sample has the latency, the crowd at admission, and whether it was a drop")
{
    recorder::options o{.limit = 3};
    auto const& samples = *o.samples;
    adaptive_limit<recorder> limit{{.concurrency = o}};
    auto a = limit.admit(start);
    auto b = limit.admit(start + 1ms);
    b->record(outcome::success(), start + 6ms);
    a->record(outcome::failure(), start + 8ms);
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].latency == 5ms);
    CHECK(samples[0].in_flight == 2);
    CHECK(!samples[0].dropped);
    CHECK(samples[0].now == start + 6ms);
    CHECK(samples[1].latency == 8ms);
    CHECK(samples[1].in_flight == 1);
    CHECK(samples[1].dropped);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("adaptive_limit: what says nothing about the load teaches nothing, and gives the slot back")
{
    recorder::options o;
    adaptive_limit<recorder> limit{{.concurrency = o}};
    limit.admit(start)->record(outcome::ignored(), start + 1ms);
    limit.admit(start)->record(outcome::permanent_failure(), start + 1ms);
    (void)limit.admit(start);  // thrown through
    {
        auto a = *limit.admit(start);
        auto b = *limit.admit(start);
        a = std::move(b);
        CHECK(limit.in_flight() == 1);
        a.record(outcome::ignored(), start);
        a.record(outcome::success(), start);  // the second time is nothing
    }
    CHECK(limit.in_flight() == 0);
    CHECK(o.samples->empty());
}

TEST_CASE("adaptive_limit: a time measured by the driver is preferred; one that runs backwards is none")
{
    recorder::options o;
    adaptive_limit<recorder> limit{{.concurrency = o}};
    limit.admit(start)->record(outcome::success(3ms), start + 10ms);
    limit.admit(start)->record(outcome::success(), start - 1h);
    REQUIRE(o.samples->size() == 2);
    CHECK((*o.samples)[0].latency == 3ms);
    CHECK((*o.samples)[1].latency == 0ms);
}

TEST_CASE("adaptive_limit: a lower limit lets the calls in progress end, and no other in before")
{
    adaptive_limit<aimd> limit{{.concurrency = {.initial_limit = 4, .min_limit = 1}}};
    std::vector<adaptive_limit<aimd>::token> calls;
    for (int i = 0; i < 4; ++i) calls.push_back(*limit.admit(start));
    limit.reconfigure({.concurrency = {.initial_limit = 1, .min_limit = 1, .max_limit = 2}});
    CHECK(limit.limit() == 2);
    CHECK(limit.in_flight() == 4);
    calls.pop_back();
    calls.pop_back();
    CHECK(!limit.admit(start));
    calls.pop_back();
    CHECK(limit.admit(start));
}

TEST_CASE("adaptive_limit: learns from records, and reconfigure keeps it")
{
    adaptive_limit<aimd> limit{{.concurrency = {.initial_limit = 2}}};
    for (int i = 0; i < 10; ++i) {
        auto a = limit.admit(start);
        auto b = limit.admit(start);
        b->record(outcome::success(), start + 1ms);
    }
    CHECK(limit.limit() == 5);  // of which two are less than half
    limit.reconfigure({.concurrency = {.initial_limit = 100, .decrease = 0.5}});
    CHECK(limit.limit() == 5);
    limit.admit(start)->record(outcome::failure(), start + 1s);
    CHECK(limit.limit() == 2);
    CHECK(limit.algorithm().limit() == 2);
}

TEST_CASE("adaptive_limit: a bad option is the algorithm's to refuse, and changes nothing")
{
    adaptive_limit<> limit;
    CHECK_THROWS_AS(limit.reconfigure({.concurrency = {.headroom = 9}}), std::invalid_argument);
    CHECK(limit.limit() == 20);
}

TEST_CASE("adaptive_limit: asks its own clock where no time is given")
{
    weir::testing::manual_clock clock{start};
    weir::basic_adaptive_limit<recorder, weir::testing::manual_clock> limit{{.concurrency = {.limit = 1}}, clock};
    auto const a = limit.try_acquire();
    auto const b = limit.try_acquire();
    CHECK(a);
    CHECK(b.refused().retry_at == start);
}

TEST_CASE("adaptive_limit: with many threads and a restless limit, never one over, and every end is counted")
{
    adaptive_limit<restless> limit;
    constexpr int threads = 6, rounds = 5'000;
    std::atomic<int> inside{0};
    std::atomic<int> over{0};
    std::atomic<std::uint64_t> ended{0};
    {
        std::barrier gate{threads};
        std::vector<std::jthread> crowd;
        for (int t = 0; t < threads; ++t)
            crowd.emplace_back([&] {
                gate.arrive_and_wait();
                for (int i = 0; i < rounds; ++i) {
                    auto a = limit.admit(start);
                    if (!a) continue;
                    if (++inside > 3) ++over;
                    std::this_thread::yield();
                    --inside;
                    ++ended;
                    a->record(outcome::success(1ms), start);
                }
            });
    }
    CHECK(over == 0);
    CHECK(limit.in_flight() == 0);
    // The last sample tells of all that ended while another held the lock.
    limit.admit(start)->record(outcome::success(1ms), start);
    CHECK(limit.algorithm().ended == ended + 1);
}

TEST_CASE("adaptive_limit: of four threads that ask at the same moment for the last slot, one has it")
{
    adaptive_limit<weir::fixed_limit> limit{{.concurrency = {.limit = 1}}};
    constexpr int threads = 4, rounds = 4'000;
    std::atomic<int> admitted{0}, wrong{0}, ready{0};
    std::barrier after{threads, [&]() noexcept { wrong += admitted.exchange(0) != 1, ready = 0; }};
    std::barrier again{threads};
    std::vector<std::jthread> crowd;
    for (int t = 0; t < threads; ++t)
        crowd.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                // Spinning: who is woken from sleep comes alone.
                for (++ready; ready < threads;) std::this_thread::yield();
                auto slot = limit.admit(start);
                admitted += static_cast<bool>(slot);
                after.arrive_and_wait();
                if (slot) slot->record(outcome::ignored(), start);
                again.arrive_and_wait();
            }
        });
    crowd.clear();
    CHECK(wrong.load() == 0);
    CHECK(limit.in_flight() == 0);
}
