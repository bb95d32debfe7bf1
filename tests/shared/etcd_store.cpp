// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The store over etcd: against scripted answers over loopback, and in virtual time against an etcd that keeps keys and
// leases, by processes whose clocks are hours apart and run at different paces: the code of production but for HTTP.
#include <weir/shared/etcd_store.hpp>

#include <weir/async/timer.hpp>
#include <weir/shared/shared_limit.hpp>
#include <weir/testing/scripted_server.hpp>
#include <weir/testing/virtual_time.hpp>

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using boost::system::error_code;
using weir::etcd_store;
using weir::permit_grant;
using weir::permit_request;
using weir::store_errc;
using weir::detail::read_etcd_limit;
using weir::detail::write_etcd_limit;
using weir::registry::detail::etcd_said;
using weir::registry::detail::etcd_trouble;
using weir::testing::script;
using weir::testing::scripted_server;
using weir::testing::virtual_time;
namespace asio = boost::asio;
namespace json = boost::json;

static_assert(weir::limit_store<etcd_store>);

namespace {

std::uint64_t number(json::value const& v) { return std::stoull(std::string(v.as_string())); }

// Keys and leases, as etcd keeps them; `apply` is one request, when it arrives.
class fake_etcd {
public:
    explicit fake_etcd(virtual_time& world) : world_(world) {}

    struct entry {
        std::uint64_t created, revision, lease;
        std::string value;  // base64, as it came
    };

    std::vector<std::string> asked = {};       ///< targets
    std::function<void()> before_swap = {};    ///< somebody else
    std::optional<etcd_trouble> trouble = {};  ///< what is said to everything
    std::map<std::string, entry> const& keys() { return expire(), keys_; }
    std::map<std::uint64_t, weir::time_point> const& leases() const { return leases_; }
    void touch_all()
    {
        for (auto& [key, e] : keys_) e.revision = ++revision_;
    }
    void revoke_all()
    {
        leases_.clear();
        expire();
    }

    etcd_said apply(std::string const& target, std::string const& body)
    {
        asked.push_back(target);
        etcd_said said;
        if (trouble) {
            said.error = {*trouble, "as told"};
            said.ec = weir::registry::detail::to_error_code(*trouble);
            return said;
        }
        expire();
        auto const o = json::parse(body).as_object();
        if (target == "/v3/lease/grant") {
            leases_[++lease_] = world_.now() + std::chrono::seconds(number(o.at("TTL")));
            said.body = json::serialize(json::object{
                {"ID", std::to_string(lease_)}, {"TTL", o.at("TTL")}, {"header", json::object{{"revision", "1"}}}});
            return said;
        }
        json::object answer{{"header", json::object{{"cluster_id", "7"}, {"revision", std::to_string(revision_)}}}};
        if (target == "/v3/kv/range") {
            find(o.at("key"), answer);
        } else {
            if (before_swap) before_swap();
            auto const& compare = o.at("compare").at(0);
            auto const& put = o.at("success").at(0).at("request_put");
            std::string const key(compare.at("key").as_string());
            auto const found = keys_.find(key);
            auto const lease = number(put.at("lease"));
            if (number(compare.at("mod_revision")) == (found == keys_.end() ? 0 : found->second.revision)) {
                if (!leases_.contains(lease)) {
                    said.error = {etcd_trouble::not_found, "etcdserver: requested lease not found"};
                    said.ec = weir::registry::detail::to_error_code(etcd_trouble::not_found);
                    return said;
                }
                ++revision_;
                auto const created = found == keys_.end() ? revision_ : found->second.created;
                keys_[key] = {created, revision_, lease, std::string(put.at("value").as_string())};
                answer["header"].as_object()["revision"] = std::to_string(revision_);
                answer["succeeded"] = true;
                answer["responses"] = json::array{json::object{{"response_put", json::object()}}};
            } else {
                json::object range;
                find(compare.at("key"), range);
                answer["responses"] = json::array{json::object{{"response_range", range}}};
            }
        }
        said.body = json::serialize(answer);
        return said;
    }

private:
    void find(json::value const& key, json::object& into)
    {
        auto const found = keys_.find(std::string(key.as_string()));
        if (found == keys_.end()) return;
        auto const& e = found->second;
        into["kvs"] = json::array{json::object{{"key", key},
                                               {"create_revision", std::to_string(e.created)},
                                               {"mod_revision", std::to_string(e.revision)},
                                               {"value", e.value}}};
        into["count"] = "1";
    }
    void expire()
    {
        std::erase_if(leases_, [&](auto const& l) { return l.second <= world_.now(); });
        std::erase_if(keys_, [&](auto const& k) { return !leases_.contains(k.second.lease); });
    }

    virtual_time& world_;
    std::map<std::string, entry> keys_;
    std::map<std::uint64_t, weir::time_point> leases_;
    std::uint64_t revision_ = 1, lease_ = 100;
};

// A process' way to etcd, and its clock: so much ahead of the world's, and so much faster.
struct fake_wire {
    fake_etcd* etcd;
    virtual_time* world;
    std::shared_ptr<weir::timer> timer;
    std::shared_ptr<weir::random_engine> random;
    weir::duration offset{}, round_trip{};
    double pace = 1;

    asio::awaitable<void> travel()
    {
        auto const half = static_cast<double>(round_trip.count()) * (0.25 + 0.5 * weir::uniform_unit(*random));
        co_await timer->async_wait_for(weir::duration(static_cast<weir::duration::rep>(half)), asio::use_awaitable);
    }
    asio::awaitable<etcd_said> ask(std::string target, std::string body)
    {
        co_await travel();
        auto said = etcd->apply(target, body);
        co_await travel();
        co_return said;
    }
    [[nodiscard]] weir::time_point now() const
    {
        auto const passed = static_cast<double>((world->now() - weir::time_point(1h)).count());
        return weir::time_point(1h + offset + weir::duration(static_cast<weir::duration::rep>(passed * pace)));
    }
};

struct process {
    process(virtual_time& world, fake_etcd& etcd, weir::duration offset = {}, double pace = 1, std::uint64_t seed = 1,
            weir::etcd_store_options const& o = {})
        : core(std::make_shared<weir::detail::etcd_limit_core<fake_wire>>(
              world.get_executor(),
              fake_wire{&etcd, &world, std::make_shared<weir::timer>(world.get_executor()),
                        std::make_shared<weir::random_engine>(seed), offset, 1ms, pace},
              o)),
          executor(world.get_executor())
    {
    }

    std::shared_ptr<weir::detail::etcd_limit_core<fake_wire>> core;
    asio::any_io_executor executor;

    template <class Handler>
    void async_acquire(permit_request const& r, Handler&& handler)
    {
        core->async_acquire(r, {std::forward<Handler>(handler), executor});
    }
    template <class Handler>
    void async_give_back(weir::permit_return const& r, Handler&& handler)
    {
        auto h = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
        core->async_give_back(r, {[h](error_code ec, permit_grant) { std::move (*h)(ec); }, executor});
    }
};

struct scene {
    virtual_time world;
    fake_etcd etcd{world};
    error_code how;

    permit_grant ask(process& p, permit_request const& r)
    {
        std::optional<permit_grant> got;
        p.async_acquire(r, [&](error_code ec, permit_grant g) {
            how = ec;
            got = g;
        });
        CHECK_FALSE(got);  // never inside
        while (!got && world.step()) {}
        REQUIRE(got);
        return *got;
    }
    void give_back(process& p, weir::permit_return const& r)
    {
        bool done = false;
        p.async_give_back(r, [&](error_code ec) {
            how = ec;
            done = true;
        });
        while (!done && world.step()) {}
        CHECK(done);
    }
    // Requests since the last time.
    std::string requests()
    {
        std::string all;
        for (auto const& t : etcd.asked) all += t.substr(t.rfind('/') + 1) + ' ';
        etcd.asked.clear();
        return all;
    }
};

// 1000 per second, burst 100.
permit_request want(std::uint64_t n, std::string key = "k", std::uint64_t least = 1)
{
    return {.key = std::move(key), .interval = 1ms, .tolerance = 100ms, .want = n, .least = least, .hold = 50ms};
}

error_code is(store_errc e) { return std::error_code(e); }

// `admitted - rate * t` against the lowest it ever was: every interval in one pass.
struct ledger {
    double rate, lowest = 0, most = 0, count = 0;
    void admit(double t, double n = 1)
    {
        lowest = std::min(lowest, count - rate * t);
        count += n;
        most = std::max(most, count - rate * t - lowest);
    }
};

}  // namespace

TEST_CASE("etcd_store: a state is written in text that reads back exactly, and nothing else is taken for one")
{
    weir::detail::etcd_limit_state s{.seen = 123'456'789'012, .word = {}};
    s.word = {.tat = 1.0 / 3 * 1e12, .since = 5e11, .low = -0.25, .before = 0.1, .deep = 1e-9};
    auto const text = write_etcd_limit(s);
    auto const back = read_etcd_limit(text);
    REQUIRE(back);
    CHECK(back->seen == s.seen);
    CHECK(back->word.tat == s.word.tat);
    CHECK(back->word.since == s.word.since);
    CHECK(back->word.low == s.word.low);
    CHECK(back->word.before == s.word.before);
    CHECK(back->word.deep == s.word.deep);
    for (std::size_t n = 0; n < text.rfind(' ') + 2; ++n) CHECK_FALSE(read_etcd_limit(text.substr(0, n)));
    for (auto const* const bad :
         {"weir1 0 1 1 1 1 1", "weir1 1 nan 1 1 1 1", "weir1 1 inf 1 1 1 1", "weir1 -1 1 1 1 1 1", "weir1 1 1 1 1 1 1 ",
          "weir2 1 1 1 1 1 1", "weir1 9007199254740993 1 1 1 1 1"})
        CHECK_FALSE(read_etcd_limit(bad));
    CHECK(read_etcd_limit("weir1 1 1 1 1 1 1"));
}

TEST_CASE("etcd_store: one request for a question; one more where somebody else was faster, or where it is refused")
{
    scene s;
    process a(s.world, s.etcd), b(s.world, s.etcd, 5h);
    CHECK(s.ask(a, want(10)).permits == 10);
    CHECK(s.requests() == "grant txn ");
    CHECK(s.ask(a, want(10)).permits == 10);
    CHECK(s.requests() == "txn ");
    CHECK(s.ask(b, want(10)).permits == 10);
    CHECK(s.requests() == "grant txn txn ");
    CHECK(s.ask(a, want(10)).permits == 10);
    CHECK(s.requests() == "txn txn ");
    CHECK(s.ask(a, want(100)).permits >= 60);
    s.requests();
    auto const no = s.ask(a, want(100, "k", 50));
    CHECK(no.permits == 0);
    CHECK(no.retry_after > 40ms);
    CHECK(no.retry_after < 51ms);
    CHECK(s.requests() == "range ");
    CHECK(s.etcd.keys().size() == 1);
}

TEST_CASE("etcd_store: what is given back can be granted again, but not to a key that was made since")
{
    scene s;
    process a(s.world, s.etcd);
    auto slow = want(10, "k", 10);
    slow.interval = 100ms, slow.tolerance = 1s;
    auto const g = s.ask(a, slow);
    CHECK(g.permits == 10);
    CHECK(g.stamp >= 1);
    CHECK(s.ask(a, slow).permits == 0);
    s.give_back(a, {.key = "k", .interval = 100ms, .permits = 8, .stamp = g.stamp});
    CHECK_FALSE(s.how);
    slow.want = slow.least = 8;
    auto const second = s.ask(a, slow);
    CHECK(second.permits == 8);
    s.etcd.revoke_all();
    CHECK(s.etcd.keys().empty());
    CHECK(s.ask(a, slow).permits == 8);
    s.give_back(a, {.key = "k", .interval = 100ms, .permits = 8, .stamp = second.stamp});
    s.give_back(a, {.key = "other", .interval = 100ms, .permits = 8, .stamp = 1});
    CHECK_FALSE(s.how);
    CHECK(s.ask(a, slow).permits == 0);
}

TEST_CASE("etcd_store: a key ends with its lease, not before its debt; keys share a lease, asked for once in a minute")
{
    scene s;
    process a(s.world, s.etcd);
    for (int i = 0; i < 100; ++i) CHECK(s.ask(a, want(100, "k" + std::to_string(i))).permits == 100);
    CHECK(s.etcd.leases().size() == 1);
    s.world.run_for(63s);
    CHECK(s.ask(a, want(1)).permits == 1);  // under the lease's last second of use
    CHECK(s.etcd.leases().size() == 1);
    s.world.run_for(63s);
    CHECK(s.etcd.keys().size() == 101);
    CHECK(s.ask(a, want(1, "late")).permits == 1);
    CHECK(s.etcd.leases().size() == 2);
    s.world.run_for(3s);
    CHECK(s.etcd.keys().size() == 1);

    // A debt of an hour: nobody is admitted before it is paid, the key gone or not.
    permit_request const hour{.key = "h", .interval = 1h, .tolerance = 1h, .want = 1, .hold = 50ms};
    CHECK(s.ask(a, hour).permits == 1);
    for (int i = 0; i < 59; ++i) {
        s.world.run_for(1min);
        CHECK(s.ask(a, hour).permits == 0);
    }
    s.world.run_for(61s);
    CHECK(s.ask(a, hour).permits == 1);
    s.world.run_for(5h);
    CHECK(s.etcd.keys().empty());
    CHECK(s.etcd.leases().empty());
}

TEST_CASE("etcd_store: a lease that is gone is asked for again, once for each question")
{
    scene s;
    process a(s.world, s.etcd);
    CHECK(s.ask(a, want(10)).permits == 10);
    s.etcd.revoke_all();
    s.requests();
    CHECK(s.ask(a, want(10)).permits == 10);
    CHECK_FALSE(s.how);
    // What it knew is lost, then the lease, then it is written.
    CHECK(s.requests() == "txn txn grant txn ");
}

TEST_CASE("etcd_store: where others are faster each time it gives up after its tries, and says so")
{
    scene s;
    process a(s.world, s.etcd, {}, 1, 1, {.tries = 4});
    CHECK(s.ask(a, want(1)).permits == 1);
    s.requests();
    s.etcd.before_swap = [&] { s.etcd.touch_all(); };
    (void)s.ask(a, want(1));
    CHECK(s.how == is(store_errc::unavailable));
    CHECK(s.requests() == "txn txn txn txn ");
    CHECK(a.core->last_error() == "others changed /weir/limits/k each time");
    s.etcd.before_swap = {};
    CHECK(s.ask(a, want(1)).permits == 1);
}

TEST_CASE("etcd_store: what etcd refuses is refused, what it cannot do now is unavailable; too many questions are too")
{
    scene s;
    process a(s.world, s.etcd, {}, 1, 1, {.max_pending = 2});
    s.etcd.trouble = etcd_trouble::refused;
    (void)s.ask(a, want(1));
    CHECK(s.how == is(store_errc::refused));
    CHECK(a.core->last_error() == "as told");
    s.etcd.trouble = etcd_trouble::unavailable;
    (void)s.ask(a, want(1));
    CHECK(s.how == is(store_errc::unavailable));
    s.etcd.trouble.reset();
    std::vector<error_code> ends;
    for (int i = 0; i < 3; ++i)
        a.async_acquire(want(1, "k" + std::to_string(i)), [&](error_code ec, permit_grant) { ends.push_back(ec); });
    s.world.run();
    REQUIRE(ends.size() == 3);
    CHECK(ends[0] == is(store_errc::unavailable));
    CHECK_FALSE(ends[1]);
    CHECK_FALSE(ends[2]);
}

TEST_CASE("etcd_store: a process that starts, or was away, mints nothing, whatever its clock says")
{
    scene s;
    process a(s.world, s.etcd);
    permit_request const all{.key = "k", .interval = 100ms, .tolerance = 10s, .want = 100, .least = 100, .hold = 50ms};
    CHECK(s.ask(a, all).permits == 100);
    for (auto const offset : {-30min, 0min, 600min}) {
        process fresh(s.world, s.etcd, offset);
        CHECK(s.ask(fresh, all).permits == 0);
    }
    s.world.run_for(9s);
    CHECK(s.ask(a, all).permits == 0);
    s.world.run_for(1100ms);
    process late(s.world, s.etcd, 24h);
    // It cannot know that ten seconds have passed. One who was there can, and tells the others by what it writes.
    CHECK(s.ask(late, all).permits == 0);
    auto one = all;
    one.least = one.want = 1;
    CHECK(s.ask(a, one).permits == 1);
    one.least = one.want = 90;
    CHECK(s.ask(late, one).permits == 90);
    CHECK(s.ask(a, all).permits == 0);
}

TEST_CASE("etcd_store: what is forgotten of keys, where too many are known, costs a request and mints nothing")
{
    scene s;
    process a(s.world, s.etcd, {}, 1, 1, {.max_keys = 2});
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 5; ++i)
            CHECK(s.ask(a, want(100, "k" + std::to_string(i), 60)).permits == (round == 0 ? 100 : 0));
}

namespace {

struct crowd {
    double excess = 0;    // the most, over all intervals, of admitted - burst - rate * t
    double long_run = 0;  // admitted, of burst + rate * t
    double least = 0;     // of what was admitted, the part of the process that got least
};

constexpr double rate = 5000, burst = 500;

weir::shared_limit_options terms(std::uint64_t seed)
{
    return {.rate = weir::per_second(5000),
            .burst = 500,
            .nodes = 4,
            .when_gone = weir::without_store::deny,
            .acquire_timeout = 20ms,
            .seed = seed};
}

// Four processes at three times the limit, that are away now and then; one is started anew. Store is made by `make`.
template <class Store, class Make>
crowd run(std::uint64_t seed, virtual_time& world, Make make)
{
    struct node {
        std::unique_ptr<Store> store;
        std::unique_ptr<weir::shared_limit<Store>> limit;
        bool away = false;
        double admitted = 0;
    };
    std::vector<node> nodes(4);
    auto const start = [&](std::size_t i) {
        nodes[i].limit.reset();
        nodes[i].store = make(i);
        nodes[i].limit = std::make_unique<weir::shared_limit<Store>>(world.get_executor(), *nodes[i].store,
                                                                     terms(seed * 100 + i + 1));
    };
    for (std::size_t i = 0; i < nodes.size(); ++i) start(i);
    weir::random_engine random(seed);
    ledger book{rate};
    auto const begin = world.now();
    for (int ms = 0; ms < 2000; ++ms) {
        world.run_until(begin + std::chrono::milliseconds(ms));
        if (ms == 1200) start(0);
        for (auto& n : nodes) {
            if (weir::uniform_unit(random) < 0.01) n.away = !n.away;
            if (n.away) continue;
            for (int i = 0; i < 4; ++i)
                n.limit->async_acquire(1, [&](error_code ec) {
                    if (ec) return;
                    ++n.admitted;
                    book.admit(std::chrono::duration<double>(world.now() - begin).count());
                });
        }
    }
    world.run_for(100ms);
    auto const least = std::min_element(nodes.begin(), nodes.end(), [](auto& a, auto& b) {
                           return a.admitted < b.admitted;
                       })->admitted;
    return {book.most - burst, book.count / (burst + rate * 2.0), least / book.count};
}

// Processes that trust their own clocks.
struct naive_store {
    virtual_time& world;
    weir::detail::shared_gcra& word;
    weir::duration offset;
    weir::timer timer{world.get_executor()};

    template <class Handler>
    void async_acquire(permit_request const& r, Handler&& handler)
    {
        auto const now = static_cast<double>((world.now() + offset).time_since_epoch() / 1us);
        auto const g = word.acquire(r, now);
        timer.async_wait_for(1ms, [g, h = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler))](
                                      error_code) { std::move (*h)(error_code(), g); });
    }
    template <class Handler>
    void async_give_back(weir::permit_return const&, Handler&& handler)
    {
        timer.async_wait_for(1ms, [h = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler))](
                                      error_code) { std::move (*h)(error_code()); });
    }
};

}  // namespace

TEST_CASE("etcd_store: processes whose clocks are hours apart, and run unevenly, stay within the bound")
{
    double most = -1e9;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        virtual_time world;
        fake_etcd etcd(world);
        auto const r = run<process>(seed, world, [&](std::size_t i) {
            weir::duration const offsets[] = {0h, 3h, -30min, 700h};
            return std::make_unique<process>(world, etcd, offsets[i], 1 + 1e-4 * (static_cast<double>(i) - 1.5),
                                             seed + i);
        });
        // r * L, where a process reads within a pause and two round trips of what another one wrote.
        auto const late = rate * 0.012;
        CHECK(r.excess <= static_cast<double>(terms(1).excess()) + late);
        CHECK(r.long_run <= 1);
        CHECK(r.long_run > 0.9);
        CHECK(r.least > 0.05);
        most = std::max(most, r.excess);
    }
    MESSAGE("most over burst + r t: " << most);
}

TEST_CASE("etcd_store: the naive arm, where each process trusts its own clock, mints permits at every turn")
{
    virtual_time world;
    weir::detail::shared_gcra word;
    auto const r = run<naive_store>(1, world, [&](std::size_t i) {
        return std::unique_ptr<naive_store>(new naive_store{world, word, 50ms * static_cast<int>(i)});
    });
    CAPTURE(r.excess);
    CAPTURE(r.long_run);
    CHECK(r.long_run > 1.5);
}

// Over loopback

namespace {

struct wired {
    asio::io_context io;
    scripted_server server{io.get_executor()};
    error_code how;

    [[nodiscard]] weir::etcd_store_options options(std::string const& account = {}) const
    {
        weir::etcd_store_options o{.timeout = 2s};
        o.cluster.url = "etcd://" + account + "127.0.0.1:" + std::to_string(server.port());
        return o;
    }
    permit_grant ask(etcd_store& store, permit_request const& r)
    {
        std::optional<permit_grant> got;
        store.async_acquire(r, [&](error_code ec, permit_grant g) {
            how = ec;
            got = g;
        });
        auto const end = std::chrono::steady_clock::now() + 5s;
        while (!got && std::chrono::steady_clock::now() < end) io.run_one_until(end);
        REQUIRE(got);
        return *got;
    }
    ~wired()
    {
        server.stop();
        io.restart();
        io.run_for(20ms);
    }
};

std::string const header = R"("header":{"cluster_id":"7","member_id":"1","revision":"12"})";
std::string const leased = "{" + header + R"(,"ID":"77","TTL":"128"})";
std::string const written = "{" + header + R"(,"succeeded":true,"responses":[{"response_put":{)" + header + "}}]}";
std::string found(std::string const& value)
{
    return "{" + header + R"(,"responses":[{"response_range":{)" + header +
           R"(,"kvs":[{"key":"L3dlaXIvbGltaXRzL2s=","create_revision":"3","mod_revision":"11","value":")" +
           weir::registry::detail::to_base64(value) + R"("}],"count":"1"}}]})";
}

}  // namespace

TEST_CASE("etcd_store: the requests and answers of a key that is not there, and of one that others wrote")
{
    wired w;
    w.server.next(
        script()
            .expect("POST /v3/lease/grant")
            .answer(200, leased)
            .expect(R"({"compare":[{"key":"L3dlaXIvbGltaXRzL2s=","target":"MOD","result":"EQUAL","mod_revision":"0"}],)"
                    R"("success":[{"request_put":{"key":"L3dlaXIvbGltaXRzL2s=","value":")")
            .answer(200, found("weir1 1000000 1050000 1000000 50000 1000000 50000"))
            .expect(R"("mod_revision":"11"}])")
            .answer(200, written)
            .expect(R"("mod_revision":"12"}])")
            .answer(200, written)
            .hang());
    etcd_store store(w.io.get_executor(), w.options());
    auto const g = w.ask(store, want(100));
    CHECK(g.permits == 50);
    CHECK(g.stamp >= 1'000'000);
    CHECK_FALSE(w.how);
    CHECK(w.server.received(0).find("\"failure\":[{\"request_range\":{\"key\":\"L3dlaXIvbGltaXRzL2s=\"}}]}") !=
          std::string::npos);
    bool done = false;
    store.async_give_back({.key = "k", .interval = 1ms, .permits = 50, .stamp = g.stamp}, [&](error_code ec) {
        CHECK_FALSE(ec);
        done = true;
    });
    auto const end = std::chrono::steady_clock::now() + 5s;
    while (!done && std::chrono::steady_clock::now() < end) w.io.run_one_until(end);
    CHECK(done);
    CHECK(w.server.failures().empty());
}

TEST_CASE("etcd_store: it signs in, and a wrong password, a strange key and a strange answer have their words")
{
    wired w;
    w.server.next(script()
                      .expect(R"({"name":"app","password":"geheim"})")
                      .answer(400, R"({"code":3,"message":"etcdserver: authentication failed"})")
                      .expect("POST /v3/auth/authenticate")
                      .answer(200, R"({"token":"abc.7"})")
                      .expect("Authorization: abc.7")
                      .answer(200, leased)
                      .expect("Authorization: abc.7")
                      .answer(200, found("something else"))
                      .read_request()
                      .answer(200, "{" + header + R"(,"succeeded":true})")
                      .read_request()
                      .answer(200, "<html>")
                      .hang());
    etcd_store store(w.io.get_executor(), w.options("app:geheim@"));
    (void)w.ask(store, want(1));
    CHECK(w.how == is(store_errc::refused));
    CHECK(store.last_error() == "400: etcdserver: authentication failed");
    (void)w.ask(store, want(1));
    CHECK(w.how == is(store_errc::refused));
    CHECK(store.last_error() == "/weir/limits/k is not a limit of weir");
    for (int i = 0; i < 2; ++i) {
        (void)w.ask(store, want(1));
        CHECK(w.how == is(store_errc::bad_answer));
    }
    CHECK(w.server.failures().empty());
}

TEST_CASE("etcd_store: a member that does not answer: the next one is asked with the next question")
{
    wired w;
    scripted_server other(w.io.get_executor());
    w.server.next(script().read_request().answer(503, R"({"code":14,"message":"etcdserver: no leader"})").hang());
    other.next(script().expect("/v3/lease/grant").answer(200, leased).read_request().answer(200, written).hang());
    auto o = w.options();
    o.cluster.url += ",127.0.0.1:" + std::to_string(other.port());
    etcd_store store(w.io.get_executor(), o);
    (void)w.ask(store, want(1));
    CHECK(w.how == is(store_errc::unavailable));
    CHECK(w.ask(store, want(1)).permits == 1);
    CHECK_FALSE(w.how);
    other.stop();
}
