// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// knot, over TCP, so that the proxies can be between; tests/registry/dns.cpp has what only UDP can do.
#include "subject.hpp"

#include <weir/registry/dns.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace weir::testing {
namespace {

namespace dns_wire {

std::string u16(std::size_t v) { return {static_cast<char>(v >> 8 & 0xff), static_cast<char>(v & 0xff)}; }
std::string u32(std::size_t v) { return u16(v >> 16 & 0xffff) + u16(v & 0xffff); }

/// "web" -> its label, without what follows it.
std::string label(std::string const& text) { return static_cast<char>(text.size()) + text; }
std::string name(std::string const& text) { return label(text) + '\0'; }

std::string const same_name = "\xc0\x0c";  // what was asked for
enum type : unsigned { a = 1, ns = 2, cname = 5, soa = 6, srv = 33 };

std::string record(std::string const& owner, type t, std::size_t ttl, std::string const& data)
{
    return owner + u16(t) + u16(1) + u32(ttl) + u16(data.size()) + data;
}
std::string instance(int i, std::size_t ttl = 1, unsigned port = 8080)
{
    return record(same_name, srv, ttl, u16(0) + u16(1) + u16(port) + name("web" + std::to_string(i)));
}
std::string address(int i, std::size_t ttl = 1)
{
    return record(name("web" + std::to_string(i)), a, ttl, std::string("\x0a\0\0", 3) + static_cast<char>(i));
}

struct answer {
    unsigned flags = 0x8180;  // an answer, recursion available
    std::size_t answers = 0, authority = 0, additional = 0;
    std::string records = {};
    unsigned id_off = 0;

    /// To a question with its length before it, as TCP has it.
    std::string to(std::string_view asked) const
    {
        if (asked.size() < 14) return {};
        auto const end = std::min(asked.find('\0', 14), asked.size() - 5);
        auto const id = static_cast<unsigned char>(asked[2]) * 256u + static_cast<unsigned char>(asked[3]);
        auto const message = u16((id + id_off) & 0xffff) + u16(flags) + u16(1) + u16(answers) + u16(authority) +
                             u16(additional) + std::string(asked.substr(14, end + 5 - 14)) + records;
        return u16(message.size()) + message;
    }
};

answer all(int count, std::size_t ttl = 1, int times = 1)
{
    answer out;
    for (int i = 0; i < count * times; ++i) out.records += instance(1 + i % count, ttl), ++out.answers;
    for (int i = 1; i <= count; ++i) out.records += address(i, ttl), ++out.additional;
    return out;
}

}  // namespace dns_wire

class dns_subject final : public subject {
public:
    dns_subject(std::string const& program, std::string updater)
        : updater_(std::move(updater)),
          port_(free_ports(1).front()),
          process_({program, "-c", settings()}, home_.path() / "log")
    {
        process_.start();
    }

    std::string name() const override { return "DNS"; }
    bool ready() override
    {
        asio::io_context io;
        boost::system::error_code ec;
        asio::ip::tcp::socket(io).connect(server(), ec);
        return !ec;
    }
    asio::ip::tcp::endpoint server() const override
    {
        return {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port_))};
    }
    registry reach(asio::any_io_executor executor, std::uint16_t port, bool naive) override
    {
        return weir::registry::dns(executor, {.url = "dns://127.0.0.1:" + std::to_string(port),
                                              .tcp = true,
                                              .try_timeout = 1s,
                                              .rounds = 1,
                                              .timeout = 1s,
                                              .min_ttl = 100ms,
                                              .max_ttl = 1s,
                                              .watch = test_watch(naive)});
    }
    void grow() override
    {
        auto* const to = ::popen((updater_ + " > /dev/null").c_str(), "w");
        if (!to) return;
        std::fprintf(to, "server 127.0.0.1 %s\nzone web.\nupdate add web5.web. 1 A 10.0.0.5\n", port_.c_str());
        std::fprintf(to, "update add web. 1 SRV 0 1 8080 web5.web.\nsend\n");
        ::pclose(to);
    }
    std::vector<fault> faults() const override
    {
        using namespace dns_wire;
        auto out = connection_faults();
        auto const says = [&](std::string what, auto reply) {
            out.push_back({.name = std::move(what), .what = fault::kind::answer, .reply = reply});
        };
        auto const says_as = [&](std::string what, answer a) {
            says(std::move(what), [a](std::string_view asked) { return a.to(asked); });
        };
        says_as("FORMERR", {.flags = 0x8181});
        says_as("SERVFAIL", {.flags = 0x8182});
        says_as("NOTIMP", {.flags = 0x8184});
        says_as("REFUSED", {.flags = 0x8185});
        says_as("RCODE 15", {.flags = 0x818f});
        says_as("truncated", {.flags = 0x8380, .answers = 4, .records = instance(1)});
        says_as("a question, no answer", {.flags = 0x0100});
        says_as("wrong id", {.id_off = 1});
        says("wrong question", [](std::string_view asked) {
            auto text = dns_wire::answer{}.to(asked);
            if (text.size() > 15) text[15] ^= 1;
            return text;
        });
        says("no question", [](std::string_view asked) {
            auto text = dns_wire::answer{}.to(asked).substr(0, 14);
            return u16(12) + text.substr(2, 4) + std::string(8, '\0');
        });
        // The first record's name begins behind the head, the name "web" and four bytes: at 21.
        says_as("pointer loop", {.answers = 1, .records = record("\xc0\x15", srv, 1, instance(1))});
        says_as("pointer forward", {.answers = 1, .records = record("\xc0\xff", srv, 1, instance(1))});
        says_as("counts that lie", {.answers = 65535, .records = instance(1)});
        says_as("more than it counts", {.answers = 1, .records = instance(1) + instance(2)});
        says_as("a record over the end",
                {.answers = 1, .records = same_name + u16(srv) + u16(1) + u32(1) + u16(60000) + "x"});
        says_as("an address of 3 bytes", {.answers = 1, .records = record(same_name, a, 1, "abc")});
        says_as("CNAME loop", {.answers = 1, .records = record(same_name, cname, 1, same_name)});
        says("CNAME to nowhere", [](std::string_view asked) {
            static unsigned hops = 0;
            auto const next = dns_wire::name("alias" + std::to_string(++hops));
            return dns_wire::answer{.answers = 1, .records = record(same_name, cname, 1, next)}.to(asked);
        });
        says_as("referral", {.authority = 1, .records = record(same_name, ns, 1, dns_wire::name("ns"))});
        says_as("all on port 0", {.answers = 1, .records = instance(1, 1, 0)});
        says("targets without address", [](std::string_view asked) {
            bool const for_services = asked.find(std::string("\0\x21\0\1", 4)) != asked.npos;
            return for_services ? dns_wire::answer{.answers = 1, .records = instance(1)}.to(asked)
                                : dns_wire::answer{}.to(asked);
        });
        says("length 0", [](std::string_view) { return u16(0); });
        says("length that lies", [](std::string_view asked) {
            auto text = dns_wire::answer{}.to(asked);
            return "\xff\xff" + (text.size() > 2 ? text.substr(2) : text);
        });
        says_as("TTL 0", all(4, 0));
        says_as("TTL 2^31 - 1", all(4, 0x7fffffff));
        says_as("TTL 2^31", all(4, 0x80000000));
        says_as("each of 1000 records", all(4, 1, 250));
        return out;
    }
    std::vector<fault> losses() const override
    {
        using namespace dns_wire;
        auto const root = record(same_name, srv, 1, u16(0) + u16(0) + u16(0) + std::string(1, '\0'));
        std::vector<fault> out;
        auto const says_as = [&](std::string what, answer const& a) {
            out.push_back({.name = std::move(what), .what = fault::kind::answer, .reply = [a](std::string_view asked) {
                               return a.to(asked);
                           }});
        };
        says_as("NXDOMAIN", {.flags = 0x8183});
        says_as("empty list", {});
        says_as("the target \".\"", {.answers = 1, .records = root});
        says_as("three of four lost", all(1));
        return out;
    }

private:
    // The zone "web.", which lets itself be changed.
    std::string settings() const
    {
        auto const at = [&](char const* name) { return (home_.path() / name).string(); };
        std::ofstream zone(at("zone"));
        zone << "$ORIGIN web.\n$TTL 1\n@ SOA ns hostmaster 1 60 30 600 1\n@ NS ns\nns A 127.0.0.1\n";
        for (int i = 1; i <= 4; ++i) zone << "@ SRV 0 1 8080 web" << i << "\nweb" << i << " A 10.0.0." << i << "\n";
        std::ofstream(at("knot.conf")) << "server:\n  listen: 127.0.0.1@" << port_ << "\n  rundir: \"" << at("")
                                       << "\"\ndatabase:\n  storage: \"" << at("")
                                       << "\"\nlog:\n  - target: stdout\n    any: info\n"
                                          "acl:\n  - id: anybody\n    address: 127.0.0.1\n    action: update\n"
                                          "zone:\n  - domain: web.\n    file: \""
                                       << at("zone") << "\"\n    acl: anybody\n";
        return at("knot.conf");
    }

    std::string updater_;
    temporary_directory home_;
    std::string port_;
    server_process process_;
};

}  // namespace

void add_dns(asio::io_context&, subjects& all, std::vector<std::string>& missing)
{
    auto const program = find_program("WEIR_KNOT", "knotd");
    auto const updater = find_program("WEIR_KNSUPDATE", "knsupdate");
    if (program.empty() || updater.empty()) return missing.push_back("knot (Debian: knot, knot-dnsutils)");
    all.push_back(std::make_shared<dns_subject>(program, updater));
}

}  // namespace weir::testing
