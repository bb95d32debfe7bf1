// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/detail/kubernetes_document.hpp>

#include <weir/registry/detail/kubernetes_table.hpp>

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <optional>
#include <string>
#include <vector>

namespace detail = weir::registry::detail;
namespace json = boost::json;
using detail::kubernetes_table;
using kind = detail::kubernetes_event::kind;
using news = detail::kubernetes_table::news;
using weir::registry::health;

namespace {

// A slice as 1.20.2 writes it (v1beta1), without what is not looked at.
std::string slice(std::string const& name, std::string const& endpoints, std::string const& revision = "261",
                  std::string const& ports = R"([{"name":"http","protocol":"TCP","port":8080}])",
                  std::string const& type = "IPv4")
{
    return R"({"kind":"EndpointSlice","metadata":{"name":")" + name + R"(","namespace":"default","resourceVersion":")" +
           revision + R"(","managedFields":[{"manager":"x","fieldsV1":{"f:endpoints":{}}}]},"addressType":")" + type +
           R"(","endpoints":)" + endpoints + R"(,"ports":)" + ports + "}";
}
std::string pod(std::string const& name, std::string const& address,
                std::string const& conditions = R"({"ready":true})")
{
    return R"({"addresses":[")" + address + R"("],"conditions":)" + conditions +
           R"(,"targetRef":{"kind":"Pod","namespace":"default","name":")" + name +
           R"("},"topology":{"kubernetes.io/hostname":"node-1","topology.kubernetes.io/zone":"z1"}})";
}
std::string items(std::string const& slices, std::string const& revision = "261")
{
    return R"({"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1beta1","metadata":{"resourceVersion":")" +
           revision + R"("},"items":[)" + slices + "]}";
}
std::optional<detail::kubernetes_list> list(std::string const& body, std::string const& port = "")
{
    std::string why;
    auto l = detail::read_kubernetes_list(body, "web", port, why);
    CHECK(why.empty() == l.has_value());
    return l;
}
std::optional<detail::kubernetes_event> event(std::string const& type, std::string const& object)
{
    std::string why;
    auto e = detail::read_kubernetes_event(json::parse(R"({"type":")" + type + R"(","object":)" + object + "}"), "web",
                                           "", why);
    CHECK(why.empty() == e.has_value());
    return e;
}
std::string told(kubernetes_table const& t)
{
    auto const [ec, all] = t.tell();
    if (ec) return "!" + all.note;
    std::string out;
    for (auto const& i : all.instances) out += i.id() + "@" + i.address.host + (i.serves() ? "+ " : "- ");
    return out;
}
kubernetes_table table(std::string const& slices, std::string const& revision = "261")
{
    kubernetes_table t;
    CHECK(t.load(*list(items(slices, revision))));
    return t;
}

}  // namespace

TEST_CASE("kubernetes document: an endpoint becomes an instance: pod, address, port by name, zone, node")
{
    auto const l = list(items(slice("web-a", "[" + pod("web-1", "10.99.0.1") + "]", "261",
                                    R"([{"name":"http","protocol":"TCP","port":8080},)"
                                    R"({"name":"metrics","protocol":"TCP","port":9090}])")),
                        "metrics");
    REQUIRE(l);
    CHECK(l->revision == "261");
    REQUIRE(l->slices.size() == 1);
    CHECK(l->slices[0].name == "web-a");
    REQUIRE(l->slices[0].instances.size() == 1);
    auto const& i = l->slices[0].instances[0];
    CHECK(i.id() == "web-1");
    CHECK(i.service == "web");
    CHECK(i.address.host == "10.99.0.1");
    CHECK(i.address.port == 9090);
    CHECK(i.address.zone == "z1");
    CHECK(i.address.metadata.at("node") == "node-1");
    CHECK(i.state == health::passing);

    // v1: zone and node are the endpoint's own.
    auto const v1 = list(items(slice("web-a", R"([{"addresses":["10.0.0.1","10.0.0.9"],"conditions":{},"zone":"z2",)"
                                              R"("nodeName":"node-2","hints":{"forZones":[{"name":"z2"}]}}])")));
    REQUIRE(v1);
    REQUIRE(v1->slices[0].instances.size() == 1);
    CHECK(v1->slices[0].instances[0].id() == "10.0.0.1");
    CHECK(v1->slices[0].instances[0].address.zone == "z2");
    CHECK(v1->slices[0].instances[0].address.metadata.at("node") == "node-2");
}

TEST_CASE("kubernetes document: ready decides; not known is ready; terminating is not, though it may still serve")
{
    auto const state = [](std::string const& conditions) {
        auto const l = list(items(slice("s", "[" + pod("p", "10.0.0.1", conditions) + "]")));
        REQUIRE(l);
        return l->slices.at(0).instances.at(0).state;
    };
    CHECK(state(R"({"ready":true,"serving":true,"terminating":false})") == health::passing);
    CHECK(state(R"({"ready":false,"serving":false,"terminating":false})") == health::critical);
    CHECK(state(R"({"ready":false,"serving":true,"terminating":true})") == health::critical);
    CHECK(state(R"({"ready":null})") == health::passing);
    CHECK(state("{}") == health::passing);
    CHECK(state("null") == health::passing);
}

TEST_CASE("kubernetes document: null stands for empty; a service without pods has a slice with nothing in it")
{
    auto const l = list(items(slice("s", "null", "5", "null")));
    REQUIRE(l);
    CHECK(l->slices.at(0).instances.empty());
    CHECK(l->slices.at(0).skipped == 0);
    auto const none = list(R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":"7"},"items":null})");
    REQUIRE(none);
    CHECK(none->slices.empty());
}

TEST_CASE("kubernetes document: bad endpoints are skipped and counted, and so is a slice without the port")
{
    auto const l = list(items(slice("s", "[" + pod("p", "10.0.0.1") + R"(,7,{"addresses":[]},{"addresses":[7]},)" +
                                             pod("q", "10.0.0.2", R"({"ready":"yes"})") + "]")));
    REQUIRE(l);
    CHECK(l->slices[0].instances.size() == 1);
    CHECK(l->slices[0].skipped == 4);
    CHECK(l->slices[0].note == "an endpoint is not an object");

    auto const reason = [](std::string const& ports, std::string const& port) {
        auto const r = list(items(slice("s", "[" + pod("p", "10.0.0.1") + "]", "1", ports)), port);
        REQUIRE(r);
        CHECK(r->slices[0].instances.empty());
        CHECK(r->slices[0].skipped == 1);
        return r->slices[0].note;
    };
    CHECK(reason("[]", "") == "the slice has no TCP port");
    CHECK(reason(R"([{"name":"dns","protocol":"UDP","port":53}])", "") == "the slice has no TCP port");
    CHECK(reason(R"([{"name":"http","port":80}])", "grpc") == "the slice has no such TCP port");
    CHECK(reason(R"([{"name":"a","port":80},{"name":"b","port":81}])", "") ==
          "the service has several ports: ask for one, as in name:port");
    CHECK(reason(R"([{"name":"a","port":65536}])", "") == "port is not a number up to 65535");
    CHECK(reason(R"([{"name":"a","port":null}])", "") == "the slice has no TCP port");
}

TEST_CASE("kubernetes document: what is not the whole list is refused")
{
    for (std::string const& body : std::vector<std::string>{
             "", "[]", "{}", "<html>", items(slice("", "[]")), items("7"), items("", ""), items("", "a&b"),
             R"({"kind":"Status","metadata":{"resourceVersion":"1"}})",
             R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":"1","continue":"abc"},"items":[]})",
             R"({"kind":"EndpointSliceList","metadata":{"resourceVersion":"1"},"items":{}})"}) {
        CAPTURE(body);
        CHECK_FALSE(list(body));
    }
}

TEST_CASE("kubernetes document: events: changed, deleted, bookmark, and an error within 200")
{
    CHECK(event("ADDED", slice("s", "[" + pod("p", "10.0.0.1") + "]", "277"))->slice.instances.size() == 1);
    CHECK(event("MODIFIED", slice("s", "null", "278", "null"))->what == kind::changed);
    CHECK(event("DELETED", slice("s", "[]", "279"))->what == kind::deleted);
    auto const mark = event("BOOKMARK", R"({"kind":"EndpointSlice","metadata":{"resourceVersion":"278",)"
                                        R"("creationTimestamp":null},"addressType":"","endpoints":null,"ports":null})");
    REQUIRE(mark);
    CHECK(mark->what == kind::bookmark);
    CHECK(mark->revision == "278");
    auto const old = event("ERROR", R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                                    R"("message":"too old resource version: 261","reason":"Expired","code":410})");
    REQUIRE(old);
CHECK(old->what == kind::error);
CHECK(old->error.code == 410);
CHECK(old->error.note == "too old resource version: 261");
CHECK_FALSE(event("MOVED", slice("s", "[]")));
CHECK_FALSE(event("ADDED", "7"));
CHECK_FALSE(event("ADDED", "null"));
CHECK_FALSE(event("ADDED", slice("s", "[]", "")));
CHECK_FALSE(event("DELETED", slice("", "[]")));
}

TEST_CASE("kubernetes document: a refusal says what Kubernetes said, and whether it is worth asking again")
{
    auto const forbidden = detail::read_kubernetes_status(
        403, R"({"kind":"Status","status":"Failure","message":"endpointslices is forbidden","code":403})");
    CHECK(forbidden.note == "403: endpointslices is forbidden");
    CHECK(judge_kubernetes(forbidden) == weir::errc::registry_refused);
    CHECK(judge_kubernetes(detail::read_kubernetes_status(404, "404 page\nnot found")) == weir::errc::registry_refused);
    CHECK(detail::read_kubernetes_status(404, "404 page\nnot found").note == "404: 404 page?not found");
    CHECK(judge_kubernetes(detail::read_kubernetes_status(504, "{}")) == weir::errc::registry_unavailable);
    CHECK(judge_kubernetes(detail::read_kubernetes_status(429, "")) == weir::errc::registry_unavailable);
    CHECK(judge_kubernetes(detail::read_kubernetes_status(410, "")) == weir::errc::registry_unavailable);
}

TEST_CASE("kubernetes document: a service is asked for as name[.namespace][:port]")
{
    auto const read = [](std::string const& text) {
        auto const s = detail::read_kubernetes_service(text);
        return s ? s->name + "|" + s->space + "|" + s->port : std::string("none");
    };
    CHECK(read("web") == "web||");
    CHECK(read("web.shop") == "web|shop|");
    CHECK(read("web:http") == "web||http");
    CHECK(read("web.shop:http-2") == "web|shop|http-2");
    for (auto const* bad :
         {"", ".shop", ":http", "web.", "web:", "web.a.b", "Web", "web/x", "we b", "web,x=y", "web.a/b", "web:a&b"})
        CHECK(read(bad) == "none");
    CHECK(read(std::string(64, 'a')) == "none");
}

TEST_CASE("kubernetes table: the slices of a service are one set, kept up to date by events")
{
    auto t =
        table(slice("web-a", "[" + pod("p1", "10.0.0.1") + "," + pod("p2", "10.0.0.2", R"({"ready":false})") + "]") +
              "," + slice("web-b", "[" + pod("p3", "10.0.0.3") + "]"));
    CHECK(told(t) == "p1@10.0.0.1+ p2@10.0.0.2- p3@10.0.0.3+ ");
    CHECK(t.apply(*event("MODIFIED", slice("web-b", "[" + pod("p4", "10.0.0.4") + "]", "270"))) == news::changed);
    CHECK(told(t) == "p1@10.0.0.1+ p2@10.0.0.2- p4@10.0.0.4+ ");
    CHECK(t.revision() == "270");
    CHECK(t.apply(*event("DELETED", slice("web-a", "[]", "271"))) == news::changed);
    CHECK(told(t) == "p4@10.0.0.4+ ");
    CHECK(t.apply(*event("DELETED", slice("web-x", "[]", "272"))) == news::changed);
    CHECK(t.apply(*event("BOOKMARK", R"({"metadata":{"resourceVersion":"280"}})")) == news::none);
    CHECK(t.revision() == "280");
    CHECK(std::get<1>(t.tell()).revision == "280");
}

TEST_CASE("kubernetes table: an instance in two slices is one: the one that serves, IPv4 before others")
{
    auto t = table(slice("old", "[" + pod("p1", "10.0.0.1", R"({"ready":false})") + "," + pod("p2", "10.0.0.2") + "]") +
                   "," + slice("new", "[" + pod("p1", "10.0.0.9") + "," + pod("p2", "10.0.0.2") + "]") + "," +
                   slice("a-six", "[" + pod("p2", "fd00::2") + "]", "1",
                         R"([{"name":"http","protocol":"TCP","port":8080}])", "IPv6"));
    CHECK(told(t) == "p1@10.0.0.9+ p2@10.0.0.2+ ");
    CHECK(t.apply(*event("DELETED", slice("old", "[]", "2"))) == news::changed);
    CHECK(told(t) == "p1@10.0.0.9+ p2@10.0.0.2+ ");
    CHECK(t.apply(*event("DELETED", slice("new", "[]", "3"))) == news::changed);
    CHECK(told(t) == "p2@fd00::2+ ");
}

TEST_CASE("kubernetes table: 410 is a lost history, any other error the end, and neither takes anything away")
{
    auto t = table(slice("web-a", "[" + pod("p1", "10.0.0.1") + "]"));
    CHECK(t.apply(*event("ERROR", R"({"code":410,"message":"too old"})")) == news::lost);
    CHECK(t.apply(*event("ERROR", R"({"code":500,"message":"etcd"})")) == news::ended);
    CHECK(told(t) == "p1@10.0.0.1+ ");
    CHECK(t.revision() == "261");
}

TEST_CASE("kubernetes table: endpoints of which none can be used are a bad document, not an empty set")
{
    CHECK(told(table("")) == "");
    CHECK(told(table(slice("a", "null", "1", "null"))) == "");
    CHECK(told(table(slice("a", "[7,8]"))) ==
          "!none of 2 endpoints can be used; the first: an endpoint is not an object");
    auto const [ec, all] = table(slice("a", "[7]") + "," + slice("b", "[" + pod("p", "10.0.0.1") + "]")).tell();
    CHECK_FALSE(ec);
    CHECK(all.skipped == 1);
    CHECK(all.note == "1 endpoints skipped; the first: an endpoint is not an object");
}
