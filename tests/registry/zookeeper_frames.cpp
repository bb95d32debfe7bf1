// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/zookeeper_document.hpp>
#include <weir/registry/detail/zookeeper_frames.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using weir::registry::health;
using weir::registry::instance;
namespace detail = weir::registry::detail;
using detail::zk_error;
using detail::zk_event_type;
using detail::zk_op;

namespace {

std::string hex(std::string_view bytes)
{
    std::string out;
    for (char const c : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::string bytes(std::string_view text)
{
    std::string out;
    auto const digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
    return out;
}

// As ZooKeeper 3.8.0 sent them, without the length.
auto const welcome = bytes("0000000000000bb80100001dd17b00000000001067b5f03368f800ba1d0078e9f162900e00");
auto const expired = bytes("00000000000000000000000000000000000000100000000000000000000000000000000000");
auto const children = bytes(
    "000000050000000000000005000000000000000100000002693100000000000000030000000000000003000001a20541ddde000001a20541dd"
    "de"
    "000000000000000100000000000000000000000000000000000000010000000000000004");
auto const data = bytes(
    "000000060000000000000007000000000000000d31302e302e302e323a3830383000000000000000070000000000000007000001a20541ddeb"
    "000001a20541ddeb0000000000000000000000000100001dd17b00010000000d000000000000000000000007");
auto const event = bytes("ffffffffffffffffffffffff000000000000000400000003000000092f776569722f776562");
auto const no_node = bytes("000000070000000000000007ffffff9b");

template <class Read>
void cut_everywhere(std::string const& whole, Read read)
{
    CHECK(read(whole));
    for (std::size_t n = 0; n < whole.size(); ++n) {
        CAPTURE(n);
        CHECK_FALSE(read(std::string_view(whole).substr(0, n)));
    }
    CHECK_FALSE(read(whole + '\0'));
}

}  // namespace

TEST_CASE("zookeeper_frames: what is written is what a real server understood")
{
    detail::zk_session_id none;
    CHECK(hex(detail::write_zk_connect(0, 3000, none)) ==
          "0000002d00000000000000000000000000000bb80000000000000000000000100000000000000000000000000000000000");
    CHECK(hex(detail::write_zk_create(1, "/weir", "", false, false)) ==
          "000000340000000100000001000000052f7765697200000000000000010000001f00000005776f726c6400000006616e796f6e650000"
          "0000");
    CHECK(hex(detail::write_zk_create(4, "/weir/web/i1", "x", true, false)) ==
          "0000003c00000004000000010000000c2f776569722f7765622f69310000000178000000010000001f00000005776f726c6400000006"
          "616e796f6e6500000001");
    CHECK(hex(detail::write_zk_read(5, zk_op::get_children, "/weir/web", true)) ==
          "00000016000000050000000c000000092f776569722f77656201");
    CHECK(hex(detail::write_zk_read(6, zk_op::get_data, "/weir/web/i2", true)) ==
          "0000001900000006000000040000000c2f776569722f7765622f693201");
    CHECK(hex(detail::write_zk_read(8, zk_op::exists, "/weir/later", true)) ==
          "0000001800000008000000030000000b2f776569722f6c6174657201");
    CHECK(hex(detail::write_zk_plain(-2, zk_op::ping)) == "00000008fffffffe0000000b");
    CHECK(hex(detail::write_zk_plain(1, zk_op::close)) == "0000000800000001fffffff5");
    CHECK(hex(detail::write_zk_auth("digest", "u:p")) ==
          "0000001dfffffffc00000064000000000000000664696765737400000003753a70");
    // These have no recording: from the protocol, and the real server of tests/registry/real/zookeeper.cpp takes them.
    CHECK(hex(detail::write_zk_remove(2, "/a")) == "000000120000000200000002000000022f61ffffffff");
    CHECK(hex(detail::write_zk_set_data(2, "/a", "x")) == "000000170000000200000005000000022f610000000178ffffffff");
}

TEST_CASE("zookeeper_frames: what a real server sent is read, and nothing that is cut short or goes on")
{
    auto const c = detail::read_zk_connected(welcome);
    REQUIRE(c);
    CHECK(c->timeout_ms == 3000);
    CHECK(c->session.id == 0x100001dd17b0000);
    CHECK(hex(c->session.password) == "67b5f03368f800ba1d0078e9f162900e");
    REQUIRE(detail::read_zk_connected(expired));
    CHECK(detail::read_zk_connected(expired)->timeout_ms == 0);

    auto const r = detail::read_zk_reply(children);
    REQUIRE(r);
    CHECK(r->xid == 5);
    CHECK(r->zxid == 5);
    CHECK(r->error == zk_error::none);
    CHECK(detail::read_zk_children(r->body) == std::vector<std::string>{"i1"});
    CHECK(detail::read_zk_data(detail::read_zk_reply(data)->body) == "10.0.0.2:8080");
    auto const stat = std::string(detail::read_zk_reply(data)->body.substr(4 + 13));
    REQUIRE(detail::read_zk_stat(stat));
    CHECK(detail::read_zk_stat(stat)->owner == 0x100001dd17b0001);
    auto const e = detail::read_zk_event(detail::read_zk_reply(event)->body);
    REQUIRE(e);
    CHECK(e->type == zk_event_type::children);
    CHECK(e->path == "/weir/web");
    CHECK(detail::read_zk_reply(no_node)->error == zk_error::no_node);

    cut_everywhere(std::string(r->body), [](std::string_view s) { return bool(detail::read_zk_children(s)); });
    cut_everywhere(data.substr(16), [](std::string_view s) { return bool(detail::read_zk_data(s)); });
    cut_everywhere(stat, [](std::string_view s) { return bool(detail::read_zk_stat(s)); });
    cut_everywhere(event.substr(16), [](std::string_view s) { return bool(detail::read_zk_event(s)); });
    for (std::size_t n = 0; n < welcome.size() - 1; ++n)  // without the last byte it is the answer of an old server
        CHECK_FALSE(detail::read_zk_connected(std::string_view(welcome).substr(0, n)));
    for (std::size_t n = 0; n < 16; ++n) CHECK_FALSE(detail::read_zk_reply(std::string_view(data).substr(0, n)));
}

TEST_CASE("zookeeper_frames: lengths and counts that lie are refused")
{
    auto const stat = std::string(68, '\0');
    CHECK(detail::read_zk_children(bytes("00000000") + stat)->empty());
    CHECK(detail::read_zk_children(bytes("ffffffff") + stat)->empty());  // null
    CHECK_FALSE(detail::read_zk_children(bytes("7fffffff") + stat));
    CHECK_FALSE(detail::read_zk_children(bytes("0000000100000100") + stat));
    CHECK_FALSE(detail::read_zk_children(bytes("00000001fffffffe") + stat));
    CHECK(detail::read_zk_data(bytes("ffffffff") + stat) == "");
    CHECK_FALSE(detail::read_zk_data(bytes("80000000") + stat));
}

TEST_CASE("zookeeper_frames: a stream is cut into its frames wherever it comes apart, and an impossible length ends it")
{
    std::string stream;
    for (auto const& f : {welcome, event, std::string(), data}) stream += detail::zk_writer().text(f).frame().substr(4);
    for (std::size_t piece = 1; piece < stream.size(); piece += 3) {
        detail::zk_splitter s;
        std::vector<std::string> frames;
        for (std::size_t n = 0; n < stream.size(); n += piece) {
            s.push(std::string_view(stream).substr(n, piece));
            while (auto f = s.next()) frames.push_back(*f);
        }
        CHECK(frames == std::vector{welcome, event, std::string(), data});
        CHECK_FALSE(s.broken());
    }
    for (auto const length : {"ffffffff", "80000000", "01000001"}) {
        detail::zk_splitter s;
        s.push(bytes(length));
        CHECK_FALSE(s.next());
        CHECK(s.broken());
    }
}

TEST_CASE("zookeeper_document: an instance is read as it was written, and as Curator and Spring write it")
{
    instance i;
    i.address = {
        .id = "a/1", .host = "10.0.0.1", .port = 80, .weight = 7, .zone = "north", .metadata = {{"zone", "north"}}};
    i.service = "web";
    i.tags = {"v1", "v2"};
    std::string why;
    for (auto const h : {health::passing, health::warning, health::critical}) {
        i.state = h;
        auto const back = detail::read_zookeeper_instance("web", detail::zookeeper_node_name("a/1"),
                                                          detail::write_zookeeper_instance(i, 5), why);
        REQUIRE(back);
        CHECK(*back == i);
    }
    auto const curator = detail::read_zookeeper_instance(
        "web", "b",
        R"({"name":"web","id":"b","address":"10.0.0.2","port":8080,"sslPort":null,"payload":null,)"
        R"("registrationTimeUTC":1325129459728,"serviceType":"DYNAMIC","uriSpec":null})",
        why);
    REQUIRE(curator);
    CHECK(curator->id() == "b");
    CHECK(curator->address.port == 8080);
    CHECK(curator->address.weight == 1);
    CHECK(curator->serves());
    auto const spring = detail::read_zookeeper_instance(
        "web", "c",
        R"({"address":"h","port":null,"sslPort":8443,"payload":{"@class":"x","id":"1","name":"web","metadata":{"zone":"n"}},)"
        R"("enabled":false})",
        why);
    REQUIRE(spring);
    CHECK(spring->address.port == 8443);
    CHECK(spring->address.zone == "n");
    CHECK_FALSE(spring->serves());
    for (auto const* const bad :
         {"", "7", "[]", "10.0.0.1:80", R"({"address":"a"})", R"({"port":80})", R"({"address":"a","port":65536})",
          R"({"address":7,"port":80})", R"({"address":"a","port":80,"payload":{"weight":-1}})",
          R"({"address":"a","port":80,"payload":{"tags":[7]}})"}) {
        why.clear();
        CHECK_FALSE(detail::read_zookeeper_instance("web", "a", bad, why));
        CHECK_FALSE(why.empty());
    }
}

TEST_CASE("zookeeper_document: every name makes a node's name, and comes back")
{
    for (std::string const name :
         {"web", "a/b", ".", "..", "%2E", "a b", "caf\xc3\xa9", "10.0.0.1:80", "", "%", "%zz"}) {
        auto const node = detail::zookeeper_node_name(name);
        CHECK(node.find('/') == node.npos);
        CHECK(node != ".");
        CHECK(detail::read_zookeeper_node_name(node) == name);
    }
    CHECK(detail::read_zookeeper_node_name("a%2fb") == "a%2fb");  // somebody else's
}
