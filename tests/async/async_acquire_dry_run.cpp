// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_acquire_dry_run.hpp>

#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_executor.hpp>

#include <optional>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

struct world : weir::testing::virtual_time {
    weir::time_point const begin = now();

    /// When each of `n` who wait for a permit has it, or -1 ms where it is refused.
    template <class Limiter>
    std::vector<weir::duration> served(Limiter& limiter, int n, weir::duration max_wait)
    {
        std::vector<weir::duration> all;
        auto const asked = now();
        for (int i = 0; i < n; ++i)
            weir::async_acquire(get_executor(), limiter, 1, max_wait,
                                [&, asked](error_code ec) { all.push_back(ec ? -1ms : now() - asked); });
        run();
        return all;
    }
};

using times = std::vector<weir::duration>;

}  // namespace

TEST_CASE("async_acquire: of a rate limiter on trial nobody waits and nobody is refused; enforced, it is as without")
{
    world w;
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    weir::dry_run trial{bucket};
    CHECK(w.served(trial, 4, 250ms) == times{0ms, 0ms, 0ms, 0ms});
    CHECK(trial.would_have_delayed() == 2);
    CHECK(trial.would_have_refused() == 1);  // the fourth
    w.run_for(1s);
    trial.reconfigure({.enforce = 1});
    CHECK(w.served(trial, 4, 250ms) == times{0ms, -1ms, 100ms, 200ms});
}

TEST_CASE("async_acquire: of a rate limiter on trial a share waits, by one draw each")
{
    int waited = 0;
    for (int i = 0; i < 2000; ++i) {
        world w;
        weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
        CHECK(bucket.try_acquire(1, w.now()));
        weir::dry_run trial{bucket, {.enforce = 0.5}};
        waited += w.served(trial, 1, 1s) == times{100ms};
    }
    CHECK(waited > 850);
    CHECK(waited < 1150);
}

TEST_CASE("async_acquire: of slots on trial nobody waits, but gets an empty one; where the refusal stands he waits")
{
    world w;
    weir::concurrency_limit limit{{.limit = 1, .max_queue = 5}};
    weir::dry_run trial{limit};
    weir::concurrency_slot first, second, third;
    int ended = 0;
    auto const into = [&](weir::concurrency_slot& to) {
        return [&](error_code ec, weir::concurrency_slot s) {
            CHECK_FALSE(ec);
            to = std::move(s);
            ++ended;
        };
    };
    weir::async_acquire(w.get_executor(), trial, 500ms, into(first));
    weir::async_acquire(trial, 500ms, asio::bind_executor(w.get_executor(), into(second)));
    w.poll();
    CHECK(ended == 2);
    CHECK(first);
    CHECK_FALSE(second);
    CHECK(trial.would_have_refused() == 1);
    trial.reconfigure({.enforce = 1});
    weir::async_acquire(w.get_executor(), trial, 500ms, into(third));
    w.run_for(100ms);
    CHECK(ended == 2);
    first = {};
    w.poll();
    CHECK(ended == 3);
    CHECK(third);
}

TEST_CASE("async_acquire: of a shedding queue on trial, too, nobody waits or is shed, and enforced he does")
{
    world w;
    using queue = weir::shedding_queue<>;
    queue q{[] {
        queue::options o;
        o.concurrency.limit = 1;
        return o;
    }()};
    weir::dry_run trial{q};
    auto const held = q.admit(w.now());
    std::optional<error_code> ec;
    auto const ask = [&](weir::shedding_ticket t) {
        ec.reset();
        weir::async_acquire(w.get_executor(), trial, t, [&](error_code e, queue::token const& s) {
            ec = e;
            CHECK_FALSE(s);
        });
        w.poll();
    };
    ask({.deadline = w.begin + 1s});
    CHECK(ec == error_code());
    ask({.deadline = w.begin});  // no time is left
    CHECK(ec == error_code());
    CHECK(trial.would_have_refused() == 2);
    trial.reconfigure({.enforce = 1});
    ask({.deadline = w.begin + 1s});
    CHECK_FALSE(ec);
    w.run_for(1s);
    CHECK(ec == weir::errc::no_time_left);
}
