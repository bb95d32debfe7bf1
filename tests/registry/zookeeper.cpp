// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::zookeeper against a server that does byte by byte what each test says.
#include <support/certificate.hpp>
#include <support/tls_front.hpp>
#include <weir/http/tls.hpp>
#include <weir/registry/concepts.hpp>
#include <weir/registry/zookeeper.hpp>
#include <weir/testing/scripted_server.hpp>

#include <doctest/doctest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::http::tls_transport;
using weir::registry::basic_zookeeper;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::registration;
using weir::registry::update;
using weir::registry::zookeeper;
using weir::registry::zookeeper_options;
using weir::testing::certificate;
using weir::testing::script;
using weir::testing::scripted_server;
using weir::testing::tls_front;
namespace detail = weir::registry::detail;
namespace asio = boost::asio;
using detail::zk_error;
using detail::zk_event_type;
using detail::zk_op;
using detail::zk_writer;

static_assert(weir::registry::service_registry<zookeeper>);
static_assert(weir::registry::service_registry<basic_zookeeper<tls_transport>>);

namespace {

constexpr auto parent = "/weir/services/web";
constexpr std::size_t greeting = 49;  // bytes of a client's first frame
detail::zk_session_id const session{0x77, std::string(16, 'p')};

std::string node(std::string const& id) { return std::string(parent) + "/" + id; }

// What a server says.
std::string welcome(std::int64_t id = 0x77, int timeout_ms = 3000)
{
    return zk_writer().i32(0).i32(timeout_ms).i64(id).text(session.password).flag(false).frame();
}
zk_writer& with_stat(zk_writer& w, std::int64_t owner = 0)
{
    for (int n = 0; n < 11; ++n) w.i32(0);
    return w.i64(owner).i64(0).i64(0);
}
std::string answer(int xid, zk_error e = zk_error::none)
{
    return zk_writer().i32(xid).i64(100 + xid).i32(static_cast<std::int32_t>(e)).frame();
}
std::string owned(int xid, std::int64_t owner)
{
    zk_writer w;
    w.i32(xid).i64(100 + xid).i32(0);
    return with_stat(w, owner).frame();
}
std::string children(int xid, std::string const& ids)
{
    zk_writer w;
    w.i32(xid).i64(100 + xid).i32(0).i32(static_cast<std::int32_t>(ids.size()));
    for (char const c : ids) w.text(std::string(1, c));
    return with_stat(w).frame();
}
std::string data(int xid, std::string const& text)
{
    zk_writer w;
    w.i32(xid).i64(100 + xid).i32(0).text(text);
    return with_stat(w).frame();
}
std::string instance(int port = 80) { return R"({"address":"10.0.0.1","port":)" + std::to_string(port) + "}"; }
std::string event(zk_event_type t, std::string const& path)
{
    return zk_writer().i32(-1).i64(-1).i32(0).i32(static_cast<std::int32_t>(t)).i32(3).text(path).frame();
}

// How long what it is asked is.
std::size_t read_size(std::string const& path, std::size_t count = 1)
{
    return count * detail::write_zk_read(1, zk_op::get_data, path, true).size();
}
script full_read(std::string const& ids = "ab")
{
    script s;
    s.read_bytes(greeting).send(welcome()).read_bytes(read_size(parent)).send(children(1, ids));
    s.read_bytes(read_size(node("a"), ids.size()));
    int xid = 2;
    for (std::size_t n = 0; n < ids.size(); ++n) s.send(data(xid++, instance()));
    return s;
}

struct scene {
    asio::io_context io;
    scripted_server server{io.get_executor()};
    std::optional<detail::network_registry> registry;  // of whatever transport
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;
    certificate const* trusted = nullptr;  // and then it is spoken to over TLS

    void open(std::function<void(zookeeper_options&)> change = [](zookeeper_options&) {})
    {
        zookeeper_options o{.url = "zk://127.0.0.1:" + std::to_string(server.port())};
        o.session = 3s;
        o.connect_timeout = 300ms;
        o.watch.pace = 0ms;
        o.watch.hold = 100ms;
        o.watch.list_timeout = 500ms;
        o.watch.backoff = weir::constant(10ms);
        o.lease.backoff = weir::constant(10ms);
        change(o);
        if (trusted)
            registry.emplace(basic_zookeeper<tls_transport>(io.get_executor(), o,
                                                            tls_transport({.authorities_pem = trusted->pem()})));
        else
            registry.emplace(zookeeper(io.get_executor(), o));
    }
    void follow(std::function<void(zookeeper_options&)> change = [](zookeeper_options&) {})
    {
        open(change);
        watch.emplace(registry->watch({"web"}));
        listen();
    }
    void listen()
    {
        watch->async_next([this](boost::system::error_code ec, update u) {
            if (ec) return;
            told.push_back(std::move(u));
            listen();
        });
    }
    void keep(registration r)
    {
        open();
        registry->async_register(std::move(r), [this](boost::system::error_code, lease l) {
            held.emplace(std::move(l));
            await_event();
        });
    }
    void await_event()
    {
        held->async_wait_event([this](boost::system::error_code ec, lease_event e) {
            if (ec) return;
            events += "GLRX"[static_cast<std::size_t>(e.what)];
            await_event();
        });
    }
    bool until(std::function<bool()> const& so, std::chrono::milliseconds limit = 10s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    [[nodiscard]] std::string set() const
    {
        std::string out;
        if (watch->current())
            for (auto const& i : *watch->current()->instances) out += i.id();
        return out;
    }
    bool shows(std::string const& what)
    {
        bool const good =
            until([&] { return watch->current() && watch->current()->from == origin::live && set() == what; }, 5s);
        if (!good) MESSAGE(set() << " " << watch->status().note);
        return good;
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
    }
    void check_scripts() const
    {
        for (auto const& f : server.failures()) FAIL_CHECK(f);
    }
    ~scene()
    {
        watch.reset();
        held.reset();
        registry.reset();
        server.stop();
        io.restart();
        io.run_for(50ms);
    }
};

registration web() { return {.service = "web", .address = "10.0.0.1", .port = 80, .id = "a", .ttl = 3s}; }

}  // namespace

TEST_CASE("zookeeper: events say what to read again; they may come before an answer, and in pieces")
{
    scene s;
    auto const both = event(zk_event_type::data, node("a")) + children(4, "abc");
    s.server.next(full_read()
                      .send(event(zk_event_type::children, parent))
                      .read_bytes(read_size(parent))
                      .send_in_pieces(both, 5)  // the event of `a` belongs to the next round
                      .read_bytes(read_size(node("a"), 2))
                      .send(data(5, instance(81)))
                      .send(data(6, instance(82)))
                      .hang());
    s.follow();
    CHECK(s.shows("abc"));
    auto const& all = *s.watch->current()->instances;
    CHECK(all[0].address.port == 81);
    CHECK(all[1].address.port == 80);
    CHECK(all[2].address.port == 82);
    CHECK(s.watch->current()->revision == "106");
    CHECK(s.watch->status().failures == 0);
    s.check_scripts();
}

TEST_CASE("zookeeper: a service that was never registered is waited for")
{
    scene s;
    s.server.next(script()
                      .read_bytes(greeting)
                      .send(welcome())
                      .read_bytes(read_size(parent))
                      .send(answer(1, zk_error::no_node))
                      .read_bytes(read_size(parent))
                      .send(answer(2, zk_error::no_node))
                      .send(event(zk_event_type::created, parent))
                      .read_bytes(read_size(parent))
                      .send(children(3, "a"))
                      .read_bytes(read_size(node("a")))
                      .send(data(4, instance()))
                      .hang());
    s.follow();
    CHECK(s.shows("a"));
    CHECK(s.told.front().now->instances->empty());
    s.check_scripts();
}

TEST_CASE("zookeeper: after any failure the last good set stays, the session is resumed, and all is read again")
{
    struct fault {
        char const* name;
        script what;
    };
    auto const changed = [] {
        return full_read().send(event(zk_event_type::children, parent)).read_bytes(read_size(parent));
    };
    for (auto const& f : {
             fault{"closed while waiting", full_read().close()},
             fault{"reset while waiting", full_read().reset()},
             fault{"closed without an answer", changed().close()},
             fault{"cut in the answer", changed().send_cut(children(4, "abc"), 30).close()},
             fault{"an impossible length", changed().send(std::string(4, '\xff')).hang()},
             fault{"an answer to no question", changed().send(children(9, "abc")).hang()},
             fault{"a list that cannot be read", changed().send(answer(4)).hang()},
             fault{"the session has expired", changed().send(answer(4, zk_error::session_expired)).hang()},
             fault{"no permission any more", changed().send(answer(4, zk_error::no_auth)).hang()},
             fault{"silence", changed().hang()},
         }) {
        CAPTURE(f.name);
        scene s;
        s.server.next(f.what);
        for (int n = 0; n < 2; ++n) s.server.next(script().read_bytes(greeting).close());  // not ready for a while
        auto again = script().read_bytes(greeting).send(welcome());
        s.server.always(again.hang());
        s.follow([](zookeeper_options& o) { o.watch.list_timeout = 300ms, o.session = 400ms; });
        CHECK(s.until([&] { return s.watch->current() != nullptr; }));
        CHECK(s.goes_stale());
        CHECK(s.set() == "ab");
        CHECK(s.until([&] { return s.server.connections() >= 4 || s.watch->status().failures >= 1; }));
        for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
        if (s.server.connections() < 2) s.until([&] { return s.server.connections() >= 2; });
        CHECK(s.until([&] { return s.server.received(1).size() >= greeting; }));
        // The same session, from the same state on.
        auto const resumed = s.server.received(1).substr(20, 8);
        CHECK(resumed == std::string("\0\0\0\0\0\0\0\x77", 8));
    }
}

TEST_CASE("zookeeper: a session that has expired is begun anew; quiet servers are pinged, silent ones are left")
{
    scene s;
    s.server.next(full_read().close());
    s.server.next(script().read_bytes(greeting).send(welcome(0, 0)).close());  // no such session
    s.server.next(script()
                      .read_bytes(greeting)
                      .send(welcome(0x78, 300))
                      .read_bytes(read_size(parent))
                      .send(children(4, "ab"))
                      .read_bytes(read_size(node("a"), 2))
                      .send(data(5, instance()))
                      .send(data(6, instance()))
                      .read_bytes(12)  // a ping
                      .send(answer(-2))
                      .read_bytes(12)
                      .hang());
    s.server.always(script().hang());
    s.follow();
    CHECK(s.until([&] { return s.server.connections() >= 3; }));
    CHECK(s.shows("ab"));
    CHECK(s.server.received(2).substr(20, 8) == std::string(8, '\0'));
    CHECK(s.goes_stale());
    CHECK(s.watch->status().note == "the server has gone silent");
    auto const& said = s.server.received(2);
    CHECK(said.find(detail::write_zk_plain(-2, zk_op::ping)) != said.npos);
}

TEST_CASE("zookeeper: an instance's older node goes, one of its own session is written again")
{
    registration const r = web();
    auto const created = detail::write_zk_create(1, node("a"), std::string(), true, false).size();
    // The data's length is what the frame is longer by; it is read off the first connection.
    scene probe;
    probe.server.always(script().read_bytes(greeting).send(welcome()).hang());
    probe.keep(r);
    CHECK(probe.until([&] { return probe.server.connections() > 0 && probe.server.received(0).size() > greeting; }));
    auto const create = probe.server.received(0).size() - greeting;
    CHECK(create > created);
    auto const exists = read_size(node("a"));

    scene s;
    s.server.next(script()
                      .read_bytes(greeting)
                      .send(welcome())
                      .read_bytes(create)
                      .send(answer(1, zk_error::node_exists))
                      .read_bytes(exists)
                      .send(owned(2, 0x66))
                      .read_bytes(detail::write_zk_remove(3, node("a")).size())
                      .send(answer(3))
                      .read_bytes(create)
                      .send(answer(4))
                      .read_bytes(exists)  // the heartbeat
                      .send(owned(5, 0x77))
                      .read_bytes(exists)
                      .send(owned(6, 0x99))  // somebody else has taken the place
                      .read_bytes(create)
                      .send(answer(7))
                      .hang());
    s.keep(r);
    CHECK(s.until([&] { return s.held && s.events == "LR"; }));
    s.check_scripts();
}

TEST_CASE(
    "zookeeper: a question ends when cancelled, and with its time limit; without a service there is nothing to take "
    "out")
{
    scene s;
    s.server.always(script().hang());
    s.open([](zookeeper_options& o) { o.timeout = 200ms, o.connect_timeout = 60s; });
    for (bool const cancel : {true, false}) {
        asio::cancellation_signal stop;
        std::optional<boost::system::error_code> ended;
        s.registry->async_resolve({"web"}, asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code ec,
                                                                                         auto const&) { ended = ec; }));
        auto const before = s.server.connections();
        CHECK(s.until([&] { return s.server.connections() > before; }));
        if (cancel) stop.emit(asio::cancellation_type::terminal);
        CHECK(s.until([&] { return ended.has_value(); }, 2s));
        CHECK(ended == (cancel ? boost::system::error_code(asio::error::operation_aborted)
                               : boost::system::error_code(make_error_code(weir::errc::registry_unavailable))));
    }
    std::optional<boost::system::error_code> refused;
    s.registry->async_deregister("a", [&](boost::system::error_code ec) { refused = ec; });
    CHECK(s.until([&] { return refused.has_value(); }));
    CHECK(refused == boost::system::error_code(make_error_code(weir::errc::registry_refused)));
}

namespace {

struct authorities {
    certificate known{{}, nullptr}, unknown{{}, nullptr};
};
authorities const& made()
{
    static authorities const a;
    return a;
}

std::string over_tls(std::uint16_t port, std::string const& host = "127.0.0.1")
{
    return "zk://" + host + ":" + std::to_string(port) + "?tls=true";
}

}  // namespace

TEST_CASE("zookeeper: over TLS as in clear: events, pings while it waits, and a server that goes silent")
{
    scene s;
    tls_front front(s.io, certificate({"IP:127.0.0.1"}, &made().known), s.server.port());
    s.trusted = &made().known;
    s.server.next(script()
                      .read_bytes(greeting)
                      .send(welcome(0x77, 300))
                      .read_bytes(read_size(parent))
                      .send_in_pieces(children(1, "ab"), 3)
                      .read_bytes(read_size(node("a"), 2))
                      .send(data(2, instance()) + data(3, instance()))
                      .read_bytes(12)  // a ping
                      .send(answer(-2) + event(zk_event_type::data, node("b")))
                      .read_bytes(read_size(node("b")))
                      .send(data(4, instance(81)))
                      .read_bytes(12)
                      .hang());
    s.server.always(script().hang());
    s.follow([&](zookeeper_options& o) { o.url = over_tls(front.port()); });
    CHECK(s.shows("ab"));
    CHECK(s.until([&] { return s.watch->current()->instances->back().address.port == 81; }));
    CHECK(s.watch->status().failures == 0);
    CHECK(s.goes_stale());
    CHECK(s.watch->status().note == "the server has gone silent");
    s.check_scripts();
}

TEST_CASE("zookeeper: a server that does not prove who it is over TLS is told nothing")
{
    auto const& [known, unknown] = made();
    struct row {
        char const* what;
        certificate shown;
        char const* host;
    };
    for (auto const& [what, shown, host] :
         {row{"an unknown authority", certificate({"IP:127.0.0.1"}, &unknown), "127.0.0.1"},
          row{"another address", certificate({"IP:127.0.0.2"}, &known), "127.0.0.1"},
          row{"another name", certificate({"DNS:example.org"}, &known), "localhost"},
          row{"expired", certificate({"IP:127.0.0.1", -7200, -3600}, &known), "127.0.0.1"}}) {
        CAPTURE(what);
        scene s;
        tls_front front(s.io, shown, s.server.port());
        s.trusted = &known;
        s.server.always(full_read().hang());
        s.follow([&, at = host](zookeeper_options& o) { o.url = over_tls(front.port(), at); });
        CHECK(s.until([&] { return s.watch->status().failures > 0; }));
        CHECK(std::string(s.watch->status().last_error.category().name()) == "asio.ssl");
        CHECK(s.server.connections() == 0);
        CHECK(s.watch->current() == nullptr);
    }
}

TEST_CASE("zookeeper: a TLS handshake that hangs ends with connect_timeout, then the next server is asked")
{
    scene s;
    scripted_server silent(s.io.get_executor());
    silent.always(script().hang());
    tls_front front(s.io, certificate({"IP:127.0.0.1"}, &made().known), s.server.port());
    s.trusted = &made().known;
    s.server.always(full_read().hang());
    auto const both = "zk://127.0.0.1:" + std::to_string(silent.port()) + ",127.0.0.1:" + std::to_string(front.port());
    s.follow([&](zookeeper_options& o) { o.url = both + "?tls=true", o.connect_timeout = 100ms; });
    CHECK(s.shows("ab"));

    scene t;  // nobody else to ask: the question's own limit, and its cancellation
    t.trusted = &made().known;
    t.server.always(script().hang());
    t.open(
        [&](zookeeper_options& o) { o.url = over_tls(t.server.port()), o.timeout = 150ms, o.connect_timeout = 60s; });
    for (bool const cancel : {true, false}) {
        asio::cancellation_signal stop;
        std::optional<boost::system::error_code> ended;
        auto done = [&](boost::system::error_code ec, auto const&) { ended = ec; };
        t.registry->async_resolve({"web"}, asio::bind_cancellation_slot(stop.slot(), done));
        auto const before = t.server.connections();
        CHECK(t.until([&] { return t.server.connections() > before; }));
        if (cancel) stop.emit(asio::cancellation_type::total);
        CHECK(t.until([&] { return ended.has_value(); }, 2s));
        CHECK(ended == (cancel ? boost::system::error_code(asio::error::operation_aborted)
                               : boost::system::error_code(make_error_code(weir::errc::registry_unavailable))));
    }
}

TEST_CASE("zookeeper: a context that goes with a conversation over TLS pending leaves nothing behind")
{
    for (int steps = 0; steps < 400; ++steps) {  // wherever it is: in the handshake, asking
        bool told = false;
        asio::io_context io;
        scripted_server server(io.get_executor());
        server.always(full_read().hang());
        tls_front front(io, certificate({"IP:127.0.0.1"}, &made().known), server.port());
        basic_zookeeper<tls_transport> registry(io.get_executor(), {.url = over_tls(front.port())},
                                                tls_transport({.authorities_pem = made().known.pem()}));
        asio::co_spawn(
            io,
            [](weir::registry::watch watch, bool& flag) -> asio::awaitable<void> {
                co_await watch.async_next(asio::use_awaitable);
                flag = true;
                co_await watch.async_next(asio::use_awaitable);
            }(registry.watch({"web"}), told),
            asio::detached);
        for (int n = 0; n < steps && !told; ++n) io.run_one_for(50ms);
        if (told) return;
    }
    FAIL("it was never told");
}

TEST_CASE("zookeeper: the URL says whether there is TLS, and the transport has to be of the same mind")
{
    asio::io_context io;
    CHECK_THROWS_WITH_AS(zookeeper(io.get_executor(), {.url = "zk://a?tls=true"}),
                         "weir: zookeeper_options.url asks for TLS (tls=true) and needs a TLS transport",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(basic_zookeeper<tls_transport>(io.get_executor(), {.url = "zk://a"}),
                         "weir: zookeeper_options.url must ask for TLS (tls=true) for a TLS transport",
                         std::invalid_argument);
}
