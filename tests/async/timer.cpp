// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/timer.hpp>
#include <weir/testing/virtual_time.hpp>

#include <support/counting_allocator.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::time_point;
using weir::timer;
using weir::test::counting_allocator;
using weir::test::ledger;
using weir::testing::virtual_time;

namespace {

constexpr auto aborted = asio::error::operation_aborted;

struct ending {
    int who;
    weir::duration at;
    error_code ec;
    friend bool operator==(ending const&, ending const&) = default;
};

/// A world, a timer in it, and what ended when.
struct scene {
    virtual_time world;
    time_point const begin = world.now();
    timer t{world.get_executor()};
    std::vector<ending> ended{};

    [[nodiscard]] auto note(int who)
    {
        return [this, who](error_code ec) { ended.push_back({who, world.now() - begin, ec}); };
    }
};

using endings = std::vector<ending>;

}  // namespace

TEST_CASE("timer: any number of waits, each ends at its own instant and those of one instant in the order they came")
{
    scene s;
    s.t.async_wait_for(2s, s.note(1));
    s.t.async_wait_for(1s, s.note(2));
    s.t.async_wait_until(s.begin + 2s, s.note(3));
    s.t.async_wait_for(1s, s.note(4));
    timer other(s.world.get_executor());
    other.async_wait_for(1s, s.note(5));
    s.world.run();
    CHECK(s.ended == endings{{2, 1s, {}}, {4, 1s, {}}, {5, 1s, {}}, {1, 2s, {}}, {3, 2s, {}}});
}

TEST_CASE("timer: tells the time of its context")
{
    scene s;
    CHECK(s.t.now() == s.begin);
    s.world.run_for(3s);
    CHECK(s.t.now() == s.begin + 3s);
    CHECK(s.t.get_executor() == s.world.get_executor());
    asio::io_context real;
    auto const before = weir::steady_clock::now();
    auto const now = timer(real.get_executor()).now();
    CHECK(before <= now);
    CHECK(now <= weir::steady_clock::now());
}

TEST_CASE("timer: never completes inside the initiating function, not even when the instant has long passed")
{
    scene s;
    for (auto const at : {s.begin, s.begin - 1s, time_point::min()}) {
        bool initiated = false;
        bool inside = false;
        int completions = 0;
        auto const wait = [&] {
            initiated = false;
            s.t.async_wait_until(at, [&](error_code ec) {
                CHECK(!ec);
                inside = inside || !initiated;
                ++completions;
            });
            initiated = true;
        };
        wait();
        asio::post(s.world.get_executor(), wait);  // on a thread of the context, where a dispatch would run at once
        asio::dispatch(s.world.get_executor(), wait);
        s.world.run();
        CHECK(!inside);
        CHECK(completions == 3);
    }
    CHECK(s.world.now() == s.begin);
}

TEST_CASE("timer: cancel ends every pending wait, each once, and says how many there were")
{
    scene s;
    CHECK(s.t.cancel() == 0);
    s.t.async_wait_for(1s, s.note(1));
    s.t.async_wait_for(3s, s.note(2));
    s.t.async_wait_for(2s, s.note(3));
    timer other(s.world.get_executor());
    other.async_wait_for(2s, s.note(4));
    s.world.run_for(1s);
    CHECK(s.t.cancel() == 2);
    CHECK(s.t.cancel() == 0);
    CHECK(s.ended.size() == 1);  // never inside cancel
    s.world.run();
    CHECK(s.ended == endings{{1, 1s, {}}, {2, 1s, aborted}, {3, 1s, aborted}, {4, 2s, {}}});
    s.t.async_wait_for(1s, s.note(5));  // a cancelled timer is as good as new
    s.world.run();
    CHECK(s.ended.back() == ending{5, 3s, {}});
}

TEST_CASE("timer: a wait whose end has come is not cancelled any more, although its handler has not run yet")
{
    scene s;
    s.t.async_wait_for(1s, s.note(1));
    REQUIRE(s.world.step());  // time moves, the completion is on its way
    CHECK(s.world.now() == s.begin + 1s);
    CHECK(s.ended.empty());
    CHECK(s.t.cancel() == 0);
    s.world.run();
    CHECK(s.ended == endings{{1, 1s, {}}});
}

TEST_CASE(
    "timer: of two waits of one instant the first handler can still cancel the second, or is too late: never both")
{
    scene s;
    std::size_t cancelled = 99;
    s.t.async_wait_for(1s, [&](error_code) { cancelled = s.t.cancel(); });
    s.t.async_wait_for(1s, s.note(2));
    s.world.run();
    REQUIRE(s.ended.size() == 1);
    CHECK(s.ended[0].at == 1s);
    CHECK((cancelled == 1) == (s.ended[0].ec == aborted));
}

TEST_CASE("timer: each type of cancellation ends a wait at every moment before its end, and none after")
{
    // Moments: 0 before anything happened, 1 its end has come and its handler is queued, 2 it has completed.
    for (auto const type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        for (int moment = 0; moment <= 2; ++moment) {
            CAPTURE(moment);
            scene s;
            asio::cancellation_signal signal;
            s.t.async_wait_for(1s, asio::bind_cancellation_slot(signal.slot(), s.note(1)));
            s.t.async_wait_for(2s, s.note(2));
            for (int i = 0; i < moment; ++i) REQUIRE(s.world.step());
            signal.emit(type);
            signal.emit(type);
            s.world.run();
            auto const first = moment == 0 ? ending{1, 0s, aborted} : ending{1, 1s, {}};
            CHECK(s.ended == endings{first, {2, 2s, {}}});
        }
    }
}

TEST_CASE("timer: has left the cancellation slot when the handler runs")
{
    scene s;
    asio::cancellation_signal signal;
    bool left = false;
    s.t.async_wait_for(
        1s, asio::bind_cancellation_slot(signal.slot(), [&](error_code) { left = !signal.slot().has_handler(); }));
    CHECK(signal.slot().has_handler());
    s.world.run();
    CHECK(left);
}

TEST_CASE("timer: completes on the handler's executor, and keeps its context at work meanwhile")
{
    scene s;
    asio::io_context elsewhere;
    bool ran = false;
    s.t.async_wait_for(1s, asio::bind_executor(elsewhere.get_executor(), [&](error_code) {
                           ran = true;
                           CHECK(elsewhere.get_executor().running_in_this_thread());
                       }));
    CHECK(elsewhere.poll() == 0);
    CHECK(!elsewhere.stopped());
    s.world.run();
    CHECK(!ran);
    CHECK(elsewhere.run() == 1);
    CHECK(ran);
    CHECK(elsewhere.stopped());
}

TEST_CASE("timer: a handler may be on a strand of executors of any type, and keeps its context at work, too")
{
    scene s;
    asio::io_context elsewhere;
    asio::strand<asio::any_io_executor> const strand(elsewhere.get_executor());
    bool ran = false;
    s.t.async_wait_for(
        1s, asio::bind_executor(strand, [&](error_code) { ran = elsewhere.get_executor().running_in_this_thread(); }));
    CHECK(elsewhere.poll() == 0);
    CHECK(!elsewhere.stopped());
    s.world.run();
    CHECK(!ran);
    CHECK(elsewhere.run() > 0);
    CHECK(ran);
    CHECK(elsewhere.stopped());
}

TEST_CASE("timer: a handler without an executor runs on the timer's")
{
    virtual_time world;
    auto strand = asio::make_strand(world.get_executor());
    timer t(strand);
    bool on_strand = false;
    t.async_wait_for(1s, [&](error_code) { on_strand = strand.running_in_this_thread(); });
    world.run();
    CHECK(on_strand);
}

TEST_CASE("timer: allocates from the handler's allocator, and has given all back before the upcall")
{
    for (bool const cancelled : {false, true}) {
        scene s;
        ledger book;
        int at_upcall = 99;
        s.t.async_wait_for(1s, asio::bind_allocator(counting_allocator<int>(book),
                                                    asio::bind_executor(s.world.get_executor(),
                                                                        [&](error_code) { at_upcall = book.held; })));
        CHECK(book.held > 0);
        if (cancelled) s.t.cancel();
        s.world.run();
        CHECK(at_upcall == 0);
        CHECK(book.held == 0);
        CHECK(book.taken <= 2);  // the wait, and the post of its completion
    }
}

TEST_CASE("timer: works with every completion token")
{
    scene s;
    int completions = 0;

    SUBCASE("callback, also one that can only be moved")
    {
        s.t.async_wait_for(
            1s, [&, only_one = std::make_unique<int>(1)](error_code ec) { completions += !ec ? *only_one : 0; });
    }
    SUBCASE("deferred: nothing begins before it is asked to")
    {
        auto wait = s.t.async_wait_for(1s, asio::deferred);
        CHECK(s.world.waiting() == 0);
        std::move(wait)([&](error_code ec) { completions += !ec; });
        CHECK(s.world.waiting() == 1);
    }
    SUBCASE("use_awaitable, also with as_tuple and redirect_error")
    {
        asio::co_spawn(
            s.world.get_executor(),
            [&]() -> asio::awaitable<void> {
                co_await s.t.async_wait_for(200ms, asio::use_awaitable);
                auto const [ec] = co_await s.t.async_wait_for(300ms, asio::as_tuple(asio::use_awaitable));
                CHECK(!ec);
                error_code redirected = aborted;
                co_await s.t.async_wait_for(500ms, asio::redirect_error(asio::use_awaitable, redirected));
                completions += !redirected;
            },
            asio::detached);
    }
    SUBCASE("use_future")
    {
        auto done = s.t.async_wait_for(1s, asio::use_future);
        CHECK(done.wait_for(0s) == std::future_status::timeout);
        s.world.run();
        CHECK_NOTHROW(done.get());
        ++completions;
    }
    SUBCASE("detached")
    {
        s.t.async_wait_for(1s, asio::detached);
        ++completions;
    }
    s.world.run();
    CHECK(completions == 1);
    CHECK(s.world.now() == s.begin + 1s);
}

TEST_CASE("timer: a future and a coroutine learn of the cancellation by exception, as_tuple by value")
{
    scene s;
    // Bound to this thread: alone, use_future completes on a system thread, and an exception that crosses threads
    // inside an uninstrumented libstdc++ is a race to ThreadSanitizer.
    auto future = s.t.async_wait_for(1s, asio::bind_executor(s.world.get_executor(), asio::use_future));
    error_code thrown, returned;
    asio::co_spawn(
        s.world.get_executor(),
        [&]() -> asio::awaitable<void> {
            try {
                co_await s.t.async_wait_for(1s, asio::use_awaitable);
            } catch (boost::system::system_error const& e) {
                thrown = e.code();
            }
            std::tie(returned) = co_await s.t.async_wait_for(1s, asio::as_tuple(asio::use_awaitable));
        },
        asio::detached);
    s.world.poll();
    s.t.cancel();
    s.world.poll();
    s.t.cancel();
    s.world.run();
    CHECK_THROWS_AS(future.get(), boost::system::system_error);
    CHECK(thrown == aborted);
    CHECK(returned == aborted);
    CHECK(s.world.now() == s.begin);
}

TEST_CASE("timer: cancelling a coroutine ends the wait it is in")
{
    scene s;
    asio::cancellation_signal signal;
    std::exception_ptr ended_with;
    asio::co_spawn(
        s.world.get_executor(),
        [&]() -> asio::awaitable<void> { co_await s.t.async_wait_for(24h, asio::use_awaitable); },
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { ended_with = e; }));
    s.world.run_for(1s);
    signal.emit(asio::cancellation_type::terminal);
    s.world.run();
    CHECK(s.world.now() == s.begin + 1s);
    REQUIRE(ended_with);
    CHECK_THROWS_AS(std::rethrow_exception(ended_with), boost::system::system_error);
}

TEST_CASE("timer: its destructor cancels what is pending, and the handlers need it no more")
{
    virtual_time world;
    auto const begin = world.now();
    std::vector<error_code> ended;
    auto t = std::make_unique<timer>(world.get_executor());
    t->async_wait_for(1s, [&](error_code ec) { ended.push_back(ec); });
    t->async_wait_for(2s, [&](error_code ec) { ended.push_back(ec); });
    t->async_wait_for(3s, [&](error_code ec) { ended.push_back(ec); });
    world.run_until(begin + 1s);
    REQUIRE(world.step(begin + 2s));  // the second one's completion is on its way
    t.reset();
    CHECK(world.waiting() == 0);
    world.run();
    CHECK(ended == std::vector<error_code>{{}, {}, aborted});
    CHECK(world.now() == begin + 2s);
}

TEST_CASE("timer: a handler may own the timer, start another wait on it, and destroy it")
{
    virtual_time world;
    auto const begin = world.now();
    int ended = 0;
    auto t = std::make_shared<timer>(world.get_executor());
    auto* const raw = t.get();
    raw->async_wait_for(1s, [&, t](error_code) mutable {
        ++ended;
        auto* const again = t.get();
        again->async_wait_for(1s, [&, t = std::move(t)](error_code ec) mutable {
            CHECK(!ec);
            ++ended;
            t.reset();
        });
    });
    std::weak_ptr<timer> const gone = t;
    t.reset();
    world.run();
    CHECK(ended == 2);
    CHECK(gone.expired());
    CHECK(world.now() == begin + 2s);
}

TEST_CASE_TEMPLATE("timer: when the context goes down, pending handlers are destroyed and not run", Context,
                   virtual_time, asio::io_context)
{
    auto const alive = std::make_shared<int>();
    bool ran = false;
    {
        Context context;
        auto t = std::make_shared<timer>(context.get_executor());
        t->async_wait_for(1h, [&ran, alive](error_code) { ran = true; });
        t->async_wait_for(2h, [&ran, alive, t](error_code) { ran = true; });  // owns what it waits on
        auto owner = std::make_unique<timer>(context.get_executor());
        auto* const raw = owner.get();
        raw->async_wait_for(1h, [&ran, alive, owner = std::move(owner)](error_code) { ran = true; });
        raw->async_wait_for(1h, [&ran, alive](error_code) { ran = true; });
        asio::co_spawn(
            context.get_executor(),
            [](asio::any_io_executor ex, std::shared_ptr<int>) -> asio::awaitable<void> {
                timer mine(ex);
                co_await mine.async_wait_for(1h, asio::use_awaitable);
            }(context.get_executor(), alive),
            [&ran, alive](std::exception_ptr) { ran = true; });
        context.poll();
        t->async_wait_for(0s, [&ran, alive](error_code) { ran = true; });
        t->async_wait_for(1h, [&ran, alive](error_code) { ran = true; });
        t.reset();  // some are posted, some wait, some belong to those that wait
        CHECK(alive.use_count() > 5);
    }
    CHECK(!ran);
    CHECK(alive.use_count() == 1);
}

TEST_CASE("timer: in real time a wait keeps run() going, and never ends early")
{
    asio::io_context context;
    timer t(context.get_executor());
    auto const begin = weir::steady_clock::now();
    std::vector<weir::duration> late;
    for (auto const span : {0us, 50us, 900us, 3000us, 12000us, 25000us}) {
        auto const at = begin + span;
        t.async_wait_until(at, [&late, at](error_code ec) {
            CHECK(!ec);
            late.push_back(weir::steady_clock::now() - at);
        });
    }
    context.run();
    REQUIRE(late.size() == 6);
    for (auto const d : late) {
        CHECK(d >= 0ns);
        CHECK(d < 10s);
    }
}

TEST_CASE("timer: works on a thread pool")
{
    asio::thread_pool pool(2);
    timer t(pool.get_executor());
    auto const at = weir::steady_clock::now() + 1ms;
    auto done = t.async_wait_until(at, asio::use_future);
    REQUIRE(done.wait_for(60s) == std::future_status::ready);
    CHECK(weir::steady_clock::now() >= at);
    CHECK_NOTHROW(done.get());
    pool.join();
}

// Each session on its strand, all on one context with several threads: the ends of waits, cancel() and cancellation
// signals meet in every order.
TEST_CASE("timer: on strands of several threads every wait completes exactly once, on its strand")
{
    constexpr int sessions = 32, waits = 40;
    struct session {
        asio::strand<asio::io_context::executor_type> strand;
        timer t{strand};
        asio::cancellation_signal signal{};
        std::mt19937_64 random{};
        int started = 0, ended = 0, cancelled = 0;
        bool astray = false;

        void next()
        {
            if (started == waits) return;
            ++started;
            auto const at = t.now() + std::chrono::microseconds(random() % 200);
            t.async_wait_until(at, asio::bind_cancellation_slot(signal.slot(), [this, at](error_code ec) {
                                   ++ended;
                                   cancelled += ec == aborted;
                                   astray = astray || !strand.running_in_this_thread() || (!ec && t.now() < at);
                                   next();
                               }));
            if (random() % 2)
                asio::post(strand, [this, type = random() % 3] {
                    if (type == 0)
                        t.cancel();
                    else
                        signal.emit(type == 1 ? asio::cancellation_type::terminal : asio::cancellation_type::total);
                });
        }
    };

    asio::io_context context(4);
    std::vector<std::unique_ptr<session>> all;
    for (int i = 0; i < sessions; ++i) {
        all.push_back(std::unique_ptr<session>(new session{asio::make_strand(context)}));
        all.back()->random.seed(static_cast<unsigned>(i));
        asio::post(all.back()->strand, [s = all.back().get()] { s->next(); });
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { context.run(); });
    for (auto& thread : threads) thread.join();
    int cancelled = 0;
    for (auto const& s : all) {
        CHECK(s->started == waits);
        CHECK(s->ended == waits);
        CHECK(!s->astray);
        cancelled += s->cancelled;
    }
    CHECK(cancelled > 0);
    CHECK(cancelled < sessions * waits);
}
