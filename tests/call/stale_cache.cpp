// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/call/classify.hpp>
#include <weir/call/stale_cache.hpp>
#include <weir/testing/manual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

weir::time_point const t0{1h};
using cache = weir::stale_cache<std::string, int>;
auto const unreachable = std::make_error_code(std::errc::host_unreachable);

}  // namespace

TEST_CASE("stale_cache: fresh for the one time, stale for the other, and then gone")
{
    cache c({.fresh_for = 10s, .stale_for = 20s});
    CHECK_FALSE(c.find("a", t0));
    c.put("a", 7, t0);

    auto found = c.find("a", t0 + 10s - 1ns);
    REQUIRE(found);
    CHECK(**found == 7);
    CHECK_FALSE(found->stale);
    CHECK(found->age == 10s - 1ns);

    found = c.find("a", t0 + 10s);
    REQUIRE(found);
    CHECK(found->stale);
    CHECK(c.find("a", t0 + 30s - 1ns));
    CHECK_FALSE(c.find("a", t0 + 30s));
    CHECK(c.size() == 0);
}

TEST_CASE("stale_cache: an instant before the answer finds it fresh, and no span overflows")
{
    cache c({.fresh_for = weir::duration::max(), .stale_for = weir::duration::max()});
    c.put("a", 1, t0);
    CHECK_FALSE(c.find("a", t0 - 1h)->stale);
    CHECK(c.find("a", t0 - 1h)->age == 0s);
    CHECK_FALSE(c.find("a", weir::never - 1ns)->stale);
    c.reconfigure({.fresh_for = 1s, .stale_for = weir::duration::max()});
    CHECK(c.find("a", weir::never - 1ns)->stale);
}

TEST_CASE("stale_cache: never more entries than its capacity, and the least recently used goes first")
{
    cache c({.capacity = 3});
    for (auto const* key : {"a", "b", "c"}) c.put(key, 1, t0);
    CHECK(c.find("a", t0));
    c.put("d", 1, t0);
    CHECK(c.size() == 3);
    CHECK_FALSE(c.find("b", t0));
    CHECK(c.find("a", t0));
    CHECK(c.find("c", t0));

    for (std::size_t const capacity : {1u, 64u, 1000u, 1023u, 4099u}) {
        weir::stale_cache<int, int> large({.capacity = capacity});
        for (int i = 0; i < 20'000; ++i) {
            large.put(i, i, t0);
            if (i % 997 == 0) CHECK(large.size() <= capacity);
        }
        CHECK(large.size() == capacity);
    }
}

TEST_CASE("stale_cache: of two answers the one asked for later stays, whichever comes first")
{
    cache c;
    c.put("a", 2, t0 + 2ms);
    c.put("a", 1, t0 + 1ms);
    CHECK(**c.find("a", t0 + 3ms) == 2);
    c.put("a", 3, t0 + 3ms);
    CHECK(**c.find("a", t0 + 3ms) == 3);
    CHECK(c.size() == 1);
}

TEST_CASE("stale_cache: call asks only when nothing is fresh, and serves the stale value when that fails")
{
    weir::testing::manual_clock clock(t0);
    cache c({.fresh_for = 10s, .stale_for = 20s});
    int asked = 0;
    weir::result<int> origin = 1;
    auto const ask = [&] {
        return c.call(
            "a", [&] { return ++asked, origin; }, clock);
    };

    CHECK(**ask() == 1);
    CHECK(**ask() == 1);
    CHECK(asked == 1);

    clock.advance(10s);
    origin = weir::error(unreachable);
    auto served = ask();
    REQUIRE(served);
    CHECK(**served == 1);
    CHECK(served->stale);
    CHECK(served->error->code == unreachable);
    CHECK(asked == 2);

    served = c.call(
        "a", []() -> int { throw std::runtime_error("no"); }, clock);
    CHECK(served->stale);
    CHECK(served->error->code == weir::errc::operation_threw);

    origin = 2;
    served = ask();
    CHECK(**served == 2);
    CHECK_FALSE(served->stale);
    CHECK_FALSE(served->error);

    clock.advance(30s);
    origin = weir::error(unreachable);
    CHECK(ask().error().code == unreachable);
    CHECK_THROWS_AS((void)c.call(
                        "a", []() -> int { throw std::runtime_error("no"); }, clock),
                    std::runtime_error);
}

TEST_CASE("stale_cache: a value that its classifier calls a failure is not kept, and a stale one is served instead")
{
    weir::testing::manual_clock clock(t0);
    cache c({.fresh_for = 10s, .stale_for = 20s});
    int origin = -1;
    auto const judge = [](int v) { return v < 0 ? weir::outcome::failure() : weir::outcome::success(); };
    auto const judged = c.judged_by(weir::classify(judge));
    auto const ask = [&] {
        return judged.call(
            "a", [&] { return origin; }, clock);
    };

    auto served = ask();  // nothing better is to be had
    REQUIRE(served);
    CHECK(**served == -1);
    CHECK_FALSE(served->stale);
    REQUIRE(served->error);
    CHECK(served->error->code == weir::errc::answer_failed);
    CHECK(c.size() == 0);

    origin = 1;
    CHECK(**ask() == 1);
    origin = -2;
    CHECK(**ask() == 1);
    clock.advance(10s);
    served = ask();
    CHECK(**served == 1);
    CHECK(served->stale);
    REQUIRE(served->error);
    CHECK(served->error->code == weir::errc::answer_failed);
    CHECK(**c.find("a", clock.now()) == 1);

    served = c.judged_by([](int) -> weir::outcome { throw std::runtime_error("no judge"); })
                 .call(
                     "a", [] { return 3; }, clock);
    CHECK(**served == 1);
    REQUIRE(served->error);
    CHECK(served->error->code == weir::errc::operation_threw);

    served = c.call(
        "a", [&] { return origin; }, clock);  // nobody says that this is a failure
    CHECK(**served == -2);
    CHECK_FALSE(served->error);
}

TEST_CASE("stale_cache: the age counts from when the origin was asked, not from when it answered")
{
    weir::testing::manual_clock clock(t0);
    cache c({.fresh_for = 10s});
    (void)c.call(
        "a", [&] { return clock.advance(9s), 1; }, clock);
    CHECK_FALSE(c.find("a", t0 + 10s - 1ns)->stale);
    CHECK(c.find("a", t0 + 10s)->stale);
}

TEST_CASE("stale_cache: erase, clear, and what is in use stays alive")
{
    cache c;
    c.put("a", 1, t0);
    c.put("b", 2, t0);
    auto const held = c.find("b", t0);
    CHECK(c.erase("a"));
    CHECK_FALSE(c.erase("a"));
    c.clear();
    CHECK(c.size() == 0);
    CHECK_FALSE(c.find("b", t0));
    CHECK(**held == 2);
    c.put("b", 3, t0);
    CHECK(**c.find("b", t0) == 3);
}

TEST_CASE("stale_cache: a value's destructor may use the cache")
{
    struct nosy {
        std::function<void()> last_word;
        ~nosy()
        {
            if (last_word) last_word();
        }
        explicit nosy(std::function<void()> f) : last_word(std::move(f)) {}
        nosy(nosy&& o) noexcept : last_word(std::exchange(o.last_word, nullptr)) {}
    };
    int words = 0;
    weir::stale_cache<int, nosy> c({.capacity = 2, .fresh_for = 1s, .stale_for = 1s});
    auto const value = [&] {
        return nosy([&] {
            ++words;
            (void)c.find(1, t0);
            (void)c.size();
        });
    };
    c.put(1, value(), t0);
    c.put(1, value(), t0);  // replaced
    c.put(2, value(), t0);
    c.put(3, value(), t0);       // evicted
    c.put(3, value(), t0 - 1s);  // refused
    CHECK(words == 3);
    CHECK_FALSE(c.find(3, t0 + 2s));  // too old
    CHECK(c.erase(2));
    CHECK(words == 5);
    c.put(4, value(), t0);
    c.clear();
    CHECK(words == 6);
}

TEST_CASE("stale_cache: keys of one hash are not taken for one another")
{
    auto const same = [](int) { return std::size_t{1}; };
    weir::stale_cache<int, int, decltype(same)> c({.capacity = 8}, same);
    for (int i = 0; i < 20; ++i) c.put(i, i * 10, t0);
    CHECK(c.size() == 8);
    for (int i = 12; i < 20; ++i) CHECK(**c.find(i, t0) == i * 10);
    CHECK_FALSE(c.find(11, t0));
}

TEST_CASE("stale_cache: bad options are refused by name")
{
    CHECK_THROWS_WITH_AS(cache({.capacity = 0}), "weir: stale_cache_options.capacity must be at least 1, and is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(cache({.fresh_for = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(cache({.stale_for = -1ns}), std::invalid_argument);
    cache c({.capacity = 5});
    CHECK_THROWS_AS(c.reconfigure({.capacity = 6}), std::invalid_argument);
}

TEST_CASE("stale_cache: many threads never exceed the capacity, and never read another key's value")
{
    weir::stale_cache<int, std::string> c({.capacity = 200});
    std::latch all(4);
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            all.arrive_and_wait();
            for (unsigned i = 0; i < 20'000; ++i) {
                auto const key = static_cast<int>((i * 7919u + t * 104'729u) % 500u);
                if (auto const found = c.find(key, t0); found && **found != std::to_string(key)) ++wrong;
                if (i % 3 == 0) c.put(key, std::to_string(key), t0);
                if (i % 50 == 0) c.erase(key);
                if (i % 1000 == 0 && c.size() > 200) ++wrong;
            }
        });
    threads.clear();
    CHECK(wrong == 0);
    CHECK(c.size() <= 200);
}
