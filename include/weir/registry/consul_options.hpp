// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/time.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/url.hpp>
#include <weir/http/validate.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/secret.hpp>
#include <weir/registry/watcher.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::registry {

/// Options of registry::consul.
struct consul_options {
    /// The agent: `consul://host[:port]`, with port 8500 unless given. `http://...` and `https://...` are taken too.
    std::string url = "consul://127.0.0.1:8500";
    secret token = {};                           ///< sent as X-Consul-Token; empty: anonymous
    std::string datacenter = {};                 ///< asked in queries that name none; empty: the agent's own
    duration wait = std::chrono::seconds(55);    ///< how long a query waits at the server for a change; 1 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a watch's or a lease's
    watch_options watch = {};                    ///< its await_timeout is made of `wait`, whatever it says
    lease_options lease = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// The agent's address. Throws: std::invalid_argument, with a sentence that quotes what was given.
    [[nodiscard]] http::url agent() const;

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const;
};

// Bodies

inline http::url consul_options::agent() const
{
    constexpr std::string_view scheme = "consul://", plain = "http://";
    std::string why;
    if (!url.starts_with(scheme)) {
        if (auto const u = http::url::try_parse(url, &why)) return *u;
        if (url.starts_with(plain) || url.starts_with("https://")) throw std::invalid_argument(why);
        why.replace(why.find("it must start"), std::string::npos,
                    "it must start with consul://, as in consul://127.0.0.1:8500");
        throw std::invalid_argument(why);
    }
    auto const rest = url.substr(scheme.size());
    auto u = http::url::try_parse(std::string(plain) + rest, &why);
    if (!u) {
        for (auto at = why.find(plain); at != why.npos; at = why.find(plain, at + scheme.size()))
            why.replace(at, plain.size(), scheme);
        throw std::invalid_argument(why);
    }
    auto const authority = rest.substr(0, rest.find('/'));
    auto const colon = authority.rfind(':'), bracket = authority.rfind(']');
    if (colon == authority.npos || (bracket != authority.npos && colon < bracket)) u->port = 8500;
    return *u;
}

inline void consul_options::check() const
{
    using weir::detail::bad_option;
    (void)agent();
    if (!http::valid_field_value(token.reveal()))
        throw std::invalid_argument("weir: consul_options.token must be without control characters");
    if (wait < std::chrono::seconds(1) || wait > std::chrono::minutes(10))
        bad_option("consul_options.wait", "in [1000, 600000] ms", wait);
    if (timeout <= duration::zero()) bad_option("consul_options.timeout", "above 0 ms", timeout);
    connection.check();
}

}  // namespace weir::registry
