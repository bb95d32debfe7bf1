// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/config/refresh.hpp>

#include <weir/config/memory.hpp>
#include <weir/limit/concurrency_limit.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/error.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::config::binding;
using weir::config::loaded;
using weir::config::refresh;
using weir::config::refresh_options;
using weir::config::verdict;
using weir::config::version_record;
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// A source whose every answer the test gives; it writes down what it was asked, and when.
struct scripted {
    struct state {
        explicit state(asio::any_io_executor e) : clock(std::move(e)) {}
        weir::timer clock;
        loaded now{.document = {.bytes = R"({"limit":{"limit":5}})", .version = "1"}};
        error_code ec;
        bool busy = false;    // answers at once, changed or not
        bool silent = false;  // does not answer at all
        int pending = 0, most = 0;
        std::vector<weir::time_point> loads, awaits;
    };
    std::shared_ptr<state> s;

    struct conversation {
        std::shared_ptr<state> s;

        template <class Token>
        auto answer(std::string known, bool wait, Token&& token)
        {
            s->most = std::max(s->most, ++s->pending);
            auto const never = s->silent || (wait && !s->busy && known == s->now.document.version);
            return asio::async_compose<Token, void(error_code, loaded)>(
                [s = s, never, step = 0](auto& self, error_code ec = {}) mutable {
                    if (step++ == 0) {
                        self.reset_cancellation_state(asio::enable_total_cancellation());
                        return s->clock.async_wait_for(never ? weir::duration(24h) : 1ms, std::move(self));
                    }
                    --s->pending;
                    self.complete(ec ? ec : s->ec, s->now);
                },
                token, s->clock.get_executor());
        }
        template <class Token>
        auto async_load(Token&& token)
        {
            s->loads.push_back(s->clock.now());
            return answer("", false, std::forward<Token>(token));
        }
        template <class Token>
        auto async_await_change(std::string const& version, Token&& token)
        {
            s->awaits.push_back(s->clock.now());
            return answer(version, true, std::forward<Token>(token));
        }
    };
    conversation open(asio::any_io_executor) const { return {s}; }
};

std::string limit_of(int n) { return R"({"limit":{"limit":)" + std::to_string(n) + "}}"; }

struct scene {
    weir::testing::virtual_time world;
    weir::concurrency_limit limit;
    weir::config::memory source;
    std::vector<version_record> told;
    std::unique_ptr<refresh> follow;

    template <class Source>
    void start(Source const& from, refresh_options o = {}, std::vector<refresh::listener> listeners = {})
    {
        binding b;
        b.bind("limit", limit, {});
        follow = std::make_unique<refresh>(world.get_executor(), from, std::move(b), std::move(o), std::move(listeners),
                                           weir::random_engine{7});
        listen();
        world.run_for(1ms);
    }
    void start() { start(source); }
    void listen()
    {
        follow->async_next([this](error_code ec, version_record r) {
            if (ec) return;
            told.push_back(std::move(r));
            listen();
        });
    }
    void say(std::string text)
    {
        source.set(std::move(text));
        world.run_for(1s);
    }
    std::pair<error_code, version_record> roll_back(std::uint64_t number)
    {
        std::pair<error_code, version_record> result;
        follow->async_roll_back(number, [&](error_code ec, version_record r) { result = {ec, std::move(r)}; });
        world.run_for(1ms);
        return result;
    }
};

}  // namespace

TEST_CASE("refresh: the first document is applied, and each change of it")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    CHECK(s.limit.limit() == 5);
    s.say(limit_of(6));
    CHECK(s.limit.limit() == 6);
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[0].number == 1);
    CHECK(s.told[1].verdict == verdict::applied);
    CHECK(s.told[1].changed == std::vector<std::string>{"limit"});
    CHECK(s.told[1].bytes == limit_of(6).size());
    CHECK(s.follow->history() == s.told);
    auto const status = s.follow->status();
    CHECK(status.connected);
    CHECK(status.applied == 2);
    CHECK(status.number == 2);
    CHECK(status.version == s.told[1].version);
    CHECK_FALSE(status.differs);
}

TEST_CASE("refresh: a bad document is refused with its reasons, and the old one stays")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    s.say(limit_of(0));
    CHECK(s.limit.limit() == 5);
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[1].verdict == verdict::refused);
    CHECK(to_text(s.told[1].why) == "limit.limit = 0: must be from 1 to 1000000000");
    s.say("{");
    CHECK(to_text(s.told[2].why).find("bad JSON at byte 1") == 0);
    auto const status = s.follow->status();
    CHECK(status.refused == 2);
    CHECK(status.number == 1);
    CHECK(status.differs);
    s.say(limit_of(7));
    CHECK(s.limit.limit() == 7);
    CHECK_FALSE(s.follow->status().differs);
}

TEST_CASE("refresh: a document that is not there, or no more, changes nothing")
{
    scene s;
    s.start();
    CHECK(s.follow->status().missing);
    CHECK(s.follow->status().note == "no document was set");
    CHECK(s.told.empty());
    s.say(limit_of(5));
    CHECK(s.limit.limit() == 5);
    CHECK_FALSE(s.follow->status().missing);
    s.source.remove();
    s.world.run_for(1s);
    CHECK(s.limit.limit() == 5);
    CHECK(s.follow->status().missing);
    CHECK(s.told.size() == 1);
}

TEST_CASE("refresh: the same document said again is no version")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    s.say(limit_of(5));
    CHECK(s.told.size() == 1);
    CHECK(s.follow->status().answers >= 2);
}

TEST_CASE("refresh: of many changes at once the last is applied")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    for (int n = 1; n <= 100; ++n) s.source.set(limit_of(n));
    s.world.run_for(1s);
    CHECK(s.limit.limit() == 100);
    CHECK(s.told.size() <= 3);
}

TEST_CASE("refresh: an earlier version is put back, and stays until the source says something new")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    s.say(limit_of(6));
    auto const [ec, record] = s.roll_back(1);
    CHECK_FALSE(ec);
    CHECK(record.verdict == verdict::rolled_back);
    CHECK(record.restored == 1);
    CHECK(record.number == 3);
    CHECK(record.changed == std::vector<std::string>{"limit"});
    CHECK(s.limit.limit() == 5);
    CHECK(s.follow->status().differs);
    s.source.set(limit_of(6));  // once more, with a new version number
    s.world.run_for(1h);
    CHECK(s.limit.limit() == 5);
    s.say(limit_of(7));
    CHECK(s.limit.limit() == 7);
    CHECK_FALSE(s.follow->status().differs);
    CHECK(s.told.size() == 4);
}

TEST_CASE("refresh: there is no going back to what was refused, or is forgotten")
{
    scene s;
    s.source.set(limit_of(5));
    s.start();
    s.say(limit_of(0));
    auto const [refused, why] = s.roll_back(2);
    CHECK(refused == weir::errc::bad_document);
    CHECK(to_text(why.why) == "version 2 was itself refused");
    auto const [unknown, none] = s.roll_back(77);
    CHECK(unknown == weir::errc::bad_document);
    CHECK(to_text(none.why) == "version 77 is not in the list");
    CHECK(s.limit.limit() == 5);
}

TEST_CASE("refresh: the list is bounded, and what is in force stays on it")
{
    scene s;
    s.source.set(limit_of(5));
    s.start(s.source, {.keep = 3});
    for (int n = 0; n < 10; ++n) s.say("{\"bad\":" + std::to_string(n) + "}");
    auto const list = s.follow->history();
    REQUIRE(list.size() == 3);
    CHECK(list[0].number == 1);
    CHECK(list[2].number == 11);
    CHECK_FALSE(s.roll_back(1).first);
}

TEST_CASE("refresh: listeners are told in order, when the policies have changed, and one that throws harms nobody")
{
    scene s;
    std::string order;
    s.source.set(limit_of(5));
    s.start(s.source, {},
            {[&](version_record const& r) {
                 order += "a" + std::to_string(r.number) + "=" + std::to_string(s.limit.limit()) + " ";
                 CHECK(s.follow->history().size() == r.number);  // no lock is held
                 throw 1;
             },
             [&](version_record const& r) { order += "b" + std::to_string(r.number) + " "; }});
    s.say(limit_of(6));
    CHECK(order == "a1=5 b1 a2=6 b2 ");
}

TEST_CASE("refresh: a source that fails is asked ever more rarely, and read anew when it is back")
{
    scene s;
    scripted from{std::make_shared<scripted::state>(s.world.get_executor())};
    s.start(from);
    s.world.run_for(20s);
    CHECK(s.limit.limit() == 5);
    from.s->ec = asio::error::connection_refused;
    from.s->now.note = "broken";
    from.s->clock.cancel();  // the connection breaks
    s.world.run_for(1h);
    auto const status = s.follow->status();
    CHECK_FALSE(status.connected);
    CHECK(status.last_error == std::errc::connection_refused);
    CHECK(status.note == "broken");
    CHECK(status.failures > 100);
    CHECK(status.failures < 1200);  // 30 s at most apart; decorrelated: mostly less
    CHECK(s.limit.limit() == 5);
    from.s->ec = {};
    from.s->now.document = {.bytes = limit_of(8), .version = "2"};
    s.world.run_for(31s);
    CHECK(s.limit.limit() == 8);
    CHECK(s.follow->status().connected);
    CHECK(from.s->most == 1);  // one question at a time
}

TEST_CASE("refresh: every question has a time limit")
{
    scene s;
    scripted from{std::make_shared<scripted::state>(s.world.get_executor())};
    from.s->silent = true;
    s.start(from);
    s.world.run_for(6s);
    CHECK(s.follow->status().failures == 1);
    CHECK(s.follow->status().last_error == weir::errc::registry_unavailable);
    CHECK(s.follow->status().note == "no answer within 5000 ms");
    from.s->silent = false;
    s.world.run_for(5min);  // quiet awaits that end by themselves, after 65 s each
    CHECK(s.limit.limit() == 5);
    CHECK(from.s->loads.size() >= 4);
}

TEST_CASE("refresh: a source that answers at once for ever is asked at the pace")
{
    scene s;
    scripted from{std::make_shared<scripted::state>(s.world.get_executor())};
    from.s->busy = true;
    s.start(from);
    s.world.run_for(1min);
    CHECK(from.s->awaits.size() >= 110);
    CHECK(from.s->awaits.size() <= 125);
    CHECK(s.told.size() == 1);
}

TEST_CASE("refresh: destroyed at any step, everything that was waited for ends, and nothing is applied after")
{
    for (std::size_t at = 0; at < 60; ++at) {
        scene s;
        s.source.set(limit_of(5));
        binding b;
        b.bind("limit", s.limit, {});
        s.follow = std::make_unique<refresh>(s.world.get_executor(), s.source, std::move(b));
        int ended = 0;
        s.follow->async_next([&](error_code, version_record) { ++ended; });
        s.follow->async_roll_back(1, [&](error_code, version_record) { ++ended; });
        for (std::size_t n = 0; n < at && s.world.step(s.world.now() + 1ms); ++n) {}
        s.source.set(limit_of(6));
        s.follow.reset();
        auto const before = s.limit.limit();
        s.world.run();
        CHECK(ended == 2);
        CHECK(s.limit.limit() == before);
        CHECK(s.world.waiting() == 0);
    }
}

TEST_CASE("refresh: options out of range are refused")
{
    weir::testing::virtual_time world;
    auto const with = [&](refresh_options o) {
        return refresh(world.get_executor(), weir::config::memory(), binding(), std::move(o));
    };
    CHECK_THROWS_WITH(with({.keep = 1}), "weir: refresh_options.keep must be at least 2, and is 1");
    CHECK_THROWS_WITH(with({.follow = {.load_timeout = 0ns}}),
                      "weir: follow_options.load_timeout must be above 0 ms, and is 0 ms");
    CHECK_THROWS_AS(with({.follow = {.pace = -1ns}}), std::invalid_argument);
    CHECK_THROWS_AS(with({.follow = {.settled = -1ns}}), std::invalid_argument);
    CHECK_THROWS_AS(with({.follow = {.await_timeout = 0ns}}), std::invalid_argument);
    CHECK_THROWS_AS(with({.follow = {.backoff = weir::constant(0ns)}}), std::invalid_argument);
}
