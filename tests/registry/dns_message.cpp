// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/dns_answer.hpp>
#include <weir/registry/detail/dns_message.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using weir::registry::query;
using weir::registry::detail::canonical_dns_name;
using weir::registry::detail::dns_answer;
using weir::registry::detail::dns_message;
using weir::registry::detail::dns_record;
using weir::registry::detail::dns_record_type;
using weir::registry::detail::fill_dns_name;
using weir::registry::detail::read_dns_answer;
using weir::registry::detail::read_dns_message;
using weir::registry::detail::srv_instances;
using weir::registry::detail::valid_dns_name;
using weir::registry::detail::write_dns_question;

namespace {

using bytes = std::vector<std::uint8_t>;
constexpr auto a = dns_record_type::a, aaaa = dns_record_type::aaaa, srv = dns_record_type::srv,
               cname = dns_record_type::cname, soa = dns_record_type::soa, ns = dns_record_type::ns;

bytes hex(std::string_view text)
{
    bytes out;
    auto const digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
    return out;
}

std::string hex(bytes const& b)
{
    std::string out;
    for (auto const c : b) {
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

// As knot 3.2.6 answered.
constexpr std::string_view three_services =
    "123485000001000300000006045f776562045f746370047765697204746573740000210001c00c00210001000000050014000a00051f9402"
    "69330477656972047465737400c00c00210001000000050014000a003c1f910269310477656972047465737400c00c002100010000000500"
    "14001400001f930269330477656972047465737400c037000100010000000500047f000003c037001c000100000005001000000000000000"
    "000000000000000001c057000100010000000500047f000001c077000100010000000500047f000003c077001c0001000000050010000000"
    "0000000000000000000000000100002904d0000000000000";
constexpr std::string_view absent =
    "123485030001000000010001075f616273656e74045f746370047765697204746573740000210001c01900060001000000030026026e73c0"
    "190a686f73746d6173746572c019000000020000003c0000001e000002580000000300002904d0000000000000";

// Puts messages together, right and wrong ones.
struct builder {
    bytes wire = hex("123481800001000000000000");
    builder& name(std::string_view dotted)
    {
        auto const question = write_dns_question(0, dotted, a, false);
        wire.insert(wire.end(), question.begin() + 12, question.end() - 4);
        return *this;
    }
    builder& u16(unsigned v)
    {
        wire.push_back(static_cast<std::uint8_t>(v >> 8));
        wire.push_back(static_cast<std::uint8_t>(v));
        return *this;
    }
    builder& raw(std::string_view text)
    {
        auto const b = hex(text);
        wire.insert(wire.end(), b.begin(), b.end());
        return *this;
    }
    builder& count(std::size_t section, unsigned n)
    {
        wire[4 + 2 * section] = static_cast<std::uint8_t>(n >> 8);
        wire[5 + 2 * section] = static_cast<std::uint8_t>(n);
        return *this;
    }
    builder& question(std::string_view dotted) { return name(dotted).u16(33).u16(1); }
    builder& head(dns_record_type type, unsigned size, unsigned ttl = 5)
    {
        return u16(static_cast<unsigned>(type)).u16(1).u16(0).u16(ttl).u16(size);
    }
};

std::string refusal(bytes const& wire)
{
    std::string why = "taken";
    (void)read_dns_message(wire, why);
    return why;
}

dns_message message(bytes const& wire)
{
    std::string why;
    auto m = read_dns_message(wire, why);
    CAPTURE(why);
    REQUIRE(m);
    return *m;
}

}  // namespace

TEST_CASE("dns_message: questions are what knot was asked")
{
    CHECK(hex(write_dns_question(0x1234, "_web._tcp.weir.test", srv)) ==
          "123401000001000000000001045f776562045f74637004776569720474657374000021000100002904d0000000000000");
    CHECK(hex(write_dns_question(0x1234, "web.weir.test.", a, false)) ==
          "12340100000100000000000003776562047765697204746573740000010001");
}

TEST_CASE("dns_message: a real answer is read, compressed names and additional addresses and all")
{
    auto const m = message(hex(three_services));
    CHECK(m.id == 0x1234);
    CHECK(m.response);
    CHECK_FALSE(m.truncated);
    CHECK(m.rcode == 0);
    CHECK(m.name == "_web._tcp.weir.test");
    CHECK(m.type == 33);
    REQUIRE(m.answers.size() == 3);
    CHECK(m.answers[1].target == "i1.weir.test");
    CHECK(m.answers[1].priority == 10);
    CHECK(m.answers[1].weight == 60);
    CHECK(m.answers[1].port == 8081);
    CHECK(m.answers[1].ttl == 5);
    REQUIRE(m.additional.size() == 5);
    CHECK(m.additional[0].address == "127.0.0.3");
    CHECK(m.additional[1].address == "::1");

    auto const none = message(hex(absent));
    CHECK(none.rcode == 3);
    REQUIRE(none.authority.size() == 1);
    CHECK(none.authority[0].type == soa);
    CHECK(none.authority[0].negative_ttl == 3);
}

TEST_CASE("dns_message: an answer that is cut anywhere is refused, and so is one with something behind it")
{
    for (auto const text : {three_services, absent}) {
        auto wire = hex(text);
        for (std::size_t n = 0; n < wire.size(); ++n) {
            CAPTURE(n);
            std::string why;
            CHECK_FALSE(read_dns_message(std::span(wire).first(n), why));
            CHECK_FALSE(why.empty());
        }
        wire.push_back(0);
        CHECK(refusal(wire) == "there is something behind the last record");
    }
}

TEST_CASE("dns_message: hostile packets are refused")
{
    CHECK(refusal({}) == "it ends in the middle of a record");
    CHECK(refusal(builder().question("x").wire) == "taken");
    CHECK(refusal(builder().raw("c00c00210001").wire) == "a name points to what is not before it");
    CHECK(refusal(builder().raw("c00e00210001").wire) == "a name points to what is not before it");
    CHECK(refusal(builder().raw("ffff00210001").wire) == "a name points to what is not before it");
    CHECK(refusal(builder().raw("0161c00c00210001").wire) == "a name points to what is not before it");
    CHECK(refusal(builder().raw("400000210001").wire) == "a label of an unknown type");
    CHECK(refusal(builder().raw("3f61").wire) == "a name runs over the end");
    CHECK(refusal(builder().raw("c0").wire) == "a name runs over the end");
    CHECK(refusal(builder().count(0, 2).question("x").wire) == "it does not repeat the question");
    CHECK(refusal(builder().count(0, 0).wire) == "it does not repeat the question");
    CHECK(refusal(builder().name("x").u16(33).u16(3).wire) == "the class is not IN");
    auto opcode = builder().question("x").wire;
    opcode[2] |= 0x28;
    CHECK(refusal(opcode) == "it is not an answer to a query");

    SUBCASE("a count that is not kept")
    {
        for (std::size_t section : {1u, 2u, 3u})
            CHECK(refusal(builder().question("x").count(section, 65535).wire) == "a name runs over the end");
    }
    SUBCASE("a name over 255 bytes, in one piece and by pointers")
    {
        std::string long_name;
        for (int i = 0; i < 5; ++i) long_name += std::string(60, 'a') + ".";
        CHECK(refusal(builder().name(long_name).u16(33).u16(1).wire) == "a name is longer than 255 bytes");
        auto const most =
            std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
        CHECK(message(builder().question(most).wire).name == most);
        CHECK(refusal(builder().question(most).count(1, 1).raw("0161c00c").head(a, 4).raw("7f000001").wire) ==
              "a name is longer than 255 bytes");
    }
    SUBCASE("a ladder of pointers")
    {
        builder b;
        b.question("x").count(1, 2);
        b.raw("00").head(static_cast<dns_record_type>(99), 400);
        auto const first = b.wire.size();
        b.u16(0xc00c);
        for (unsigned i = 1; i < 200; ++i) b.u16(0xc000 + static_cast<unsigned>(first) + 2 * (i - 1));
        b.u16(0xc000 + static_cast<unsigned>(first) + 2 * 199).head(a, 4).raw("7f000001");
        CHECK(refusal(b.wire) == "a name has more pointers than it can have labels");
    }
    SUBCASE("data of the wrong length")
    {
        auto const record = [](dns_record_type type, unsigned size, std::string_view data) {
            return refusal(builder().question("x").count(1, 1).raw("c00c").head(type, size).raw(data).wire);
        };
        CHECK(record(a, 4, "7f000001") == "taken");
        CHECK(record(a, 3, "7f0000") == "an A record is not of 4 bytes");
        CHECK(record(a, 5, "7f00000100") == "an A record is not of 4 bytes");
        CHECK(record(a, 0, "") == "an A record is not of 4 bytes");
        CHECK(record(a, 6, "7f000001") == "it ends in the middle of a record");
        CHECK(record(aaaa, 4, "7f000001") == "an AAAA record is not of 16 bytes");
        CHECK(record(srv, 7, "00000000005000") == "taken");
        CHECK(record(srv, 8, "0000000000500000") == "a record's data is not as long as it says");
        CHECK(record(srv, 6, "000000000050") == "a name runs over the end");
        CHECK(record(cname, 4, "0161c00c") == "taken");
        CHECK(record(cname, 3, "0161c00c") == "a record's data is not as long as it says");
        CHECK(record(cname, 2, "c01f") == "a name points to what is not before it");
        CHECK(record(soa, 2, "0000") == "it ends in the middle of a record");
        CHECK(record(soa, 22, "00000000000000000000000000000000000000000007") == "taken");
        CHECK(record(static_cast<dns_record_type>(16), 3, "026869") == "taken");
    }
}

TEST_CASE("dns_message: names are compared without case, and bytes that make no name cannot pass for dots")
{
    auto const m =
        message(builder().question("WeB.Weir.TEST").count(1, 1).raw("03612e62c00c").head(a, 4).raw("7f000001").wire);
    CHECK(m.name == "web.weir.test");
    CHECK(m.answers[0].name == "a\\046b.web.weir.test");
    CHECK_FALSE(valid_dns_name(m.answers[0].name));
    CHECK(canonical_dns_name("A.b.") == "a.b");
}

TEST_CASE("dns_message: a TTL with its highest bit set is 0, and EDNS brings the upper bits of the code")
{
    auto const m = message(builder()
                               .question("x")
                               .count(1, 1)
                               .count(3, 1)
                               .raw("c00c")
                               .raw("00010001800000050004")
                               .raw("7f000001")
                               .raw("00002904d0010000000000")
                               .wire);
    CHECK(m.answers[0].ttl == 0);
    CHECK(m.rcode == 16);
}

TEST_CASE("dns_message: only the answer to the question is one")
{
    using weir::registry::detail::answers_dns_question;
    auto const wire = hex(three_services);
    CHECK(answers_dns_question(wire, 0x1234, "_WEB._tcp.weir.test.", srv));
    CHECK_FALSE(answers_dns_question(wire, 0x1235, "_web._tcp.weir.test", srv));
    CHECK_FALSE(answers_dns_question(wire, 0x1234, "_wen._tcp.weir.test", srv));
    CHECK_FALSE(answers_dns_question(wire, 0x1234, "_web._tcp.weir.test", a));
    auto const question = write_dns_question(0x1234, "_web._tcp.weir.test", srv);
    CHECK_FALSE(answers_dns_question(question, 0x1234, "_web._tcp.weir.test", srv));
    for (std::size_t n = 0; n < 37; ++n)
        CHECK_FALSE(answers_dns_question(std::span(wire).first(n), 0x1234, "_web._tcp.weir.test", srv));
}

TEST_CASE("dns_message: which names can be asked for")
{
    for (auto const good : {"a", "a.", "_web._tcp.weir.test", "xn--bcher-kva.example", "1.2.3.4"})
        CHECK_MESSAGE(valid_dns_name(good), good);
    for (auto const bad : {"", ".", "..", ".a", "a..b", "a b", "a\\b", "a\nb", "caf\xc3\xa9"})
        CHECK_MESSAGE(!valid_dns_name(bad), bad);
    CHECK(valid_dns_name(std::string(63, 'a')));
    CHECK_FALSE(valid_dns_name(std::string(64, 'a')));
    std::string name;
    while (name.size() < 252) name += "a.";
    CHECK(valid_dns_name(name + "b"));
    CHECK_FALSE(valid_dns_name(name + "bc"));
}

TEST_CASE("dns_answer: aliases are followed within the message, and their TTL counts")
{
    dns_message m;
    m.answers = {{.name = "two", .type = a, .ttl = 60, .address = "127.0.0.1"},
                 {.name = "one", .type = cname, .ttl = 7, .target = "two"},
                 {.name = "zero", .type = cname, .ttl = 50, .target = "one"},
                 {.name = "other", .type = a, .ttl = 1, .address = "127.0.0.9"}};
    auto const found = read_dns_answer(m, "zero", a);
    CHECK(found.what == dns_answer::kind::found);
    CHECK(found.ttl == 7);
    REQUIRE(found.records.size() == 1);
    CHECK(found.records[0].address == "127.0.0.1");

    m.answers.front().name = "elsewhere";
    auto const open_end = read_dns_answer(m, "zero", a);
    CHECK(open_end.what == dns_answer::kind::alias);
    CHECK(open_end.alias == "two");

    m.authority = {{.name = "test", .type = soa, .ttl = 9, .negative_ttl = 3}};
    auto const no_data = read_dns_answer(m, "zero", a);
    CHECK(no_data.what == dns_answer::kind::none);
    CHECK(no_data.ttl == 3);

    m.answers = {{.name = "x", .type = cname, .ttl = 5, .target = "y"},
                 {.name = "y", .type = cname, .ttl = 5, .target = "x"}};
    auto const loop = read_dns_answer(m, "x", a);
    CHECK(loop.what == dns_answer::kind::failed);
    CHECK(loop.error == weir::errc::bad_document);
}

TEST_CASE("dns_answer: no such name and no data are an answer; everything else is a failure")
{
    auto const none = read_dns_answer(message(hex(absent)), "_absent._tcp.weir.test", srv);
    CHECK(none.what == dns_answer::kind::none);
    CHECK(none.ttl == 3);

    dns_message m;
    m.authority = {{.name = "test", .type = soa, .ttl = 2, .negative_ttl = 600}};
    CHECK(read_dns_answer(m, "x", a).what == dns_answer::kind::none);
    CHECK(read_dns_answer(m, "x", a).ttl == 2);
    m.authority = {};
    CHECK(read_dns_answer(m, "x", a).what == dns_answer::kind::none);
    CHECK(read_dns_answer(m, "x", a).ttl == 0);
    m.authority = {{.name = "test", .type = ns, .ttl = 60, .target = "ns.test"}};
    CHECK(read_dns_answer(m, "x", a).error == weir::errc::registry_unavailable);

    for (auto const& [rcode, error, why] : {std::tuple{1, weir::errc::registry_unavailable, "FORMERR"},
                                            {2, weir::errc::registry_unavailable, "SERVFAIL"},
                                            {5, weir::errc::registry_refused, "REFUSED"},
                                            {16, weir::errc::registry_unavailable, "BADVERS"},
                                            {11, weir::errc::registry_unavailable, "RCODE 11"}}) {
        dns_message f;
        f.rcode = static_cast<std::uint16_t>(rcode);
        f.answers = {{.name = "x", .type = a, .ttl = 60, .address = "127.0.0.1"}};
        CHECK(read_dns_answer(f, "x", a).what == dns_answer::kind::failed);
        CHECK(read_dns_answer(f, "x", a).error == error);
        CHECK(read_dns_answer(f, "x", a).why == why);
    }
}

TEST_CASE("srv_instances: the best priority has the traffic, the others are there without any")
{
    auto const m = message(hex(three_services));
    auto const all = srv_instances(
        m.answers, {{"i1.weir.test", {"127.0.0.1"}}, {"i2.weir.test", {"127.0.0.2"}}, {"i3.weir.test", {"127.0.0.3"}}},
        {"web"});
    REQUIRE(all.size() == 3);
    std::map<std::string, std::uint32_t> weights;
    for (auto const& i : all) weights[i.id()] = i.address.weight;
    CHECK(weights ==
          std::map<std::string, std::uint32_t>{{"127.0.0.1:8081", 60}, {"127.0.0.3:8084", 5}, {"127.0.0.3:8083", 0}});
    CHECK(all[0].service == "web");
    CHECK(all[0].address.metadata.at("priority") == "10");
    CHECK(all[0].address.metadata.at("target") == "i3.weir.test");

    // Withdrawn, or without an address, the better ones make room.
    auto rest = m.answers;
    rest.erase(rest.begin(), rest.begin() + 2);
    rest[0].weight = 9;
    CHECK(srv_instances(rest, {{"i3.weir.test", {"127.0.0.3"}}}, {"web"})[0].address.weight == 9);
    CHECK(srv_instances(m.answers, {}, {"web"}).empty());
}

TEST_CASE(
    "srv_instances: weight 0 alone is equal shares, beside others a very small one; several addresses share a target")
{
    auto const record = [](std::string target, std::uint16_t weight) {
        return dns_record{
            .name = "s", .type = srv, .target = std::move(target), .priority = 1, .weight = weight, .port = 80};
    };
    std::map<std::string, std::vector<std::string>> const where{{"x", {"10.0.0.1"}}, {"y", {"10.0.0.2", "::2"}}};
    auto const equal = srv_instances({record("x", 0), record("y", 0)}, where, {"web"});
    REQUIRE(equal.size() == 3);
    for (auto const& i : equal) CHECK(i.address.weight == 1);
    CHECK(equal[2].id() == "[::2]:80");
    CHECK(equal[2].address.host == "::2");
    auto const mixed = srv_instances({record("x", 0), record("y", 2)}, where, {"web"});
    CHECK(mixed[0].address.weight == 1);
    CHECK(mixed[1].address.weight == 200);
}

TEST_CASE("fill_dns_name: empty labels are dropped, and a tag has to have a place")
{
    std::string why;
    auto const consul = "{tag}.{service}.service.{datacenter}.consul";
    CHECK(fill_dns_name("{service}", {"_web._tcp.weir.test."}, why) == "_web._tcp.weir.test");
    CHECK(fill_dns_name(consul, {"web"}, why) == "web.service.consul");
    CHECK(fill_dns_name(consul, {"Web", "v1", "dc2"}, why) == "v1.web.service.dc2.consul");
    CHECK(fill_dns_name("_{service}._{tag}.service.consul", {"web"}, why) == "_web.service.consul");
    CHECK(fill_dns_name("fixed.name", {"web"}, why) == "fixed.name");
    CHECK(why.empty());
    CHECK(fill_dns_name("{service}", {"web", "v1"}, why) == "");
    CHECK(why == "the query has a tag, and dns_options.name has no {tag}");
    CHECK(fill_dns_name("{service}", {"a b"}, why) == "");
    CHECK(why == "the query makes no valid name");
    CHECK(fill_dns_name("{service}", {""}, why) == "");
}
