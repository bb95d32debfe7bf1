// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/limit/shedding_queue.hpp>

#include <weir/core/gate.hpp>
#include <weir/limit/littles_law.hpp>

#include <support/queue_storm.hpp>
#include <support/server_model.hpp>
#include <support/thorough.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::criticality;
using weir::duration;
using weir::errc;
using weir::outcome;
using weir::time_point;
using queue = weir::shedding_queue<>;

static_assert(weir::gate<queue>);
static_assert(weir::gate<weir::shedding_queue<weir::littles_law>>);

namespace {

constexpr time_point start{1h};

/// Waits, keeps the slot it is given, and writes down its name in order of the answers: upper case for a slot.
struct caller final : queue::waiter {
    caller(char c, std::string& log) : name(c), order(log) {}

    char name;
    std::string& order;
    std::optional<queue::token> slot;
    std::optional<weir::rejection> refused;

private:
    void granted(queue::token t) noexcept override
    {
        slot.emplace(std::move(t));
        order += static_cast<char>(name - 'a' + 'A');
    }
    void shed(weir::rejection why) noexcept override
    {
        refused = why;
        order += name;
    }
};

/// One slot, taken; and those who wait for it.
struct bench {
    explicit bench(queue::options o = {}) : q((o.concurrency.limit = 1, o)), held(*q.admit(start)) {}

    caller& wait(time_point now, queue::ticket t = {})
    {
        auto& c = callers.emplace_back(next++, order);
        if (auto answer = q.enqueue(c, t, now)) {
            REQUIRE(!*answer);
            c.refused = answer->refused();
            order += static_cast<char>(c.name);
        }
        return c;
    }
    /// The slot is given back, and so on, until nobody waits.
    std::string serve_all(time_point now, duration each = 0ms)
    {
        held.record(outcome::ignored(), now);
        for (bool again = true; again;) {
            again = false;
            for (auto& c : callers)
                if (c.slot && *c.slot) c.slot->record(outcome::ignored(), now += each), again = true;
        }
        return order;
    }

    std::string order;
    std::deque<caller> callers;
    queue q;
    queue::token held;
    char next = 'a';
};

}  // namespace

TEST_CASE("shedding_queue: a free slot is had at once, a taken one is waited for, oldest first while healthy")
{
    bench b;
    CHECK(!b.q.admit(start));
    for (int i = 0; i < 3; ++i) b.wait(start);
    CHECK(b.q.waiting() == 3);
    CHECK(b.serve_all(start + 50ms) == "ABC");
    CHECK(b.q.in_flight() == 0);
    CHECK(b.q.admit(start));
}

TEST_CASE("shedding_queue: nobody overtakes those who wait by asking without waiting")
{
    queue q{{.concurrency = {.limit = 2}}};
    std::string order;
    auto a = q.admit(start);
    auto b = q.admit(start);
    caller w{'w', order};
    REQUIRE(!q.enqueue(w, {}, start));
    CHECK(!q.admit(start));
    b->record(outcome::success(), start);
    CHECK(order == "W");
    CHECK(!q.admit(start));
}

TEST_CASE(
    "shedding_queue: a standing queue is served newest first, and sheds those who have waited longer than the target")
{
    bench b{{.interval = 100ms, .target = 5ms}};
    for (int i = 0; i < 4; ++i) b.wait(start + i * 30ms);
    b.wait(start + 97ms);
    b.wait(start + 99ms);
    CHECK(!b.q.standing(criticality::critical, start + 99ms));
    CHECK(b.q.standing(criticality::critical, start + 100ms));
    CHECK(b.serve_all(start + 100ms) == "FabcdE");  // and e, 3 ms old, comes after f
    CHECK(b.callers[0].refused->code == errc::too_many_calls);
    CHECK(b.callers[0].refused->gate == "shedding_queue");
}

TEST_CASE("shedding_queue: the last one who waits is served, however long it took")
{
    bench b;
    b.wait(start);
    CHECK(b.serve_all(start + 10min) == "A");
}

TEST_CASE(
    "shedding_queue: a deadline that leaves less than slack service times is refused at once, and shed at its turn")
{
    bench b{{.slack = 3}};
    b.held.record(outcome::success(10ms), start);  // service time: 10 ms
    b.held = *b.q.admit(start);
    auto const& hopeless = b.wait(start, {.deadline = start + 29ms});
    REQUIRE(hopeless.refused);
    CHECK(hopeless.refused->code == errc::no_time_left);
    CHECK(!hopeless.refused->possible_later());
    b.wait(start, {.deadline = start + 60ms});
    b.wait(start, {.deadline = start + 80ms});
    CHECK(b.serve_all(start + 40ms) == "abC");
    CHECK(b.callers[1].refused->code == errc::no_time_left);
}

TEST_CASE("shedding_queue: the more critical go first, and are shed last")
{
    bench b{{.max_queue = 3}};
    b.wait(start, {.level = criticality::sheddable});       // a
    b.wait(start, {.level = criticality::sheddable_plus});  // b
    b.wait(start, {.level = criticality::critical});        // c
    CHECK(b.order.empty());
    b.wait(start, {.level = criticality::critical_plus});  // d: a must go
    CHECK(b.order == "a");
    b.wait(start, {.level = criticality::sheddable});  // e: is the least, and refused
    CHECK(b.order == "ae");
    b.wait(start, {.level = criticality::critical});  // f: b must go
    b.wait(start, {.level = criticality::critical});  // g: the queue is healthy, and those of its kind came first
    CHECK(b.order == "aebg");
    CHECK(b.serve_all(start) == "aebgDCF");
}

TEST_CASE("shedding_queue: while it stands, a full queue sheds its oldest for a newcomer")
{
    bench b{{.max_queue = 2}};
    b.wait(start);
    b.wait(start);
    b.wait(start + 50ms);
    CHECK(b.order == "c");
    b.wait(start + 100ms);
    CHECK(b.order == "ca");
    bench nobody{{.max_queue = 0}};
    nobody.wait(start);
    CHECK(nobody.order == "a");
}

TEST_CASE("shedding_queue: who cancels is gone, and cannot once he has been told")
{
    bench b;
    auto& a = b.wait(start);
    auto& c = b.wait(start);
    CHECK(b.q.cancel(a));
    CHECK(!b.q.cancel(a));
    CHECK(b.serve_all(start) == "B");
    CHECK(!b.q.cancel(c));
}

TEST_CASE("shedding_queue: refusals say when a slot may be free")
{
    bench b{{.max_queue = 1}};
    b.held.record(outcome::success(10ms), start);
    b.held = *b.q.admit(start);
    b.wait(start);
    auto const& refused = b.wait(start);
    CHECK(refused.refused->retry_at == start + 20ms);
    b.serve_all(start);
}

TEST_CASE("shedding_queue: reconfigure lets more in at once and keeps those who wait")
{
    bench b;
    for (int i = 0; i < 3; ++i) b.wait(start);
    b.q.reconfigure({.concurrency = {.limit = 3}, .max_queue = 0});
    CHECK(b.order == "AB");
    CHECK(b.q.waiting() == 1);
    CHECK(b.q.in_flight() == 3);
    CHECK(b.serve_all(start) == "ABC");
    CHECK_THROWS_AS(b.q.reconfigure({.concurrency = {.limit = 0}}), std::invalid_argument);
    CHECK_THROWS_AS(b.q.reconfigure({.interval = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(b.q.reconfigure({.target = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(b.q.reconfigure({.slack = 0.0 / 0.0}), std::invalid_argument);
    CHECK_THROWS_AS(b.q.reconfigure({.max_queue = 2'000'000'000}), std::invalid_argument);
    CHECK_THROWS_WITH(queue{{.slack = -1}}, "weir: shedding_queue_options.slack must be in [0, 1000], and is -1");
}

TEST_CASE("shedding_queue: threads that wait, time out and are shed never exceed the limit, and nobody is forgotten")
{
    queue q{{.concurrency = {.limit = 3}, .max_queue = 4, .interval = 0ms, .target = 0ms}};
    std::atomic<int> inside{0}, over{0}, answered{0};
    {
        std::vector<std::jthread> crowd;
        for (int t = 0; t < 6; ++t)
            crowd.emplace_back([&, t] {
                for (int i = 0; i < 500; ++i) {
                    auto const now = weir::steady_clock::now();
                    auto const level = static_cast<criticality>((t + i) % 4);
                    auto slot = q.acquire({i % 3 ? now + 50us : weir::never, level});
                    ++answered;
                    if (!slot) continue;
                    if (++inside > 3) ++over;
                    std::this_thread::yield();
                    --inside;
                    slot->record(outcome::success(), weir::steady_clock::now());
                }
            });
    }
    CHECK(over == 0);
    CHECK(answered == 3000);
    CHECK(q.in_flight() == 0);
    CHECK(q.waiting() == 0);
}

namespace {

using weir::model::endless;
using storm = weir::model::queue_storm;

}  // namespace

TEST_CASE("shedding_queue: out of a retry storm within two seconds of the trigger, with four naive retries")
{
    constexpr int seeds = weir::test::thorough(5);
    std::array<double, seeds> success{};
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        success[seed - 1] = storm{{.max_queue = endless}, true, seed}.success(22s, 30s);
    std::sort(success.begin(), success.end());
    MESSAGE("success from 2 s after the trigger, min / median / max: ", success.front(), " / ", success[seeds / 2],
            " / ", success.back());
    CHECK(success[0] >= 0.99);
}

TEST_CASE("shedding_queue: each of its two means is enough alone: slack, and the newest first")
{
    CHECK(storm{{.max_queue = endless, .interval = 1h}, true, 1}.success(24s, 30s) >= 0.99);
    CHECK(storm{{.max_queue = endless, .slack = 0}, false, 1}.success(24s, 30s) >= 0.99);
}

TEST_CASE("the naive arms of that storm: first come first served, and dropping only what has expired, stay down")
{
    CHECK(storm{{.max_queue = endless, .interval = 1h, .slack = 0}, false, 1}.success(40s, 50s) < 0.05);
    auto const expired_only = storm{{.max_queue = endless, .interval = 1h, .slack = 0}, true, 1}.success(40s, 50s);
    MESSAGE("success when only the expired are dropped: ", expired_only);
    CHECK(expired_only < 0.15);
}

TEST_CASE("shedding_queue: critical calls succeed at twice the capacity, as long as they fit in alone")
{
    // Ten workers of 10 ms; critical callers fill half of them, the others one and a half times all.
    queue q{{.concurrency = {.limit = 10}}};
    weir::random_engine random{3};
    std::string log;
    struct waiting {
        std::unique_ptr<caller> who;
        bool critical;
    };
    std::deque<waiting> crowd;
    std::priority_queue<std::pair<std::int64_t, caller*>, std::vector<std::pair<std::int64_t, caller*>>, std::greater<>>
        ends;
    int asked[2] = {}, served[2] = {};
    auto next = start;
    for (auto now = start; now < start + 20s;) {
        bool const end = !ends.empty() && time_point{duration{ends.top().first}} <= next;
        now = end ? time_point{duration{ends.top().first}} : next;
        if (end) {
            auto* const c = ends.top().second;
            ends.pop();
            c->slot->record(outcome::success(), now);
        } else {
            next += weir::model::scaled(500us, weir::model::exponential(random));
            bool const critical = weir::uniform_unit(random) < 0.25;
            auto& c = *crowd.emplace_back(std::make_unique<caller>('x', log), critical).who;
            auto answer = q.enqueue(c, {now + 200ms, critical ? criticality::critical : criticality::sheddable}, now);
            if (answer && *answer) c.slot.emplace(*std::move(*answer)), log += 'X';
            ++asked[critical];
        }
        for (auto& w : crowd)
            if (w.who->slot && w.who->name == 'x') {
                w.who->name = 'y';  // begun
                ++served[w.critical];
                ends.emplace(
                    (now + weir::model::scaled(10ms, weir::model::exponential(random))).time_since_epoch().count(),
                    w.who.get());
            }
        while (!crowd.empty() && ((crowd.front().who->slot && !*crowd.front().who->slot) || crowd.front().who->refused))
            crowd.pop_front();
    }
    for (auto& w : crowd) (void)q.cancel(*w.who);
    CHECK(served[1] >= asked[1] * 0.999);
    CHECK(served[0] >= asked[0] * 0.30);  // what is left: a third
}
