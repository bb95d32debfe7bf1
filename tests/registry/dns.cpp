// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::dns against a server on loopback that answers, or misbehaves, as each test says.
#include <weir/registry/concepts.hpp>
#include <weir/registry/detail/dns_message.hpp>
#include <weir/registry/dns.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::dns;
using weir::registry::dns_family;
using weir::registry::dns_options;
using weir::registry::dns_type;
using weir::registry::origin;
using weir::registry::query;
using weir::registry::snapshot;
using weir::registry::update;
using weir::registry::detail::dns_record;
using weir::registry::detail::dns_record_type;
using weir::registry::detail::read_dns_message;
using weir::registry::detail::write_dns_question;
namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

static_assert(weir::registry::discovery<dns>);

namespace {

using bytes = std::vector<std::uint8_t>;
constexpr auto a = dns_record_type::a, aaaa = dns_record_type::aaaa, srv = dns_record_type::srv,
               cname = dns_record_type::cname, soa = dns_record_type::soa;

struct question {
    std::uint16_t id = 0;
    std::string name;
    dns_record_type type{};
    bool tcp = false, edns = false;
    std::uint16_t from = 0;  // port
    std::chrono::steady_clock::time_point at{};
};

struct reply {
    std::vector<dns_record> answers = {}, authority = {}, additional = {};
    unsigned rcode = 0;
    bool truncated = false;
};

// Messages that this writes have no compression: reading that is tested elsewhere.
bytes encode(question const& q, reply const& r)
{
    bytes out;
    auto const u16 = [&](std::size_t v) {
        out.push_back(static_cast<std::uint8_t>(v >> 8));
        out.push_back(static_cast<std::uint8_t>(v));
    };
    auto const name = [&](std::string const& n) {
        auto const w = n == "." ? bytes{0} : write_dns_question(0, n, a, false);
        if (n == ".")
            out.push_back(0);
        else
            out.insert(out.end(), w.begin() + 12, w.end() - 4);
    };
    u16(q.id);
    u16(0x8180u | r.rcode | (r.truncated ? 0x0200u : 0u));
    u16(1);
    for (auto const* section : {&r.answers, &r.authority, &r.additional}) u16(section->size());
    name(q.name);
    u16(static_cast<std::uint16_t>(q.type));
    u16(1);
    for (auto const* section : {&r.answers, &r.authority, &r.additional})
        for (auto const& record : *section) {
            name(record.name);
            u16(static_cast<std::uint16_t>(record.type));
            u16(1);
            u16(record.ttl >> 16);
            u16(record.ttl & 0xffff);
            auto const size_at = out.size();
            u16(0);
            switch (record.type) {
                case dns_record_type::a:
                    for (auto const c : asio::ip::make_address_v4(record.address).to_bytes()) out.push_back(c);
                    break;
                case dns_record_type::aaaa:
                    for (auto const c : asio::ip::make_address_v6(record.address).to_bytes()) out.push_back(c);
                    break;
                case dns_record_type::srv:
                    for (auto const n : {record.priority, record.weight, record.port}) u16(n);
                    name(record.target);
                    break;
                case dns_record_type::soa:
                    out.push_back(0);
                    out.push_back(0);
                    for (int i = 0; i < 8; ++i) u16(0);
                    u16(record.negative_ttl >> 16);
                    u16(record.negative_ttl & 0xffff);
                    break;
                default: name(record.target);
            }
            auto const size = out.size() - size_at - 2;
            out[size_at] = static_cast<std::uint8_t>(size >> 8);
            out[size_at + 1] = static_cast<std::uint8_t>(size);
        }
    return out;
}

// Over UDP and TCP, on one port. `answer` says what is sent to a question: any number of packets, none for silence.
class server {
public:
    using packets = std::vector<bytes>;

    explicit server(asio::io_context& io) : udp_(io), acceptor_(io)
    {
        for (int tries = 0; tries < 50 && !acceptor_.is_open(); ++tries) {
            udp_ = udp::socket(io, udp::endpoint(asio::ip::address_v4::loopback(), 0));
            tcp::endpoint const same(asio::ip::address_v4::loopback(), port());
            boost::system::error_code taken;
            acceptor_.open(same.protocol());
            if (acceptor_.bind(same, taken)) acceptor_.close();
        }
        acceptor_.listen();
        receive();
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return udp_.local_endpoint().port(); }
    [[nodiscard]] std::string text() const { return "dns://127.0.0.1:" + std::to_string(port()); }

    std::function<packets(question const&)> answer;
    std::vector<question> asked;

    // All questions get the same answer.
    void always(reply r)
    {
        answer = [r](question const& q) { return packets{encode(q, r)}; };
    }
    void silence()
    {
        answer = [](question const&) { return packets{}; };
    }

private:
    packets reply_to(bytes const& wire, bool over_tcp, std::uint16_t from)
    {
        std::string why;
        auto const m = read_dns_message(wire, why);
        REQUIRE_MESSAGE(m, why);
        asked.push_back({m->id, m->name, static_cast<dns_record_type>(m->type), over_tcp, wire[11] != 0, from,
                         std::chrono::steady_clock::now()});
        return answer(asked.back());
    }

    void receive()
    {
        buffer_.resize(4096);
        udp_.async_receive_from(asio::buffer(buffer_), peer_, [this](boost::system::error_code ec, std::size_t n) {
            if (ec) return;
            buffer_.resize(n);
            for (auto const& p : reply_to(buffer_, false, peer_.port())) {
                boost::system::error_code gone;
                udp_.send_to(asio::buffer(p), peer_, 0, gone);
            }
            receive();
        });
    }

    struct line {
        explicit line(tcp::socket s) : socket(std::move(s)) {}
        tcp::socket socket;
        bytes in, out;
    };

    void accept()
    {
        acceptor_.async_accept([this](boost::system::error_code ec, tcp::socket s) {
            if (ec) return;
            auto const l = std::make_shared<line>(std::move(s));
            l->in.resize(2);
            asio::async_read(l->socket, asio::buffer(l->in), [this, l](boost::system::error_code e, std::size_t) {
                if (e) return;
                l->in.resize(static_cast<std::size_t>(l->in[0] << 8 | l->in[1]));
                asio::async_read(l->socket, asio::buffer(l->in), [this, l](boost::system::error_code e2, std::size_t) {
                    if (e2) return;
                    for (auto const& p : reply_to(l->in, true, l->socket.remote_endpoint().port())) {
                        l->out.push_back(static_cast<std::uint8_t>(p.size() >> 8));
                        l->out.push_back(static_cast<std::uint8_t>(p.size()));
                        l->out.insert(l->out.end(), p.begin(), p.end());
                    }
                    if (l->out.empty())  // silent for as long as the peer stays
                        return l->socket.async_wait(tcp::socket::wait_read, [l](boost::system::error_code) {});
                    asio::async_write(l->socket, asio::buffer(l->out), [l](boost::system::error_code, std::size_t) {});
                });
            });
            accept();
        });
    }

    udp::socket udp_;
    tcp::acceptor acceptor_;
    udp::endpoint peer_;
    bytes buffer_;
};

dns_record service(std::string target, std::uint16_t port, std::uint16_t priority = 1, std::uint16_t weight = 1,
                   std::uint32_t ttl = 3600)
{
    return {.name = "web.test",
            .type = srv,
            .ttl = ttl,
            .target = std::move(target),
            .priority = priority,
            .weight = weight,
            .port = port};
}
dns_record address(std::string name, std::string where, std::uint32_t ttl = 3600)
{
    auto const type = where.find(':') == where.npos ? a : aaaa;
    return {.name = std::move(name), .type = type, .ttl = ttl, .address = std::move(where)};
}
dns_record authority(std::uint32_t ttl = 3600)
{
    return {.name = "test", .type = soa, .ttl = ttl, .negative_ttl = ttl};
}
reply two()
{
    return {.answers = {service("i1.test", 81), service("i2.test", 82)},
            .additional = {address("i1.test", "10.0.0.1"), address("i2.test", "10.0.0.2")}};
}

// Everything patient made impatient, so that a test in real time takes milliseconds.
struct scene {
    asio::io_context io;
    server one{io};
    std::optional<dns> registry;
    std::optional<weir::registry::watch> watch;
    std::vector<update> told;

    void open(std::function<void(dns_options&)> change = [](dns_options&) {})
    {
        dns_options o{.url = one.text()};
        o.try_timeout = 100ms;
        o.timeout = 2s;
        o.min_ttl = 5ms;
        o.max_ttl = 20ms;
        o.watch.pace = 0ms;
        o.watch.hold = 60ms;
        o.watch.backoff = weir::constant(5ms);
        change(o);
        registry.emplace(io.get_executor(), o);
    }
    void follow(std::function<void(dns_options&)> change = [](dns_options&) {})
    {
        open(change);
        watch.emplace(registry->watch({"web.test"}));
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
    void run_for(std::chrono::milliseconds d)
    {
        auto const end = std::chrono::steady_clock::now() + d;
        until([&] { return std::chrono::steady_clock::now() >= end; });
    }
    [[nodiscard]] std::string set() const
    {
        std::string out;
        if (auto const s = watch->current())
            for (auto const& i : *s->instances) out += i.id() + "*" + std::to_string(i.address.weight) + " ";
        return out;
    }
    bool shows(std::string const& what)
    {
        return until([&] { return watch->current() && set() == what && watch->current()->from == origin::live; });
    }
    bool goes_stale()
    {
        return until([&] { return watch->current() && watch->current()->from == origin::stale; });
    }

    struct found {
        boost::system::error_code ec;
        std::string set;
    };
    // One read: what came of it.
    found resolve(query q = {"web.test"})
    {
        std::optional<found> out;
        registry->async_resolve(q, [&](boost::system::error_code ec, std::shared_ptr<snapshot const> s) {
            out.emplace(found{ec, ""});
            if (s)
                for (auto const& i : *s->instances) out->set += i.id() + " ";
        });
        CHECK(until([&] { return out.has_value(); }));
        return out.value_or(found{});
    }

    ~scene()
    {
        watch.reset();
        registry.reset();
        io.restart();
        io.run_for(20ms);
    }
};

constexpr auto both = "10.0.0.1:81*1 10.0.0.2:82*1 ";

}  // namespace

TEST_CASE("dns: a watch shows what SRV records say, and every change of it after the TTL")
{
    scene s;
    s.one.always(two());
    s.follow();
    CHECK(s.shows(both));
    CHECK(s.watch->current()->instances->front().address.metadata.at("target") == "i1.test");
    auto const questions = s.one.asked.size();
    CHECK(s.until([&] { return s.one.asked.size() >= questions + 3; }));
    CHECK(s.told.size() == 1);  // the same again wakes nobody

    auto changed = two();
    changed.answers.push_back(service("i3.test", 83, 2, 9));
    changed.additional.push_back(address("i3.test", "10.0.0.3"));
    s.one.always(changed);
    CHECK(s.shows("10.0.0.1:81*1 10.0.0.2:82*1 10.0.0.3:83*0 "));
    changed.answers.erase(changed.answers.begin(), changed.answers.begin() + 2);  // the better ones are withdrawn
    s.one.always(changed);
    CHECK(s.shows("10.0.0.3:83*9 "));
    for (auto const& q : s.one.asked) {
        CHECK(q.name == "web.test");
        CHECK(q.type == srv);
        CHECK(q.edns);
        CHECK_FALSE(q.tcp);
    }
}

TEST_CASE("dns: ids and ports cannot be foreseen")
{
    scene s;
    s.one.always(two());
    s.follow();
    CHECK(s.until([&] { return s.one.asked.size() >= 12; }));
    std::set<std::uint16_t> ids, ports;
    for (auto const& q : s.one.asked) ids.insert(q.id), ports.insert(q.from);
    CHECK(ids.size() >= 10);
    CHECK(ports.size() >= 5);
}

TEST_CASE("dns: asked again after 80 % of the shortest TTL that was used, not before min_ttl, by max_ttl")
{
    struct row {
        std::uint32_t srv_ttl, address_ttl;
        std::chrono::milliseconds min, max, pause;
    };
    for (auto const& r : {row{1, 3600, 5ms, 60s, 800ms},
                          {3600, 1, 5ms, 60s, 800ms},
                          {0, 0, 150ms, 60s, 150ms},
                          {3600, 0x7fffffff, 5ms, 200ms, 200ms}}) {
        CAPTURE(r.srv_ttl);
        CAPTURE(r.address_ttl);
        scene s;
        s.one.always({.answers = {service("i1.test", 81, 1, 1, r.srv_ttl)},
                      .additional = {address("i1.test", "10.0.0.1", r.address_ttl)}});
        s.follow([&](dns_options& o) { o.min_ttl = r.min, o.max_ttl = r.max; });
        CHECK(s.until([&] { return s.one.asked.size() >= 2; }));
        auto const pause = s.one.asked[1].at - s.one.asked[0].at;
        CHECK(pause >= r.pause);
        CHECK(pause < r.pause + 700ms);
    }
    // The negative TTL of a name that is not there.
    scene s;
    s.one.always({.authority = {authority(1)}, .rcode = 3});
    s.follow([&](dns_options& o) { o.max_ttl = 60s; });
    CHECK(s.until([&] { return s.one.asked.size() >= 2; }));
    auto const pause = s.one.asked[1].at - s.one.asked[0].at;
    CHECK(pause >= 800ms);
    CHECK(pause < 1500ms);
}

TEST_CASE("dns: a target without an address in the answer is asked for, one kind of address only")
{
    scene s;
    auto const answer = [](question const& q) {
        if (q.type == srv)
            return reply{.answers = {service("v4.test", 81), service("v6.test", 82), service("two.test", 83)}};
        if (q.name == "v4.test" && q.type == a) return reply{.answers = {address("v4.test", "10.0.0.1")}};
        if (q.name == "v6.test" && q.type == aaaa) return reply{.answers = {address("v6.test", "::1")}};
        if (q.name == "two.test") return reply{.answers = {address("two.test", q.type == a ? "10.0.0.2" : "::2")}};
        return reply{.authority = {authority()}};
    };
    s.one.answer = [&](question const& q) { return server::packets{encode(q, answer(q))}; };
    auto const with = [&](dns_family f) {
        s.open([&](dns_options& o) { o.family = f; });
        return s.resolve().set;
    };
    CHECK(with(dns_family::v4_first) == "10.0.0.1:81 10.0.0.2:83 [::1]:82 ");
    CHECK(with(dns_family::v6_first) == "10.0.0.1:81 [::1]:82 [::2]:83 ");
    CHECK(with(dns_family::v4_only) == "10.0.0.1:81 10.0.0.2:83 ");
    CHECK(with(dns_family::v6_only) == "[::1]:82 [::2]:83 ");
}

TEST_CASE("dns: addresses with a port of ours, behind aliases within the answer and beyond it")
{
    scene s;
    s.one.answer = [](question const& q) {
        if (q.name == "web.test")
            return server::packets{
                encode(q, {.answers = {{.name = "web.test", .type = cname, .ttl = 60, .target = "b.test"},
                                       {.name = "b.test", .type = cname, .ttl = 60, .target = "c.test"}}})};
        return server::packets{encode(q, {.answers = {address(q.name, "10.0.0.1"), address(q.name, "10.0.0.2")}})};
    };
    s.open([](dns_options& o) { o.type = dns_type::address, o.port = 8080; });
    CHECK(s.resolve().set == "10.0.0.1:8080 10.0.0.2:8080 ");
    REQUIRE(s.one.asked.size() == 2);
    CHECK(s.one.asked[1].name == "c.test");

    // Aliases in a circle, over several answers.
    s.one.answer = [](question const& q) {
        auto const next = q.name == "web.test" ? "b.test" : "web.test";
        return server::packets{encode(q, {.answers = {{.name = q.name, .type = cname, .ttl = 60, .target = next}}})};
    };
    CHECK(s.resolve().ec == weir::errc::bad_document);
    CHECK(s.one.asked.size() <= 2 + 8);
}

TEST_CASE("dns: an answer cut short over UDP is asked for over TCP, and one that is cut there is no answer")
{
    scene s;
    s.one.answer = [](question const& q) {
        auto r = q.tcp ? two() : reply{.truncated = true};
        auto wire = encode(q, r);
        if (!q.tcp) wire.push_back(7);  // may end in the middle of something
        return server::packets{wire};
    };
    s.open();
    CHECK(s.resolve().set == "10.0.0.1:81 10.0.0.2:82 ");
    REQUIRE(s.one.asked.size() == 2);
    CHECK(s.one.asked[1].tcp);

    s.one.always({.truncated = true});
    CHECK(s.resolve().ec == weir::errc::bad_document);
}

TEST_CASE("dns: over TCP only, when told so; a large answer is read whole")
{
    scene s;
    reply large;
    for (unsigned i = 0; i < 1000; ++i) {
        auto const name = "i" + std::to_string(i) + ".test";
        large.answers.push_back(service(name, 81));
        large.additional.push_back(address(name, "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
    }
    s.one.always(large);
    s.open([](dns_options& o) { o.tcp = true; });
    auto const found = s.resolve();
    CHECK(std::count(found.set.begin(), found.set.end(), ' ') == 1000);
    REQUIRE(s.one.asked.size() == 1);
    CHECK(s.one.asked[0].tcp);
}

TEST_CASE("dns: a server from before EDNS is asked without it, over TCP")
{
    scene s;
    s.one.answer = [](question const& q) { return server::packets{encode(q, q.edns ? reply{.rcode = 1} : two())}; };
    s.open();
    CHECK(s.resolve().set == "10.0.0.1:81 10.0.0.2:82 ");
    CHECK(s.one.asked[1].tcp);
}

TEST_CASE("dns: what is no answer to the question is not looked at")
{
    scene s;
    auto const lie = reply{.answers = {service("i6.test", 86)}, .additional = {address("i6.test", "10.6.6.6")}};
    s.one.answer = [&](question const& q) {
        auto other_id = q, other_name = q, other_type = q;
        ++other_id.id;
        other_name.name = "wen.test";
        other_type.type = a;
        auto not_an_answer = encode(q, lie);
        not_an_answer[2] &= 0x7f;
        auto shouted = encode(q, two());
        for (std::size_t i : {13u, 14u, 15u}) shouted[i] = static_cast<std::uint8_t>(shouted[i] - 32);  // "WEB"
        return server::packets{
            {},     {1, 2, 3}, encode(other_id, lie), encode(other_name, lie), encode(other_type, lie), not_an_answer,
            shouted};
    };
    s.open();
    CHECK(s.resolve().set == "10.0.0.1:81 10.0.0.2:82 ");
    CHECK(s.one.asked.size() == 1);
    s.one.answer = [&](question const& q) {
        auto other_id = q;
        ++other_id.id;
        return server::packets{encode(other_id, lie)};
    };
    CHECK(s.resolve().ec == weir::errc::registry_unavailable);
}

TEST_CASE("dns: after any failure the last good set stays, and is told to be stale")
{
    struct fault {
        char const* name;
        std::function<server::packets(question const&)> what;
        std::error_code error;
        char const* note;
    };
    auto const with = [](reply r) { return [r](question const& q) { return server::packets{encode(q, r)}; }; };
    for (auto const& f : {
             fault{"silence", [](question const&) { return server::packets{}; },
                   make_error_code(weir::errc::registry_unavailable), "no answer within 100 ms"},
             fault{"SERVFAIL", with({.rcode = 2}), make_error_code(weir::errc::registry_unavailable), "SERVFAIL"},
             fault{"REFUSED", with({.rcode = 5}), make_error_code(weir::errc::registry_refused), "REFUSED"},
             fault{"a referral",
                   with({.authority = {{.name = "test", .type = dns_record_type::ns, .ttl = 60, .target = "ns.test"}}}),
                   make_error_code(weir::errc::registry_unavailable),
                   "a referral: the server does not ask others for us"},
             fault{"garbage behind a good beginning",
                   [](question const& q) {
                       auto wire = encode(q, two());
                       wire.resize(wire.size() - 3);
                       return server::packets{wire};
                   },
                   make_error_code(weir::errc::bad_document), "it ends in the middle of a record"},
             fault{"an address that cannot be found out",
                   [&](question const& q) {
                       if (q.type == srv)
                           return server::packets{
                               encode(q, {.answers = {service("i1.test", 81), service("i3.test", 83)},
                                          .additional = {address("i1.test", "10.0.0.1")}})};
                       return server::packets{encode(q, {.rcode = 2})};
                   },
                   make_error_code(weir::errc::registry_unavailable), "SERVFAIL"},
             fault{"no entry that can be used",
                   with({.answers = {service("i1.test", 0), service(".", 82), service("i3.test", 0)}}),
                   make_error_code(weir::errc::bad_document), "3 SRV records skipped: no port, or no address"},
         }) {
        CAPTURE(f.name);
        scene s;
        s.one.always(two());
        s.follow();
        CHECK(s.shows(both));
        s.one.answer = f.what;
        CHECK(s.goes_stale());
        CHECK(s.set() == both);
        CHECK(s.watch->status().last_error == f.error);
        CHECK(s.watch->status().note.starts_with(f.note));
        s.one.always(two());
        CHECK(s.shows(both));
        for (auto const& u : s.told) CHECK(u.now->instances->size() == 2);
    }
}

TEST_CASE("dns: an entry whose target has no address is left out, and counted")
{
    scene s;
    s.one.answer = [](question const& q) {
        if (q.type == srv)
            return server::packets{encode(q, {.answers = {service("i1.test", 81), service("gone.test", 82)},
                                              .additional = {address("i1.test", "10.0.0.1")}})};
        return server::packets{encode(q, {.authority = {authority()}, .rcode = 3})};
    };
    s.follow();
    CHECK(s.shows("10.0.0.1:81*1 "));
    CHECK(s.watch->status().skipped == 1);
}

TEST_CASE("dns: no such name, no data, and the root as a target empty the set, when they last")
{
    for (auto const& r : {reply{.authority = {authority()}, .rcode = 3}, reply{.authority = {authority()}}, reply{},
                          reply{.answers = {service(".", 0, 0, 0)}}}) {
        scene s;
        s.one.always(two());
        s.follow();
        CHECK(s.shows(both));
        s.one.always(r);
        CHECK(s.goes_stale());
        CHECK(s.set() == both);
        CHECK(s.shows(""));
        CHECK(s.watch->status().failures == 0);
        s.one.always(two());
        CHECK(s.shows(both));
    }
    scene s;  // and at the start it is believed
    s.one.always({.rcode = 3});
    s.follow();
    CHECK(s.shows(""));
}

TEST_CASE("dns: of several servers the next is asked after a failure, and stays the one that is asked")
{
    scene s;
    server second(s.io);
    s.one.silence();
    second.always(two());
    std::uint16_t refusing = 0;
    {
        server none(s.io);
        refusing = none.port();
    }
    s.follow([&](dns_options& o) {
        o.url = "dns://127.0.0.1:" + std::to_string(refusing) + "," + s.one.text().substr(6) + "," +
                second.text().substr(6);
    });
    CHECK(s.shows(both));
    CHECK(s.one.asked.size() == 1);
    CHECK(s.watch->status().failures == 0);
    CHECK(s.until([&] { return second.asked.size() >= 4; }));
    CHECK(s.one.asked.size() == 1);
    second.always({.rcode = 2});  // and round again
    s.one.always(two());
    CHECK(s.until([&] { return s.one.asked.size() >= 3; }));
    CHECK(s.watch->status().failures == 0);
    CHECK(s.set() == both);
}

TEST_CASE("dns: a server may be given by name")
{
    scene s;
    s.one.always(two());
    s.open([&](dns_options& o) { o.url = "dns://localhost:" + std::to_string(s.one.port()), o.try_timeout = 2s; });
    CHECK(s.resolve().set == "10.0.0.1:81 10.0.0.2:82 ");
}

TEST_CASE("dns: the name is made of the query, and a tag that has no place in it is refused")
{
    scene s;
    s.one.answer = [](question const& q) {
        auto r = two();
        for (auto& x : r.answers) x.name = q.name;
        return server::packets{encode(q, r)};
    };
    s.open([](dns_options& o) { o.name = "{tag}.{service}.service.{datacenter}.test"; });
    CHECK(s.resolve({"web", "v1", "dc2"}).set == "10.0.0.1:81 10.0.0.2:82 ");
    CHECK(s.one.asked.back().name == "v1.web.service.dc2.test");
    s.open();
    CHECK(s.resolve({"web.test", "v1"}).ec == weir::errc::registry_refused);
    CHECK(s.resolve({"not a name"}).ec == weir::errc::registry_refused);
    CHECK(s.one.asked.size() == 1);
}

TEST_CASE("dns: cancelled at any moment, a question ends at once, and once")
{
    for (bool const tcp : {false, true}) {
        CAPTURE(tcp);
        scene s;
        s.one.silence();
        s.open([&](dns_options& o) { o.tcp = tcp, o.try_timeout = 60s, o.timeout = 60s; });
        for (int steps = 0; steps < 8; ++steps) {
            asio::cancellation_signal stop;
            std::optional<boost::system::error_code> ended;
            s.registry->async_resolve(
                {"web.test"}, asio::bind_cancellation_slot(stop.slot(), [&](boost::system::error_code ec, auto const&) {
                    CHECK_FALSE(ended);
                    ended = ec;
                }));
            for (int i = 0; i < steps && !ended; ++i) s.io.restart(), s.io.run_one_for(5ms);
            stop.emit(asio::cancellation_type::terminal);
            CHECK(s.until([&] { return ended.has_value(); }, 2s));
            CHECK(ended == boost::system::error_code(asio::error::operation_aborted));
        }
    }
}

TEST_CASE("dns: a question takes no longer than its time limit, however many servers are silent")
{
    scene s;
    s.one.silence();
    s.open([&](dns_options& o) {
        for (int i = 0; i < 20; ++i) o.url += "," + s.one.text().substr(6);
        o.try_timeout = 40ms, o.timeout = 200ms;
    });
    auto const began = std::chrono::steady_clock::now();
    CHECK(s.resolve().ec == weir::errc::registry_unavailable);
    auto const took = std::chrono::steady_clock::now() - began;
    CHECK(took >= 190ms);
    CHECK(took < 1500ms);
}
