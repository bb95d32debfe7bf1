// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/pool.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using weir::time_point;
using weir::http::pool;
using weir::http::pool_limits;

namespace {

struct connection : weir::http::pooled {
    explicit connection(int n) : number(n) { ++alive; }
    ~connection() { --alive; }
    int number;
    static inline int alive = 0;
};

constexpr time_point start{1h};

std::unique_ptr<connection> make(int n) { return std::make_unique<connection>(n); }

}  // namespace

TEST_CASE("pool: the connection used last is used first")
{
    pool<connection> p({});
    auto* s = p.enter("a", 1);
    p.put(*s, make(1), start);
    p.put(*s, make(2), start);
    CHECK(p.take(*s, start)->number == 2);
    CHECK(p.take(*s, start)->number == 1);
    CHECK(p.take(*s, start) == nullptr);
    p.leave(*s);
}

TEST_CASE("pool: endpoints do not share, and equal hosts on other ports are others")
{
    pool<connection> p({});
    auto* a = p.enter("a", 1);
    auto* b = p.enter("a", 2);
    auto* c = p.enter("b", 1);
    CHECK(a != b);
    CHECK(a != c);
    CHECK(p.enter("a", 1) == a);
    p.put(*a, make(1), start);
    CHECK(p.take(*b, start) == nullptr);
    CHECK(p.take(*c, start) == nullptr);
    CHECK(p.take(*a, start)->number == 1);
    p.leave(*a);
    p.leave(*a);
    p.leave(*b);
    p.leave(*c);
    CHECK(p.endpoints() == 0);
}

TEST_CASE("pool: idle for the timeout is too old, one tick less is not")
{
    pool<connection> p({.idle_timeout = 4s});
    auto* s = p.enter("a", 1);
    p.put(*s, make(1), start);
    CHECK(p.take(*s, start + 4s) == nullptr);
    CHECK(connection::alive == 0);
    p.put(*s, make(2), start);
    CHECK(p.take(*s, start + 4s - 1ns) != nullptr);
    p.leave(*s);
}

TEST_CASE("pool: at the cap of one endpoint the oldest makes room")
{
    pool<connection> p({.idle_per_endpoint = 2});
    auto* s = p.enter("a", 1);
    for (int n : {1, 2, 3}) p.put(*s, make(n), start);
    CHECK(connection::alive == 2);
    CHECK(p.take(*s, start)->number == 3);
    CHECK(p.take(*s, start)->number == 2);
    p.leave(*s);
}

TEST_CASE("pool: at the cap of all endpoints the oldest of all makes room, and its unused slot goes too")
{
    pool<connection> p({.idle = 2});
    for (int n : {1, 2, 3}) {
        auto* s = p.enter("host" + std::to_string(n), 1);
        p.put(*s, make(n), start + n * 1ms);
        p.leave(*s);
    }
    CHECK(p.idle() == 2);
    CHECK(p.endpoints() == 2);
    auto* s = p.enter("host1", 1);
    CHECK(p.take(*s, start) == nullptr);
    p.leave(*s);
}

TEST_CASE("pool: a cap of nothing keeps nothing")
{
    for (auto const limits : {pool_limits{.idle_per_endpoint = 0}, pool_limits{.idle = 0}}) {
        pool<connection> p(limits);
        auto* s = p.enter("a", 1);
        p.put(*s, make(1), start);
        CHECK(p.idle() == 0);
        p.leave(*s);
    }
    CHECK(connection::alive == 0);
}

TEST_CASE("pool: the limit of uses is exact, and a use that ended makes room")
{
    pool<connection> p({.used_per_endpoint = 2});
    auto* s = p.enter("a", 1);
    CHECK(p.enter("a", 1) == s);
    CHECK(p.enter("a", 1) == nullptr);
    CHECK(p.enter("b", 1) != nullptr);
    p.leave(*s);
    CHECK(p.enter("a", 1) == s);
}

TEST_CASE("pool: a year of other endpoints leaves nothing behind")
{
    pool<connection> p({.idle_timeout = 1s});
    for (int i = 0; i < 1000; ++i) {
        auto* s = p.enter("host" + std::to_string(i), 80);
        p.put(*s, make(i), start + i * 1h);
        p.leave(*s);
        REQUIRE(p.endpoints() == 1);
    }
}

TEST_CASE("pool: says when the oldest will have been idle for too long, and then lets it go")
{
    pool<connection> p({.idle_timeout = 5s});
    CHECK(p.next_expiry() == weir::never);
    auto* a = p.enter("a", 1);
    auto* b = p.enter("b", 1);
    p.put(*b, make(1), start);
    p.put(*a, make(2), start + 2s);
    CHECK(p.next_expiry() == start + 5s);
    p.expire(start + 5s - 1ns);
    CHECK(p.idle() == 2);
    p.expire(start + 5s);
    CHECK(p.idle() == 1);
    CHECK(p.next_expiry() == start + 7s);
    CHECK(p.take(*a, start + 5s)->number == 2);
    CHECK(p.next_expiry() == weir::never);
    pool<connection> for_ever({.idle_timeout = weir::duration::max()});
    auto* c = for_ever.enter("c", 1);
    for_ever.put(*c, make(3), start);
    CHECK(for_ever.next_expiry() == weir::never);
}

TEST_CASE("pool: dropping an endpoint leaves the others alone")
{
    {
        pool<connection> p({});
        auto* a = p.enter("a", 1);
        auto* b = p.enter("b", 1);
        p.put(*a, make(1), start);
        p.put(*a, make(2), start);
        p.put(*b, make(3), start);
        p.drop(*a);
        CHECK(p.idle() == 1);
        CHECK(p.take(*a, start) == nullptr);
        CHECK(p.take(*b, start)->number == 3);
        p.put(*b, make(4), start);
    }
    CHECK(connection::alive == 0);
}
