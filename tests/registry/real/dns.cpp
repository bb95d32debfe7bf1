// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::dns against real servers: knot (WEIR_KNOT, or knotd on PATH; and its knsupdate) and the DNS of Consul
// (WEIR_CONSUL). Where one of them is missing its tests are skipped, loudly, and the exit status is 77.
#include <doctest/doctest.h>

#include <support/real_server.hpp>
#include <support/server_process.hpp>
#include <weir/registry/dns.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::dns;
using weir::registry::dns_options;
using weir::registry::dns_type;
using weir::registry::origin;
using weir::registry::query;
using weir::registry::snapshot;
using weir::registry::update;
using weir::testing::find_program;
using weir::testing::free_ports;
using weir::testing::server_process;
using weir::testing::temporary_directory;
namespace asio = boost::asio;

namespace {

// Runs a program to its end with these lines as its input.
bool run(std::string const& command, std::string const& lines = {})
{
    auto* const pipe = ::popen((command + " > /dev/null").c_str(), "w");
    if (!pipe) return false;
    std::fputs(lines.c_str(), pipe);
    return ::pclose(pipe) == 0;
}

// knot with the zone weir.test, which it lets be changed while it runs.
class knot {
public:
    explicit knot(std::string const& zone) : port_(free_ports(1).front())
    {
        auto const at = [&](char const* name) { return (directory_.path() / name).string(); };
        std::ofstream(at("zone")) << "$ORIGIN weir.test.\n$TTL 1\n"
                                     "@ SOA ns hostmaster 1 60 30 600 1\n@ NS ns\nns A 127.0.0.1\n"
                                  << zone;
        std::ofstream(at("knot.conf")) << "server:\n  listen: 127.0.0.1@" << port_ << "\n  rundir: \"" << at("")
                                       << "\"\ndatabase:\n  storage: \"" << at("")
                                       << "\"\nlog:\n  - target: stdout\n    any: info\n"
                                          "acl:\n  - id: anybody\n    address: 127.0.0.1\n    action: update\n"
                                          "zone:\n  - domain: weir.test\n    file: \""
                                       << at("zone") << "\"\n    acl: anybody\n";
        process_.emplace(std::vector{find_program("WEIR_KNOT", "knotd"), std::string("-c"), at("knot.conf")},
                         at("log"));
        process_->start();
    }

    [[nodiscard]] std::string address() const { return "127.0.0.1:" + port_; }
    [[nodiscard]] server_process& process() { return *process_; }

    [[nodiscard]] bool change(std::string const& lines) const
    {
        return run(find_program("WEIR_KNSUPDATE", "knsupdate"),
                   "server 127.0.0.1 " + port_ + "\nzone weir.test.\n" + lines + "send\n");
    }

private:
    std::string port_;
    temporary_directory directory_;
    std::optional<server_process> process_;
};

struct scene {
    asio::io_context io;
    std::optional<dns> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;

    void open(
        std::string const& server, std::function<void(dns_options&)> change = [](dns_options&) {})
    {
        dns_options o{.url = "dns://" + server};
        o.min_ttl = 50ms;
        o.max_ttl = 300ms;
        o.watch.pace = 20ms;
        o.watch.hold = 500ms;
        o.watch.backoff = weir::constant(50ms);
        change(o);
        registry.emplace(io.get_executor(), o);
    }
    void follow(std::string const& name)
    {
        watch.emplace(registry->watch({name}));
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
    [[nodiscard]] static std::string text(snapshot const& s)
    {
        std::string out;
        for (auto const& i : *s.instances) out += i.id() + "*" + std::to_string(i.address.weight) + " ";
        return out;
    }
    bool shows(std::string const& what)
    {
        auto const is = [&] { return watch->current() && text(*watch->current()) == what; };
        bool const good = until([&] { return is() && watch->current()->from == origin::live; });
        if (!good && watch->current()) MESSAGE(text(*watch->current()));
        if (!good) MESSAGE(watch->status().note);
        return good;
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
    }
    // One read, repeated while the server is not up yet.
    std::shared_ptr<snapshot const> resolve(query const& q)
    {
        std::shared_ptr<snapshot const> found;
        bool asking = false;
        until([&] {
            if (!asking && !found) {
                asking = true;
                registry->async_resolve(q, [&](boost::system::error_code, std::shared_ptr<snapshot const> s) {
                    found = std::move(s);
                    asking = false;
                });
            }
            return found != nullptr;
        });
        REQUIRE(found);
        return found;
    }

    ~scene()
    {
        watch.reset();
        registry.reset();
        io.restart();
        io.run_for(20ms);
    }
};

constexpr auto zone =
    "_web._tcp SRV 10 60 8081 i1\n_web._tcp SRV 10 30 8082 i2\n_web._tcp SRV 20 7 8083 i3\n"
    "i1 A 127.0.0.1\ni2 A 127.0.0.2\ni3 A 127.0.0.3\ni3 AAAA ::1\n"
    "_none._tcp SRV 0 0 0 .\n_six._tcp SRV 1 1 80 six\nsix AAAA ::1\nalias CNAME i2\n";

weir::testing::needs_server const needs_knot(
    "real knot:*", "there is no knot: install knot and knot-dnsutils, or set WEIR_KNOT and WEIR_KNSUPDATE",
    [] { return !find_program("WEIR_KNOT", "knotd").empty(); });
weir::testing::needs_server const needs_consul(
    "real consul dns:*", "there is no Consul: WEIR_CONSUL names its program (tests/registry/consul fetches one)",
    [] { return !find_program("WEIR_CONSUL", "").empty(); });

}  // namespace

TEST_CASE("real knot: records added, changed and withdrawn while it runs show within the TTL")
{
    knot server(zone);
    scene s;
    s.open(server.address());
    s.follow("_web._tcp.weir.test");
    CHECK(s.shows("127.0.0.1:8081*60 127.0.0.2:8082*30 127.0.0.3:8083*0 "));
    CHECK(server.change("add i4.weir.test. 1 A 127.0.0.4\nadd _web._tcp.weir.test. 1 SRV 10 5 8084 i4.weir.test.\n"));
    CHECK(s.shows("127.0.0.1:8081*60 127.0.0.2:8082*30 127.0.0.3:8083*0 127.0.0.4:8084*5 "));
    CHECK(
        server.change("del _web._tcp.weir.test. SRV 10 60 8081 i1.weir.test.\n"
                      "del _web._tcp.weir.test. SRV 10 5 8084 i4.weir.test.\n"));
    CHECK(s.shows("127.0.0.2:8082*30 127.0.0.3:8083*0 "));
    CHECK(server.change("del _web._tcp.weir.test. SRV 10 30 8082 i2.weir.test.\n"));
    CHECK(s.shows("127.0.0.3:8083*7 "));

    // All withdrawn: doubted, and believed when it lasts.
    s.told.clear();
    auto const failures = s.watch->status().failures;  // while it started
    CHECK(server.change("del _web._tcp.weir.test. SRV\n"));
    CHECK(s.goes_stale());
    CHECK(s.shows(""));
    CHECK(s.told.front().now->instances->size() == 1);
    CHECK(s.watch->status().failures == failures);
}

TEST_CASE("real knot: killed, and back: the last good set stays")
{
    knot server(zone);
    scene s;
    s.open(server.address());
    s.follow("_web._tcp.weir.test");
    auto const all = "127.0.0.1:8081*60 127.0.0.2:8082*30 127.0.0.3:8083*0 ";
    CHECK(s.shows(all));
    server.process().stop(SIGKILL);
    CHECK(s.goes_stale());
    CHECK(scene::text(*s.watch->current()) == all);
    server.process().start();
    CHECK(s.shows(all));
    server.process().send(SIGSTOP);  // alive, and silent
    CHECK(s.goes_stale());
    server.process().send(SIGCONT);
    CHECK(s.shows(all));
    for (auto const& u : s.told) CHECK(u.now->instances->size() == 3);
}

TEST_CASE("real knot: sixty records do not fit a packet, and all come over TCP")
{
    std::string many = zone;
    for (int i = 1; i <= 60; ++i) {
        auto const n = std::to_string(i);
        many += "_many._tcp SRV 1 1 80" + std::to_string(10 + i % 90) + " m" + n + "\nm" + n + " A 127.0.1." + n + "\n";
    }
    knot server(many);
    scene s;
    s.open(server.address());
    CHECK(s.resolve({"_many._tcp.weir.test"})->instances->size() == 60);
}

TEST_CASE("real knot: the root as a target, no such name, IPv6 alone, addresses behind an alias")
{
    knot server(zone);
    scene s;
    s.open(server.address());
    CHECK(s.resolve({"_none._tcp.weir.test"})->instances->empty());
    CHECK(s.resolve({"_absent._tcp.weir.test"})->instances->empty());
    CHECK(s.resolve({"i1.weir.test"})->instances->empty());  // it has no SRV records
    CHECK(scene::text(*s.resolve({"_SIX._tcp.weir.test."})) == "[::1]:80*1 ");
    s.open(server.address(), [](dns_options& o) { o.type = dns_type::address, o.port = 8080; });
    CHECK(scene::text(*s.resolve({"alias.weir.test"})) == "127.0.0.2:8080*1 ");
    CHECK(scene::text(*s.resolve({"six.weir.test"})) == "[::1]:8080*1 ");

    // Another's name: this server refuses.
    std::optional<boost::system::error_code> refused;
    s.registry->async_resolve({"example.org"}, [&](boost::system::error_code ec, auto const&) { refused = ec; });
    CHECK(s.until([&] { return refused.has_value(); }));
    CHECK(refused == boost::system::error_code(make_error_code(weir::errc::registry_refused)));
}

TEST_CASE("real consul dns: it hides instances over UDP, not over TCP; tags and data centres are labels")
{
    auto const program = find_program("WEIR_CONSUL", "");
    temporary_directory directory;
    auto const ports = free_ports(4);
    server_process process({program, "agent", "-dev", "-bind", "127.0.0.1", "-client", "127.0.0.1", "-http-port",
                            ports[0], "-serf-lan-port", ports[1], "-server-port", ports[2], "-serf-wan-port", "-1",
                            "-dns-port", ports[3], "-grpc-port", "-1"},
                           directory.path() / "log");
    process.start();
    scene s;
    auto const add = [&](int n, std::string const& tag) {
        auto const id = std::to_string(n);
        return run(program + " services register -http-addr=http://127.0.0.1:" + ports[0] + " -name=web -id=w" + id +
                   " -address=127.0.2." + id + " -port=80" + id + " -tag=" + tag + " 2> /dev/null");
    };
    CHECK(s.until([&] { return add(10, "v1"); }));
    for (int i = 11; i <= 30; ++i) CHECK(add(i, "v2"));

    auto const consul_name = [](dns_options& o) {
        o.name = "{tag}.{service}.service.{datacenter}.consul", o.tcp = true;
    };
    s.open("127.0.0.1:" + ports[3], consul_name);
    CHECK(s.until([&] { return s.resolve({"web"})->instances->size() == 21; }));
    CHECK(scene::text(*s.resolve({"web", "v1"})) == "127.0.2.10:8010*1 ");
    CHECK(s.resolve({"web", "v2", "dc1"})->instances->size() == 20);
    CHECK(s.resolve({"nobody"})->instances->empty());
    s.open("127.0.0.1:" + ports[3], [&](dns_options& o) { consul_name(o), o.tcp = false; });
    CHECK(s.resolve({"web"})->instances->size() < 21);  // why dns_options.tcp is there

    s.open("127.0.0.1:" + ports[3], consul_name);
    s.watch.emplace(s.registry->watch({"web", "v1"}));
    CHECK(s.shows("127.0.2.10:8010*1 "));
    CHECK(add(31, "v1"));
    CHECK(s.shows("127.0.2.10:8010*1 127.0.2.31:8031*1 "));
}
