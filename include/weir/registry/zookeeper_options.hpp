// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/secret.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace weir::registry {

/// Options of registry::zookeeper.
struct zookeeper_options {
    /// The servers of one ensemble:
    /// `zk://[user:password@]host[:port][,host[:port]...][/root][?session=10s&wait=55s&tls=true]`, with port 2181
    /// unless given, over TLS too, for which ZooKeeper has no port of its own (its setting secureClientPort). What it
    /// says of the fields below wins.
    std::string url = "zk://127.0.0.1:2181";
    std::string root = "/weir/services";  ///< below it a node for each service, and below that one for each instance
    std::string user = {};                ///< of ZooKeeper's scheme "digest"; empty: nobody
    secret password = {};
    bool private_nodes = false;  ///< only who has signed in as the same user may see and change what is made here

    /// How long the server may keep a watch's session without hearing of it; a lease's is its registration's ttl.
    duration session = std::chrono::seconds(10);
    duration wait = std::chrono::seconds(55);            ///< a watch that is quiet for this long says that it is alive
    duration connect_timeout = std::chrono::seconds(1);  ///< of one server, TLS's handshake and all
    duration timeout = std::chrono::seconds(5);          ///< of one question that is not a watch's or a lease's
    watch_options watch = {};                            ///< its await_timeout is made of `wait`, whatever it says
    lease_options lease = {};

    /// The servers. Throws: std::invalid_argument, with a sentence that quotes what was given, and no secret.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field that is out of
    /// range.
    [[nodiscard]] zookeeper_options checked() const;
};

// Bodies

inline detail::registry_url zookeeper_options::address() const
{
    return detail::registry_url::parse(url, {.scheme = "zk",
                                             .example = "zk://127.0.0.1:2181",
                                             .port = 2181,
                                             .parameters = {"session", "wait"},
                                             .user = true,
                                             .http = false,
                                             .tls = true});
}

inline zookeeper_options zookeeper_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (!u.user.empty()) o.user = u.user, o.password = u.password;
    if (!u.path.empty()) o.root = u.path;
    o.session = u.span("session", o.session);
    o.wait = u.span("wait", o.wait);
    if (!o.root.starts_with('/') || o.root.ends_with('/') || o.root.find("//") != o.root.npos ||
        (o.root + "/").find("/./") != o.root.npos || (o.root + "/").find("/../") != o.root.npos)
        throw std::invalid_argument("weir: zookeeper_options.root must be a path like /weir/services");
    if (o.user.find(':') != o.user.npos)
        throw std::invalid_argument("weir: zookeeper_options.user must be without a colon");
    if (o.user.empty() && (o.private_nodes || !o.password.empty()))
        throw std::invalid_argument("weir: zookeeper_options.user must not be empty with a password or private_nodes");
    if (o.session < std::chrono::milliseconds(100) || o.session > std::chrono::hours(1))
        bad_option("zookeeper_options.session", "in [100, 3600000] ms", o.session);
    if (o.wait < std::chrono::milliseconds(10) || o.wait > std::chrono::hours(1))
        bad_option("zookeeper_options.wait", "in [10, 3600000] ms", o.wait);
    if (o.connect_timeout <= duration::zero())
        bad_option("zookeeper_options.connect_timeout", "above 0 ms", o.connect_timeout);
    if (o.timeout <= duration::zero()) bad_option("zookeeper_options.timeout", "above 0 ms", o.timeout);
    o.watch.check();
    o.lease.check();
    return o;
}

}  // namespace weir::registry
