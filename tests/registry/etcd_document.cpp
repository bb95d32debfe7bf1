// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/etcd_document.hpp>

#include <weir/registry/detail/etcd_instance.hpp>
#include <weir/registry/detail/etcd_table.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace detail = weir::registry::detail;
namespace json = boost::json;
using detail::etcd_frame;
using detail::etcd_table;
using detail::etcd_trouble;
using weir::registry::health;
using weir::registry::instance;

namespace {

std::string header(int revision, std::string const& cluster = "12101053776118486841")
{
    return R"("header":{"cluster_id":")" + cluster + R"(","member_id":"15985099378392235387","revision":")" +
           std::to_string(revision) + R"(","raft_term":"2"})";
}
std::string pair(std::string const& key, std::string const& value, int revision)
{
    return R"({"key":")" + detail::to_base64(key) + R"(","create_revision":"2","mod_revision":")" +
           std::to_string(revision) + R"(","version":"1","value":")" + detail::to_base64(value) + R"("})";
}

std::optional<detail::etcd_range> range(std::string const& body)
{
    std::string why;
    auto r = detail::read_etcd_range(body, why);
    CHECK(why.empty() == r.has_value());
    return r;
}
std::optional<etcd_frame> frame(std::string const& text)
{
    std::string why;
    auto f = detail::read_etcd_frame(json::parse(text), why);
    CHECK(why.empty() == f.has_value());
    return f;
}
std::string result(std::string const& inside) { return "{\"result\":{" + inside + "}}"; }

}  // namespace

TEST_CASE("etcd document: a range gives keys, values and revisions; numbers may be strings; what is empty is left out")
{
    auto const r = range("{" + header(7) + R"(,"kvs":[{"key":"d2Vpci9h","mod_revision":"5","value":"MQ==",)" +
                         R"("lease":"9041998820251911178"},{"key":"d2Vpci9i","mod_revision":6}],"count":2})");
    REQUIRE(r);
    CHECK(r->cluster == 12101053776118486841u);
    CHECK(r->revision == 7);
    REQUIRE(r->pairs.size() == 2);
    CHECK(r->pairs[0].key == "weir/a");
    CHECK(r->pairs[0].value == "1");
    CHECK(r->pairs[0].revision == 5);
    CHECK(r->pairs[0].lease == 9041998820251911178u);
    CHECK(r->pairs[1].value == "");
    CHECK(r->pairs[1].lease == 0);

    auto const none = range("{" + header(2) + "}");
    REQUIRE(none);
    CHECK(none->pairs.empty());
}

TEST_CASE("etcd document: a range that is not whole or not well is refused")
{
    auto const h = header(7);
    for (std::string const& body : std::vector<std::string>{
             "",
             std::string("[]"),
             std::string("{}"),
             std::string("<html>"),
             "{" + header(0) + "}",
             R"({"header":{"revision":"7"}})",
             "{" + h + R"(,"kvs":[)" + pair("a", "1", 5) + R"(],"more":true,"count":"5"})",
             "{" + h + R"(,"kvs":[)" + pair("a", "1", 5) + R"(],"count":"2"})",
             "{" + h + R"(,"kvs":[)" + pair("a", "1", 5) + "]}",
             "{" + h + R"(,"kvs":[)" + pair("", "1", 5) + R"(],"count":"1"})",
             "{" + h + R"(,"kvs":[)" + pair("a", "1", 0) + R"(],"count":"1"})",
             "{" + h + R"(,"kvs":[7],"count":"1"})",
             "{" + h + R"(,"kvs":{},"count":"0"})",
             "{" + h + R"(,"kvs":[{"key":"YQ","mod_revision":"5"}],"count":"1"})",
             "{" + h + R"(,"kvs":[{"key":"YQ==","mod_revision":"5x"}],"count":"1"})",
             "{" + h + R"(,"kvs":[{"key":"YQ==","mod_revision":"-5"}],"count":"1"})",
             "{" + h + R"(,"kvs":[{"key":"YQ==","mod_revision":-5}],"count":"1"})",
             "{" + h + R"(,"kvs":[{"key":"YQ==","mod_revision":5.0}],"count":"1"})",
             "{" + h + R"(,"kvs":[{"key":"YQ==","mod_revision":"99999999999999999999"}],"count":"1"})",
             "{" + h + "," + h + "}",
         }) {
        CAPTURE(body);
        CHECK_FALSE(range(body));
    }
}

TEST_CASE("etcd document: frames of a watch: created, events, progress, error")
{
    auto const created = frame(result(header(4) + R"(,"created":true)"));
    REQUIRE(created);
    CHECK(created->created);
    CHECK(created->revision == 4);
    CHECK(created->error.what == etcd_trouble::none);

    auto const events = frame(result(
        header(7) + R"(,"events":[{"kv":)" + pair("w/a", "1", 6) + R"(},{"type":"PUT","kv":)" + pair("w/b", "", 7) +
        R"(},{"type":"DELETE","kv":{"key":"dy9j","mod_revision":"7"},"prev_kv":)" + pair("w/c", "old", 3) + "}]"));
    REQUIRE(events);
    REQUIRE(events->events.size() == 3);
    CHECK(events->events[0].key == "w/a");
    CHECK(events->events[0].value == "1");
    CHECK_FALSE(events->events[1].deleted);
    CHECK(events->events[2].key == "w/c");
    CHECK(events->events[2].deleted);
    CHECK(events->events[2].value == "");

    auto const progress = frame(result(header(9)));
    REQUIRE(progress);
    CHECK(progress->events.empty());
    CHECK_FALSE(progress->created);

    auto const stopping = frame(R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: server stopped",)"
                                R"("http_status":"Service Unavailable"}})");
    REQUIRE(stopping);
    CHECK(stopping->error.what == etcd_trouble::unavailable);
    CHECK(stopping->error.note == "etcdserver: server stopped");

    for (auto const& bad : {std::string("{}"), std::string("[]"), result(R"("events":7)"), result(R"("events":[{}])"),
                            result(R"("created":"yes")"), std::string(R"({"result":null})"),
                            result(header(7) + R"(,"events":[{"type":"MOVE","kv":)" + pair("a", "1", 6) + "}]")}) {
        CAPTURE(bad);
        CHECK_FALSE(frame(bad));
    }
}

TEST_CASE("etcd document: a refused watch is created and canceled in one frame, and the refusal counts")
{
    auto const reason = [](std::string const& words) {
        auto const f = frame(
            result(header(1) + R"(,"watch_id":"-1","created":true,"canceled":true,"cancel_reason":")" + words + "\""));
        REQUIRE(f);
        return f->error.what;
    };
    CHECK(reason("rpc error: code = PermissionDenied desc = etcdserver: permission denied") == etcd_trouble::refused);
    CHECK(reason("rpc error: code = InvalidArgument desc = etcdserver: user name is empty") ==
          etcd_trouble::unauthenticated);
    CHECK(reason("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token") ==
          etcd_trouble::unauthenticated);
    CHECK(reason("etcdserver: no leader") == etcd_trouble::unavailable);
    CHECK(reason("") == etcd_trouble::unavailable);

    auto const compacted = frame(result(R"("header":{"cluster_id":"12101053776118486841"},"canceled":true,)"
                                        R"("compact_revision":"11")"));
    REQUIRE(compacted);
    CHECK(compacted->error.what == etcd_trouble::compacted);
}

TEST_CASE("etcd document: errors of 3.4 and of 3.5 mean the same; what is not etcd's is an error too")
{
    auto const what = [](unsigned status, std::string const& body) {
        return detail::read_etcd_error(status, body).what;
    };
    CHECK(what(404, R"({"error":"etcdserver: requested lease not found","message":"etcdserver: requested lease not )"
                    R"(found","code":5})") == etcd_trouble::not_found);
    CHECK(what(404, R"({"code":5, "message":"etcdserver: requested lease not found"})") == etcd_trouble::not_found);
    CHECK(what(400, R"({"code":11,"message":"etcdserver: mvcc: required revision has been compacted"})") ==
          etcd_trouble::compacted);
    CHECK(what(400, R"({"code":3, "message":"etcdserver: user name is empty"})") == etcd_trouble::unauthenticated);
    CHECK(what(401, R"({"code":16, "message":"etcdserver: invalid auth token"})") == etcd_trouble::unauthenticated);
    CHECK(what(400, R"({"code":3,"message":"etcdserver: revision of auth store is old"})") ==
          etcd_trouble::unauthenticated);
    CHECK(what(400, R"({"code":3,"message":"etcdserver: authentication failed, invalid user ID or password"})") ==
          etcd_trouble::refused);
    CHECK(what(403, R"({"code":7,"message":"etcdserver: permission denied"})") == etcd_trouble::refused);
    CHECK(what(400, R"({"code":9,"message":"etcdserver: authentication is not enabled"})") ==
          etcd_trouble::no_accounts);
    CHECK(what(503, R"({"code":14,"message":"etcdserver: no leader"})") == etcd_trouble::unavailable);
    CHECK(what(429, R"({"code":8,"message":"etcdserver: mvcc: database space exceeded"})") ==
          etcd_trouble::unavailable);
    CHECK(what(502, "<html>Bad gateway</html>") == etcd_trouble::unavailable);
    CHECK(what(404, "404 page not found") == etcd_trouble::refused);
    CHECK(what(301, "") == etcd_trouble::refused);
    CHECK(detail::read_etcd_error(404, "page\nnot found").note == "404: page?not found");
}

TEST_CASE("etcd document: leases: granted, alive in a frame, and gone when there is no TTL")
{
    std::string why;
    auto const granted = detail::read_etcd_lease("{" + header(1) + R"(,"ID":"9041998820251911176","TTL":"10"})", why);
    REQUIRE(granted);
    CHECK(granted->id == 9041998820251911176u);
    CHECK(granted->ttl == 10);
    auto const alive = detail::read_etcd_lease(result(header(2) + R"(,"ID":"1234","TTL":"10")"), why);
    REQUIRE(alive);
    CHECK(alive->ttl == 10);
    auto const gone = detail::read_etcd_lease(result(header(2) + R"(,"ID":"1234")"), why);
    REQUIRE(gone);
    CHECK(gone->ttl == 0);
    CHECK_FALSE(detail::read_etcd_lease("{}", why));
    CHECK_FALSE(detail::read_etcd_lease(R"({"result":7})", why));
    CHECK(detail::read_etcd_token("{" + header(1) + R"(, "token":"fRqiLRkwDsKsiKor.10"})", why) ==
          "fRqiLRkwDsKsiKor.10");
    CHECK_FALSE(detail::read_etcd_token(R"({"token":"a\r\nb"})", why));
    CHECK_FALSE(detail::read_etcd_token("{}", why));
}

TEST_CASE("etcd document: requests are what etcd expects, and the end of a prefix is after all that begins with it")
{
    CHECK(detail::etcd_range_end("weir/services/web/") == "weir/services/web0");
    CHECK(detail::etcd_range_end("a\xff\xff") == "b");
    CHECK(detail::etcd_range_end("\xff") == std::string(1, '\0'));
    CHECK(detail::etcd_range_end("") == std::string(1, '\0'));
    CHECK(detail::write_etcd_range("weir/services/web/", "weir/services/web0") ==
          R"({"key":"d2Vpci9zZXJ2aWNlcy93ZWIv","range_end":"d2Vpci9zZXJ2aWNlcy93ZWIw"})");
    CHECK(detail::write_etcd_range("a", "", true) == R"({"key":"YQ==","keys_only":true})");
    CHECK(detail::write_etcd_watch("a", "b", 18446744073709551615u) ==
          R"({"create_request":{"key":"YQ==","start_revision":"18446744073709551615","progress_notify":true,)"
          R"("range_end":"Yg=="}})");
    CHECK(detail::write_etcd_put("a", "1", 7) == R"({"key":"YQ==","value":"MQ==","lease":"7"})");
    CHECK(detail::write_etcd_grant(10) == R"({"TTL":"10"})");
    CHECK(detail::write_etcd_lease(1234) == R"({"ID":"1234"})");
    CHECK(detail::write_etcd_delete("a") == R"({"key":"YQ=="})");
    CHECK(detail::write_etcd_credentials("ro\"ot", "pw") == R"({"name":"ro\"ot","password":"pw"})");
}

TEST_CASE("etcd instance: what is written is read back")
{
    instance i{.address = {.id = "i-1",
                           .host = "fe80::1",
                           .port = 65535,
                           .weight = 7,
                           .zone = "north",
                           .metadata = {{"zone", "north"}, {"quote", "\"\n\x01"}}},
               .service = "web",
               .tags = {"blue", "v1"},
               .state = health::warning};
    std::string why;
    CHECK(detail::read_etcd_instance("web", "i-1", detail::write_etcd_instance(i), why) == i);
    i.state = health::critical;
    CHECK(detail::read_etcd_instance("web", "i-1", detail::write_etcd_instance(i), why) == i);
    auto const least = detail::read_etcd_instance("web", "x", R"({"address":"10.0.0.7","port":80})", why);
    REQUIRE(least);
    CHECK(least->serves());
    CHECK(least->address.weight == 1);
    CHECK(detail::read_etcd_instance("w", "x", R"({"address":"a","port":80,"state":"leaving"})", why)->state ==
          health::critical);
}

TEST_CASE(
    "etcd instance: the layouts of kratos and go-zero are read, and what is none of them is refused with a reason")
{
    std::string why;
    auto const kratos =
        detail::read_etcd_instance("web", "i1",
                                   R"({"id":"i1","name":"web","version":"1.2","metadata":{"zone":"z1"},"endpoints":)"
                                   R"(["grpc://10.0.0.1:9000?isSecure=false","http://10.0.0.1:8080"]})",
                                   why);
    REQUIRE(kratos);
    CHECK(kratos->address.host == "10.0.0.1");
    CHECK(kratos->address.port == 9000);
    CHECK(kratos->address.zone == "z1");
    CHECK(kratos->address.metadata.at("version") == "1.2");
    auto const zero = detail::read_etcd_instance("user.rpc", "7587862", "[::1]:8080", why);
    REQUIRE(zero);
    CHECK(zero->address.host == "::1");
    CHECK(zero->address.port == 8080);

    for (auto const* value : {"",
                              "10.0.0.1",
                              "10.0.0.1:",
                              "10.0.0.1:0",
                              "10.0.\xae.1:80",
                              "a b:80",
                              "10.0.0.1:65536",
                              "::1:80",
                              ":80",
                              "{",
                              "{}",
                              R"({"address":"a"})",
                              R"({"address":7,"port":80})",
                              R"({"address":"a","port":-1})",
                              R"({"address":"a","port":80,"tags":[7]})",
                              R"({"address":"a","port":80,"meta":{"x":1}})",
                              R"({"endpoints":[]})",
                              R"({"endpoints":["10.0.0.1:80"]})",
                              R"({"endpoints":["http://a"]})",
                              R"([{"address":"a","port":80}])"}) {
        CAPTURE(value);
        why.clear();
        CHECK_FALSE(detail::read_etcd_instance("web", "x", value, why));
        CHECK(why != "");
    }
}

TEST_CASE("etcd instance: any service and id has a part of a key without a slash, which is read back")
{
    for (auto const* text : {"web-1", "a/b", "%", "ä b", "10.0.0.1:80", "a%2Fb"}) {
        auto const part = detail::etcd_key_part(text);
        CHECK(part.find('/') == std::string::npos);
        CHECK(detail::read_etcd_key_part(part) == text);
    }
    CHECK(detail::etcd_key_part("web-1.x_~:@") == "web-1.x_~:@");
    for (auto const* part : {"", "a/b", "%", "%2", "%2g", "%2f"}) CHECK_FALSE(detail::read_etcd_key_part(part));
    CHECK(detail::read_etcd_key_part("a b") == "a b");
}

namespace {

using strings = etcd_table<std::string>;
using news = strings::news;

std::string all(strings const& t)
{
    std::string out;
    for (auto const& [key, value] : t.entries()) out += key + "=" + value + " ";
    return out;
}
strings loaded()
{
    strings t([](detail::etcd_pair&& p) { return std::move(p.value); });
    CHECK(t.load(
        *range("{" + header(7) + R"(,"kvs":[)" + pair("a", "1", 5) + "," + pair("b", "2", 6) + R"(],"count":"2"})")));
    return t;
}
news tell(strings& t, std::string const& text) { return t.apply(*frame(text)); }
std::string put(std::string const& key, std::string const& value, int revision)
{
    return R"({"kv":)" + pair(key, value, revision) + "}";
}

}  // namespace

TEST_CASE("etcd table: events change it, in order, and the revision follows the events, not the header")
{
    auto t = loaded();
    CHECK(all(t) == "a=1 b=2 ");
    CHECK(t.revision() == 7);
    CHECK(tell(t, result(header(9) + R"(,"created":true)")) == news::none);
    CHECK(t.revision() == 7);  // 8 and 9 are still to come
    CHECK(tell(t, result(header(12) + R"(,"events":[)" + put("c", "3", 8) + "," + put("a", "9", 9) + "]")) ==
          news::changed);
    CHECK(all(t) == "a=9 b=2 c=3 ");
    CHECK(t.revision() == 9);
    CHECK(tell(t, result(header(12) + R"(,"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"10"}},)" +
                         put("a", "4", 10) + "]")) == news::changed);
    CHECK(all(t) == "a=4 b=2 c=3 ");
    CHECK(tell(t, result(header(20))) == news::none);
    CHECK(t.revision() == 20);
}

TEST_CASE("etcd table: what a read has overtaken is not applied again")
{
    auto t = loaded();
    CHECK(tell(t, result(header(7) + R"(,"events":[)" + put("a", "old", 5) + "," + put("b", "old", 7) + "]")) ==
          news::none);
    CHECK(all(t) == "a=1 b=2 ");
}

TEST_CASE("etcd table: another cluster, an older revision, a compaction: the history is lost, and nothing is applied")
{
    auto t = loaded();
    CHECK(tell(t, result(header(9, "77") + R"(,"events":[)" + put("a", "x", 9) + "]")) == news::lost);
    CHECK(tell(t, result(header(9, "77") + R"(,"created":true)")) == news::lost);
    CHECK(tell(t, result(header(6) + R"(,"created":true)")) == news::lost);
    CHECK(
        tell(t, result(R"("header":{"cluster_id":"12101053776118486841"},"canceled":true,"compact_revision":"11")")) ==
        news::lost);
    CHECK(tell(t, R"({"error":{"grpc_code":14,"message":"x"}})") == news::ended);
    CHECK(all(t) == "a=1 b=2 ");
    CHECK(t.revision() == 7);
}
