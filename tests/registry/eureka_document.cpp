// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/eureka_document.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::health;
using weir::registry::listing;
namespace detail = weir::registry::detail;

namespace {

std::string entry(std::string const& id, std::string const& more = "", std::string const& status = "UP",
                  std::string const& port = R"({"$":8080,"@enabled":"true"})")
{
    return R"({"instanceId":")" + id + R"(","app":"WEB","hostName":"h.example","ipAddr":"10.0.0.1","status":")" +
           status + R"(","port":)" + port + R"(,"securePort":{"$":8443,"@enabled":"false"})" + more + "}";
}
std::string app(std::string const& instances)
{
    return R"({"application":{"name":"WEB","instance":)" + instances + "}}";
}

struct reading {
    boost::system::error_code ec;
    listing all;
};
reading read(std::string const& body, detail::eureka_reach reach = {}, weir::registry::query const& q = {"web"})
{
    reading r;
    r.ec = detail::read_eureka_application(body, q, reach, r.all);
    return r;
}
std::string ids(reading const& r)
{
    std::string out;
    for (auto const& i : r.all.instances) out += i.id() + (i.serves() ? "" : "-");
    return out;
}

}  // namespace

TEST_CASE("eureka document: an instance has address, port, zone, weight, tags and metadata")
{
    auto const r =
        read(app("[" + entry("a", R"(,"metadata":{"zone":"north","tags":"v1,,blue","weight":"3","x":"y"})") + "]"));
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.all.instances.size() == 1);
    auto const& i = r.all.instances[0];
    CHECK(i.address.host == "10.0.0.1");
    CHECK(i.address.port == 8080);
    CHECK(i.address.zone == "north");
    CHECK(i.address.weight == 3);
    CHECK(i.address.metadata.at("x") == "y");
    CHECK(i.tags == std::vector<std::string>{"v1", "blue"});
    CHECK(i.service == "web");
    CHECK(read(app("[" + entry("a") + "]"), {.host_names = true}).all.instances.at(0).address.host == "h.example");
    auto const amazon = R"(,"dataCenterInfo":{"name":"Amazon","metadata":{"availability-zone":"us-east-1c"}})";
    CHECK(read(app("[" + entry("a", amazon) + "]")).all.instances.at(0).address.zone == "us-east-1c");
    CHECK(ids(read(app("[" + entry("a", R"(,"metadata":{"@class":"java.util.Collections$EmptyMap"})") + "]"))) == "a");
}

TEST_CASE("eureka document: only UP serves; a lone instance may come without its array, a port as text")
{
    auto const r = read(app("[" + entry("a") + "," + entry("b", "", "DOWN") + "," + entry("c", "", "OUT_OF_SERVICE") +
                            "," + entry("d", "", "STARTING") + "," + entry("e", "", "WHATEVER") + "]"));
    CHECK(ids(r) == "ab-c-d-e-");
    CHECK(ids(read(app(entry("a")))) == "a");
    CHECK(ids(read(app("[" + entry("a", "", "UP", R"({"$":"80","@enabled":true})") + "]"))) == "a");
    CHECK(ids(read(R"({"application":{"name":"WEB"}})")) == "");
    CHECK_FALSE(read(R"({"application":{"name":"WEB"}})").ec);
    CHECK_FALSE(read(app("[]")).ec);
    CHECK(read(app("[" + entry("a", R"(,"metadata":{"tags":"x"})") + "," + entry("b") + "]"), {}, {"web", "x"})
              .all.instances.size() == 1);
}

TEST_CASE("eureka document: bad entries are skipped and counted, all bad or a strange whole is an error")
{
    auto const r = read(app("[" + entry("a") + "," + entry("a") + R"(,7,{},)" + entry("", "", "UP", "8080") + "," +
                            entry("p", "", "UP", R"({"$":8080,"@enabled":"false"})") + "," +
                            entry("q", "", "UP", R"({"$":80800,"@enabled":"true"})") + "]"));
    CHECK_FALSE(r.ec);
    CHECK(ids(r) == "a");
    CHECK(r.all.skipped == 6);
    CHECK(r.all.note == "6 entries skipped; the first: two instances a");
    CHECK(read(app("[" + entry("a") + "]"), {.secure = true}).ec == weir::errc::bad_document);
    CHECK(read(app("[7]")).all.note == "none of 1 entries can be used; the first: an instance is not an object");
    for (auto const* const strange :
         {"", "{}", "[]", "null", "42", R"({"application":[]})", R"({"application":{"name":"OTHER","instance":[]}})",
          R"({"application":{"name":"WEB","instance":"x"}})", R"(<application/>)"})
        CHECK(read(strange).ec == weir::errc::bad_document);
}

TEST_CASE("eureka document: what is written is what the server needs, and reads back")
{
    weir::registry::registration r{.service = "web", .address = "10.0.0.1", .port = 80, .id = "i", .tags = {"x", "y"}};
    r.weight = 5;
    r.ttl = 10s;
    auto const body = detail::write_eureka_instance(r, true);
    for (auto const* const part :
         {R"("app":"WEB")", R"("status":"UP")", R"("port":{"$":80,"@enabled":"true"})", R"("renewalIntervalInSecs":4)",
          R"("durationInSecs":10)", R"("@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo")"})
        CHECK_MESSAGE(body.find(part) != body.npos, part);
    auto const back = read(app(body.substr(12, body.size() - 13)));
    REQUIRE(back.all.instances.size() == 1);
    CHECK(back.all.instances[0].tags == r.tags);
    CHECK(back.all.instances[0].address.weight == 5);
    CHECK(detail::write_eureka_instance(r, false).find(R"("status":"STARTING")") != body.npos);
}
