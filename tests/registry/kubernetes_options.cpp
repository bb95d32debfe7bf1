// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/kubernetes_options.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using weir::registry::kubernetes_options;
using weir::registry::secret;

TEST_CASE("kubernetes_options: in a pod nothing needs to be said")
{
    std::string name = (std::filesystem::temp_directory_path() / "weir-account-").string() + "XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    for (auto const* file : {"token", "ca.crt", "namespace"}) std::ofstream(name + "/" + file) << "shop\n";
    ::setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
    kubernetes_options o{.account = name};
    auto const c = o.checked();
    auto const u = c.address();
    CHECK(u.tls);
    CHECK(u.servers.at(0).id == "10.96.0.1:6443");
    CHECK(c.space == "shop");
    CHECK(c.token_file == name + "/token");
    CHECK(c.ca_file == name + "/ca.crt");
    ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    CHECK(o.checked().address().servers.at(0).id == "[fd00::1]:6443");
    o.token = secret("t");
    CHECK(o.checked().token_file == "");
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
    CHECK_THROWS_WITH_AS((void)o.checked(), doctest::Contains("this is no pod"), std::invalid_argument);
    std::filesystem::remove_all(name);
}

TEST_CASE("kubernetes_options: the URL says where, and wins over the fields")
{
    kubernetes_options o{
        .url = "k8s://a,b:6443/shop?token_file=/t&ca_file=/c&wait=30s", .space = "x", .account = "/no"};
    auto const c = o.checked();
    CHECK(c.address().tls);
    CHECK(c.address().servers.at(0).id == "a:443");
    CHECK(c.address().servers.at(1).port == 6443);
    CHECK(c.space == "shop");
    CHECK(c.token_file == "/t");
    CHECK(c.ca_file == "/c");
    CHECK(c.wait == 30s);
    o.url = "http://127.0.0.1:8001";
    CHECK_FALSE(o.checked().address().tls);
    o.url = "https://a";
    CHECK(o.checked().address().tls);
    o.space = {};
    CHECK(o.checked().space == "default");
}

TEST_CASE("kubernetes_options: what cannot be used is named, with what would be right")
{
    auto const check = [](kubernetes_options o) {
        o.account = "/no";
        (void)o.checked();
    };
    CHECK_THROWS_WITH_AS(check({.url = "kube://a"}), doctest::Contains("it must start with k8s://"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "k8s://a/b/c"}), doctest::Contains("kubernetes_options.space"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "k8s://a", .space = "A"}), doctest::Contains("kubernetes_options.space"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "k8s://a", .token = secret("a\nb")}),
                         doctest::Contains("kubernetes_options.token"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "k8s://a", .wait = 1ms}), doctest::Contains("kubernetes_options.wait"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(check({.url = "k8s://a", .timeout = 0ms}), doctest::Contains("kubernetes_options.timeout"),
                         std::invalid_argument);
}
