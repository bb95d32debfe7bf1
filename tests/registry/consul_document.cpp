// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/consul_document.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <string>

using namespace std::chrono_literals;
using weir::registry::health;
using weir::registry::listing;
namespace detail = weir::registry::detail;

namespace {

// One entry as Consul 1.8.7 writes it, without what is not looked at; `service` and `checks` go in as given.
std::string entry(std::string const& service, std::string const& checks = R"([{"Status":"passing"}])",
                  std::string const& node = "n1")
{
    return R"({"Node":{"ID":"c005","Node":")" + node + R"(","Address":"192.0.2.9","Meta":{"x":""}},"Service":)" +
           service + R"(,"Checks":)" + checks + "}";
}
std::string service(std::string const& id, std::string const& more = "")
{
    return R"({"ID":")" + id + R"(","Service":"web","Tags":[],"Address":"10.0.0.1","Meta":null,"Port":8080,)" +
           R"("Weights":{"Passing":1,"Warning":1})" + more + "}";
}

struct reading {
    boost::system::error_code ec;
    listing all;
};
reading read(std::string const& body)
{
    reading r;
    r.ec = detail::read_consul_health(body, {"web"}, r.all);
    return r;
}

}  // namespace

TEST_CASE("consul document: an entry becomes an instance with address, weight, tags, meta and zone")
{
    auto const r = read("[" + entry(R"({"ID":"web-1","Service":"web","Tags":["v1","blue"],"Address":"10.0.0.1",
                                  "Meta":{"zone":"north","version":"1.2"},"Port":8080,
                                  "Weights":{"Passing":10,"Warning":2},"CreateIndex":13,"Proxy":{"Expose":{}}})") +
                        "]");
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.all.instances.size() == 1);
    auto const& i = r.all.instances[0];
    CHECK(i.id() == "web-1");
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 8080);
    CHECK(i.address.weight == 10);
    CHECK(i.address.zone == "north");
    CHECK(i.address.metadata.at("version") == "1.2");
    CHECK(i.tags == std::vector<std::string>{"v1", "blue"});
    CHECK(i.state == health::passing);
}

TEST_CASE("consul document: an empty service address means the node's; null stands for empty")
{
    auto const r = read(
        "[" +
        entry(R"({"ID":"w","Service":"web","Tags":null,"Address":"","Meta":null,"Port":1,"Weights":null})", "null") +
        "]");
    REQUIRE_FALSE(r.ec);
    CHECK(r.all.instances.at(0).address.host == "192.0.2.9");
    CHECK(r.all.instances.at(0).address.weight == 1);
    CHECK(r.all.instances.at(0).state == health::passing);
}

TEST_CASE("consul document: the worst check decides, and a warning has its own weight")
{
    auto const state = [](std::string const& checks) {
        auto const r = read(
            "[" +
            entry(R"({"ID":"w","Service":"web","Address":"a","Port":1,"Weights":{"Passing":10,"Warning":3}})", checks) +
            "]");
        REQUIRE_FALSE(r.ec);
        return std::pair(r.all.instances.at(0).state, r.all.instances.at(0).address.weight);
    };
    CHECK(state(R"([{"Status":"passing"},{"Status":"passing"}])") == std::pair(health::passing, 10u));
    CHECK(state(R"([{"Status":"passing"},{"Status":"warning"}])") == std::pair(health::warning, 3u));
    CHECK(state(R"([{"Status":"critical"},{"Status":"warning"}])").first == health::critical);
    CHECK(state(R"([{"CheckID":"_service_maintenance:w","Status":"critical"}])").first == health::critical);
    CHECK(state(R"([{"Status":"new in a later version"}])").first == health::critical);
}

TEST_CASE("consul document: one bad entry is skipped and counted, all bad is a bad document")
{
    auto const good = entry(service("good"));
    for (std::string const& bad : {
             entry(R"({"ID":"","Service":"web","Address":"a","Port":1})"),
             entry(R"({"ID":"w","Service":"other","Address":"a","Port":1})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":0})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":65536})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":-1})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":1.5})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":"1"})"),
             entry(R"({"ID":"w","Service":"web","Address":"a"})"),
             entry(R"({"ID":7,"Service":"web","Address":"a","Port":1})"),
             entry(service("w"), R"("passing")"),
             entry(service("w"), R"(["passing"])"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":1,"Tags":[1]})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":1,"Meta":{"k":1}})"),
             entry(R"({"ID":"w","Service":"web","Address":"a","Port":1,"Weights":{"Passing":-5}})"),
             entry(R"([])"),
             std::string(R"({"Service":{"ID":"w","Service":"web","Address":"","Port":1}})"),
             std::string("{}"),
             std::string("null"),
             std::string("7"),
         }) {
        CAPTURE(bad);
        auto const one = read("[" + good + "," + bad + "]");
        CHECK_FALSE(one.ec);
        CHECK(one.all.instances.size() == 1);
        CHECK(one.all.skipped == 1);
        CHECK(one.all.note.find("1 entries skipped; the first: ") == 0);
        auto const all = read("[" + bad + "]");
        CHECK(all.ec == weir::errc::bad_document);
        CHECK(all.all.note.find("none of 1 entries can be used; the first: ") == 0);
    }
}

TEST_CASE("consul document: one id on two nodes makes two instances, twice on one node makes one")
{
    auto const two = read("[" + entry(service("web"), "[]", "n1") + "," + entry(service("web"), "[]", "n2") + "," +
                          entry(service("solo"), "[]", "n2") + "]");
    REQUIRE(two.all.instances.size() == 3);
    CHECK(two.all.instances[0].id() == "solo");
    CHECK(two.all.instances[1].id() == "n1/web");
    CHECK(two.all.instances[2].id() == "n2/web");
    auto const one = read("[" + entry(service("web")) + "," + entry(service("web")) + "]");
    CHECK(one.all.instances.size() == 1);
    CHECK(one.all.skipped == 1);
}

TEST_CASE("consul document: an empty array is an answer, everything else that is not an array of entries is refused")
{
    CHECK_FALSE(read("[]").ec);
    CHECK_FALSE(read(" [ ]\n").ec);
    for (std::string const bad :
         {"", "{}", "null", "7", "\"x\"", "[", "[{]", "<html>no</html>", "[] []", "[] x", "ACL not found"}) {
        CAPTURE(bad);
        CHECK(read(bad).ec == weir::errc::bad_document);
        CHECK_FALSE(read(bad).all.note.empty());
    }
    CHECK(read("[").all.note == "bad JSON at byte 1: incomplete JSON");
    CHECK(read("{}").all.note == "the answer is not an array");
}

TEST_CASE("consul document: cut anywhere, an answer is refused whole")
{
    auto const whole = "[" + entry(service("a")) + "," + entry(service("b")) + "]";
    REQUIRE(read(whole).all.instances.size() == 2);
    for (std::size_t n = 0; n < whole.size(); ++n) {
        auto const r = read(whole.substr(0, n));
        CHECK(r.ec == weir::errc::bad_document);
        CHECK(r.all.instances.empty());
    }
}

TEST_CASE("consul document: keys given twice, numbers out of range and depth beyond 32 are refused")
{
    auto const twice = read("[" + entry(service("w", R"(,"ID":"v")")) + "]");
    CHECK(twice.ec == weir::errc::bad_document);
    CHECK(twice.all.note.find("the key \"ID\" appears twice") != std::string::npos);
    CHECK(read("[" + entry(service("w", R"(,"\u0049D":"v")")) + "]").ec ==
          weir::errc::bad_document);  // the same, escaped
    CHECK(read("[" + entry(service("w", R"(,"X":1e400)")) + "]").ec == weir::errc::bad_document);
    CHECK_FALSE(read("[" + entry(service("w", R"(,"X":1e300)")) + "]").ec);
    auto const nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    CHECK_FALSE(read("[" + entry(service("w", R"(,"X":)" + nested(28))) + "]").ec);
    CHECK(read("[" + entry(service("w", R"(,"X":)" + nested(40))) + "]").ec == weir::errc::bad_document);
    CHECK(read(nested(100'000)).ec == weir::errc::bad_document);
}

TEST_CASE("consul document: more instances than anybody has are refused")
{
    std::string body = "[";
    for (std::size_t n = 0; n <= detail::consul_max_instances; ++n) body += "0,";
    body += "0]";
    CHECK(read(body).all.note == "more than 100000 instances");
}

TEST_CASE("consul document: a registration in Consul's words")
{
    auto const body = detail::write_consul_registration({.service = "web",
                                                         .address = "10.0.0.1",
                                                         .port = 8080,
                                                         .id = "web\"1",
                                                         .tags = {"v1"},
                                                         .meta = {{"zone", "a"}},
                                                         .weight = 10,
                                                         .ttl = 1500ms,
                                                         .deregister_after = 90s});
    auto const expected = boost::json::parse(
        R"({"ID":"web\"1","Name":"web","Address":"10.0.0.1","Port":8080,"Tags":["v1"],"Meta":{"zone":"a"},
            "Weights":{"Passing":10,"Warning":1},
            "Check":{"CheckID":"service:web\"1","TTL":"1500ms","Status":"passing","DeregisterCriticalServiceAfter":"90000ms"}})");
    CHECK(boost::json::parse(body) == expected);
    CHECK(detail::write_consul_registration({.service = "w", .address = "a", .port = 1, .deregister_after = 0s})
              .find("Deregister") == std::string::npos);
}

TEST_CASE("consul document: heartbeats of one state are the same byte for byte")
{
    CHECK(detail::write_consul_beat(health::passing) == R"({"Status":"passing","Output":"weir"})");
    CHECK(detail::write_consul_beat(health::critical) == R"({"Status":"critical","Output":"weir"})");
}

TEST_CASE("consul document: indexes and authorizations are read strictly")
{
    CHECK(detail::read_consul_index("14") == 14);
    CHECK(detail::read_consul_index("18446744073709551615") == UINT64_MAX);
    for (auto const* bad : {"", "0", "-1", "1x", " 1", "18446744073709551616", "1.0"})
        CHECK_FALSE(detail::read_consul_index(bad));
    CHECK(detail::read_consul_authorization(
              R"([{"Resource":"service","Segment":"web","Access":"read","Allow":false}])") == false);
    CHECK(detail::read_consul_authorization(R"([{"Allow":true}])") == true);
    for (auto const* bad : {"", "[]", "{}", R"([{"Allow":1}])", R"([{}])", R"([{"Allow":true},{"Allow":true}])"})
        CHECK_FALSE(detail::read_consul_authorization(bad));
}

TEST_CASE("consul document: names are written into paths so that they stay one segment")
{
    CHECK(detail::percent_encoded("web-1.a_b~c") == "web-1.a_b~c");
    CHECK(detail::percent_encoded("a/b?c=d&e f\r\n#%\xc3\xa9") == "a%2Fb%3Fc%3Dd%26e%20f%0D%0A%23%25%C3%A9");
}
