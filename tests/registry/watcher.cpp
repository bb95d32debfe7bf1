// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/watcher.hpp>

#include <weir/testing/virtual_time.hpp>

#include <registry/fake_registry.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::cause;
using weir::registry::origin;
using weir::testing::fake_registry;
namespace asio = boost::asio;

namespace {

boost::system::error_code const refused = asio::error::connection_refused;

// A watcher, and a consumer that writes down everything it is told.
struct scene {
    weir::testing::virtual_time world;
    fake_registry registry{world.get_executor()};
    std::unique_ptr<weir::registry::watcher> watcher;
    std::unique_ptr<weir::registry::watch> watch;
    std::vector<weir::registry::update> told;
    boost::system::error_code ended;

    void start(weir::registry::watch_options o = {})
    {
        watcher = std::make_unique<weir::registry::watcher>(world.get_executor(), registry,
                                                            weir::registry::query{"web"}, o, weir::random_engine{7});
        watch = std::make_unique<weir::registry::watch>(watcher->subscribe());
        listen();
    }
    void listen()
    {
        watch->async_next([this](boost::system::error_code ec, weir::registry::update u) {
            ended = ec;
            if (ec) return;
            told.push_back(std::move(u));
            listen();
        });
    }
    std::string set() const
    {
        std::string ids;
        if (auto const s = watch->current())
            for (auto const& i : *s->instances) ids += i.id();
        return ids;
    }
    origin from() const { return watch->current()->from; }
};

std::vector<std::string> letters(std::string const& s)
{
    std::vector<std::string> ids;
    for (char c : s) ids.emplace_back(1, c);
    return ids;
}

}  // namespace

TEST_CASE("watcher: the first set, then each change as a delta")
{
    scene s;
    s.registry.knows({"b", "a"});
    s.start();
    s.world.run_for(100ms);
    REQUIRE(s.told.size() == 1);
    CHECK(s.told[0].why == cause::first);
    CHECK(s.told[0].diff.added.size() == 2);
    CHECK(s.set() == "ab");
    CHECK(s.from() == origin::live);

    s.registry.knows({"a", "b", "c"});
    s.world.run_for(2s);
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[1].why == cause::change);
    REQUIRE(s.told[1].diff.added.size() == 1);
    CHECK(s.told[1].diff.added[0].id() == "c");
    CHECK(s.told[1].diff.removed.empty());
    CHECK(s.told[1].now->version == s.told[0].now->version + 1);
}

TEST_CASE("watcher: a quiet registry wakes nobody, and its answers keep the set young")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    s.world.run_for(1h);
    CHECK(s.told.size() == 1);
    CHECK(s.registry->lists.size() == 1);
    CHECK(s.registry->awaits.size() >= 60);
    CHECK(s.world.now() - s.watch->current()->as_of < 1min);
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("watcher: a failure keeps the last good set and marks it stale, once")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    s.registry.fail(refused);
    s.world.run_for(1h);
    CHECK(s.set() == "ab");
    CHECK(s.from() == origin::stale);
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[1].why == cause::state);
    CHECK(s.told[1].diff.empty());
    auto const status = s.watch->status();
    CHECK_FALSE(status.connected);
    CHECK(status.failures > 100);
    CHECK(status.last_error == std::errc::connection_refused);
    CHECK(status.note == "broken");

    s.registry.heal();
    s.world.run_for(31s);
    CHECK(s.from() == origin::live);
    CHECK(s.told.back().why == cause::state);
}

TEST_CASE("watcher: after a failure everything is read again, and the difference told as one resync")
{
    scene s;
    s.registry.knows({"a", "b", "c"});
    s.start();
    s.world.run_for(20s);
    s.registry.fail(refused);
    s.world.run_for(1s);
    s.registry.knows({"b", "c", "d"});
    s.registry.heal();
    s.world.run_for(10s);
    CHECK(s.set() == "bcd");
    REQUIRE(s.told.size() == 3);
    CHECK(s.told[2].why == cause::resync);
    CHECK(s.told[2].diff.removed == std::vector<std::string>{"a"});
    CHECK(s.told[2].diff.added.size() == 1);
    CHECK(s.watch->status().resyncs == 1);
    CHECK(s.registry->lists.size() >= 2);
}

TEST_CASE("watcher: a lost history is read again at once, with the set untouched")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    s.registry->forgets = true;
    s.registry.changed();
    s.world.run_for(1ms);
    s.registry->forgets = false;
    s.world.run_for(5s);
    CHECK(s.told.size() == 1);
    CHECK(s.registry->lists.size() == 2);
    CHECK(s.watch->status().resyncs == 1);
    CHECK(s.watch->status().failures == 0);
    CHECK(s.registry->awaited.back() == std::to_string(s.registry->index));
}

TEST_CASE("watcher: an empty answer is believed when a second one says so after the hold")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    auto const lists = s.registry->lists.size();
    s.registry.knows({});
    s.world.run_for(9s);
    CHECK(s.set() == "ab");
    CHECK(s.from() == origin::stale);
    CHECK(s.told.back().why == cause::guarded);
    CHECK(s.watch->status().held == 1);
    s.world.run_for(2s);
    CHECK(s.set() == "");
    CHECK(s.from() == origin::live);
    CHECK(s.told.back().why == cause::change);
    CHECK(s.told.back().diff.removed.size() == 2);
    CHECK(s.registry->lists.size() == lists + 1);
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("watcher: a registry that fills up again after an emptiness is not believed halfway")
{
    scene s;
    s.registry.knows(letters("abcd"));
    s.start();
    s.world.run_for(20s);
    for (auto const* ids : {"", "a", "ab", "abc"}) {
        s.registry.knows(letters(ids));
        s.world.run_for(1500ms);
        CHECK(s.set() == "abcd");
    }
    s.registry.knows(letters("abce"));  // one is gone for good: as many as before, so there is nothing to doubt
    s.world.run_for(1500ms);
    CHECK(s.set() == "abce");
    CHECK(s.from() == origin::live);

    s.registry.knows({});
    s.world.run_for(1500ms);
    s.registry.knows(letters("abc"));  // and if it stays at less, that is believed after the hold
    s.world.run_for(8s);
    CHECK(s.set() == "abce");
    s.world.run_for(2s);
    CHECK(s.set() == "abc");
}

TEST_CASE("watcher: a loss is believed when it was told for the whole hold, not before and after an answer of less")
{
    scene s;
    s.registry.knows(letters("abcd"));
    s.start();
    s.world.run_for(20s);
    s.registry.knows({});
    s.world.run_for(2s);
    s.registry.knows(letters("abc"));
    s.world.run_for(4s);
    s.registry.knows({});
    s.world.run_for(8s);
    CHECK(s.set() == "abcd");
    s.world.run_for(3s);
    CHECK(s.set() == "");
}

TEST_CASE("watcher: an empty answer that passes within the hold is never seen")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    s.registry.knows({});
    s.world.run_for(6s);
    s.registry.knows({"a", "b"});
    s.world.run_for(1min);
    CHECK(s.set() == "ab");
    CHECK(s.from() == origin::live);
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
}

TEST_CASE("watcher: a failure during the hold starts the doubt over")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    s.registry.knows({});
    s.world.run_for(8s);
    s.registry.fail(refused);
    s.world.run_for(1s);
    s.registry.heal();  // the registry restarted: it answers, and still knows nothing
    s.world.run_for(8s);
    CHECK(s.set() == "ab");
    s.registry.knows({"a", "b"});
    s.world.run_for(1min);
    CHECK(s.set() == "ab");
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
    CHECK(s.watch->status().held == 2);
}

TEST_CASE("watcher: empty answers by policy: at once, or never")
{
    scene at_once;
    at_once.registry.knows({"a", "b"});
    at_once.start({.on_empty = weir::registry::empty_answer::accept});
    at_once.world.run_for(20s);
    at_once.registry.knows({});
    at_once.world.run_for(2s);
    CHECK(at_once.set() == "");

    scene not_at_all;
    not_at_all.registry.knows({"a", "b"});
    not_at_all.start({.on_empty = weir::registry::empty_answer::never});
    not_at_all.world.run_for(20s);
    not_at_all.registry.knows({});
    not_at_all.world.run_for(10h);
    CHECK(not_at_all.set() == "ab");
    not_at_all.registry.knows({"c"});
    not_at_all.world.run_for(1min);
    CHECK(not_at_all.set() == "c");
}

TEST_CASE("watcher: the first answer of all is believed, empty or not")
{
    scene s;
    s.start();
    s.world.run_for(1s);
    REQUIRE(s.told.size() == 1);
    CHECK(s.told[0].now->instances->empty());
    CHECK(s.told[0].why == cause::first);
}

TEST_CASE("watcher: a loss of more than half is held like emptiness, half of the set is not")
{
    scene s;
    s.registry.knows(letters("abcdef"));
    s.start();
    s.world.run_for(20s);
    s.registry.knows(letters("abc"));
    s.world.run_for(2s);
    CHECK(s.set() == "abc");
    s.registry.knows(letters("abcdef"));
    s.world.run_for(2s);
    s.registry.knows(letters("ab"));
    s.world.run_for(5s);
    CHECK(s.set() == "abcdef");
    CHECK(s.from() == origin::stale);
    s.world.run_for(10s);
    CHECK(s.set() == "ab");
    CHECK(s.watch->status().held == 1);
}

TEST_CASE("watcher: instances that turn critical count as lost")
{
    scene s;
    s.registry.knows(letters("abc"));
    s.start();
    s.world.run_for(20s);
    for (auto& i : s.registry->truth) i.state = weir::registry::health::critical;
    s.registry.changed();
    s.world.run_for(5s);
    CHECK(weir::registry::to_endpoints(*s.watch->current()).size() == 3);
    s.world.run_for(10s);
    CHECK(s.set() == "abc");
    CHECK(weir::registry::to_endpoints(*s.watch->current()).empty());
}

TEST_CASE("watcher: all instances replaced in one answer is a change, not a loss")
{
    scene s;
    s.registry.knows(letters("abcd"));
    s.start();
    s.world.run_for(20s);
    s.registry.knows(letters("efgh"));
    s.world.run_for(2s);
    CHECK(s.set() == "efgh");
}

TEST_CASE("watcher: failures are retried with growing pauses, at most 30 s, one question at a time")
{
    scene s;
    s.registry.fail(refused);
    s.start();
    s.world.run_for(1h);
    auto const& asked = s.registry->lists;
    CHECK(asked.size() > 120);   // none further apart than 30 s
    CHECK(asked.size() < 1000);  // a retry each 500 ms would be 7200
    for (std::size_t i = 1; i < asked.size(); ++i) {
        CHECK(asked[i] - asked[i - 1] >= 100ms);
        CHECK(asked[i] - asked[i - 1] <= 30s + 2ms);
    }
    CHECK(s.registry->most_asking == 1);
}

TEST_CASE("watcher: a registry that asks for quiet is not asked before, and not for ever after")
{
    struct row {
        weir::duration wish, most, least, longest;  // what is asked for, and the pauses to expect
    };
    for (auto const& r : {row{40s, 1min, 40s, 44s}, row{24h, 1min, 60s, 66s}, row{24h, 5s, 5s, 31s},
                          row{24h, 0s, 0s, 31s}, row{0s, 1min, 0s, 31s}}) {
        CAPTURE(r.wish.count());
        CAPTURE(r.most.count());
        scene s;
        s.registry->wish = r.wish;
        s.registry.fail(refused);
        s.start({.max_retry_after = r.most});
        s.world.run_for(30min);
        auto const& asked = s.registry->lists;
        REQUIRE(asked.size() > 20);
        bool spread = false;
        for (std::size_t i = 1; i < asked.size(); ++i) {
            CHECK(asked[i] - asked[i - 1] >= r.least);
            CHECK(asked[i] - asked[i - 1] <= r.longest + 2ms);
            spread = spread || asked[i] - asked[i - 1] > r.least + 100ms;
        }
        CHECK(spread);  // those who were told the same do not come back together
    }
    scene s;  // quiet is over with the wish
    s.registry->wish = 40s;
    s.registry.fail(refused);
    s.start();
    s.world.run_for(10s);
    s.registry.heal();
    s.registry.knows(letters("ab"));
    s.world.run_for(29s);
    CHECK(s.registry->lists.size() == 1);
    s.world.run_for(6s);
    CHECK(s.set() == "ab");
}

TEST_CASE("watcher: the backoff starts afresh only after a conversation of ten seconds")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    // The registry answers the list and fails every wait: without the rule this is a loop at 100 ms.
    std::size_t lists_before = 0;
    for (int i = 0; i < 200; ++i) {
        s.world.run_for(500ms);
        if (s.registry->lists.size() != lists_before) {
            lists_before = s.registry->lists.size();
            s.registry.fail(refused);
            s.world.run_for(5ms);
            s.registry.heal();
        }
    }
    CHECK(s.registry->lists.size() < 30);
    s.world.run_for(2min);  // lived long now
    auto const before = s.registry->lists.size();
    s.registry.fail(refused);
    s.world.run_for(1ms);
    s.registry.heal();
    s.world.run_for(1500ms);  // 100 to 300 ms, and the pace
    CHECK(s.registry->lists.size() == before + 1);
}

TEST_CASE("watcher: a registry that never answers is given up after the time limit, the question cancelled")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    s.world.run_for(20s);
    s.registry->silent = true;
    s.registry.changed();
    s.world.run_for(44s);
    CHECK(s.from() == origin::live);
    s.world.run_for(2s);
    CHECK(s.from() == origin::stale);
    CHECK(s.set() == "a");
    CHECK(s.registry->cancelled >= 1);
    CHECK(s.watch->status().last_error == weir::errc::registry_unavailable);
    CHECK(s.watch->status().note.find("no answer within") == 0);
    s.registry->silent = false;
    s.world.run_for(1min);
    CHECK(s.from() == origin::live);
}

TEST_CASE("watcher: a process that was stopped for a day keeps its set, takes the day for silence, and reads again")
{
    scene s;
    s.registry.knows({"a", "b"});
    s.start();
    s.world.run_for(20s);
    auto const lists = s.registry->lists.size();
    weir::timer_queue::of(s.world.get_executor()).advance(s.world.now() + 24h);  // all at once
    s.world.run_for(1min);
    CHECK(s.registry->lists.size() > lists);
    CHECK(s.from() == origin::live);
    CHECK(s.watch->status().failures == 1);
    for (std::size_t i = 0; i < s.told.size(); ++i) {
        CHECK(s.told[i].now->instances->size() == 2);
        CHECK(s.told[i].now->version == s.told[0].now->version + i);
    }
}

TEST_CASE("watcher: a registry that answers every wait at once is asked once a second")
{
    scene s;
    s.registry.knows({"a"});
    s.registry->patience = 0ms;
    s.start();
    s.world.run_for(100s);
    CHECK(s.registry->awaits.size() <= 103);
    CHECK(s.registry->awaits.size() >= 95);
}

TEST_CASE("watcher: a slow consumer gets the newest set and one delta")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    s.world.run_for(1s);
    auto second = s.watcher->subscribe();
    std::vector<weir::registry::update> told;
    auto const next = [&] {
        second.async_next([&](boost::system::error_code ec, weir::registry::update u) {
            if (!ec) told.push_back(std::move(u));
        });
        s.world.run_for(1ms);
    };
    next();
    for (auto const* ids : {"ab", "abc", "bcd"}) {
        s.registry.knows(letters(ids));
        s.world.run_for(3s);
    }
    next();
    REQUIRE(told.size() == 2);
    CHECK(told[1].why == cause::change);
    CHECK(told[1].diff.added.size() == 3);
    CHECK(told[1].diff.removed == std::vector<std::string>{"a"});
    CHECK(s.registry->lists.size() == 1);  // both consumers share one conversation
}

TEST_CASE("watcher: cancelling async_next at any step loses no news")
{
    // How many steps there are is counted first; then the same story runs once per step, cancelled there.
    std::size_t steps = 1;
    for (std::size_t cancel_at = 0; cancel_at <= steps; ++cancel_at) {
        scene s;
        s.registry.knows({"a"});
        weir::registry::watcher w(s.world.get_executor(), s.registry, weir::registry::query{"web"}, {},
                                  weir::random_engine{7});
        auto watch = w.subscribe();
        std::string replay, cancelled;
        asio::cancellation_signal stop;
        auto const apply = [&](weir::registry::update const& u) {
            for (auto const& i : u.diff.added) replay += i.id();
            for (auto const& id : u.diff.removed) replay.erase(replay.find(id), 1);
        };
        std::function<void()> listen = [&] {
            watch.async_next(
                asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code ec, weir::registry::update u) {
                    if (ec == asio::error::operation_aborted) cancelled += "x";
                    if (!ec) apply(u);
                    if (ec != weir::errc::stopped) listen();
                }));
        };
        listen();
        auto const change_at = s.world.now() + 5s;
        bool changed = false;
        while (s.world.step(s.world.now() + 2min) && s.world.now() < change_at + 1min) {
            if (s.world.steps() == cancel_at) stop.emit(asio::cancellation_type::total);
            if (!changed && s.world.now() >= change_at) {
                changed = true;
                s.registry.knows({"b"});
            }
            if (!changed && s.world.now() < change_at && s.world.waiting() <= 3) s.world.run_until(change_at);
        }
        CHECK(replay == "b");
        if (cancel_at == 0) steps = s.world.steps();
        w.stop();
        s.world.run();
    }
    CHECK(steps > 5);
}

TEST_CASE("watcher: stop tells consumers after the last news; destroying a watch aborts its pending call")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    s.world.run_for(20s);
    s.watcher->stop();
    s.world.run();
    CHECK(s.ended == weir::errc::stopped);
    CHECK(s.set() == "a");
    CHECK(s.registry->asking == 0);

    scene t;
    t.registry.knows({"a"});
    t.start();
    t.world.run_for(20s);
    t.watch.reset();
    t.world.run_for(1ms);
    CHECK(t.ended == asio::error::operation_aborted);
    CHECK(t.registry->asking == 1);  // the watcher goes on
    t.watcher.reset();
    t.world.run();  // ends: nothing is left behind
    CHECK(t.registry->asking == 0);
}

TEST_CASE("watcher: a watch keeps the conversation going when the watcher object is gone")
{
    scene s;
    s.registry.knows({"a"});
    s.start();
    s.watcher.reset();
    s.world.run_for(20s);
    s.registry.knows({"a", "b"});
    s.world.run_for(2s);
    CHECK(s.set() == "ab");
    s.watch.reset();
    s.world.run();
    CHECK(s.registry->asking == 0);
}

TEST_CASE("watcher: a context that goes down with everything pending leaks and calls nothing")
{
    bool called = false;
    {
        weir::testing::virtual_time world;
        fake_registry registry(world.get_executor());
        weir::registry::watcher w(world.get_executor(), registry, weir::registry::query{"web"});
        asio::co_spawn(
            world.get_executor(),
            [](weir::registry::watch watch, bool& flag) -> asio::awaitable<void> {
                co_await watch.async_next(asio::use_awaitable);
                co_await watch.async_next(asio::use_awaitable);
                flag = true;
            }(w.subscribe(), called),
            [](std::exception_ptr) {});
        world.run_for(20s);
    }
    CHECK_FALSE(called);
}

TEST_CASE("watcher: every kind of completion token works")
{
    scene s;
    s.registry.knows({"a"});
    weir::registry::watcher w(s.world.get_executor(), s.registry, weir::registry::query{"web"});
    auto one = w.subscribe(), two = w.subscribe(), three = w.subscribe();
    auto future = one.async_next(asio::bind_executor(s.world.get_executor(), asio::use_future));
    auto deferred = two.async_next(asio::deferred);
    std::size_t seen = 0;
    deferred([&](boost::system::error_code, weir::registry::update u) { seen += u.now->instances->size(); });
    asio::co_spawn(
        s.world.get_executor(),
        [&]() -> asio::awaitable<void> {
            auto const [ec, u] = co_await three.async_next(asio::as_tuple(asio::use_awaitable));
            seen += u.now->instances->size();
        },
        asio::detached);
    s.world.run_for(1s);
    CHECK(seen == 2);
    CHECK(future.get().now->instances->size() == 1);
}

TEST_CASE("watcher: bad options name the field")
{
    weir::testing::virtual_time world;
    fake_registry registry(world.get_executor());
    auto const make = [&](weir::registry::watch_options o) {
        weir::registry::watcher w(world.get_executor(), registry, weir::registry::query{"web"}, o);
    };
    CHECK_THROWS_WITH_AS(make({.max_loss = 1.5}),
                         doctest::Contains("watch_options.max_loss must be in [0, 1], and is 1.5"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(make({.hold = -1s}), doctest::Contains("watch_options.hold"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(make({.max_retry_after = 25h}), doctest::Contains("watch_options.max_retry_after must be in"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(make({.list_timeout = 0s}), doctest::Contains("watch_options.list_timeout"),
                         std::invalid_argument);
}
