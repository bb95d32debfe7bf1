// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::zookeeper against a real ZooKeeper: Debian's package, or WEIR_ZOOKEEPER, a class path with its jars.
// Without one, or without a java (WEIR_JAVA, or on PATH), everything here is skipped, loudly, with exit status 77.
#include <doctest/doctest.h>

#include <registry/update_and_drain.hpp>
#include <support/certificate.hpp>
#include <support/real_server.hpp>
#include <support/server_process.hpp>
#include <weir/http/tls.hpp>
#include <weir/registry/zookeeper.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::http::tls_options;
using weir::http::tls_transport;
using weir::registry::basic_zookeeper;
using weir::registry::health;
using weir::registry::lease;
using weir::registry::lease_event;
using weir::registry::origin;
using weir::registry::registration;
using weir::registry::secret;
using weir::registry::snapshot;
using weir::registry::update;
using weir::registry::zookeeper;
using weir::registry::zookeeper_options;
using weir::testing::certificate;
using weir::testing::find_program;
using weir::testing::free_ports;
using weir::testing::server_process;
using weir::testing::temporary_directory;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

std::string class_path()
{
    if (char const* const given = std::getenv("WEIR_ZOOKEEPER"); given && *given) return given;
    return std::filesystem::exists("/usr/share/java/zookeeper.jar") ? "/usr/share/java/*" : "";
}

// In clear, or over TLS, where it demands a certificate of its clients too.
class server {
public:
    explicit server(bool secure) : port_(free_ports(1).front())
    {
        auto const at = [&](char const* name) { return file(name); };
        std::string const port = secure ? "secureClientPort" : "clientPort";
        std::ofstream cfg(at("zoo.cfg"));
        cfg << "tickTime=500\ndataDir=" << at("data") << "\n"
            << port << "=" << port_ << "\n"
            << port << "Address=127.0.0.1\nadmin.enableServer=false\n"
            << "minSessionTimeout=1000\nmaxSessionTimeout=20000\n";
        if (secure) {
            certificate const authority({}, nullptr), mine({"IP:127.0.0.1"}, &authority),
                client({"IP:127.0.0.1"}, &authority);
            std::ofstream(at("ca.pem")) << authority.pem();
            std::ofstream(at("server.pem")) << mine.key_pem() << mine.pem();
            std::ofstream(at("client.pem")) << client.pem();
            std::ofstream(at("client.key")) << client.key_pem();
            cfg << "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n"
                << "ssl.keyStore.location=" << at("server.pem") << "\nssl.keyStore.type=PEM\nssl.clientAuth=need\n"
                << "ssl.trustStore.location=" << at("ca.pem") << "\nssl.trustStore.type=PEM\n";
        }
        cfg.close();
        process_.emplace(
            std::vector<std::string>{find_program("WEIR_JAVA", "java"), "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp",
                                     class_path(), "org.apache.zookeeper.server.quorum.QuorumPeerMain", at("zoo.cfg")},
            at("log"));
        process_->start();
    }

    [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(port_)); }
    [[nodiscard]] server_process& process() { return *process_; }
    [[nodiscard]] std::string file(std::string const& name) const { return (directory_.path() / name).string(); }
    [[nodiscard]] tls_options tls() const
    {
        return {
            .authorities_file = file("ca.pem"), .certificate_file = file("client.pem"), .key_file = file("client.key")};
    }
    void forget() { std::filesystem::remove_all(directory_.path() / "data"); }

private:
    std::string port_;
    temporary_directory directory_;
    std::optional<server_process> process_;
};

// Stands between, to be cut.
class proxy {
public:
    proxy(asio::io_context& io, std::uint16_t to)
        : to_(to), acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0))
    {
        accept();
    }
    [[nodiscard]] std::string url() const
    {
        return "zk://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    void cut()
    {
        for (auto const& l : lines_) l->close();
        lines_.clear();
    }
    bool deaf = false;  // connections are taken and nothing is passed on
    std::size_t connections = 0;

private:
    struct line {
        explicit line(tcp::socket c) : client(std::move(c)), server(client.get_executor()) {}
        void close()
        {
            boost::system::error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }
        tcp::socket client, server;
        std::array<char, 4096> up, down;
    };

    void accept()
    {
        acceptor_.async_accept([this](boost::system::error_code ec, tcp::socket s) {
            if (ec) return;
            ++connections;
            auto const l = std::make_shared<line>(std::move(s));
            lines_.push_back(l);
            l->server.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), to_),
                                    [this, l](boost::system::error_code refused) {
                                        if (refused) return l->close();
                                        pass(l, l->client, l->server, l->up);
                                        pass(l, l->server, l->client, l->down);
                                    });
            accept();
        });
    }
    void pass(std::shared_ptr<line> const& l, tcp::socket& from, tcp::socket& to, std::array<char, 4096>& buffer)
    {
        from.async_read_some(
            asio::buffer(buffer), [this, l, &from, &to, &buffer](boost::system::error_code ec, std::size_t n) {
                if (ec) return l->close();
                if (deaf) return pass(l, from, to, buffer);
                asio::async_write(to, asio::buffer(buffer.data(), n),
                                  [this, l, &from, &to, &buffer](boost::system::error_code lost, std::size_t) {
                                      if (lost) return l->close();
                                      pass(l, from, to, buffer);
                                  });
            });
    }

    std::uint16_t to_;
    tcp::acceptor acceptor_;
    std::vector<std::shared_ptr<line>> lines_;
};

struct scene {
    explicit scene(bool tls = false) : secure(tls) {}

    bool secure;
    asio::io_context io;
    server zk{secure};
    proxy between{io, zk.port()};
    std::optional<weir::registry::detail::network_registry> registry;  // of whatever transport
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;
    std::optional<lease> held;
    std::string events;

    [[nodiscard]] zookeeper_options options() const
    {
        zookeeper_options o{.url = between.url() + (secure ? "?tls=true" : "")};
        o.session = 2s;
        o.watch.pace = 10ms;
        o.watch.hold = 2s;
        o.watch.backoff = weir::constant(100ms);
        o.lease.backoff = weir::constant(100ms);
        return o;
    }
    void open(zookeeper_options const& o)
    {
        if (secure)
            open(o, zk.tls());
        else
            registry.emplace(zookeeper(io.get_executor(), o));
    }
    void open(zookeeper_options const& o, tls_options const& t)
    {
        registry.emplace(basic_zookeeper<tls_transport>(io.get_executor(), o, tls_transport(t)));
    }
    void follow()
    {
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
    bool keep(registration r)
    {
        bool done = false, good = false;
        registry->async_register(std::move(r), [&](boost::system::error_code ec, lease l) {
            good = !ec;
            done = true;
            held.emplace(std::move(l));
            await_event();
        });
        return until([&] { return done; }) && good;
    }
    void await_event()
    {
        held->async_wait_event([this](boost::system::error_code ec, lease_event e) {
            if (ec) return;
            events += "GLRX"[static_cast<std::size_t>(e.what)];
            await_event();
        });
    }
    bool until(std::function<bool()> const& so, std::chrono::milliseconds limit = 20s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    void run_for(std::chrono::milliseconds d)
    {
        auto const end = std::chrono::steady_clock::now() + d;
        until([&] { return std::chrono::steady_clock::now() >= end; });
    }
    [[nodiscard]] std::string set() const
    {
        std::string out;
        if (watch->current())
            for (auto const& i : *watch->current()->instances)
                out += i.id() + std::string("+~-")[static_cast<std::size_t>(i.state)];
        return out;
    }
    bool shows(std::string const& what, std::chrono::milliseconds limit = 20s)
    {
        bool const good =
            until([&] { return watch->current() && watch->current()->from == origin::live && set() == what; }, limit);
        if (!good) MESSAGE(set() << " " << watch->status().note);
        return good;
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
    }
    ~scene()
    {
        watch.reset();
        held.reset();
        registry.reset();
        between.cut();
        io.restart();
        io.run_for(20ms);
    }
};

registration web(std::string id, weir::duration ttl = 3s)
{
    return {.service = "web",
            .address = "10.0.0.1",
            .port = 80,
            .id = std::move(id),
            .tags = {"v1"},
            .meta = {{"zone", "north"}},
            .weight = 10,
            .warning_weight = 2,
            .ttl = ttl};
}

weir::testing::needs_server const needs(
    "real zookeeper:*", "there is no ZooKeeper: install zookeeper, or set WEIR_ZOOKEEPER to a class path and WEIR_JAVA",
    [] { return !class_path().empty() && !find_program("WEIR_JAVA", "java").empty(); });

}  // namespace

TEST_CASE("real zookeeper: register, beat, watch, change state, deregister")
{
    scene s;
    s.open(s.options());
    s.follow();
    CHECK(s.shows(""));                                // the service has no node yet
    auto const failures = s.watch->status().failures;  // while the server started
    CHECK(s.keep(web("a")));
    CHECK(s.shows("a+", 3s));  // by the watch, not by reading again
    auto const& i = s.watch->current()->instances->front();
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 80);
    CHECK(i.address.weight == 10);
    CHECK(i.address.zone == "north");
    CHECK(i.tags == std::vector<std::string>{"v1"});

    auto first = std::move(s.held);
    CHECK(s.keep(web("x/y")));  // a name that a node cannot have
    CHECK(s.shows("a+x/y+", 3s));
    s.held->set_state(health::warning);
    CHECK(s.shows("a+x/y~", 3s));
    CHECK(s.watch->current()->instances->back().address.weight == 2);
    s.held->set_state(health::critical);
    CHECK(s.shows("a+x/y-", 3s));
    s.held->set_state(health::passing);
    CHECK(s.shows("a+x/y+", 3s));

    s.run_for(200ms);
    auto const updates = s.told.size();
    s.run_for(5s);  // longer than the sessions
    CHECK(s.set() == "a+x/y+");
    CHECK(s.told.size() == updates);
    CHECK(s.watch->status().failures == failures);

    std::size_t found = 0;
    s.registry->async_resolve({"web"},
                              [&](boost::system::error_code, auto all) { found = all ? all->instances->size() : 0; });
    CHECK(s.until([&] { return found == 2; }));

    bool gone = false, unknown = false;
    s.held->async_deregister([&](boost::system::error_code ec) { gone = !ec; });
    CHECK(s.shows("a+", 3s));
    CHECK(s.until([&] { return gone; }));
    s.registry->async_deregister(web("nobody"), [&](boost::system::error_code ec) { unknown = !ec; });
    CHECK(s.until([&] { return unknown; }));
}

TEST_CASE("real zookeeper: a lease says something else, moves, is critical while it drains, and goes")
{
    scene s;
    auto o = s.options();
    o.watch.hold = 300ms;  // that the only instance does not serve any more is doubted for so long
    s.open(o);
    weir::testing::check_update_and_drain(*s.registry, 3s, [&](auto const& so) { return s.until(so); });
}

TEST_CASE("real zookeeper: a lost connection is not a lost session: it is resumed, and nobody notices")
{
    scene s;
    s.open(s.options());
    CHECK(s.keep(web("a", 6s)));
    s.follow();
    CHECK(s.shows("a+"));
    for (int n = 0; n < 3; ++n) {
        auto const connections = s.between.connections;
        s.between.cut();
        CHECK(s.until([&] { return s.between.connections >= connections + 2; }));  // the watch's and the lease's
        CHECK(s.shows("a+"));
    }
    s.run_for(1s);
    CHECK(s.events == "");  // still the same registration
    CHECK(s.held->registered());
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 1);
}

TEST_CASE("real zookeeper: an expired session takes its instance with it, and the lease brings it back")
{
    scene s;
    s.open(s.options());
    CHECK(s.keep(web("a", 1500ms)));
    s.follow();
    CHECK(s.shows("a+"));
    s.between.deaf = true;  // the server hears nothing any more
    CHECK(s.goes_stale());
    s.run_for(4s);
    CHECK(s.set() == "a+");
    s.between.deaf = false;
    CHECK(s.until([&] { return s.events.find('R') != std::string::npos; }));
    CHECK(s.shows("a+"));
    CHECK(s.events.starts_with("LR"));
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 1);
}

TEST_CASE(
    "real zookeeper: a lease that is dropped leaves with its session, a deregistered one at once; an id that is taken "
    "is taken over")
{
    scene s;
    s.open(s.options());
    s.follow();
    CHECK(s.keep(web("a", 1s)));
    CHECK(s.shows("a+"));
    auto const old = std::move(s.held);
    s.events.clear();
    auto newer = web("a", 1s);
    newer.port = 81;
    CHECK(s.keep(newer));
    CHECK(s.until([&] {
        return s.watch->current()->instances->size() == 1 && s.watch->current()->instances->front().address.port == 81;
    }));
    s.held.reset();
    CHECK(s.until([&] { return s.told.back().now->instances->front().address.port == 80; }));  // the older comes back
}

TEST_CASE("real zookeeper: killed and restarted, with its memory and without")
{
    for (bool const forgets : {false, true}) {
        CAPTURE(forgets);
        scene s;
        auto o = s.options();
        o.watch.hold = 15s;
        s.open(o);
        CHECK(s.keep(web("a", 6s)));
        auto const first = std::move(s.held);
        CHECK(s.keep(web("b", 6s)));
        s.follow();
        CHECK(s.shows("a+b+"));
        s.zk.process().stop(SIGKILL);
        CHECK(s.goes_stale());
        if (forgets) s.zk.forget();
        s.run_for(500ms);
        CHECK(s.set() == "a+b+");
        s.zk.process().start();
        CHECK(s.shows("a+b+", 30s));
        CHECK(s.until([&] { return s.held->registered(); }));
        // Without its memory it is filled again one by one, and that one of two is missing is believed.
        for (auto const& u : s.told) CHECK(u.now->instances->size() >= (forgets ? 1u : 2u));
    }
}

TEST_CASE(
    "real zookeeper: who has not signed in does not see private nodes, and is told so; a ttl that is not granted is "
    "refused")
{
    scene s;
    auto o = s.options();
    o.user = "weir";
    o.password = secret("s3cret");
    o.private_nodes = true;
    s.open(o);
    CHECK(s.keep(web("a")));
    s.follow();
    CHECK(s.shows("a+"));
    zookeeper anonymous(s.io.get_executor(), s.options());
    std::optional<boost::system::error_code> refused;
    anonymous.async_resolve({"web"}, [&](boost::system::error_code ec, auto const&) { refused = ec; });
    CHECK(s.until([&] { return refused.has_value(); }));
    CHECK(refused == boost::system::error_code(make_error_code(weir::errc::registry_refused)));

    auto const kept = std::move(s.held);
    CHECK_FALSE(s.keep(web("b", 60s)));
    CHECK_FALSE(s.held->registered());
}

TEST_CASE("real zookeeper: over TLS: registered, watched, resumed after a cut, and after its memory was lost")
{
    scene s(true);
    auto o = s.options();
    o.watch.hold = 15s;
    s.open(o);
    CHECK(s.keep(web("a", 6s)));
    s.follow();
    CHECK(s.shows("a+"));
    s.held->set_state(health::warning);
    CHECK(s.shows("a~", 3s));  // by the watch
    auto const connections = s.between.connections;
    s.between.cut();
    CHECK(s.until([&] { return s.between.connections >= connections + 2; }));
    CHECK(s.shows("a~"));
    auto const failures = s.watch->status().failures;
    s.run_for(4s);  // longer than the watch's session
    CHECK(s.watch->status().failures == failures);
    CHECK(s.held->registered());
    CHECK(s.events == "");

    s.zk.process().stop(SIGKILL);
    CHECK(s.goes_stale());
    s.zk.forget();
    s.zk.process().start();
    CHECK(s.shows("a~", 30s));
    CHECK(s.until([&] { return s.held->registered(); }));
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 1);
}

TEST_CASE("real zookeeper: over TLS, whom one of the two does not trust there is no talk with")
{
    scene s(true);
    auto const o = s.options();
    s.open(o);
    s.follow();
    CHECK(s.shows(""));

    certificate const stranger({}, nullptr);
    auto wrong_authority = s.zk.tls(), wrong_name = s.zk.tls(), nobody = s.zk.tls();
    wrong_authority.authorities_file.clear();
    wrong_authority.authorities_pem = stranger.pem();
    wrong_name.expected_name = "zoo.internal";
    nobody.certificate_file.clear();
    nobody.key_file.clear();
    for (auto const& t : {wrong_authority, wrong_name, nobody}) {
        basic_zookeeper<tls_transport> registry(s.io.get_executor(), o, tls_transport(t));
        std::optional<boost::system::error_code> ended;
        registry.async_resolve({"web"}, [&](boost::system::error_code ec, auto const&) { ended = ec; });
        CHECK(s.until([&] { return ended.has_value(); }, 6s));
        CHECK(*ended);
        if (!t.certificate_file.empty()) CHECK(std::string(ended->category().name()) == "asio.ssl");
    }
    auto in_clear = o;
    in_clear.url = s.between.url();
    zookeeper registry(s.io.get_executor(), in_clear);
    std::optional<boost::system::error_code> ended;
    registry.async_resolve({"web"}, [&](boost::system::error_code ec, auto const&) { ended = ec; });
    CHECK(s.until([&] { return ended.has_value(); }, 6s));
    CHECK(*ended);
}
