// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/nacos_document.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::health;
using weir::registry::listing;
using weir::registry::nacos_api;
namespace detail = weir::registry::detail;

namespace {

std::string host(int n, std::string const& weight = "1.0", std::string const& more = R"("healthy":true,"enabled":true)")
{
    return R"({"ip":"10.0.0.)" + std::to_string(n) + R"(","port":8080,"weight":)" + weight + "," + more +
           R"(,"ephemeral":true,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@web"})";
}
std::string v1(std::string const& hosts, std::string const& more = "")
{
    return R"({"name":"DEFAULT_GROUP@@web","cacheMillis":10000,"hosts":[)" + hosts + "]" + more + "}";
}
std::string v3(std::string const& hosts) { return R"({"code":0,"message":"success","data":[)" + hosts + "]}"; }

struct reading {
    boost::system::error_code ec;
    listing all;
    std::optional<weir::duration> cache;
};
reading read(nacos_api api, std::string const& body, weir::registry::query const& q = {"web"})
{
    reading r;
    r.ec = detail::read_nacos_list(api, body, {}, q, r.all, r.cache);
    return r;
}
std::string ids(reading const& r)
{
    std::string out;
    for (auto const& i : r.all.instances) out += i.address.host.substr(7) + (i.serves() ? "" : "-");
    return out;
}

}  // namespace

TEST_CASE("nacos document: both interfaces' lists become instances; what is off, ill or of no weight does not serve")
{
    auto const hosts = host(1) + "," + host(2, "1.0", R"("healthy":false,"enabled":true)") + "," +
                       host(3, "1.0", R"("healthy":true,"enabled":false)") + "," + host(4, "0.0");
    CHECK(ids(read(nacos_api::v1, v1(hosts))) == "12-3-4-");
    CHECK(read(nacos_api::v1, v1(hosts)).cache == 10s);
    CHECK(ids(read(nacos_api::v3, v3(hosts))) == "12-3-4-");
    CHECK_FALSE(read(nacos_api::v3, v3(hosts)).cache);
    auto const r = read(nacos_api::v3, v3(host(1, "2.0", R"("metadata":{"zone":"north","tags":"v1","x":"y"})")));
    REQUIRE(r.all.instances.size() == 1);
    auto const& i = r.all.instances[0];
    CHECK(i.id() == "10.0.0.1#8080#DEFAULT");
    CHECK(i.address.port == 8080);
    CHECK(i.address.weight == 2);
    CHECK(i.address.zone == "north");
    CHECK(i.address.metadata.at("x") == "y");
    CHECK(i.tags == std::vector<std::string>{"v1"});
    CHECK(read(nacos_api::v3, v3(host(1))).all.instances.at(0).address.zone == "DEFAULT");
    CHECK_FALSE(read(nacos_api::v1, v1("")).ec);
    CHECK_FALSE(read(nacos_api::v3, v3("")).ec);
}

TEST_CASE("nacos document: a weight that is not whole makes all weights hundredths, and none of them nothing")
{
    auto const r = read(nacos_api::v3, v3(host(1, "0.5") + "," + host(2, "2") + "," + host(3, "0.0001")));
    REQUIRE(r.all.instances.size() == 3);
    CHECK(r.all.instances[0].address.weight == 50);
    CHECK(r.all.instances[1].address.weight == 200);
    CHECK(r.all.instances[2].address.weight == 1);
    CHECK(read(nacos_api::v3, v3(host(1, "10000"))).all.instances.at(0).address.weight == 10000);
}

TEST_CASE("nacos document: an answer under the protection threshold is called degraded")
{
    auto const r = read(nacos_api::v1, v1(host(1), R"(,"reachProtectionThreshold":true)"));
    CHECK_FALSE(r.ec);
    CHECK(r.all.note.rfind("degraded", 0) == 0);
    CHECK(read(nacos_api::v1, v1(host(1), R"(,"reachProtectionThreshold":false)")).all.note.empty());
}

TEST_CASE("nacos document: bad entries are skipped and counted, all bad or a strange whole is an error")
{
    auto const r = read(nacos_api::v1, v1(host(1) + "," + host(1) + ",7,{}," + host(2, "-1") + "," + host(3, "1e300") +
                                          "," + host(4, "\"x\"")));
    CHECK_FALSE(r.ec);
    CHECK(ids(r) == "1");
    CHECK(r.all.skipped == 6);
    CHECK(read(nacos_api::v1, v1("7")).ec == weir::errc::bad_document);
    CHECK(read(nacos_api::v1, v1(host(1)), {.service = "other"}).ec == weir::errc::bad_document);
    CHECK(read(nacos_api::v3, v3(host(1)), {.service = "web", .tag = {}, .datacenter = "north"}).ec ==
          weir::errc::bad_document);
    for (auto const* const strange :
         {"", "{}", "[]", "null", "42", R"({"code":0})", R"({"code":0,"data":{}})", R"({"data":[]})",
          R"({"code":30000,"data":[]})", R"({"hosts":{}})", R"({"hosts":[],"cacheMillis":-1})"})
        for (auto const api : {nacos_api::v1, nacos_api::v3})
            CHECK_MESSAGE(read(api, strange).ec == weir::errc::bad_document, strange);
}

TEST_CASE("nacos document: codes say whether to try again, to register again, or that it is of no use")
{
    auto const error = [](char const* body) { return detail::read_nacos_verdict(body).value().error(); };
    CHECK_FALSE(error(R"({"code":0,"message":"success","data":"ok"})"));
    CHECK(error(R"({"code":30000,"message":"server error"})") == weir::errc::registry_unavailable);
    CHECK(error(R"({"code":503})") == weir::errc::registry_unavailable);
    CHECK(error(R"({"code":10000,"message":"parameter missing"})") == weir::errc::registry_refused);
    CHECK_FALSE(detail::read_nacos_verdict(R"({"timestamp":"x","status":404})"));
    CHECK_FALSE(detail::read_nacos_verdict("ok"));

    std::string why;
    auto const beat = [&](char const* body) { return detail::read_nacos_beat(body, why); };
    auto const well = beat(R"({"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true})");
    REQUIRE(well);
    CHECK(well->interval == 5s);
    CHECK(well->light);
    CHECK_FALSE(well->unknown);
    CHECK(beat(R"({"code":20404})").value().unknown);
    CHECK(beat(R"({"code":21003,"message":"instance not found"})").value().unknown);
    CHECK_FALSE(beat(R"({"code":0,"message":"success","data":"ok"})").value().light);
    CHECK(beat(R"({"clientBeatInterval":5000})").value().interval == 5s);  // before 1.3
    for (auto const* const strange : {"", "{}", "ok", R"({"code":500})", R"({"clientBeatInterval":"x"})"})
        CHECK_MESSAGE(!beat(strange), strange);

    auto const token = [&](char const* body) { return detail::read_nacos_token(body, why); };
    CHECK(token(R"({"accessToken":"t","tokenTtl":18000,"globalAdmin":true})").value().ttl == 18000s);
    CHECK(token(R"({"code":0,"data":{"accessToken":"t"}})").value().token == "t");
    CHECK_FALSE(token(R"({"tokenTtl":1})"));
    CHECK_FALSE(token("[]"));
}

TEST_CASE("nacos document: questions name the service as their interface does, and escape what they say")
{
    weir::registry::registration r{.service = "web", .address = "10.0.0.1", .port = 80, .id = "i", .tags = {"x"}};
    r.ttl = 15s;
    auto const has = [](std::string const& text, char const* part) { return text.find(part) != text.npos; };
    auto const old = detail::nacos_instance_form(nacos_api::v1, {}, r, health::passing);
    auto const now = detail::nacos_instance_form(nacos_api::v3, {}, r, health::critical);
    CHECK(has(old, "serviceName=DEFAULT_GROUP%40%40web&clusterName=DEFAULT&ip=10.0.0.1&port=80&ephemeral=true&"));
    CHECK(has(old, "enabled=true"));
    CHECK(has(old, "%22preserved.heart.beat.interval%22%3A%225000%22"));
    CHECK(has(old, "%22preserved.heart.beat.timeout%22%3A%2215000%22"));
    CHECK(has(old, "%22preserved.ip.delete.timeout%22%3A%2275000%22"));
    CHECK(has(now, "namespaceId=public&groupName=DEFAULT_GROUP&serviceName=web&"));
    CHECK(has(now, "enabled=false"));
    CHECK(detail::nacos_list_query(nacos_api::v3, {}, {.service = "a b", .tag = {}, .datacenter = "n"}) ==
          "namespaceId=public&groupName=DEFAULT_GROUP&serviceName=a%20b&clusterName=n");
}
