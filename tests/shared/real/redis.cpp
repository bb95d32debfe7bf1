// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A shared limit on a real Redis, which it starts, freezes and kills. WEIR_REDIS
// names the server's program, or it is redis-server on the PATH; without one all is skipped, loudly, with exit status
// 77.
#include <doctest/doctest.h>

#include <support/real_server.hpp>

#include <weir/async/timer.hpp>
#include <weir/shared/detail/shared_gcra.hpp>
#include <weir/shared/redis_store.hpp>
#include <weir/shared/shared_limit.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using boost::system::error_code;
using weir::permit_grant;
using weir::permit_request;
using weir::redis_store;
using weir::shared_limit;
namespace asio = boost::asio;

namespace {

std::string program()
{
    if (auto const* const given = std::getenv("WEIR_REDIS")) return given;
    std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
    for (std::size_t at = 0; at <= path.size();) {
        auto const end = std::min(path.find(':', at), path.size());
        auto const file = path.substr(at, end - at) + "/redis-server";
        if (::access(file.c_str(), X_OK) == 0) return file;
        at = end + 1;
    }
    return {};
}

// A Redis on a loopback port of its own, without anything on disk. It goes with this object, and with this process.
class server {
public:
    server()
    {
        asio::io_context io;
        asio::ip::tcp::acceptor a(io, {asio::ip::address_v4::loopback(), 0});
        port_ = a.local_endpoint().port();
        a.close();
        start();
    }
    server(server const&) = delete;
    ~server() { kill(); }

    void start()
    {
        auto const parent = ::getpid();
        process_ = ::fork();
        if (process_ < 0) throw std::runtime_error("cannot fork");
        if (process_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(1);
            auto const out = ::open("/dev/null", O_WRONLY);
            ::dup2(out, 1);
            ::dup2(out, 2);
            auto const port = std::to_string(port_);
            ::execl(program().c_str(), "redis-server", "--port", port.c_str(), "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--requirepass", "geheim", nullptr);
            ::_exit(127);
        }
    }
    void kill()
    {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        process_ = -1;
    }
    void freeze() { ::kill(process_, SIGSTOP); }
    void thaw() { ::kill(process_, SIGCONT); }

    [[nodiscard]] weir::redis_options options() const
    {
        return {.servers = {{.port = port_}},
                .password = weir::registry::secret("geheim"),
                .database = 1,
                .timeout = 300ms,
                .reconnect = weir::exponential(5ms, 50ms).with(weir::jitter::decorrelated)};
    }

private:
    std::uint16_t port_ = 0;
    ::pid_t process_ = -1;
};

struct fixture {
    asio::io_context io{1};
    server redis;
    redis_store store{io.get_executor(), redis.options()};

    fixture() { up(); }

    void up()
    {
        auto const limit = std::chrono::steady_clock::now() + 10s;
        while (!command({"PING"}) && std::chrono::steady_clock::now() < limit) io.run_one_for(10ms);
    }

    // What Redis says; none when it could not be asked.
    std::optional<std::string> command(std::vector<std::string_view> const& words)
    {
        std::optional<std::string> said;
        bool done = false;
        store.link(0).async_command(weir::redis_command(words), [&](error_code ec, weir::redis_reply const& r) {
            done = true;
            if (!ec) said = r.value().is_error() ? "error" : std::string(r.value().text());
        });
        while (!done) io.run_one_for(100ms);
        return said;
    }

    error_code how;
    permit_grant ask(permit_request const& r)
    {
        std::optional<permit_grant> got;
        store.async_acquire(r, [&](error_code ec, permit_grant g) {
            how = ec;
            got = g;
        });
        while (!got) io.run_one_for(100ms);
        return *got;
    }
    void give_back(weir::permit_return const& r)
    {
        bool done = false;
        store.async_give_back(r, [&](error_code ec) {
            how = ec;
            done = true;
        });
        while (!done) io.run_one_for(100ms);
    }
};

// A process of a service: its own connection, and callers who ask at a steady pace.
struct node {
    node(fixture& f, weir::shared_limit_options const& o, double per_second)
        : store(f.io.get_executor(), f.redis.options()),
          limit(f.io.get_executor(), store, o),
          timer(f.io.get_executor()),
          pace(per_second)
    {
    }

    redis_store store;
    shared_limit<redis_store> limit;
    weir::timer timer;
    double pace;
    std::shared_ptr<int> life = std::make_shared<int>();  // what has ended already may be told when this is gone
    std::uint64_t asked = 0, admitted = 0;
    weir::duration longest{};
    std::vector<weir::time_point>* when = nullptr;

    void run(weir::time_point from)
    {
        auto const now = timer.now();
        auto const due = static_cast<std::uint64_t>(std::chrono::duration<double>(now - from).count() * pace);
        for (; asked < due; ++asked)
            limit.async_acquire(1, [this, begin = now, alive = std::weak_ptr(life)](error_code ec) {
                if (alive.expired()) return;
                auto const end = timer.now();
                longest = std::max(longest, end - begin);
                if (ec) return;
                ++admitted;
                if (when) when->push_back(end);
            });
        timer.async_wait_for(1ms, [this, from, alive = std::weak_ptr(life)](error_code ec) {
            if (!ec && !alive.expired()) run(from);
        });
    }
};

// The most, over all intervals, of admitted - rate * t.
double most_over(std::vector<weir::time_point> const& all, double rate)
{
    double lowest = 0, most = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto const t = std::chrono::duration<double>(all[i] - all[0]).count() * rate;
        lowest = std::min(lowest, static_cast<double>(i) - t);
        most = std::max(most, static_cast<double>(i + 1) - t - lowest);
    }
    return most;
}

weir::shared_limit_options terms()
{
    return {.rate = weir::per_second(2000), .burst = 200, .nodes = 2, .name = "calls"};
}

weir::testing::needs_server const needs("real redis:*",
                                        "there is no Redis: name redis-server in WEIR_REDIS, or install redis-server",
                                        [] { return !program().empty(); });

}  // namespace

TEST_CASE("real redis: the script is the arithmetic of shared_gcra, number by number")
{
    fixture f;
    weir::random_engine random(1);
    weir::detail::shared_gcra word;
    int grants = 0, differs = 0;
    for (int i = 0; i < 400; ++i) {
        permit_request r{.key = "same",
                         .interval = 1ms,
                         .tolerance = 100ms,
                         .want = 1 + weir::uniform_below(random, 60),
                         .least = 1,
                         .share = 0.75,
                         .hold = 5ms};
        auto const g = f.ask(r);
        REQUIRE_FALSE(f.how);
        // Ours is told the time that Redis saw; it tells only where it grants.
        if (g.permits != 0) {
            ++grants;
            auto const mine = word.acquire(r, static_cast<double>(g.stamp));
            differs += mine.permits != g.permits;
        }
    }
    CHECK(grants > 5);
    CHECK(differs == 0);
}

TEST_CASE("real redis: a clock that went back an hour stops nobody for an hour")
{
    fixture f;
    permit_request r{.key = "now", .interval = 1ms, .tolerance = 100ms, .want = 200, .least = 1, .hold = 5ms};
    auto const later = static_cast<double>(f.ask(r).stamp) + 3.6e9;
    std::array<double, 5> const word{later + 2e5, later, 0, later, 0};  // tat, since, low, before, deep
    std::string bytes(sizeof word, '\0');
    std::memcpy(bytes.data(), word.data(), sizeof word);
    CHECK(f.command({"SET", "weir:later", bytes}) == "OK");
    r.key = "later";
    auto const no = f.ask(r);
    CHECK(no.permits == 0);
    CHECK(no.retry_after <= 1ms);
    std::uint64_t granted = 0;
    auto const limit = std::chrono::steady_clock::now() + 5s;
    while (granted == 0 && std::chrono::steady_clock::now() < limit) granted = f.ask(r).permits;
    CHECK(granted > 0);
}

TEST_CASE(
    "real redis: what is given back can be granted again, a key of another kind is refused, and the key ends by itself")
{
    fixture f;
    permit_request const all{.key = "k", .interval = 100ms, .tolerance = 1s, .want = 10, .least = 10, .hold = 50ms};
    auto const g = f.ask(all);
    CHECK(g.permits == 10);
    auto const no = f.ask(all);
    CHECK(no.permits == 0);
    CHECK(no.retry_after > 900ms);
    f.give_back({.key = "k", .interval = 100ms, .permits = 8, .stamp = g.stamp});
    CHECK_FALSE(f.how);
    auto some = all;
    some.least = 1;
    CHECK(f.ask(some).permits >= 8);
    CHECK(f.command({"SET", "weir:other", "x"}) == "OK");
    some.key = "other";
    (void)f.ask(some);
    CHECK(f.how == error_code(std::error_code(weir::store_errc::refused)));
    CHECK(f.store.last_error().find("WRONGTYPE") == 0);

    some.key = "brief";
    some.interval = 1ms;
    some.tolerance = 10ms;
    CHECK(f.ask(some).permits == 10);
    auto const limit = std::chrono::steady_clock::now() + 5s;
    while (f.command({"GET", "weir:brief"}) != "" && std::chrono::steady_clock::now() < limit) f.io.run_one_for(10ms);
    CHECK(f.command({"GET", "weir:brief"}) == "");
}

TEST_CASE("real redis: the script forgotten (SCRIPT FLUSH) is loaded again, and nobody is told")
{
    fixture f;
    permit_request const r{.key = "k", .interval = 1ms, .tolerance = 100ms, .want = 1, .hold = 50ms};
    for (int i = 0; i < 3; ++i) {
        CHECK(f.command({"SCRIPT", "FLUSH"}) == "OK");
        CHECK(f.ask(r).permits == 1);
        CHECK_FALSE(f.how);
    }
}

TEST_CASE("real redis: two processes at three times the limit stay within the bound, and ask once per pause")
{
    fixture f;
    std::vector<weir::time_point> when;
    node a(f, terms(), 4000), b(f, terms(), 2000);
    a.when = b.when = &when;
    auto const begin = a.timer.now();
    a.run(begin);
    b.run(begin);
    f.io.run_for(2s);
    auto const seconds = std::chrono::duration<double>(a.timer.now() - begin).count();
    auto const status = a.limit.get_status();
    MESSAGE("admitted " << when.size() << " in " << seconds << " s, questions " << status.questions << " and "
                        << b.limit.get_status().questions << ", late " << status.late_answers);
    // Those who are told late by a busy machine were admitted in time: some milliseconds' worth.
    CHECK(most_over(when, 2000) <= 200 + static_cast<double>(terms().excess()) + 40 + (status.late_answers ? 400 : 0));
    CHECK(static_cast<double>(when.size()) >= 0.7 * 2000 * seconds);
    CHECK(static_cast<double>(status.questions) <= 100 * seconds + 10);
    CHECK(a.admitted > when.size() / 5);
    CHECK(b.admitted > when.size() / 5);
}

TEST_CASE("real redis: frozen, killed and started again: decided in time, by the share of each, and back by itself")
{
    fixture f;
    node a(f, terms(), 3000), b(f, terms(), 3000);
    auto const begin = a.timer.now();
    a.run(begin);
    b.run(begin);
    auto const admitted_in = [&](weir::duration span) {
        auto const before = a.admitted + b.admitted;
        auto const from = a.timer.now();
        f.io.run_for(span);
        auto const took = std::chrono::duration<double>(a.timer.now() - from).count();
        return static_cast<double>(a.admitted + b.admitted - before) / took / 2000;
    };
    f.io.run_for(500ms);
    a.longest = b.longest = {};

    f.redis.freeze();
    f.io.run_for(100ms);
    auto const frozen = admitted_in(900ms);
    CHECK(a.limit.get_status().on_fallback);
    CHECK(b.limit.get_status().on_fallback);
    CHECK(frozen > 0.9);
    CHECK(frozen < 1.1);
    MESSAGE("frozen: " << frozen << " of the limit, longest decision "
                       << std::chrono::duration<double, std::milli>(std::max(a.longest, b.longest)).count() << " ms");
    f.redis.thaw();
    auto const well = [&] { return !a.limit.get_status().on_fallback && !b.limit.get_status().on_fallback; };
    auto const until = [&](auto what) {
        auto const limit = std::chrono::steady_clock::now() + 5s;
        while (!what() && std::chrono::steady_clock::now() < limit) f.io.run_one_for(10ms);
        return what();
    };
    CHECK(until(well));

    f.redis.kill();
    CHECK(until([&] { return a.limit.get_status().on_fallback && b.limit.get_status().on_fallback; }));
    f.io.run_for(100ms);
    auto const dead = admitted_in(500ms);
    CHECK(dead > 0.85);
    CHECK(dead < 1.15);
    f.redis.start();
    CHECK(until(well));
    auto const again = admitted_in(500ms);
    CHECK(again > 0.7);
    CHECK(a.store.link(0).connections() >= 2);
}
