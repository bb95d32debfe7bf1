// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// registry::kubernetes against a real kube-apiserver, which tests/registry/kubernetes/run starts. The slices are put
// there by hand, as its controllers would.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <weir/http/tls.hpp>
#include <weir/registry/kubernetes.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weir::registry::kubernetes;
using weir::registry::kubernetes_options;
using weir::registry::origin;
namespace asio = boost::asio;
namespace http = weir::http;

namespace {

std::string url;  // of the server

constexpr auto slices = "/apis/discovery.k8s.io/v1beta1/namespaces/default/endpointslices";

std::string slice(std::string const& name, std::vector<std::string> const& pods)
{
    std::string endpoints;
    for (auto const& p : pods)
        endpoints += (endpoints.empty() ? "" : ",") +
                     std::string(R"({"addresses":["10.99.0.1"],"conditions":{"ready":)") +
                     (p.ends_with('-') ? "false" : "true") +
                     R"(},"targetRef":{"kind":"Pod","namespace":"default","name":")" + p.substr(0, 1) + "\"}}";
    return R"({"apiVersion":"discovery.k8s.io/v1beta1","kind":"EndpointSlice","metadata":{"name":")" + name +
           R"(","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":[)" + endpoints +
           R"(],"ports":[{"name":"http","protocol":"TCP","port":8080}]})";
}

struct scene {
    asio::io_context io;
    kubernetes_options options = [] {
        kubernetes_options o{.url = url, .account = "/nowhere"};
        o.watch.hold = 2s;
        o.wait = 3s;
        return o;
    }();
    kubernetes registry{io.get_executor(), options};
    http::tls_client admin{io.get_executor(), {}, http::tls_transport({.authorities_file = options.checked().ca_file})};
    std::optional<weir::registry::watch> watch;

    bool until(std::function<bool()> const& so, std::chrono::milliseconds limit = 30s)
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            io.restart();
            io.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > end) return false;
        }
        return true;
    }
    unsigned call(http::verb method, std::string const& target, std::string body = {})
    {
        auto r = http::make_request(method, target, std::move(body), "application/json");
        r.set("Authorization", "Bearer admin-token");
        std::optional<unsigned> status;
        admin.async_send(
            options.checked().address().servers.at(0), std::move(r), weir::now(io.get_executor()) + 5s,
            [&](boost::system::error_code ec, http::response const& a) { status = ec ? 0 : a.result_int(); });
        CHECK(until([&] { return status.has_value(); }));
        return status.value_or(0);
    }
    bool shows(std::string const& what)
    {
        return until([&] {
            auto const now = watch->current();
            if (!now || now->from != origin::live) return false;
            std::string all;
            for (auto const& i : *now->instances) all += i.id() + (i.serves() ? "" : "-");
            return all == what;
        });
    }
};

}  // namespace

TEST_CASE("real kubernetes: slices that come, change and go are heard, over many watches")
{
    scene s;
    REQUIRE(s.until([&] { return s.call(http::verb::get, slices) == 200; }, 2min));
    s.watch.emplace(s.registry.watch({"web"}));
    CHECK(s.shows(""));
    CHECK(s.call(http::verb::post, slices, slice("web-1", {"a", "b"})) == 201);
    CHECK(s.shows("ab"));
    CHECK(s.watch->current()->instances->front().address.port == 8080);
    CHECK(s.call(http::verb::post, slices, slice("web-2", {"c"})) == 201);
    CHECK(s.shows("abc"));
    CHECK(s.call(http::verb::put, std::string(slices) + "/web-1", slice("web-1", {"a", "b-"})) == 200);
    CHECK(s.shows("ab-c"));
    auto const end = std::chrono::steady_clock::now() + 7s;  // the server ends two watches meanwhile
    CHECK(s.until([&] { return std::chrono::steady_clock::now() > end; }));
    CHECK(s.call(http::verb::delete_, std::string(slices) + "/web-2") == 200);
    CHECK(s.shows("ab-"));
    CHECK(s.call(http::verb::delete_, std::string(slices) + "/web-1") == 200);
    CHECK(s.shows(""));  // after the hold
    CHECK(s.watch->status().failures == 0);
}

TEST_CASE("real kubernetes: a wrong token and a missing right are visible")
{
    for (auto const* token : {"nobody", "guest-token"}) {
        scene s;
        auto o = s.options;
        o.url = o.url.substr(0, o.url.find('?')) + "?ca_file=" + o.checked().ca_file;
        o.token = weir::registry::secret(token);
        kubernetes other(s.io.get_executor(), o);
        auto const watch = other.watch({"web"});
        CHECK(s.until([&] { return watch.status().failures >= 1; }));
        CHECK(watch.status().last_error == weir::errc::registry_refused);
    }
}

int main(int argc, char** argv)
{
    if (argc != 2) return 2;
    url = argv[1];
    return doctest::Context().run();
}
