// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/async/async_acquire.hpp>
#include <weir/limit/drain_on.hpp>
#include <weir/limit/jittered.hpp>
#include <weir/limit/keyed_limiter.hpp>
#include <weir/limit/leaky_bucket.hpp>
#include <weir/limit/token_bucket.hpp>
#include <weir/testing/virtual_time.hpp>

#include <support/counting_allocator.hpp>

#include <doctest/doctest.h>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Those who wait for permits of a rate limiter, and what becomes of their places.

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using weir::test::counting_allocator;
using weir::test::ledger;

// All of an operation is compiled for each type of handler: where the type is not the point, it is one.
using told = std::function<void(error_code)>;
using given = std::function<void(error_code, weir::concurrency_slot)>;

namespace {

/// Waiters with names; what became of each, and when.
struct queue_of_waiters : weir::testing::virtual_time {
    weir::time_point const begin = now();
    std::map<char, std::unique_ptr<asio::cancellation_signal>> signals;
    std::string order;  // upper case: granted; lower case: cancelled
    std::map<char, weir::duration> at;

    template <class Limiter>
    void wait(Limiter&& limiter, char name, std::uint64_t n = 1, weir::duration max_wait = 1h)
    {
        auto& signal = signals[name] = std::make_unique<asio::cancellation_signal>();
        weir::async_acquire(get_executor(), limiter, n, max_wait,
                            asio::bind_cancellation_slot(signal->slot(), told([this, name](error_code ec) {
                                                             CHECK((!ec || ec == asio::error::operation_aborted));
                                                             order += ec ? static_cast<char>(name - 'A' + 'a') : name;
                                                             at[name] = now() - begin;
                                                         })));
        poll();
    }
    void cancel(char name)
    {
        signals[name]->emit(asio::cancellation_type::terminal);
        poll();
    }
};

weir::token_bucket spent(weir::time_point now, std::uint64_t burst = 1)
{
    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = burst}};
    CHECK(bucket.try_acquire(burst, now));
    return bucket;
}

}  // namespace

TEST_CASE("async_acquire: when one gives up, all behind move up, and the last place goes back")
{
    for (char const leaves : {'A', 'B', 'C', 'D'}) {
        queue_of_waiters w;
        auto bucket = spent(w.now());
        for (char const name : {'A', 'B', 'C', 'D'}) w.wait(bucket, name);
        CHECK(bucket.retry_at(1, w.now()) == w.begin + 500ms);
        w.cancel(leaves);
        CHECK(bucket.retry_at(1, w.now()) == w.begin + 400ms);
        w.run();
        weir::duration next = 100ms;
        for (char const name : {'A', 'B', 'C', 'D'}) {
            if (name == leaves) continue;
            CHECK(w.at[name] == next);
            next += 100ms;
        }
        CHECK(w.waiting() == 0);
    }
}

TEST_CASE("async_acquire: all waits for a limiter are one wait of the context")
{
    queue_of_waiters w;
    auto bucket = spent(w.now());
    auto other = spent(w.now());
    for (char name = 'A'; name <= 'H'; ++name) w.wait(name < 'F' ? bucket : other, name);
    CHECK(w.waiting() == 2);
    for (char name = 'A'; name <= 'E'; ++name) w.cancel(name);
    CHECK(w.waiting() == 1);
    w.run();
    CHECK(w.order == "abcdeFGH");
    CHECK(bucket.retry_at(1, w.begin) == w.begin + 100ms);
}

TEST_CASE("async_acquire: a place is taken by the next who needs no more permits, and so is the place he left")
{
    queue_of_waiters w;
    auto bucket = spent(w.now(), 5);
    w.wait(bucket, 'A', 2);  // 200 ms
    w.wait(bucket, 'B', 5);  // 700 ms
    w.wait(bucket, 'C', 1);  // 800 ms
    w.wait(bucket, 'D', 2);  // 1000 ms
    w.wait(bucket, 'E', 1);  // 1100 ms
    w.cancel('A');           // C starts at 200, E at 800, and E's place goes back
    CHECK(bucket.retry_at(1, w.now()) == w.begin + 1100ms);
    w.run();
    CHECK(w.order == "aCBED");
    CHECK(w.at['C'] == 200ms);
    CHECK(w.at['B'] == 700ms);
    CHECK(w.at['E'] == 800ms);
    CHECK(w.at['D'] == 1000ms);
}

TEST_CASE("async_acquire: where nobody behind fits, the place stays spent and the others stay as they are")
{
    queue_of_waiters w;
    auto bucket = spent(w.now(), 5);
    w.wait(bucket, 'A', 1);  // 100 ms
    w.wait(bucket, 'B', 2);  // 300 ms
    w.wait(bucket, 'C', 3);  // 600 ms
    w.cancel('A');
    w.cancel('B');
    CHECK(bucket.retry_at(1, w.now()) == w.begin + 700ms);
    w.cancel('C');  // the last: goes back, and it alone
    CHECK(bucket.retry_at(1, w.now()) == w.begin + 400ms);
    CHECK(w.order == "abc");
    CHECK(w.waiting() == 0);
}

TEST_CASE(
    "async_acquire: whoever reserves in between, without waiting here, keeps his place, and nothing goes back behind "
    "him")
{
    queue_of_waiters w;
    auto bucket = spent(w.now());
    w.wait(bucket, 'A');  // 100 ms
    auto foreign = bucket.reserve(1, 1h, w.now());
    REQUIRE(foreign);
    CHECK(foreign->start_at() == w.begin + 200ms);
    w.wait(bucket, 'B');  // 300 ms
    auto last = bucket.reserve(1, 1h, w.now());
    REQUIRE(last);
    CHECK(last->start_at() == w.begin + 400ms);
    w.cancel('A');  // B moves up to 100 ms; 300 ms is lost, because 400 ms was reserved behind it
    CHECK(bucket.retry_at(1, w.now()) == w.begin + 500ms);
    w.run();
    CHECK(w.order == "aB");
    CHECK(w.at['B'] == 100ms);
    CHECK(last->cancel());
    CHECK_FALSE(foreign->cancel());
}

TEST_CASE("async_acquire: cancelled before its time, the wait ends so; from then on it has its permit")
{
    for (auto const when : {0ms, 99ms, 100ms, 101ms, 199ms, 200ms}) {
        queue_of_waiters w;
        auto bucket = spent(w.now());
        w.wait(bucket, 'A');
        w.wait(bucket, 'B');
        while (w.now() < w.begin + when && w.step(w.begin + when)) {}  // granted, but its handler has not run yet
        if (w.now() < w.begin + when) w.run_until(w.begin + when);
        w.cancel('A');
        w.run();
        CHECK(w.order == (when < 100ms ? "aB" : "AB"));
        CHECK(w.at['B'] == (when < 100ms ? 100ms : 200ms));
        CHECK(bucket.retry_at(1, w.begin) == w.begin + (when < 100ms ? 200ms : 300ms));
    }
}

TEST_CASE("async_acquire: cancelled at each step of a scenario, every waiter ends once and none later than without")
{
    // Without: A 2 permits at 200 ms, B 1 at 300, C 3 at 600, D 1 at 700, E 2 at 900.
    std::map<char, weir::duration> const at_most{{'A', 200ms}, {'B', 300ms}, {'C', 600ms}, {'D', 700ms}, {'E', 900ms}};
    for (char const victim : {'A', 'B', 'C', 'D', 'E'})
        for (char const second : {'B', 'D'})
            for (std::size_t step = 0; step < 14; ++step) {
                queue_of_waiters w;
                auto bucket = spent(w.now(), 3);
                w.wait(bucket, 'A', 2);
                w.wait(bucket, 'B', 1);
                w.wait(bucket, 'C', 3);
                w.wait(bucket, 'D', 1);
                w.wait(bucket, 'E', 2);
                for (std::size_t i = 0; i < step; ++i) w.step();
                w.cancel(victim);
                if (second != victim) w.cancel(second);
                w.run();
                CHECK(w.order.size() == 5);
                for (auto const& [name, limit] : at_most)
                    if (w.order.find(name) != std::string::npos) CHECK(w.at[name] <= limit);
                CHECK(w.waiting() == 0);
            }
}

TEST_CASE("async_acquire: random arrivals, sizes and cancels are never over the rate, and delay nobody")
{
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        weir::random_engine random{seed};
        auto const below = [&](std::uint64_t n) { return weir::uniform_below(random, n); };
        weir::testing::virtual_time w;
        weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 4}};
        struct waiter {
            asio::cancellation_signal signal;
            std::uint64_t n = 0;
            weir::time_point promised, started;
            int ended = 0;
        };
        std::vector<std::unique_ptr<waiter>> waiters;
        std::vector<std::pair<weir::time_point, std::uint64_t>> sent;
        std::vector<weir::rate_permit> foreign;
        for (int i = 0; i < 60; ++i) {
            switch (below(5)) {
                case 0:
                    if (auto p = bucket.reserve(1 + below(3), 1h, w.now())) {
                        sent.emplace_back(p->start_at(), 1);
                        foreign.push_back(*std::move(p));
                    }
                    break;
                case 1:
                    if (!waiters.empty()) waiters[below(waiters.size())]->signal.emit(asio::cancellation_type::total);
                    break;
                case 2: w.run_for(weir::duration(below(200'000'000))); break;
                default: {
                    auto* const me = waiters.emplace_back(std::make_unique<waiter>()).get();
                    me->n = 1 + below(4);
                    me->promised = bucket.retry_at(me->n, w.now());
                    weir::async_acquire(
                        w.get_executor(), bucket, me->n, 1h,
                        asio::bind_cancellation_slot(me->signal.slot(), told([&w, &sent, me](error_code ec) {
                                                         ++me->ended;
                                                         if (ec) return;
                                                         me->started = w.now();
                                                         sent.emplace_back(w.now(), me->n);
                                                     })));
                }
            }
        }
        w.run();
        for (auto const& each : waiters) {
            CHECK(each->ended == 1);
            CHECK(each->started <= each->promised);
        }
        for (auto& p : foreign) p.record(weir::outcome::success(), w.now());
        std::sort(sent.begin(), sent.end());
        bool over = false;
        for (std::size_t from = 0; from < sent.size(); ++from) {
            std::uint64_t sum = 0;
            for (auto to = from; to < sent.size(); ++to) {
                sum += sent[to].second;
                over |= static_cast<double>(sum) >
                        std::chrono::duration<double>(sent[to].first - sent[from].first).count() * 10 + 4.000001;
            }
        }
        CHECK_FALSE(over);
    }
}

TEST_CASE("async_acquire: without a wait limit it waits as long as the limiter takes")
{
    queue_of_waiters w;
    auto bucket = spent(w.now());
    REQUIRE(bucket.reserve(1, 100h, w.now())->start_at() == w.begin + 100ms);
    {
        auto far = bucket.reserve(1, 100h, w.now());
        far->record(weir::outcome::success(), w.now());
    }
    error_code got = asio::error::would_block;
    weir::async_acquire(w.get_executor(), bucket, 1, told([&](error_code ec) { got = ec; }));
    w.run();
    CHECK_FALSE(got);
    CHECK(w.now() == w.begin + 200ms);
    got = asio::error::would_block;
    error_code never;
    weir::async_acquire(bucket, 1, asio::bind_executor(w.get_executor(), told([&](error_code ec) { got = ec; })));
    weir::async_acquire(w.get_executor(), bucket, 2, told([&](error_code ec) { never = ec; }));
    w.run();
    CHECK_FALSE(got);
    CHECK(never == weir::errc::exceeds_burst);

    weir::leaky_bucket pacer{{.rate = weir::per_second(10), .max_wait = 150ms}};
    struct with_max_wait {
        weir::leaky_bucket& inner;
        with_max_wait(with_max_wait const&) = delete;
        explicit with_max_wait(weir::leaky_bucket& b) : inner(b) {}
        weir::admission<weir::rate_permit> reserve(std::uint64_t n, weir::duration d, weir::time_point t) noexcept
        {
            return inner.reserve(n, d, t);
        }
        [[nodiscard]] weir::duration max_wait() const noexcept { return 150ms; }
    } limited{pacer};
    std::vector<bool> refused;
    for (int i = 0; i < 3; ++i)
        weir::async_acquire(w.get_executor(), limited, 1, told([&](error_code ec) { refused.push_back(bool(ec)); }));
    w.run();
    std::sort(refused.begin(), refused.end());
    CHECK(refused == std::vector<bool>{false, false, true});
}

TEST_CASE("async_acquire: with the time of asking given, it is that time which decides")
{
    queue_of_waiters w;
    auto bucket = spent(w.begin);
    int granted = 0;
    weir::async_acquire(w.get_executor(), bucket, 1, 0ms, w.begin + 100ms,
                        told([&](error_code ec) { granted += !ec; }));
    weir::async_acquire(bucket, 1, 0ms, w.begin + 100ms,
                        asio::bind_executor(w.get_executor(), told([&](error_code ec) { granted += !ec; })));
    w.poll();
    CHECK(granted == 1);
    CHECK(w.now() == w.begin);
}

TEST_CASE("async_acquire: wrapped limiters wait too, and jittered waiters leave in the order of their starts")
{
    queue_of_waiters w;
    auto bucket = spent(w.now());
    weir::drain_on careful{bucket};
    w.wait(careful, 'A');
    w.wait(careful, 'B');
    w.cancel('A');
    w.run();
    CHECK(w.order == "aB");
    CHECK(w.at['B'] == 100ms);

    weir::jittered polite{weir::token_bucket{{.rate = weir::per_second(1000), .burst = 1}}, 1s};
    std::vector<weir::duration> starts;
    for (int i = 0; i < 50; ++i)
        weir::async_acquire(w.get_executor(), polite, 1, 1h, told([&](error_code ec) {
                                CHECK_FALSE(ec);
                                starts.push_back(w.now() - w.begin);
                            }));
    w.run();
    CHECK(starts.size() == 50);
    CHECK(std::is_sorted(starts.begin(), starts.end()));
    CHECK(starts.back() - starts.front() > 300ms);
}

namespace {

/// A handle: what it stands for is not told by its address.
struct handle {
    weir::token_bucket* bucket;
    weir::admission<weir::rate_permit> reserve(std::uint64_t n, weir::duration max_wait, weir::time_point now) noexcept
    {
        return bucket->reserve(n, max_wait, now);
    }
};
static_assert(weir::rate_limiter<handle>);

}  // namespace

namespace {

/// A limiter whose starts are as told, in any order; each is cancelled into `cancelled`.
struct listed {
    struct permit {
        permit(listed& l, weir::time_point t) : from(&l), at(t) {}
        permit(permit&&) = default;
        permit& operator=(permit&&) = default;
        [[nodiscard]] weir::time_point start_at() const noexcept { return at; }
        void record(weir::outcome const&, weir::time_point) noexcept {}
        bool cancel() noexcept
        {
            from->cancelled.push_back(at);
            return true;
        }
        listed* from;
        weir::time_point at;
    };
    explicit listed(std::vector<weir::time_point> s) : starts(std::move(s)) {}
    listed(listed const&) = delete;

    weir::admission<permit> reserve(std::uint64_t, weir::duration, weir::time_point)
    {
        return permit{*this, starts.at(next++)};
    }
    std::vector<weir::time_point> starts, cancelled;
    std::size_t next = 0;
};

}  // namespace

TEST_CASE("async_acquire: reservations that are not in the order of asking are served in the order of their starts")
{
    queue_of_waiters w;
    auto const at = [&](auto d) { return w.begin + d; };
    listed limiter{{at(300ms), at(100ms), at(400ms), at(200ms), at(100ms)}};
    for (char name = 'A'; name <= 'E'; ++name) w.wait(limiter, name);
    w.cancel('D');  // A moves up to 200 ms, C to 300 ms
    CHECK(limiter.cancelled == std::vector{at(400ms)});
    w.run();
    CHECK(w.order == "dBEAC");
    CHECK(w.at['E'] == 100ms);
    CHECK(w.at['A'] == 200ms);
    CHECK(w.at['C'] == 300ms);
}

TEST_CASE("async_acquire: a handle may go while it is waited for, and a place never passes to another limiter's waiter")
{
    queue_of_waiters w;
    auto one = spent(w.now());
    auto two = spent(w.now());
    CHECK(two.reserve(1, 1h, w.now())->start_at() == w.begin + 100ms);
    auto held = two.reserve(1, 1h, w.now());
    std::optional<handle> place{handle{&one}};  // the same address for both
    w.wait(*place, 'A');
    place = handle{&two};
    w.wait(*place, 'B');
    place.reset();
    w.cancel('A');
    w.run();
    CHECK(w.order == "aB");
    CHECK(w.at['B'] == 200ms);
    int granted = 0;
    weir::async_acquire(w.get_executor(), handle{&one}, 1, 1h, told([&](error_code ec) { granted += !ec; }));
    w.run();
    CHECK(granted == 1);
}

TEST_CASE("async_acquire: a limiter and what is wrapped around it are two queues, though they have one address")
{
    struct around {
        weir::token_bucket inner, own;
        auto reserve(std::uint64_t n, weir::duration max_wait, weir::time_point now)
        {
            return own.reserve(n, max_wait, now);
        }
    };
    queue_of_waiters w;
    around outer{spent(w.now()), spent(w.now())};
    auto const first = outer.inner.reserve(1, 1h, w.now());
    w.wait(outer, 'A');        // 100 ms
    w.wait(outer.inner, 'B');  // 200 ms
    CHECK(w.waiting() == 2);
    w.cancel('A');
    w.run();
    CHECK(w.order == "aB");
    CHECK(w.at['B'] == 200ms);
}

TEST_CASE(
    "async_acquire: those who wait for one key are one queue, whichever handle they came with; other keys are others")
{
    queue_of_waiters w;
    weir::keyed_limiter<std::string> tenants{
        {.quotas = {{weir::per_second(10), 1}, {weir::per_second(5), 1}}, .capacity = 100}};
    for (auto const* const tenant : {"acme", "bolt"}) CHECK(tenants.try_acquire(tenant, 1, w.now()));
    for (char const name : {'A', 'B', 'C'}) w.wait(tenants.of("acme"), name);  // 100, 200, 300 ms
    w.wait(tenants.of("bolt"), 'X');                                           // 100 ms
    w.wait(tenants.of("acme", 1), 'Q');                                        // another quota's places are others
    CHECK(w.waiting() == 3);
    w.cancel('Q');
    w.cancel('A');
    CHECK(tenants.retry_at("acme", 1, w.now()) == w.begin + 300ms);
    w.run();
    CHECK(w.order == "qaBXC");
    CHECK(w.at['B'] == 100ms);
    CHECK(w.at['C'] == 200ms);
    CHECK(w.at['X'] == 100ms);
    CHECK(w.waiting() == 0);
}

TEST_CASE("async_acquire: a context destroyed under its waiters gives all places back, and calls nobody")
{
    auto const alive = std::make_shared<int>();
    auto bucket = spent(weir::time_point{1h}, 3);
    weir::concurrency_limit limit{{.limit = 1}};
    auto held = limit.admit(weir::time_point{1h});
    {
        weir::testing::virtual_time w;
        for (std::uint64_t n : {1U, 3U, 2U, 1U})
            weir::async_acquire(w.get_executor(), bucket, n, 1h, told([alive](error_code) { FAIL("ran"); }));
        for (int i = 0; i < 3; ++i)
            weir::async_acquire(w.get_executor(), limit, 1h,
                                given([alive](error_code, weir::concurrency_slot) { FAIL("ran"); }));
        w.poll();
        CHECK(alive.use_count() == 8);
        CHECK(limit.waiting() == 3);
    }
    CHECK(alive.use_count() == 1);
    CHECK(limit.waiting() == 0);
    CHECK(limit.in_flight() == 1);
    CHECK(bucket.retry_at(1, weir::time_point{1h}) == weir::time_point{1h} + 100ms);
}

TEST_CASE("async_acquire: a limiter owned by its waiters has all places back before the first of them goes")
{
    weir::time_point const start{1h};
    std::optional<weir::time_point> at_the_end;
    auto const look = [&](weir::token_bucket* b) {
        at_the_end = b->retry_at(1, start);
        delete b;
    };
    {
        weir::testing::virtual_time w;
        std::shared_ptr<weir::token_bucket> bucket(new weir::token_bucket{{.rate = weir::per_second(10), .burst = 1}},
                                                   look);
        CHECK(bucket->try_acquire(1, start));
        weir::async_acquire(w.get_executor(), *bucket, 1, 1h, told([](error_code) {}));
        weir::async_acquire(w.get_executor(), *bucket, 1, 1h, told([bucket](error_code) {}));  // the last goes first
    }
    REQUIRE(at_the_end);
    CHECK(*at_the_end == start + 100ms);
}

TEST_CASE("async_acquire: a handler that starts another wait as its context goes down is let go too")
{
    struct again {
        weir::testing::virtual_time* w;
        weir::token_bucket* bucket;
        std::shared_ptr<int> alive;
        again(again&&) = default;
        again(weir::testing::virtual_time& world, weir::token_bucket& b, std::shared_ptr<int> a)
            : w(&world), bucket(&b), alive(std::move(a))
        {
        }
        ~again()
        {
            if (alive && *alive > 0) {
                --*alive;
                weir::async_acquire(w->get_executor(), *bucket, 1, 1h, again{*w, *bucket, alive});
            }
        }
        void operator()(error_code) {}
    };
    auto const alive = std::make_shared<int>(0);
    auto bucket = spent(weir::time_point{1h});
    {
        weir::testing::virtual_time w;
        weir::async_acquire(w.get_executor(), bucket, 1, 1h, again{w, bucket, alive});
        *alive = 1;
    }
    CHECK(*alive == 0);
    CHECK(alive.use_count() == 1);
}

TEST_CASE("async_acquire: without a wait it allocates what a post allocates; memory goes back before the upcall")
{
    ledger c;
    queue_of_waiters w;
    auto const counted = [&](auto f) { return asio::bind_allocator(counting_allocator<int>(c), std::move(f)); };
    asio::post(w.get_executor(), counted([] {}));
    w.poll();
    auto const of_a_post = std::exchange(c.taken, 0);

    weir::token_bucket bucket{{.rate = weir::per_second(10), .burst = 1}};
    weir::concurrency_limit limit{{.limit = 1}};
    int ran = 0;
    weir::async_acquire(w.get_executor(), bucket, 1, 1h, counted([&](error_code) { ran += c.held == 0; }));
    w.poll();
    CHECK(ran == 1);
    CHECK(std::exchange(c.taken, 0) == of_a_post);
    weir::async_acquire(w.get_executor(), limit, 1h,
                        counted([&](error_code, weir::concurrency_slot) { ran += c.held == 0; }));
    w.poll();
    CHECK(ran == 2);
    CHECK(std::exchange(c.taken, 0) == of_a_post);

    weir::async_acquire(w.get_executor(), bucket, 1, 1h, counted([&](error_code) { ran += c.held == 0; }));
    w.run();
    CHECK(ran == 3);
    CHECK(std::exchange(c.taken, 0) == 2);  // the wait, and the post at its end
}

TEST_CASE("async_acquire: a handler is called on its own executor, whichever the operation runs on")
{
    asio::thread_pool timers(1);
    asio::io_context mine;
    auto const executor = mine.get_executor();
    auto bucket = weir::token_bucket{{.rate = weir::per_second(1000), .burst = 1}};
    weir::concurrency_limit limit{{.limit = 1}};
    int ran = 0;
    std::vector<weir::concurrency_slot> slots;
    for (int i = 0; i < 3; ++i) {
        weir::async_acquire(timers.get_executor(), bucket, 1, 1h,
                            asio::bind_executor(executor, told([&](error_code ec) {
                                                    CHECK_FALSE(ec);
                                                    ran += executor.running_in_this_thread();
                                                })));
        weir::async_acquire(timers.get_executor(), limit, 1h,
                            asio::bind_executor(executor, given([&](error_code ec, weir::concurrency_slot) {
                                                    CHECK_FALSE(ec);
                                                    ran += executor.running_in_this_thread();
                                                })));
    }
    mine.run();
    timers.join();
    CHECK(ran == 6);
}

TEST_CASE("async_acquire: the context of a wait may go before the handler has run in another one")
{
    asio::io_context handlers;
    int done = 0;
    weir::concurrency_limit limit{{.limit = 1}};
    {
        weir::testing::virtual_time w;
        auto held = limit.admit(w.now());
        REQUIRE(held);
        weir::async_acquire(
            asio::make_strand(w.get_executor()), limit, 1h,
            asio::bind_executor(handlers.get_executor(),
                                given([&](error_code ec, weir::concurrency_slot slot) { done += !ec && slot; })));
        w.poll();
        {
            auto const released = *std::move(held);
        }
        w.run();
        CHECK(w.context().stopped());  // the wait is over, and keeps its context no longer
    }
    CHECK(done == 0);
    handlers.run();
    CHECK(done == 1);
}

TEST_CASE("async_acquire: a deferred operation asks when it is launched")
{
    queue_of_waiters w;
    auto bucket = spent(w.now());
    auto later = weir::async_acquire(w.get_executor(), bucket, 1, 0ms, asio::deferred);
    w.run_for(100ms);
    error_code got = asio::error::would_block;
    std::move(later)([&](error_code ec) { got = ec; });
    CHECK(got == asio::error::would_block);
    w.poll();
    CHECK_FALSE(got);
}

TEST_CASE("async_acquire: many strands wait, cancel and ask without waiting; each ends once, and never over the rate")
{
    constexpr int tasks = 3000;
    constexpr std::uint64_t burst = 20, rate = 20'000;
    asio::thread_pool pool(4);
    weir::token_bucket bucket{{.rate = weir::per_second(rate), .burst = burst}};
    std::atomic<int> ended{0}, granted{0};
    std::atomic<std::uint64_t> permits{0};
    auto const begin = weir::steady_clock::now();
    struct task {
        explicit task(asio::thread_pool& p) : strand(asio::make_strand(p)) {}
        asio::strand<asio::thread_pool::executor_type> strand;
        asio::cancellation_signal signal;
    };
    std::vector<std::unique_ptr<task>> all;
    for (int i = 0; i < tasks; ++i) all.push_back(std::make_unique<task>(pool));
    for (int i = 0; i < tasks; ++i) {
        auto* const t = all[static_cast<std::size_t>(i)].get();
        auto const n = static_cast<std::uint64_t>(i % 7 == 0 ? 3 : 1);
        asio::post(t->strand, [&, t, n] {
            weir::async_acquire(bucket, n, 1min,
                                asio::bind_cancellation_slot(t->signal.slot(),
                                                             asio::bind_executor(t->strand, told([&, n](error_code ec) {
                                                                                     ++ended;
                                                                                     if (ec) return;
                                                                                     ++granted;
                                                                                     permits += n;
                                                                                 }))));
        });
        if (i % 3 == 0) asio::post(t->strand, [t] { t->signal.emit(asio::cancellation_type::terminal); });
        if (i % 5 == 0) asio::post(pool, [&] { permits += bucket.try_acquire(1) ? 1U : 0U; });
    }
    pool.join();
    auto const took = std::chrono::duration<double>(weir::steady_clock::now() - begin).count();
    CHECK(ended == tasks);
    CHECK(granted >= tasks - tasks / 3 - 1);
    CHECK(static_cast<double>(permits) <= took * static_cast<double>(rate) + static_cast<double>(burst));
}

TEST_CASE("async_acquire: slots handed over from other threads while waits run out and are cancelled; none is lost")
{
    constexpr int tasks = 2000;
    asio::thread_pool pool(4);
    weir::concurrency_limit limit{{.limit = 2, .max_queue = tasks}};
    std::atomic<int> ended{0}, inside{0};
    std::atomic<bool> over{false};
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    for (int i = 0; i < tasks; ++i) signals.push_back(std::make_unique<asio::cancellation_signal>());
    for (int i = 0; i < tasks; ++i) {
        auto const strand = asio::make_strand(pool);
        auto& signal = *signals[static_cast<std::size_t>(i)];
        asio::post(strand, [&, i, strand] {
            weir::async_acquire(
                limit, i % 4 == 0 ? weir::duration(i * 100) : weir::duration(1min),
                asio::bind_cancellation_slot(
                    signal.slot(), asio::bind_executor(strand, given([&](error_code ec, weir::concurrency_slot s) {
                                                           ++ended;
                                                           if (ec || !s) return;
                                                           if (++inside > 2) over = true;
                                                           --inside;
                                                       }))));
        });
        if (i % 3 == 0) asio::post(strand, [&signal] { signal.emit(asio::cancellation_type::partial); });
    }
    pool.join();
    CHECK(ended == tasks);
    CHECK_FALSE(over);
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}
