// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A shared limit on a real etcd, which it starts and kills. WEIR_ETCD names the
// program, or it is on the PATH (Debian's etcd-server); without it all is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <weir/async/timer.hpp>
#include <weir/shared/etcd_store.hpp>
#include <weir/shared/shared_limit.hpp>

#include <support/etcd_process.hpp>
#include <support/real_server.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using boost::system::error_code;
using weir::etcd_store;
using weir::permit_grant;
using weir::permit_request;
using weir::shared_limit;
namespace asio = boost::asio;

namespace {

struct fixture {
    weir::testing::etcd_process server;
    asio::io_context io{1};
    std::unique_ptr<etcd_store> store = std::make_unique<etcd_store>(io.get_executor(), options());

    fixture()
    {
        server.start();
        up();
    }
    ~fixture()
    {
        store.reset();
        io.restart();
        io.run_for(20ms);
    }

    [[nodiscard]] weir::etcd_store_options options() const
    {
        weir::etcd_store_options o;
        o.cluster.url = server.url();
        return o;
    }

    template <class So>
    bool until(So so, weir::duration limit = 20s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(10ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    void up()
    {
        auto const well = [&] {
            (void)ask(*store, {.key = "up", .interval = 1us, .tolerance = 1ms, .hold = 50ms});
            return !how;
        };
        REQUIRE_MESSAGE(until(well, 60s), "etcd does not start");
    }

    error_code how;
    permit_grant ask(etcd_store& of, permit_request const& r)
    {
        std::optional<permit_grant> got;
        of.async_acquire(r, [&](error_code ec, permit_grant g) {
            how = ec;
            got = g;
        });
        REQUIRE(until([&] { return got.has_value(); }));
        return *got;
    }
    void give_back(weir::permit_return const& r)
    {
        bool done = false;
        store->async_give_back(r, [&](error_code ec) {
            how = ec;
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
};

// A process of a service: its own connections, and callers who ask at a steady pace.
struct node {
    node(fixture& f, weir::shared_limit_options const& o, double per_second)
        : store(f.io.get_executor(), f.options()),
          limit(f.io.get_executor(), store, o),
          timer(f.io.get_executor()),
          pace(per_second)
    {
    }

    etcd_store store;
    shared_limit<etcd_store> limit;
    weir::timer timer;
    double pace;
    std::shared_ptr<int> life = std::make_shared<int>();  // what has ended already may be told when this is gone
    std::uint64_t asked = 0, admitted = 0;
    std::vector<weir::time_point>* when = nullptr;

    void run(weir::time_point from)
    {
        auto const due = static_cast<std::uint64_t>(std::chrono::duration<double>(timer.now() - from).count() * pace);
        for (; asked < due; ++asked)
            limit.async_acquire(1, [this, alive = std::weak_ptr(life)](error_code ec) {
                if (ec || alive.expired()) return;
                ++admitted;
                if (when) when->push_back(timer.now());
            });
        timer.async_wait_for(1ms, [this, from, alive = std::weak_ptr(life)](error_code ec) {
            if (!ec && !alive.expired()) run(from);
        });
    }
};

// The most, over all intervals, of admitted - rate * t.
double most_over(std::vector<weir::time_point> const& all, double rate)
{
    double lowest = 0, most = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto const t = std::chrono::duration<double>(all[i] - all[0]).count() * rate;
        lowest = std::min(lowest, static_cast<double>(i) - t);
        most = std::max(most, static_cast<double>(i + 1) - t - lowest);
    }
    return most;
}

weir::shared_limit_options terms()
{
    return {.rate = weir::per_second(2000),
            .burst = 200,
            .nodes = 2,
            .name = "calls",
            .hold = 100ms,
            .acquire_timeout = 30ms};
}

weir::testing::needs_server const needs("real etcd limit:*",
                                        "there is no etcd: name the program in WEIR_ETCD, or install etcd-server",
                                        [] { return !weir::testing::etcd_process::program().empty(); });

}  // namespace

TEST_CASE("real etcd limit: what is given back can be granted again; others, and those who come later, see the debt")
{
    fixture f;
    permit_request const all{.key = "k", .interval = 1s, .tolerance = 10s, .want = 10, .least = 10, .hold = 50ms};
    auto const g = f.ask(*f.store, all);
    CHECK(g.permits == 10);
    auto const no = f.ask(*f.store, all);
    CHECK(no.permits == 0);
    CHECK(no.retry_after > 5s);
    etcd_store other(f.io.get_executor(), f.options());
    CHECK(f.ask(other, all).permits == 0);
    CHECK_FALSE(f.how);
    f.give_back({.key = "k", .interval = 1s, .permits = 8, .stamp = g.stamp});
    CHECK_FALSE(f.how);
    auto some = all;
    some.least = some.want = 8;
    CHECK(f.ask(other, some).permits == 8);
    CHECK(f.ask(*f.store, some).permits == 0);
}

TEST_CASE("real etcd limit: twenty at once on one key, over four connections' worth of stores: every permit once")
{
    fixture f;
    std::vector<std::unique_ptr<etcd_store>> stores;
    for (int i = 0; i < 4; ++i) stores.push_back(std::make_unique<etcd_store>(f.io.get_executor(), f.options()));
    permit_request const one{.key = "race", .interval = 60s, .tolerance = 600s, .want = 1, .hold = 50ms};
    std::uint64_t granted = 0;
    int ended = 0, failed = 0;
    for (int round = 0; round < 5; ++round) {
        for (auto& s : stores)
            s->async_acquire(one, [&](error_code ec, permit_grant g) {
                ++ended;
                failed += ec ? 1 : 0;
                granted += g.permits;
            });
        REQUIRE(f.until([&] { return ended == 4 * (round + 1); }));
    }
    CHECK(failed == 0);
    CHECK(granted == 10);
}

TEST_CASE("real etcd limit: two processes at three times the limit stay within the bound")
{
    fixture f;
    std::vector<weir::time_point> when;
    node a(f, terms(), 4000), b(f, terms(), 2000);
    a.when = b.when = &when;
    auto const begin = a.timer.now();
    a.run(begin);
    b.run(begin);
    f.io.restart();
    f.io.run_for(2s);
    auto const seconds = std::chrono::duration<double>(a.timer.now() - begin).count();
    auto const status = a.limit.get_status();
    MESSAGE("admitted " << when.size() << " in " << seconds << " s, over rate * t by " << most_over(when, 2000)
                        << ", questions " << status.questions << " and " << b.limit.get_status().questions << ", late "
                        << status.late_answers);
    // A question's way, and those who are told late by a busy machine though admitted in time: 20 ms' worth each.
    CHECK(most_over(when, 2000) <= 200 + static_cast<double>(terms().excess()) + 80 + (status.late_answers ? 400 : 0));
    CHECK(static_cast<double>(when.size()) >= 0.7 * 2000 * seconds);
    CHECK(a.admitted > when.size() / 10);
    CHECK(b.admitted > when.size() / 10);
}

TEST_CASE("real etcd limit: killed and started again: the share of each decides meanwhile, and it is back by itself")
{
    fixture f;
    node a(f, terms(), 3000), b(f, terms(), 3000);
    auto const begin = a.timer.now();
    a.run(begin);
    b.run(begin);
    auto const admitted_in = [&](weir::duration span) {
        auto const before = a.admitted + b.admitted;
        auto const from = a.timer.now();
        f.io.restart();
        f.io.run_for(span);
        auto const took = std::chrono::duration<double>(a.timer.now() - from).count();
        return static_cast<double>(a.admitted + b.admitted - before) / took / 2000;
    };
    (void)admitted_in(500ms);
    // A debt that is there before must be there after.
    permit_request const slow{.key = "slow", .interval = 100s, .tolerance = 100s, .want = 1, .hold = 50ms};
    CHECK(f.ask(*f.store, slow).permits == 1);

    f.server.stop(SIGKILL);
    CHECK(f.until([&] { return a.limit.get_status().on_fallback && b.limit.get_status().on_fallback; }));
    (void)admitted_in(200ms);
    auto const dead = admitted_in(500ms);
    CHECK(dead > 0.85);
    CHECK(dead < 1.15);
    f.server.start();
    CHECK(f.until([&] { return !a.limit.get_status().on_fallback && !b.limit.get_status().on_fallback; }, 60s));
    auto const again = admitted_in(500ms);
    MESSAGE("dead: " << dead << " of the limit, again: " << again);
    CHECK(again > 0.6);
    CHECK(f.ask(*f.store, slow).permits == 0);
    CHECK_FALSE(f.how);
}
