// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/keeper.hpp>

#include <weir/registry/detail/answer.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/compose.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::registration;
using weir::registry::reply;
namespace asio = boost::asio;

namespace {

// A registry that knows one instance or not, and answers as it is told.
struct fake {
    struct state {
        explicit state(asio::any_io_executor e) : clock(e) {}
        weir::timer clock;
        bool known = false;
        boost::system::error_code broken;
        bool silent = false;
        bool amnesic = false;  // forgets whoever registers
        health told = health::critical;
        std::map<std::string, std::string> meta;
        std::vector<weir::time_point> puts, beats, removes;
        int asking = 0, most_asking = 0;
        weir::duration wish{};  // not to be asked for so long
    };
    std::shared_ptr<state> s;

    template <class Act, class Token>
    auto answer(Act act, Token&& token)
    {
        return asio::async_compose<Token, void(boost::system::error_code, reply)>(
            [st = s, act, started = false](auto& self, boost::system::error_code ec = {}) mutable {
                auto const keep = st;
                if (!std::exchange(started, true)) {
                    st->most_asking = std::max(st->most_asking, ++st->asking);
                    return keep->clock.async_wait_until(keep->silent ? weir::never : keep->clock.now() + 1ms,
                                                        std::move(self));
                }
                --st->asking;
                if (!ec) ec = st->broken;
                self.complete(ec, ec ? reply{true, "broken"} : act(*st));
            },
            token, s->clock);
    }
    [[nodiscard]] weir::duration retry_after() const { return s->wish; }
    template <class Token>
    auto async_put(registration const& r, Token&& token)
    {
        s->puts.push_back(s->clock.now());
        return answer(
            [meta = r.meta](state& st) {
                st.meta = meta;
                return st.known = !st.amnesic, reply{};
            },
            std::forward<Token>(token));
    }
    template <class Token>
    auto async_beat(registration const&, health h, Token&& token)
    {
        s->beats.push_back(s->clock.now());
        return answer(
            [h](state& st) {
                return st.told = h, reply{st.known, st.known ? "" : "who?"};
            },
            std::forward<Token>(token));
    }
    template <class Token>
    auto async_remove(registration const&, Token&& token)
    {
        s->removes.push_back(s->clock.now());
        return answer([](state& st) { return st.known = false, reply{}; }, std::forward<Token>(token));
    }
};

registration web() { return {.service = "web", .address = "10.0.0.1", .port = 80}; }

struct scene {
    weir::testing::virtual_time world;
    fake registry{std::make_shared<fake::state>(world.get_executor())};
    lease held;
    std::string events;  // one letter each
    std::vector<lease_event> all;
    boost::system::error_code ended;

    void start()
    {
        held = weir::registry::keep(world.get_executor(), registry, web(), {}, weir::random_engine{3});
        listen();
    }
    void listen()
    {
        held.async_wait_event([this](boost::system::error_code ec, lease_event e) {
            ended = ec;
            if (ec) return;
            events += std::string("GLRXU")[static_cast<std::size_t>(e.what)];
            all.push_back(e);
            listen();
        });
    }
};

}  // namespace

TEST_CASE("keeper: registers, passes at once, then beats at a third of the TTL with ten percent of jitter")
{
    scene s;
    s.start();
    s.world.run_for(10min);
    CHECK(s.events == "G");
    CHECK(s.registry.s->puts.size() == 1);
    auto const& beats = s.registry.s->beats;
    REQUIRE(beats.size() > 100);
    CHECK(beats[0] - s.registry.s->puts[0] < 10ms);
    weir::duration least = 1h, most{};
    for (std::size_t i = 1; i < beats.size(); ++i) {
        least = std::min(least, beats[i] - beats[i - 1]);
        most = std::max(most, beats[i] - beats[i - 1]);
    }
    CHECK(least >= 4500ms);
    CHECK(most <= 5501ms);
    CHECK(most - least > 500ms);
    CHECK(s.held.registered());
    CHECK(s.registry.s->told == health::passing);
}

TEST_CASE("keeper: forgotten by the registry, it registers again at once")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    s.registry.s->known = false;
    s.world.run_for(6s);
    CHECK(s.events == "GLR");
    CHECK(s.all[1].note == "who?");
    CHECK(s.registry.s->known);
    CHECK(s.registry.s->puts.back() - *(s.registry.s->beats.end() - 2) < 10ms);
}

TEST_CASE("keeper: a registry that forgets at every heartbeat is met with backoff")
{
    scene s;
    s.registry.s->amnesic = true;
    s.start();
    s.world.run_for(10min);
    CHECK(s.registry.s->puts.size() > 100);  // 5 s apart at most
    CHECK(s.registry.s->puts.size() < 400);
}

TEST_CASE("keeper: other failures are retried within the TTL, and after it the instance is registered again")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    s.registry.s->broken = asio::error::connection_refused;
    s.world.run_for(10s);
    CHECK(s.events == "G");
    CHECK(s.registry.s->puts.size() == 1);
    s.registry.s->broken = {};
    s.world.run_for(6s);
    CHECK(s.events == "G");  // nobody noticed

    s.registry.s->broken = asio::error::connection_refused;
    s.world.run_for(1min);
    CHECK(s.events == "GL");
    CHECK_FALSE(s.held.registered());
    auto const tries = s.registry.s->puts.size();
    s.registry.s->broken = {};
    s.world.run_for(6s);
    CHECK(s.events == "GLR");
    CHECK(s.registry.s->puts.size() == tries + 1);
}

TEST_CASE("keeper: a registry that is not there at the start is waited for")
{
    scene s;
    s.registry.s->broken = asio::error::connection_refused;
    s.start();
    s.world.run_for(1h);
    CHECK(s.events == "");
    s.registry.s->broken = {};
    s.world.run_for(6s);
    CHECK(s.events == "G");
}

TEST_CASE("keeper: a registry that asks for quiet is not asked to register before; heartbeats wait a third of the TTL")
{
    scene s;
    s.registry.s->broken = weir::errc::registry_unavailable;
    s.registry.s->wish = 20s;
    s.start();
    s.world.run_for(10min);
    auto const& puts = s.registry.s->puts;
    REQUIRE(puts.size() > 20);
    for (std::size_t i = 1; i < puts.size(); ++i) {
        CHECK(puts[i] - puts[i - 1] >= 20s);
        CHECK(puts[i] - puts[i - 1] <= 22s + 2ms);
    }

    s.registry.s->broken = {};
    s.world.run_for(23s);
    CHECK(s.events == "G");
    s.world.run_for(1min);
    s.registry.s->broken = weir::errc::registry_unavailable;
    auto const before = s.registry.s->beats.size();
    s.world.run_for(13s);
    auto const& beats = s.registry.s->beats;
    REQUIRE(beats.size() > before + 1);
    for (std::size_t i = before + 1; i < beats.size(); ++i) {
        CHECK(beats[i] - beats[i - 1] >= 5s);  // without the wish it would be the backoff
        CHECK(beats[i] - beats[i - 1] <= 5s + 2ms);
    }
    s.registry.s->broken = {};
    s.world.run_for(6s);
    CHECK(s.held.registered());
    CHECK(s.events == "G");

    // What the user changes is told at once, and then there is quiet again.
    s.registry.s->broken = weir::errc::registry_unavailable;
    auto const told = puts.size();
    s.held.update([] {
        auto r = web();
        r.meta = {{"zone", "south"}};
        return r;
    }());
    s.world.run_for(10ms);
    CHECK(puts.size() == told + 1);
    CHECK(beats.back() < puts.back());
}

TEST_CASE("keeper: no answer asks for more quiet than max_retry_after and a tenth; 0 heeds none")
{
    for (auto const& [most, least_tries] : {std::pair<weir::duration, std::size_t>{1min, 54}, {0s, 700}}) {
        scene s;
        s.registry.s->broken = weir::errc::registry_unavailable;
        s.registry.s->wish = 24h;
        s.held = weir::registry::keep(s.world.get_executor(), s.registry, web(), {.max_retry_after = most},
                                      weir::random_engine{3});
        s.world.run_for(1h);
        CHECK(s.registry.s->puts.size() >= least_tries);
        if (most > 0s) CHECK(s.registry.s->puts.size() <= 61);
    }
}

TEST_CASE("keeper: a refusal is told once, and tried again at most every 30 s")
{
    scene s;
    s.registry.s->broken = weir::errc::registry_refused;
    s.start();
    s.world.run_for(1h);
    CHECK(s.events == "X");
    CHECK(s.all[0].code == weir::errc::registry_refused);
    CHECK(s.all[0].note == "broken");
    CHECK(s.registry.s->puts.size() >= 120);
    CHECK(s.registry.s->puts.size() < 1200);
    s.registry.s->broken = {};
    s.world.run_for(31s);
    CHECK(s.events == "XG");
}

TEST_CASE("keeper: a silent registry is given up after the time limit, one question at a time")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    s.registry.s->silent = true;
    s.world.run_for(1min);
    CHECK(s.events == "GL");
    CHECK(s.all[1].note.find("no answer within") == 0);
    s.registry.s->silent = false;
    s.world.run_for(11s);
    CHECK(s.events == "GLR");
    CHECK(s.registry.s->most_asking == 1);
}

TEST_CASE("keeper: a change of state is told at once")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    s.held.set_state(health::critical);
    s.world.run_for(10ms);
    CHECK(s.registry.s->told == health::critical);
    s.world.run_for(1min);
    CHECK(s.registry.s->told == health::critical);  // later heartbeats say the same

    // Also while the registry is away: without a tight loop, and true afterwards.
    s.registry.s->broken = asio::error::connection_refused;
    s.world.run_for(1min);
    auto const tries = s.registry.s->puts.size();
    s.held.set_state(health::passing);
    s.world.run_for(1s);
    CHECK(s.registry.s->puts.size() <= tries + 3);
    s.registry.s->broken = {};
    s.world.run_for(6s);
    CHECK(s.registry.s->told == health::passing);
}

TEST_CASE("keeper: deregistering ends the heartbeats, completes, and gives up on a silent registry after two seconds")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    boost::system::error_code gone = weir::errc::registry_refused;
    s.held.async_deregister([&](boost::system::error_code ec) { gone = ec; });
    s.world.run_for(10ms);
    CHECK_FALSE(gone);
    CHECK_FALSE(s.registry.s->known);
    CHECK(s.ended == weir::errc::stopped);
    auto const beats = s.registry.s->beats.size();
    s.world.run();
    CHECK(s.registry.s->beats.size() == beats);

    scene t;
    t.start();
    t.world.run_for(1min);
    t.registry.s->silent = true;
    t.world.run_for(5s);  // a heartbeat is under way, and is cut off
    auto const began = t.world.now();
    t.held.async_deregister([&](boost::system::error_code ec) { gone = ec; });
    t.world.run();
    CHECK(gone == weir::errc::registry_unavailable);
    CHECK(t.world.now() - began < 2100ms);
}

TEST_CASE(
    "keeper: deregistering goes on when the lease is destroyed at any step of it, and its handler is told the truth")
{
    bool under_way = false;
    for (std::size_t at = 0; at < 12; ++at) {
        scene s;
        s.start();
        s.world.run_for(1min);
        boost::system::error_code gone = weir::errc::registry_refused;
        s.held.async_deregister([&](boost::system::error_code ec) { gone = ec; });
        for (auto const last = s.world.steps() + at; s.world.steps() < last && s.world.step();) {}
        under_way |= s.registry.s->removes.size() == 1 && s.registry.s->known;
        s.held = lease();
        s.world.run();
        CHECK_FALSE(gone);
        CHECK_FALSE(s.registry.s->known);
    }
    CHECK(under_way);
}

TEST_CASE("keeper: destroying the lease stops the heartbeats at any step and deregisters nothing")
{
    std::size_t steps = 1;
    for (std::size_t at = 0; at <= steps; ++at) {
        scene s;
        s.start();
        auto const end = s.world.now() + 12s;
        while (s.world.step(end) && s.world.steps() < at) {}
        if (at == 0) {
            s.world.run_until(end);
            steps = s.world.steps();
        }
        s.held = lease();
        s.world.run();  // ends: nothing beats on
        CHECK(s.registry.s->asking == 0);
        CHECK(s.registry.s->removes.empty());
        CHECK(s.ended == asio::error::operation_aborted);
    }
    CHECK(steps > 10);
}

TEST_CASE("keeper: async_keep completes when the registry has it; refused, it hands over a lease that goes on trying")
{
    scene s;
    boost::system::error_code ec = weir::errc::stopped;
    auto const take = [&](boost::system::error_code e, lease l) {
        ec = e;
        s.held = std::move(l);
    };
    weir::registry::async_keep(s.world.get_executor(), s.registry, web(), {}, take);
    CHECK(ec == weir::errc::stopped);  // never inside the initiating function
    s.world.run_for(10ms);
    CHECK_FALSE(ec);
    CHECK(s.held.registered());
    CHECK(s.held.what().id == "web-10.0.0.1-80");
    s.held = lease();
    s.world.run();

    s.registry.s->broken = weir::errc::registry_refused;
    weir::registry::async_keep(s.world.get_executor(), s.registry, web(), {}, take);
    s.world.run_for(10ms);
    CHECK(ec == weir::errc::registry_refused);
    s.registry.s->broken = {};
    s.world.run_for(1min);
    CHECK(s.held.registered());
}

TEST_CASE("keeper: a cancelled async_keep leaves no lease behind, whenever it is cancelled")
{
    for (std::size_t at = 0; at < 12; ++at) {
        scene s;
        asio::cancellation_signal stop;
        bool done = false;
        boost::system::error_code ec;
        weir::registry::async_keep(s.world.get_executor(), s.registry, web(), {},
                                   asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code e, lease l) {
                                       done = true;
                                       ec = e;
                                       CHECK(bool(l) == !e);
                                   }));
        while (s.world.steps() < at && !done && s.world.step()) {}
        if (!done) stop.emit(asio::cancellation_type::total);
        s.world.run();
        CHECK(done);
        CHECK(s.registry.s->asking == 0);
    }
}

TEST_CASE("keeper: a context that goes down with a lease alive leaks nothing")
{
    auto world = std::make_unique<weir::testing::virtual_time>();
    auto state = std::make_shared<fake::state>(world->get_executor());
    asio::co_spawn(
        world->get_executor(),
        [](asio::any_io_executor e, fake f) -> asio::awaitable<void> {
            auto l = co_await weir::registry::async_keep(e, f, web(), {}, asio::use_awaitable);
            for (;;) co_await l.async_wait_event(asio::use_awaitable);
        }(world->get_executor(), fake{state}),
        [](std::exception_ptr) {});
    world->run_for(1min);
    CHECK(state->beats.size() > 5);
    state.reset();
    world.reset();
}

TEST_CASE("keeper: a bad registration is refused before anything is asked")
{
    weir::testing::virtual_time world;
    fake f{std::make_shared<fake::state>(world.get_executor())};
    CHECK_THROWS_WITH_AS((void)weir::registry::keep(world.get_executor(), f, {.service = "web", .address = "a"}),
                         doctest::Contains("registration.port"), std::invalid_argument);
    CHECK_THROWS_AS(
        weir::registry::async_keep(world.get_executor(), f, {}, {}, [](boost::system::error_code, lease const&) {}),
        std::invalid_argument);
    world.run();
    CHECK(f.s->puts.empty());
}

TEST_CASE("keeper: options out of range are named before anything is asked; the defaults are good")
{
    using weir::registry::lease_options;
    CHECK_NOTHROW(lease_options{}.check());
    CHECK_NOTHROW(lease_options{.max_retry_after = 0s}.check());
    struct row {
        lease_options o;
        char const* named;
    };
    weir::testing::virtual_time world;
    fake f{std::make_shared<fake::state>(world.get_executor())};
    for (auto const& [o, named] :
         {row{{.timeout = 0s}, "lease_options.timeout must be above 0 ms, and is 0 ms"},
          row{{.timeout = -1s}, "lease_options.timeout"},
          row{{.remove_timeout = 0s}, "lease_options.remove_timeout must be above 0 ms"},
          row{{.backoff = weir::constant(0ms)}, "lease_options.backoff must be above 0 ms"},
          row{{.max_retry_after = -5h}, "lease_options.max_retry_after must be in [0, 86400000] ms"},
          row{{.max_retry_after = 25h}, "lease_options.max_retry_after"}}) {
        CAPTURE(named);
        CHECK_THROWS_WITH_AS(o.check(), doctest::Contains(named), std::invalid_argument);
        CHECK_THROWS_WITH_AS((void)weir::registry::keep(world.get_executor(), f, web(), o), doctest::Contains(named),
                             std::invalid_argument);
    }
    world.run();
    CHECK(f.s->puts.empty());
}

TEST_CASE("keeper: an update is told at once, followed by a heartbeat, and again until the registry has it")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    auto r = web();
    r.meta = {{"version", "2"}};
    auto const beats = s.registry.s->beats.size();
    s.held.update(r);
    CHECK(s.held.what().meta.at("version") == "2");
    s.world.run_for(10ms);
    CHECK(s.registry.s->meta == r.meta);
    CHECK(s.registry.s->puts.size() == 2);
    CHECK(s.registry.s->beats.size() == beats + 1);
    CHECK(s.events == "GU");
    s.world.run_for(1min);
    CHECK(s.registry.s->puts.size() == 2);

    // While the registry is away it is kept in mind, and heartbeats go on.
    s.registry.s->broken = asio::error::connection_refused;
    r.meta = {{"version", "3"}};
    s.held.update(r);
    s.world.run_for(3s);
    CHECK(s.registry.s->meta.at("version") == "2");
    s.registry.s->broken = {};
    s.world.run_for(12s);
    CHECK(s.registry.s->meta.at("version") == "3");
    CHECK(s.events == "GUU");
    // A registry that forgets gets the newest.
    s.registry.s->known = false;
    s.registry.s->meta.clear();
    s.world.run_for(6s);
    CHECK(s.registry.s->meta.at("version") == "3");
    CHECK(s.registry.s->most_asking == 1);
}

TEST_CASE("keeper: drained, it is critical at once, stays registered for the wait, and then is out")
{
    for (bool const kept : {true, false}) {
        CAPTURE(kept);
        scene s;
        s.start();
        s.world.run_for(1min);
        auto const start = s.world.now();
        std::optional<weir::time_point> gone;
        s.held.async_drain(20s, [&](boost::system::error_code ec) {
            CHECK_FALSE(ec);
            gone = s.world.now();
        });
        s.world.run_for(10ms);
        CHECK(s.registry.s->told == health::critical);
        s.held.set_state(health::passing);  // too late for that
        if (!kept) s.held = lease();        // and it goes on by itself
        auto const beats = s.registry.s->beats.size();
        s.world.run_for(19s);
        CHECK(s.registry.s->told == health::critical);
        CHECK(s.registry.s->beats.size() >= beats + 3);
        CHECK(s.registry.s->known);
        CHECK_FALSE(gone);
        s.world.run_for(2s);
        REQUIRE(gone);
        CHECK(*gone - start >= 20s);
        CHECK(*gone - start < 21s);
        CHECK_FALSE(s.registry.s->known);
        auto const all = s.registry.s->beats.size();
        s.world.run_for(1min);
        CHECK(s.registry.s->beats.size() == all);
        CHECK(s.world.waiting() == 0);
    }
    // Deregistered meanwhile: out at once.
    scene s;
    s.start();
    s.world.run_for(1min);
    int ended = 0;
    s.held.async_drain(1h, [&](boost::system::error_code) { ++ended; });
    s.held.async_deregister([&](boost::system::error_code) { ++ended; });
    s.world.run_for(1s);
    CHECK(ended == 2);
    CHECK_FALSE(s.registry.s->known);
    CHECK(s.world.waiting() == 0);
}

TEST_CASE("keeper: the status counts what is heard, what fails and what is lost")
{
    scene s;
    s.start();
    s.world.run_for(1min);
    auto const before = s.held.status();
    CHECK(before.registered);
    CHECK(before.beats == s.registry.s->beats.size());
    CHECK(before.failures == 0);
    CHECK(before.lost == 0);
    CHECK(s.world.now() - before.last_beat < 6s);
    s.registry.s->broken = asio::error::connection_refused;
    s.world.run_for(30s);
    auto const after = s.held.status();
    CHECK_FALSE(after.registered);
    CHECK(after.beats == before.beats);
    CHECK(after.failures >= 3);
    CHECK(after.lost == 1);
}
