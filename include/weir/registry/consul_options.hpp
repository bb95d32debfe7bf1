// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/validate.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/secret.hpp>
#include <weir/registry/watch_options.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace weir::registry {

/// Options of registry::consul.
struct consul_options {
    /// The agents: `consul://host[:port][,host[:port]...][/base]`, with port 8500 unless given; `http://...` and
    /// `https://...` are taken too. `?token=&token_file=&dc=&wait=&tls=true` say what the fields below say, and win.
    std::string url = "consul://127.0.0.1:8500";
    secret token = {};                           ///< sent as X-Consul-Token; empty: anonymous
    std::string token_file = {};                 ///< the token is in this file, read again each minute
    std::string datacenter = {};                 ///< asked in queries that name none; empty: the agent's own
    duration wait = std::chrono::seconds(55);    ///< how long a query waits at the server for a change; 1 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a watch's or a lease's
    watch_options watch = {};                    ///< its await_timeout is made of `wait`, whatever it says
    lease_options lease = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// The agents' addresses. Throws: std::invalid_argument, with a sentence that quotes what was given, and no secret.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] consul_options checked() const;
};

// Bodies

inline detail::registry_url consul_options::address() const
{
    return detail::registry_url::parse(url, {.scheme = "consul",
                                             .example = "consul://127.0.0.1:8500",
                                             .port = 8500,
                                             .parameters = {"token", "token_file", "dc", "wait"}});
}

inline consul_options consul_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (u.has("token")) o.token = u.hidden("token");
    o.token_file = u.text("token_file", o.token_file);
    o.datacenter = u.text("dc", o.datacenter);
    o.wait = u.span("wait", o.wait);
    if (!http::valid_field_value(o.token.reveal()))
        throw std::invalid_argument("weir: consul_options.token must be without control characters");
    if (o.wait < std::chrono::seconds(1) || o.wait > std::chrono::minutes(10))
        bad_option("consul_options.wait", "in [1000, 600000] ms", o.wait);
    if (o.timeout <= duration::zero()) bad_option("consul_options.timeout", "above 0 ms", o.timeout);
    o.connection.check();
    o.watch.check();
    o.lease.check();
    return o;
}

}  // namespace weir::registry
