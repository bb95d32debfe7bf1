// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "performance.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace shop {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

clock::duration seconds(double s)
{
    return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(s));
}

// The end of a coroutine on its own: what it throws ends the program's run().
void raise(std::exception_ptr e)
{
    if (e) std::rethrow_exception(e);
}

}  // namespace

performance::performance(asio::any_io_executor executor, arm which, options const& o, story const& s,
                         std::uint16_t front, relay& cable, registry_address registry, screen& view)
    : executor_(executor), story_(s), cable_(cable), view_(view),
      house_(executor, which, o.seed, front, cable, std::move(registry)),
      customers_(executor, front, arrivals(s, o.seed))
{
    record_.which = which;
    record_.length = s.length();
}

asio::awaitable<record> performance::play()
{
    co_await house_.open();
    start_ = clock::now() + 50ms;
    auto const shopping = [this]() -> asio::awaitable<void> {
        co_await customers_.come(start_);
        all_gone_ = true;
    };
    co_spawn(executor_, shopping(), raise);
    co_spawn(executor_, listen(), raise);
    co_spawn(executor_, watch(), raise);
    for (auto const& a : story_.acts) co_await perform(a);
    while (!all_gone_ || watching_ || listening_) co_await at(now() + 0.02);
    co_await collect_tries();
    co_await house_.close();
    record_.orders = customers_.orders();
    co_return std::move(record_);
}

asio::awaitable<void> performance::perform(act const& a)
{
    co_await at(a.begin);
    event(std::string(a.name) + ": " + std::string(a.says));
    co_await inflict(a);
    if (a.end <= a.until) co_return;
    // Left alone, a shop gets well or it does not. One that did not is restarted, so that the next act is not judged
    // by the wounds of this one. The same rule holds for both arms.
    co_await at(std::max(a.until + 0.75, a.end - 1.0));
    if (!sick_since(a.until)) co_return;
    event("still not well: the operator restarts everything");
    record_.restarts.push_back(now());
    co_await collect_tries();
    co_await house_.restart();
}

// What the act does to the shop; returns when the fault is over.
asio::awaitable<void> performance::inflict(act const& a)
{
    switch (a.what) {
        case fault::none:
        case fault::spike:  // the customers do it
            co_await at(a.until);
            break;
        case fault::kill:
            house_.kill(1);
            event(house_.name(1) + " killed with SIGKILL");
            co_await at(a.until);
            co_await house_.start(1);
            event(house_.name(1) + " started again at another port");
            break;
        case fault::slow:
            co_await house_.slow(2, true);
            event(house_.name(2) + " is slow");
            co_await at(a.until);
            co_await house_.slow(2, false);
            event(house_.name(2) + " is well again");
            break;
        case fault::outage:
            for (int i = 0; i < instances; ++i) house_.kill(i);
            event("all instances killed with SIGKILL");
            co_await at(a.until);
            for (int i = 0; i < instances; ++i) co_await house_.start(i);
            event("all instances started again at other ports");
            break;
        case fault::registry:
            cable_.cut();
            event("the registry cannot be reached");
            co_await at(a.begin + (a.until - a.begin) / 3);
            house_.kill(0);
            co_await house_.start(0);
            event(house_.name(0) + " moved to another port, and cannot tell anyone");
            co_await at(a.until);
            cable_.mend();
            event("the registry is back");
            break;
    }
}

// More than one in ten of those who came lately, but after `begin`, still waits or was sent away with an error.
bool performance::sick_since(double begin) const
{
    auto const& all = customers_.orders();
    double const t = now();
    std::size_t came = 0, badly = 0;
    for (auto i = customers_.come_so_far(); i-- > 0 && all[i].at > std::max(begin, t - 0.8);) {
        if (all[i].at > t - 0.35) continue;
        bool const waits = all[i].latency == 0;
        ++came;
        if (waits || all[i].how == ending::failed || all[i].how == ending::left) ++badly;
    }
    return badly * 10 > came;
}

// Asks the order service how it does. One that is overwhelmed takes long to answer.
asio::awaitable<void> performance::listen()
{
    for (double t = 0.2; t <= story_.length(); t = std::max(t + 0.25, now())) {
        co_await at(t);
        latest_ = co_await house_.look(2s);
    }
    listening_ = false;
}

// Four times a second: draws the live table, and remembers what it shows for the report.
asio::awaitable<void> performance::watch()
{
    for (double t = 0.25; t <= story_.length(); t += 0.25) {
        co_await at(t);
        auto g = latest_;
        g.at = t;
        if (!g.breaker.empty() && !record_.gauges.empty()) {
            auto const& before = record_.gauges.back();
            if (!before.breaker.empty() && before.breaker != g.breaker)
                event("breaker " + before.breaker + " -> " + g.breaker);
            if (before.limiter > 0.1 && g.limiter < 0.02) event("limiter: no permits left, refusing");
        }
        view_.draw(picture(g));
        record_.gauges.push_back(std::move(g));
    }
    watching_ = false;
}

frame performance::picture(gauge const& g) const
{
    frame f{.which = record_.which, .at = std::min(now(), story_.length()), .state = g};
    auto const& all = customers_.orders();
    double const t = now();
    std::vector<double> latencies;
    for (auto i = customers_.come_so_far(); i-- > 0 && all[i].at > t - 1 - patience - 0.5;) {
        auto const& o = all[i];
        if (o.at > t - 1) ++f.come;
        if (o.latency == 0) { ++f.waiting; continue; }
        if (o.at + o.latency < t - 1) continue;
        if (o.how == ending::ok) ++f.served;
        else if (o.how == ending::refused) ++f.refused;
        else ++f.failed;
        if (o.how == ending::ok || o.how == ending::left) latencies.push_back(o.latency * 1000);
    }
    f.p50_ms = quantile(latencies, 0.5);
    f.p99_ms = quantile(std::move(latencies), 0.99);
    auto const& past = record_.gauges;
    if (past.size() >= 4 && past[past.size() - 4].tries <= g.tries)
        f.tries = static_cast<double>(g.tries - past[past.size() - 4].tries);
    for (auto const& i : g.instances) f.addresses.push_back(house_.address_of(i.id));
    return f;
}

asio::awaitable<void> performance::collect_tries()
{
    co_await house_.look(300ms);
    auto const& digits = house_.tries();
    auto& all = customers_.orders();
    for (std::size_t i = 0; i < std::min(digits.size(), all.size()); ++i) all[i].tries += digits[i] - '0';
}

asio::awaitable<void> performance::at(double t)
{
    asio::steady_timer timer{executor_, start_ + seconds(t)};
    co_await timer.async_wait(asio::use_awaitable);
}

double performance::now() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

void performance::event(std::string const& text) { view_.event(record_.which, std::max(0.0, now()), text); }

}  // namespace shop
