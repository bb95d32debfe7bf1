// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/validate.hpp>
#include <weir/registry/detail/kubernetes_document.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/secret.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::registry {

/// Options of registry::kubernetes. In a pod the defaults are right.
struct kubernetes_options {
    /// The API servers: `k8s://[host[:port][,host[:port]...]][/namespace][?token_file=&wait=45s&ca_file=&cert_file=
    /// &key_file=&server_name=]`, over TLS, with port 443 unless given. Without a host: the one that a pod is told of
    /// in KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. `https://...` is taken too, and `http://...` as for
    /// `kubectl proxy`. What it says of the fields below wins.
    std::string url = "k8s://";
    std::string space = {};       ///< the namespace of services that name none; empty: the pod's own, or "default"
    secret token = {};            ///< a bearer token; empty: that of `token_file`
    std::string token_file = {};  ///< read again each minute; empty: the pod's service account's, if there is one
    std::string ca_file = {};     ///< PEM, the authority of the servers; empty: the service account's, or the system's
    std::string account = "/var/run/secrets/kubernetes.io/serviceaccount";  ///< where a pod finds the three
    duration wait = std::chrono::seconds(45);    ///< how long the server keeps a watch open; 1 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one question, and of opening a watch
    /// Its await_timeout is made of `wait`, whatever it says. The server wakes nobody for nothing, so it may be asked
    /// sooner than other registries; pods come and go in bursts, and those are one change.
    watch_options watch = {.pace = std::chrono::milliseconds(50)};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// With what the URL, the environment and the service account say in the fields, and the servers in `url`.
    /// Throws: std::invalid_argument, naming the first field that is out of range.
    [[nodiscard]] kubernetes_options checked() const;

    /// The servers' addresses, of checked options.
    [[nodiscard]] detail::registry_url address() const;
};

// Bodies

inline detail::registry_url kubernetes_options::address() const
{
    return detail::registry_url::parse(url, {.scheme = "k8s",
                                             .example = "k8s://10.96.0.1:443",
                                             .port = 443,
                                             .parameters = {"token_file", "wait"},
                                             .servers = detail::registry_url_form::optional,
                                             .secure = true});
}

inline kubernetes_options kubernetes_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (u.servers.empty()) {
        auto const* const host = std::getenv("KUBERNETES_SERVICE_HOST");
        auto const* const port = std::getenv("KUBERNETES_SERVICE_PORT");
        if (!host || !*host)
            throw std::invalid_argument(
                "weir: kubernetes_options.url names no server, and KUBERNETES_SERVICE_HOST is not set: this is no pod");
        auto const found = std::string(host).find(':') == std::string::npos ? host : '[' + std::string(host) + ']';
        o.url = "k8s://" + found + (port && *port ? ":" + std::string(port) : "");
        (void)o.address();
    }
    auto const in_account = [&](char const* name) {
        auto file = account + "/" + name;
        return std::ifstream(file) ? file : std::string();
    };
    if (!u.path.empty()) o.space = u.path.substr(1);
    if (o.space.empty())
        if (auto const file = in_account("namespace"); !file.empty()) std::ifstream(file) >> o.space;
    if (o.space.empty()) o.space = "default";
    auto const named = detail::read_kubernetes_service("any." + o.space);
    if (!named || named->space != o.space)
        throw std::invalid_argument("weir: kubernetes_options.space must be the name of a namespace");
    o.token_file = u.text("token_file", o.token_file);
    if (o.token_file.empty() && o.token.empty()) o.token_file = in_account("token");
    o.ca_file = u.text("ca_file", o.ca_file);
    if (o.ca_file.empty()) o.ca_file = in_account("ca.crt");
    o.wait = u.span("wait", o.wait);
    if (!http::valid_field_value(o.token.reveal()))
        throw std::invalid_argument("weir: kubernetes_options.token must be without control characters");
    if (o.wait < std::chrono::seconds(1) || o.wait > std::chrono::minutes(10))
        bad_option("kubernetes_options.wait", "in [1000, 600000] ms", o.wait);
    if (o.timeout <= duration::zero()) bad_option("kubernetes_options.timeout", "above 0 ms", o.timeout);
    o.watch.check();
    o.connection.check();
    return o;
}

}  // namespace weir::registry
