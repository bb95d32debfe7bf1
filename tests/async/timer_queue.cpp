// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/timer_queue.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using weir::time_point;
using weir::timer_queue;

namespace {

/// A wait that counts what becomes of it.
struct counted final : timer_queue::node {
    std::atomic<int> ended{0};
    std::atomic<int> let_go{0};
    std::atomic<bool> early{false};
    std::function<void()> then{};

    counted() = default;
    explicit counted(std::function<void()> f) : then(std::move(f)) {}

private:
    void expired() noexcept override
    {
        ++ended;
        if (then) then();
    }
    void abandoned() noexcept override
    {
        ++let_go;
        if (then) then();
    }
};

constexpr time_point start{std::chrono::hours(1)};

/// A queue on a clock that the test moves.
struct by_hand {
    asio::io_context context{};
    timer_queue& queue = timer_queue::of(context.get_executor());

    by_hand() { queue.use_virtual_time(start); }
    void insert(timer_queue::node& n, time_point at, timer_queue::group* members = nullptr)
    {
        queue.insert(n, at, context.get_executor(), members);
    }
};

}  // namespace

TEST_CASE("timer_queue: one for each context, whichever of its executors asks")
{
    asio::io_context one, other;
    auto& queue = timer_queue::of(one.get_executor());
    CHECK(&queue == &timer_queue::of(asio::make_strand(one)));
    CHECK(&queue == &timer_queue::of(asio::any_io_executor(one.get_executor())));
    CHECK(&queue != &timer_queue::of(other.get_executor()));
    queue.use_virtual_time(start);
    CHECK(weir::now(one.get_executor()) == start);
    CHECK(weir::now(other.get_executor()) != start);
}

TEST_CASE("timer_queue: advance ends one wait at a time, the earliest first, of equal ones the first that came")
{
    by_hand h;
    std::vector<int> order;
    std::deque<counted> waits;
    for (auto const& [who, span] : {std::pair(1, 3s), {2, 1s}, {3, 2s}, {4, 1s}, {5, 1s}}) {
        waits.emplace_back([&order, w = who] { order.push_back(w); });
        h.insert(waits.back(), start + span);
    }
    CHECK(h.queue.size() == 5);
    CHECK(h.queue.next_expiry() == start + 1s);
    CHECK(!h.queue.advance(start + 1s - 1ns));
    CHECK(h.queue.now() == start + 1s - 1ns);
    CHECK(h.queue.advance(start + 2s));
    CHECK(order == std::vector{2});
    CHECK(h.queue.now() == start + 2s);
    while (h.queue.advance(start + 2s)) {}
    CHECK(order == std::vector{2, 4, 5, 3});
    CHECK(h.queue.size() == 1);
    CHECK(h.queue.next_expiry() == start + 3s);
    CHECK(!h.queue.advance(start));  // never back
    CHECK(h.queue.now() == start + 2s);
    CHECK(h.queue.advance(weir::never));
    CHECK(h.queue.next_expiry() == weir::never);
}

TEST_CASE("timer_queue: a wait that was removed is never called, and one that was called cannot be removed")
{
    by_hand h;
    counted a, b;
    CHECK(!h.queue.remove(a));
    h.insert(a, start + 1s);
    h.insert(b, start + 1s);
    CHECK(h.queue.remove(a));
    CHECK(!h.queue.remove(a));
    CHECK(h.queue.advance(start + 1s));
    CHECK(!h.queue.advance(start + 1s));
    CHECK(!h.queue.remove(b));
    CHECK(a.ended == 0);
    CHECK(b.ended == 1);
    h.insert(a, start + 2s);  // and may wait again
    CHECK(h.queue.advance(start + 2s));
    CHECK(a.ended == 1);
}

TEST_CASE("timer_queue: a group holds exactly those of its waits that still wait")
{
    by_hand h;
    timer_queue::group members;
    counted a, b, c, d, stranger;
    for (auto* n : {&a, &b, &c, &d}) h.insert(*n, start + 1s, &members);
    h.insert(stranger, start + 1s);
    CHECK(h.queue.advance(start + 1s));
    CHECK(a.ended == 1);
    CHECK(h.queue.remove(c));
    CHECK(h.queue.remove_one(members) == &b);
    CHECK(h.queue.remove_one(members) == &d);
    CHECK(h.queue.remove_one(members) == nullptr);
    CHECK(h.queue.size() == 1);
    CHECK(h.queue.remove(stranger));
}

TEST_CASE("timer_queue: a hook may insert and remove")
{
    by_hand h;
    counted second, third, removed;
    counted first([&] {
        CHECK(h.queue.remove(removed));
        h.insert(second, start);  // long passed
        h.insert(third, start + 2s);
    });
    h.insert(first, start + 1s);
    h.insert(removed, start + 1s);
    while (h.queue.advance(start + 1s)) {}
    CHECK(first.ended == 1);
    CHECK(second.ended == 1);
    CHECK(third.ended == 0);
    CHECK(removed.ended == 0);
    CHECK(h.queue.remove(third));
}

TEST_CASE("timer_queue: when its context goes down it lets every wait go once, also one that comes meanwhile")
{
    for (bool const by_virtual_time : {true, false}) {
        CAPTURE(by_virtual_time);
        std::optional<asio::io_context> context(std::in_place);
        auto const executor = context->get_executor();
        auto& queue = timer_queue::of(executor);
        if (by_virtual_time) queue.use_virtual_time(start);
        counted late, neighbour;
        std::deque<counted> waits;
        for (int i = 0; i < 10; ++i) queue.insert(waits.emplace_back(), queue.now() + 1h, executor);
        counted meddler([&] {
            queue.insert(late, queue.now() + 1h, executor);
            queue.remove(neighbour);
        });
        queue.insert(meddler, queue.now() + 30min, executor);
        queue.insert(neighbour, queue.now() + 2h, executor);
        context->poll();
        context.reset();
        for (auto const& w : waits) {
            CHECK(w.let_go == 1);
            CHECK(w.ended == 0);
        }
        CHECK(late.let_go == 1);
        CHECK(neighbour.let_go == 0);
        CHECK(meddler.let_go == 1);
    }
}

TEST_CASE("timer_queue: run() returns soon after the last wait was removed, however far away its end was")
{
    asio::io_context context;
    auto& queue = timer_queue::of(context.get_executor());
    counted far;
    queue.insert(far, queue.now() + 1h, context.get_executor());
    asio::post(context, [&] { CHECK(queue.remove(far)); });
    context.run_for(30s);
    CHECK(context.stopped());
    CHECK(far.ended == 0);
}

TEST_CASE("timer_queue: works on after it has been empty")
{
    asio::io_context context;
    auto& queue = timer_queue::of(context.get_executor());
    for (int i = 0; i < 3; ++i) {
        counted wait;
        queue.insert(wait, queue.now() + 100us, context.get_executor());
        context.restart();
        context.run_for(60s);
        CHECK(wait.ended == 1);
        REQUIRE(queue.size() == 0);
    }
}

TEST_CASE("timer_queue: in real time too, a hook may insert and remove")
{
    asio::io_context context;
    auto& queue = timer_queue::of(context.get_executor());
    auto const begin = queue.now();
    counted earlier, later, removed;
    counted first([&] {
        CHECK(queue.remove(removed));
        queue.insert(earlier, begin, context.get_executor());
        queue.insert(later, begin + 2ms, context.get_executor());
    });
    queue.insert(first, begin + 1ms, context.get_executor());
    queue.insert(removed, begin + 1ms, context.get_executor());
    context.run_for(60s);
    CHECK(first.ended == 1);
    CHECK(earlier.ended == 1);
    CHECK(later.ended == 1);
    CHECK(removed.ended == 0);
}

TEST_CASE("timer_queue: deadlines that are met arm no timer")
{
    asio::io_context context;
    auto& queue = timer_queue::of(context.get_executor());
    std::deque<counted> calls;
    auto const begin = weir::steady_clock::now();
    for (int i = 0; i < 1000; ++i) {
        auto& call = calls.emplace_back();
        queue.insert(call, begin + 1h - std::chrono::milliseconds(i), context.get_executor());
        CHECK(queue.remove(call));
    }
    // Every time that the Asio timer is armed anew, the wait before it leaves a cancelled handler to run.
    auto const handlers = context.poll();
    auto const looked = 1 + (weir::steady_clock::now() - begin) / timer_queue::look_again;
    CHECK(handlers <= static_cast<std::size_t>(looked));
}

TEST_CASE("timer_queue: a wait that comes later and ends earlier is not kept until the next look")
{
    // A machine under load may miss the instant; it does not miss it a hundred times in a row.
    bool in_time = false;
    for (int trial = 0; trial < 100 && !in_time; ++trial) {
        asio::io_context context;
        auto& queue = timer_queue::of(context.get_executor());
        counted far, near;
        auto const begin = queue.now();
        queue.insert(far, begin + 1h, context.get_executor());
        queue.insert(near, begin + 1ms, context.get_executor());
        while (near.ended == 0 && context.run_one_for(60s) != 0) {}
        in_time = queue.now() < begin + timer_queue::look_again - 1ms;
        CHECK(near.ended == 1);
        queue.remove(far);
    }
    CHECK(in_time);
}

TEST_CASE("timer_queue: a wait further away than the next look ends on time, and not on a tick")
{
    bool on_time = false;
    for (int trial = 0; trial < 100 && !on_time; ++trial) {
        asio::io_context context;
        auto& queue = timer_queue::of(context.get_executor());
        counted wait;
        auto const at = queue.now() + timer_queue::look_again + 1ms;
        queue.insert(wait, at, context.get_executor());
        while (wait.ended == 0 && context.run_one_for(60s) != 0) {}
        auto const now = queue.now();
        CHECK(wait.ended == 1);
        CHECK(now >= at);
        on_time = now < at + timer_queue::look_again - 3ms;
    }
    CHECK(on_time);
}

// The queue's own timer runs on the executor of whoever waits first. On his strand, his long computation would keep
// everybody else's timeout from happening.
TEST_CASE("timer_queue: a strand that is busy does not hold up the waits of others")
{
    for (bool const type_erased : {false, true}) {
        CAPTURE(type_erased);
        asio::io_context context(2);
        auto const busy = asio::make_strand(context);
        auto& queue = timer_queue::of(busy);
        counted first, other;
        auto const insert_on_strand = [&](timer_queue::node& n) {
            auto const at = queue.now() + 1ms;
            if (type_erased)
                queue.insert(n, at, asio::any_io_executor(busy));
            else
                queue.insert(n, at, busy);
        };
        insert_on_strand(first);
        std::atomic<bool> held_up{false};
        asio::post(busy, [&] {
            queue.insert(other, queue.now() + 1ms, context.get_executor());
            auto const give_up = weir::steady_clock::now() + 10s;
            while (other.ended == 0 && !held_up) held_up = weir::steady_clock::now() > give_up;
        });
        std::thread second([&] { context.run(); });
        context.run();
        second.join();
        CHECK(!held_up);
        CHECK(first.ended == 1);
        CHECK(other.ended == 1);
    }
}

TEST_CASE("timer_queue: upkeep ends in its turn while something waits, and moves no time on its own")
{
    by_hand q;
    counted upkeep, wait;
    q.queue.insert_upkeep(upkeep, start + 1s, q.context.get_executor());
    CHECK(q.queue.size() == 0);
    CHECK(q.queue.next_expiry() == weir::never);
    q.insert(wait, start + 2s);
    CHECK(q.queue.size() == 1);
    CHECK(q.queue.next_expiry() == start + 1s);
    CHECK(q.queue.advance(start + 1s));
    CHECK(upkeep.ended == 1);
    CHECK(q.queue.next_expiry() == start + 2s);
    q.queue.insert_upkeep(upkeep, start + 5s, q.context.get_executor());
    CHECK(q.queue.advance(start + 3s));
    CHECK(wait.ended == 1);
    CHECK(q.queue.next_expiry() == weir::never);
    CHECK(q.queue.remove(upkeep));
    CHECK_FALSE(q.queue.remove(upkeep));
    CHECK(q.queue.size() == 0);
}

TEST_CASE("timer_queue: upkeep keeps no context running, is made up for when something waits, and let go at the end")
{
    counted left;
    {
        asio::io_context context;
        auto& queue = timer_queue::of(context.get_executor());
        counted upkeep, far;
        auto const begin = queue.now();
        queue.insert_upkeep(upkeep, begin + 1ms, context.get_executor());
        CHECK(context.run_for(60s) == 0);
        CHECK(upkeep.ended == 0);

        // With a wait there it ends: overdue, at once, and in time. With the last wait gone `run()` returns.
        context.restart();
        queue.insert(far, begin + 1h, context.get_executor());
        while (upkeep.ended == 0 && context.run_one_for(60s) != 0) {}
        CHECK(upkeep.ended == 1);
        queue.insert_upkeep(upkeep, queue.now() + 1ms, context.get_executor());
        while (upkeep.ended == 1 && context.run_one_for(60s) != 0) {}
        CHECK(upkeep.ended == 2);
        queue.insert_upkeep(left, begin + 2h, context.get_executor());
        CHECK(queue.remove(far));
        auto const empty = queue.now();
        context.run_for(60s);
        CHECK(queue.now() - empty < 30s);
        CHECK(left.let_go == 0);
    }
    CHECK(left.ended == 0);
    CHECK(left.let_go == 1);
}

TEST_CASE("timer_queue: many threads insert and remove, every wait ends exactly once and none before its time")
{
    constexpr int inserters = 2, drivers = 2, waits = 3000;
    asio::io_context context(drivers + inserters);
    auto& queue = timer_queue::of(context.get_executor());
    auto work = std::make_optional(asio::make_work_guard(context));
    struct tracked final : timer_queue::node {
        std::atomic<int> ended{0};
        bool early = false;
        bool removed = false;

    private:
        void expired() noexcept override
        {
            early = weir::steady_clock::now() < expiry();
            ++ended;
        }
        void abandoned() noexcept override { ended += 100; }
    };
    std::vector<std::deque<tracked>> nodes(inserters);
    std::vector<std::thread> threads;
    for (int i = 0; i < drivers; ++i) threads.emplace_back([&] { context.run(); });
    for (auto& mine : nodes)
        threads.emplace_back([&, seed = static_cast<unsigned>(&mine - nodes.data())] {
            std::mt19937_64 random(seed);
            std::vector<tracked*> pending;
            for (int i = 0; i < waits; ++i) {
                auto& n = mine.emplace_back();
                queue.insert(n, queue.now() + std::chrono::microseconds(random() % 300) - 20us, context.get_executor());
                pending.push_back(&n);
                if (random() % 2) {
                    auto const k = random() % pending.size();
                    if (queue.remove(*pending[k])) pending[k]->removed = true;
                    pending[k] = pending.back();
                    pending.pop_back();
                }
            }
        });
    for (int i = drivers; i < drivers + inserters; ++i) threads[static_cast<std::size_t>(i)].join();
    work.reset();  // the queue's own timer keeps the context running until the last wait has ended
    for (int i = 0; i < drivers; ++i) threads[static_cast<std::size_t>(i)].join();

    CHECK(queue.size() == 0);
    int removed = 0, ended = 0, wrong = 0;
    for (auto const& mine : nodes)
        for (auto const& n : mine) {
            removed += n.removed;
            ended += n.ended;
            wrong += n.ended + n.removed != 1 || n.early;
        }
    CHECK(wrong == 0);
    CHECK(removed > 0);
    CHECK(ended > 0);
}

TEST_CASE("timer_queue: a lone wait far away does not keep waking the context")
{
    asio::io_context context;
    auto& queue = timer_queue::of(context.get_executor());
    counted heartbeat;
    queue.insert(heartbeat, weir::steady_clock::now() + 1h, context.get_executor());
    // It looks again while waits come and go, here twice, and then sleeps: not twenty times in these looks.
    CHECK(context.run_for(20 * timer_queue::look_again) <= 3);
    auto const begin = weir::steady_clock::now();
    CHECK(queue.remove(heartbeat));
    context.run();  // does not sleep out the hour
    CHECK(weir::steady_clock::now() - begin < 10min);
    CHECK(heartbeat.ended == 0);
}
