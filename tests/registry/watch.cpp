// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/watch.hpp>

#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using weir::registry::cause;
using weir::registry::instance;
using weir::registry::origin;
using weir::registry::snapshot;
using weir::registry::update;
using weir::registry::watch;
using weir::registry::detail::feed;
namespace asio = boost::asio;

namespace {

snapshot of(std::string const& ids, origin from = origin::live, std::uint64_t version = 0)
{
    auto list = std::make_shared<snapshot::list>();
    for (char c : ids)
        list->push_back({.address = {.id = std::string(1, c), .host = "h", .port = 1}, .service = "web", .tags = {}});
    return {.version = version, .revision = ids, .from = from, .as_of = {}, .instances = std::move(list)};
}

struct scene {
    weir::testing::virtual_time world;
    std::shared_ptr<feed> source = std::make_shared<feed>();
    watch consumer{world.get_executor(), source, nullptr};
    std::vector<update> told;
    std::vector<boost::system::error_code> ends;

    void next()
    {
        consumer.async_next([this](boost::system::error_code ec, update u) {
            if (ec)
                ends.push_back(ec);
            else
                told.push_back(std::move(u));
        });
        world.poll();
    }
};

}  // namespace

TEST_CASE("watch: nothing is known before the first set, and then it is delivered as the first")
{
    scene s;
    CHECK(s.consumer.current() == nullptr);
    s.next();
    CHECK(s.told.empty());
    s.source->publish(of("ab"), cause::change);
    s.world.poll();
    REQUIRE(s.told.size() == 1);
    CHECK(s.told[0].why == cause::first);
    CHECK(s.told[0].diff.added.size() == 2);
    CHECK(s.told[0].now->version == 1);
}

TEST_CASE("watch: it completes once, and never inside the initiating function")
{
    scene s;
    s.source->publish(of("a"), cause::first);
    bool called = false;
    s.consumer.async_next([&](boost::system::error_code, update const&) { called = true; });
    CHECK_FALSE(called);
    s.world.poll();
    CHECK(called);
    s.source->publish(of("b"), cause::change);  // nobody waits
    s.world.poll();
    CHECK(s.told.empty());
}

TEST_CASE("watch: a change that was never delivered is not hidden behind news of the state")
{
    scene s;
    s.source->publish(of("a"), cause::first);
    s.next();
    s.source->publish(of("ab"), cause::change);
    s.source->publish(of("ab", origin::stale), cause::state);
    s.next();
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[1].why == cause::change);
    CHECK(s.told[1].now->from == origin::stale);
    s.source->publish(of("ab"), cause::state);
    s.next();
    CHECK(s.told[2].why == cause::state);
    CHECK(s.told[2].diff.empty());
}

TEST_CASE("watch: of versions published out of order the newest stays")
{
    scene s;
    s.source->publish(of("new", origin::live, 9), cause::change);
    s.source->publish(of("old", origin::live, 8), cause::change);
    CHECK(s.consumer.current()->revision == "new");
}

TEST_CASE("watch: a confirmed set is younger, and not news")
{
    scene s;
    s.source->publish(of("a"), cause::first);
    s.next();
    s.next();
    s.source->confirm(weir::time_point(std::chrono::hours(5)), "r2");
    s.world.poll();
    CHECK(s.told.size() == 1);
    CHECK(s.consumer.current()->as_of == weir::time_point(std::chrono::hours(5)));
    CHECK(s.consumer.current()->revision == "r2");
}

TEST_CASE("watch: cancelled, a wait ends with operation_aborted, and the next one delivers what was on its way")
{
    scene s;
    s.source->publish(of("a"), cause::first);
    s.next();
    for (bool const news : {false, true}) {
        asio::cancellation_signal stop;
        s.consumer.async_next(asio::bind_cancellation_slot(
            stop.slot(), [&](boost::system::error_code ec, update const&) { s.ends.push_back(ec); }));
        s.world.poll();
        if (news) s.source->publish(of("ab"), cause::change);  // wakes the wait, which has not run yet
        stop.emit(asio::cancellation_type::total);
        s.world.poll();
        CHECK(s.ends.back() == asio::error::operation_aborted);
    }
    CHECK(s.ends.size() == 2);
    s.next();
    REQUIRE(s.told.size() == 2);
    CHECK(s.told[1].diff.added.size() == 1);
}

TEST_CASE("watch: the end comes after the last news, and again to whoever asks again")
{
    scene s;
    s.source->publish(of("a"), cause::first);
    s.source->stop();
    s.next();
    CHECK(s.told.size() == 1);
    s.next();
    s.next();
    REQUIRE(s.ends.size() == 2);
    CHECK(s.ends[0] == weir::errc::stopped);
    CHECK(s.ends[1] == weir::errc::stopped);
}

TEST_CASE("watch: moved from, its pending wait goes along; assigned over, the old one is aborted")
{
    scene s;
    s.next();
    watch moved(std::move(s.consumer));
    s.source->publish(of("a"), cause::first);
    s.world.poll();
    CHECK(s.told.size() == 1);
    moved.async_next([&](boost::system::error_code ec, update const&) { s.ends.push_back(ec); });
    s.world.poll();
    moved = watch(s.world.get_executor(), s.source, nullptr);
    s.world.poll();
    REQUIRE(s.ends.size() == 1);
    CHECK(s.ends[0] == asio::error::operation_aborted);
}

TEST_CASE("watch: consumers on several threads all come to the last set")
{
    constexpr int consumers = 4, changes = 500;
    auto const source = std::make_shared<feed>();
    std::atomic<int> arrived{0};
    {
        asio::thread_pool pool(3);
        std::vector<std::unique_ptr<watch>> watches;
        std::function<void(watch&)> listen = [&](watch& w) {
            w.async_next([&](boost::system::error_code ec, update const& u) {
                if (ec) return;
                if (u.now->version == changes)
                    ++arrived;
                else
                    listen(w);
            });
        };
        for (int n = 0; n < consumers; ++n) {
            watches.push_back(std::make_unique<watch>(pool.get_executor(), source, nullptr));
            listen(*watches.back());
        }
        std::jthread const publisher([&] {
            for (int n = 0; n < changes; ++n) source->publish(of(n % 2 ? "a" : "b"), cause::change);
        });
        while (arrived < consumers) std::this_thread::yield();
    }
    CHECK(arrived == consumers);
}
