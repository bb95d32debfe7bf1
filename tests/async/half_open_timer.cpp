// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/half_open_timer.hpp>
#include <weir/breaker/circuit_breaker.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::circuit_state;

namespace {

struct world : weir::testing::virtual_time {
    weir::circuit_breaker breaker{{.minimum_calls = 1, .open_for = 5s, .open_jitter = 0, .half_open_probes = 1}};
    std::optional<weir::half_open_timer<>> in_time;
    struct change {
        circuit_state to;
        weir::time_point at;
    };
    std::vector<change> heard;

    world()
    {
        breaker.on_transition([this](weir::circuit_transition const& t) { heard.push_back({t.to, now()}); });
        in_time.emplace(get_executor(), breaker);
    }
    void call(weir::outcome const& o)
    {
        auto leave = breaker.admit(now());
        REQUIRE(leave);
        leave->record(o, now());
    }
};

}  // namespace

TEST_CASE("half_open_timer: an open breaker is half open when its time is over, without a call")
{
    world w;
    auto const begin = w.now();
    w.run();
    CHECK(w.heard.empty());  // nothing is due, and nothing waits
    w.call(weir::outcome::failure());
    w.run();
    REQUIRE(w.heard.size() == 2);
    CHECK(w.heard[0].to == circuit_state::open);
    CHECK(w.heard[1].to == circuit_state::half_open);
    CHECK(w.heard[1].at == begin + 5s);

    w.call(weir::outcome::failure());  // the probe: open again, and half open again
    w.run();
    REQUIRE(w.heard.size() == 4);
    CHECK(w.heard[3].to == circuit_state::half_open);
    w.call(weir::outcome::success());
    w.run();
    CHECK(w.heard.back().to == circuit_state::closed);
    CHECK(w.waiting() == 0);
}

TEST_CASE("half_open_timer: made when the breaker is already open, and when its time is long over")
{
    world w;
    w.in_time.reset();
    auto const begin = w.now();
    w.call(weir::outcome::failure());
    w.in_time.emplace(w.get_executor(), w.breaker);
    w.run();
    CHECK(w.heard.back().to == circuit_state::half_open);
    CHECK(w.now() == begin + 5s);

    w.in_time.reset();
    w.call(weir::outcome::failure());
    w.run_for(1h);
    CHECK(w.heard.back().to == circuit_state::open);
    w.in_time.emplace(w.get_executor(), w.breaker);
    w.run();
    CHECK(w.heard.back().to == circuit_state::half_open);
    CHECK(w.now() == begin + 5s + 1h);
}

TEST_CASE("half_open_timer: closed by hand, the wait ends; opened anew, the new time holds")
{
    world w;
    auto const begin = w.now();
    w.call(weir::outcome::failure());
    w.run_for(2s);
    CHECK(w.waiting() == 1);
    w.breaker.reset(w.now());
    w.poll();
    CHECK(w.waiting() == 0);
    w.breaker.open(w.now());
    w.run();
    CHECK(w.heard.back().to == circuit_state::half_open);
    CHECK(w.heard.back().at == begin + 7s);
    w.breaker.force_open(w.now());
    w.run();
    CHECK(w.heard.back().to == circuit_state::forced_open);
}

TEST_CASE("half_open_timer: the end of a ramp comes in time as well")
{
    weir::testing::virtual_time w;
    weir::circuit_breaker breaker({.minimum_calls = 1, .half_open_probes = 1, .ramp_for = 10s});
    weir::half_open_timer in_time(w.get_executor(), breaker);
    auto const call = [&](weir::outcome const& o) { breaker.admit(w.now())->record(o, w.now()); };
    call(weir::outcome::failure());
    w.run();
    call(weir::outcome::success());
    CHECK(breaker.share(w.now()) < 1);
    auto const closed = w.now();
    w.run();
    CHECK(w.now() == closed + 10s);
    CHECK(breaker.next_transition() == weir::never);
}

TEST_CASE("half_open_timer: destroyed at any step, nothing happens after it and nothing is left")
{
    for (std::size_t at = 0;; ++at) {
        CAPTURE(at);
        world w;
        w.call(weir::outcome::failure());
        bool more = true;
        while (more && w.steps() < at) more = w.step();
        auto const heard = w.heard.size();
        w.in_time.reset();
        w.run();
        CHECK(w.heard.size() == heard);
        CHECK(w.waiting() == 0);
        if (!more) break;
    }
}

TEST_CASE("half_open_timer: the breaker outlives timer and context, and is told on")
{
    weir::circuit_breaker breaker({.minimum_calls = 1});
    weir::time_point now{};
    {
        weir::testing::virtual_time w;
        weir::half_open_timer in_time(w.get_executor(), breaker);
        now = w.now();
        breaker.open(now);
        w.step();
    }
    breaker.reset(now);
    breaker.open(now);
    CHECK(breaker.state(now) == circuit_state::open);
}

TEST_CASE("half_open_timer: transitions from many threads while it comes and goes")
{
    weir::circuit_breaker breaker({.minimum_calls = 1});
    weir::time_point const t0{1h};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 300; ++i) {
                    breaker.open(t0);
                    breaker.reset(t0);
                }
            });
        for (int i = 0; i < 100; ++i) {
            weir::testing::virtual_time w(t0);
            weir::half_open_timer in_time(w.get_executor(), breaker);
            for (int k = 0; k < 20; ++k) w.step(t0);
        }
    }
    CHECK(breaker.state(t0) == circuit_state::closed);
}
