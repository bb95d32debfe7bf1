// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/secret.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace weir::registry {

/// Options of registry::etcd.
struct etcd_options {
    /// The members of one cluster: `etcd://[user:password@]host[:port][,host[:port]...][/prefix][?wait=55s&tls=true]`,
    /// with port 2379 unless given; `http://...` and `https://...` are taken too. What it says of the fields below
    /// wins.
    std::string url = "etcd://127.0.0.1:2379";
    std::string user = {};  ///< empty: the cluster is used without signing in
    secret password = {};
    std::string prefix = "/weir/services";       ///< what the keys of instances begin with; without a slash at the end
    duration wait = std::chrono::seconds(55);    ///< a watch that is silent for this long is opened anew; 1 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a lease's, and of opening a watch
    /// Its await_timeout is made of `wait`, whatever it says. etcd wakes nobody for nothing, so it may be asked sooner
    /// than other registries.
    watch_options watch = {.pace = std::chrono::milliseconds(10)};
    lease_options lease = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// The members' addresses. Throws: std::invalid_argument, with a sentence that quotes what was given, no secret.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] etcd_options checked() const;
};

// Bodies

inline detail::registry_url etcd_options::address() const
{
    return detail::registry_url::parse(
        url,
        {.scheme = "etcd", .example = "etcd://127.0.0.1:2379", .port = 2379, .parameters = {"wait"}, .user = true});
}

inline etcd_options etcd_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (!u.user.empty()) o.user = u.user, o.password = u.password;
    if (!u.path.empty()) o.prefix = u.path;
    o.wait = u.span("wait", o.wait);
    if (o.user.empty() && !o.password.empty())
        throw std::invalid_argument("weir: etcd_options.user must not be empty when there is a password");
    if (o.prefix.ends_with('/')) throw std::invalid_argument("weir: etcd_options.prefix must not end with a slash");
    if (o.wait < std::chrono::seconds(1) || o.wait > std::chrono::minutes(10))
        bad_option("etcd_options.wait", "in [1000, 600000] ms", o.wait);
    if (o.timeout <= duration::zero()) bad_option("etcd_options.timeout", "above 0 ms", o.timeout);
    o.watch.check();
    o.lease.check();
    o.connection.check();
    return o;
}

}  // namespace weir::registry
