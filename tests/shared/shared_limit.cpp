// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/shared/shared_limit.hpp>

#include "shared/scripted_store.hpp"

#include <weir/core/gate.hpp>

#include <weir/shared/memory_store.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::errc;
using weir::permit_grant;
using weir::shared_limit;
using weir::without_store;
namespace asio = boost::asio;

static_assert(weir::gate<shared_limit<weir::memory_store>>);

namespace {

struct fixture {
    weir::testing::virtual_time world;
    scripted_store store{world};
    shared_limit<scripted_store> limit;

    explicit fixture(weir::shared_limit_options const& o = {.rate = weir::per_second(1000), .burst = 100})
        : limit(world.get_executor(), store, with_seed(o))
    {
        store.round_trip = 1ms;
    }
    static weir::shared_limit_options with_seed(weir::shared_limit_options o)
    {
        o.seed = 7;
        return o;
    }

    bool now() { return limit.try_acquire(1, world.now()); }
    // Asks `n` times, a millisecond apart; how many were admitted.
    int over(int n)
    {
        int admitted = 0;
        for (int i = 0; i < n; ++i) {
            admitted += now();
            world.run_for(1ms);
        }
        return admitted;
    }
    /// Ends of async_acquire: how, and after how long.
    struct end {
        boost::system::error_code how;
        weir::duration took;
    };
    std::vector<end> ends;
    void acquire(std::uint64_t n = 1)
    {
        limit.async_acquire(n, [this, from = world.now()](boost::system::error_code ec) {
            ends.push_back({ec, world.now() - from});
        });
    }
};

}  // namespace

TEST_CASE(
    "shared_limit: the first try is refused and asks; from then on a steady caller never waits, nor finds it empty")
{
    fixture f;
    CHECK_FALSE(f.now());
    f.world.run_for(2ms);
    CHECK(f.over(50) >= 47);  // it finds its pace
    CHECK(f.over(500) == 500);
    auto const s = f.limit.get_status();
    CHECK(s.questions < 45);
    CHECK(s.refusals == 0);
}

TEST_CASE("shared_limit: one question at a time, whoever asks")
{
    fixture f;
    f.store.round_trip = 4ms;
    for (int i = 0; i < 10; ++i) (void)f.now();
    f.acquire();
    f.world.run_for(3ms);
    for (int i = 0; i < 10; ++i) (void)f.now();
    CHECK(f.store.questions.size() == 1);
}

TEST_CASE("shared_limit: a refusal is believed until it can change, and for a pause at least")
{
    fixture f;
    f.store.answer = [](auto const&) { return permit_grant{.permits = 0, .retry_after = 30ms}; };
    CHECK(f.over(100) == 0);
    CHECK(f.store.questions.size() == 4);  // at 0, 31, 62 and 93
    f.store.questions.clear();
    f.store.answer = [](auto const&) { return permit_grant{.permits = 0, .retry_after = 1us}; };
    CHECK(f.over(100) == 0);
    CHECK(f.store.questions.size() <= 10);
}

TEST_CASE("shared_limit: permits end with their lease, and go back before that where nobody uses them")
{
    fixture f;
    f.store.answer = [](weir::permit_request const&) { return permit_grant{.permits = 20, .stamp = 77}; };
    f.acquire(20);
    f.world.run_for(2ms);
    f.store.answer = {};
    f.acquire(1);
    f.world.run_for(2ms);
    auto const held = f.limit.held(f.world.now());
    CHECK(held > 0);
    f.world.run_for(100ms);
    CHECK(f.limit.held(f.world.now()) == 0);
    std::uint64_t back = 0;
    for (auto const& r : f.store.returns) back += r.permits;
    CHECK(back >= held);
    CHECK(f.limit.get_status().given_back == back);
    CHECK(f.limit.get_status().ended == 0);
    f.world.run_for(1s);
    CHECK(f.store.questions.size() <= 4);  // whoever is idle asks nothing
}

TEST_CASE("shared_limit: an answer that is late is not waited for, and not used: it goes back")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100, .when_gone = without_store::deny});
    f.store.round_trip = 12ms;
    f.acquire(5);
    f.world.run_for(5ms);
    REQUIRE(f.ends.size() == 1);
    CHECK(f.ends[0].how == boost::system::error_code(make_error_code(errc::rate_limited)));
    CHECK(f.ends[0].took == 5ms);
    f.world.run_for(20ms);
    CHECK(f.limit.held(f.world.now()) == 0);
    REQUIRE(f.store.returns.size() == 1);
    CHECK(f.store.returns[0].permits == 5);
    CHECK(f.limit.get_status().late_answers == 1);
}

TEST_CASE("shared_limit: store gone, everybody is decided in time; after some late answers only probes are asked")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100, .nodes = 4});
    f.acquire();
    f.world.run_for(200ms);
    f.store.freeze();
    f.store.questions.clear();
    f.store.asked_at.clear();
    f.ends.clear();
    auto const begin = f.world.now();
    int admitted = 0;
    for (int i = 0; i < 1000; ++i) {
        f.acquire();
        f.world.run_for(1ms);
    }
    f.world.run_for(10ms);
    CHECK(f.ends.size() == 1000);
    for (auto const& e : f.ends) {
        CHECK(e.took <= 5ms);
        admitted += !e.how;
    }
    CHECK(admitted >= 225);  // a quarter of the limit, from an empty bucket
    CHECK(admitted <= 250);
    CHECK(f.store.questions.size() >= 3);
    CHECK(f.store.questions.size() <= 4);  // a store that never answers is not asked for ever
    for (std::size_t i = 3; i < f.store.asked_at.size(); ++i) {
        CHECK(f.store.questions[i].want == 1);
        CHECK(f.store.asked_at[i] - f.store.asked_at[i - 1] >= 50ms);
    }
    CHECK(f.store.asked_at[2] - begin < 40ms);
    CHECK(f.limit.get_status().on_fallback);
    CHECK(f.limit.get_status().admitted_without_store == static_cast<std::uint64_t>(admitted));

    f.store.thaw();  // late answers are a sign of life: asked again at once
    f.world.run_for(2ms);
    f.acquire();
    f.world.run_for(2ms);
    f.acquire();
    f.world.run_for(2ms);
    CHECK_FALSE(f.limit.get_status().on_fallback);
    CHECK(f.limit.get_status().without_store > 900ms);
}

TEST_CASE("shared_limit: store gone, deny and allow do what they say, and errors are told at once")
{
    for (auto const policy : {without_store::deny, without_store::allow}) {
        fixture f({.rate = weir::per_second(1000), .burst = 100, .when_gone = policy});
        f.store.failing = make_error_code(weir::store_errc::unavailable);
        for (int i = 0; i < 100; ++i) {
            f.acquire();
            f.world.run_for(1ms);
        }
        int admitted = 0;
        for (auto const& e : f.ends) {
            CHECK(e.took <= 1ms);
            admitted += !e.how;
        }
        CHECK(admitted == (policy == without_store::allow ? 100 : 0));
        CHECK(f.store.questions.size() <= 5);
        CHECK(f.limit.get_status().store_errors == f.store.questions.size());
    }
}

TEST_CASE("shared_limit: the local bucket starts empty at every outage")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100});
    for (int outage = 0; outage < 3; ++outage) {
        f.world.run_for(1s);
        f.store.failing = {};
        f.acquire();
        f.world.run_for(300ms);
        f.store.failing = make_error_code(weir::store_errc::unavailable);
        f.acquire();
        f.world.run_for(100us);
        auto const before = f.limit.get_status().admitted_without_store;
        f.world.run_for(2ms);
        for (int i = 0; i < 100; ++i) (void)f.now();
        CHECK(f.limit.get_status().admitted_without_store - before <= 3);
    }
}

TEST_CASE("shared_limit: each key has its permits, under a name of its own; above max_keys they are refused")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100, .name = "orders", .max_keys = 2});
    auto a = f.limit.of("a");
    auto b = f.limit.of("b");
    (void)a.try_acquire(1, f.world.now());
    (void)b.try_acquire(1, f.world.now());
    (void)f.limit.try_acquire(1, f.world.now());
    f.world.run_for(2ms);
    REQUIRE(f.store.questions.size() == 3);
    CHECK(f.store.questions[0].key == "orders:a");
    CHECK(f.store.questions[1].key == "orders:b");
    CHECK(f.store.questions[2].key == "orders");
    CHECK(a.try_acquire(1, f.world.now()));

    auto c = f.limit.of("c");
    CHECK_FALSE(c.known());
    CHECK_FALSE(c.try_acquire(1, f.world.now()));
    CHECK(c.admit(f.world.now()).refused().code == errc::too_many_calls);
    std::optional<boost::system::error_code> how;
    c.async_acquire(1, [&](boost::system::error_code ec) { how = ec; });
    f.world.poll();
    CHECK(how == boost::system::error_code(make_error_code(errc::too_many_calls)));
    CHECK(f.limit.get_status().keys_refused == 1);

    b = a;                   // nobody holds b
    f.world.run_for(200ms);  // and it knows nothing any more
    CHECK(f.limit.of("c").known());
    CHECK(f.limit.get_status().keys == 2);
}

TEST_CASE("shared_limit: reconfigured, it keeps what it holds, and asks on the new terms; so it does with more nodes")
{
    fixture f({.rate = weir::per_second(1000), .burst = 100, .lease = 20});
    f.acquire(10);
    f.world.run_for(2ms);
    f.acquire(5);
    f.world.run_for(2ms);
    auto const held = f.limit.held(f.world.now());
    CHECK(held > 0);
    f.limit.reconfigure({.rate = weir::per_second(10), .burst = 40, .lease = 20, .strict = false});
    CHECK(f.limit.held(f.world.now()) == held);
    f.acquire(15);
    f.world.run_for(2ms);
    CHECK(f.store.questions.back().interval == 100ms);
    CHECK(f.store.questions.back().tolerance == 4s);
    f.limit.set_nodes(10);
    CHECK(f.limit.get_options().nodes == 10);
    CHECK_THROWS_AS(f.limit.set_nodes(0), std::invalid_argument);
    CHECK(f.limit.get_options().nodes == 10);
}

TEST_CASE("shared_limit: stopped, it gives back what it holds and ends those who wait")
{
    fixture f;
    f.acquire(4);
    f.world.run_for(2ms);
    f.acquire(4);
    f.world.run_for(2ms);
    auto const held = f.limit.held(f.world.now());
    REQUIRE(held > 0);
    f.acquire(20);
    f.limit.stop();
    f.world.run();
    REQUIRE(f.ends.size() == 3);
    CHECK(f.ends[2].how == boost::system::error_code(make_error_code(errc::stopped)));
    std::uint64_t back = 0;
    for (auto const& r : f.store.returns) back += r.permits;
    CHECK(back == held);
    CHECK_FALSE(f.now());
    f.acquire();
    f.world.run();
    CHECK(f.ends[3].how == boost::system::error_code(make_error_code(errc::stopped)));
}

TEST_CASE("shared_limit: threads that take, wait, give back and reconfigure lose nothing and mint nothing")
{
    asio::thread_pool pool(2);
    weir::memory_store store(pool.get_executor());
    std::atomic<std::uint64_t> admitted{0}, ended{0}, waits{0};
    auto const begin = weir::steady_clock::now();
    {
        shared_limit limit(pool.get_executor(), store,
                           {.rate = weir::per_second(50'000), .burst = 2000, .acquire_timeout = 40ms});
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                auto mine = limit.of("one");
                for (int i = 0; i < 3000; ++i) {
                    if (mine.try_acquire()) ++admitted;
                    if (i % 16 == 0) (void)mine.admit(weir::steady_clock::now());
                    if (i % 64 == 0) {
                        ++waits;
                        mine.async_acquire(1, 1ms, [&](boost::system::error_code ec) {
                            if (!ec) ++admitted;
                            ++ended;
                        });
                    }
                    if (t == 0 && i % 512 == 0) limit.set_nodes(1 + static_cast<std::uint64_t>(i) % 3);
                }
            });
        for (auto& t : threads) t.join();
        limit.stop();
    }
    pool.join();
    CHECK(ended == waits);
    auto const t = std::chrono::duration<double>(weir::steady_clock::now() - begin).count();
    CHECK(static_cast<double>(admitted) <= 2000 + 50'000 * t + 1);
}
