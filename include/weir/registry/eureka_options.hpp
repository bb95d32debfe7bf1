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

/// Options of registry::eureka.
struct eureka_options {
    /// The servers: `eureka://[user:password@]host[:port][,host[:port]...][/prefix]`, with port 8761 unless given, and
    /// the prefix /eureka unless given (Netflix' own server has /eureka/v2); `http://...` and `https://...` are taken
    /// too. `?poll=&host_names=&secure=&tls=true` say what the fields below say, and win.
    std::string url = "eureka://127.0.0.1:8761/eureka";
    std::string user = {};  ///< for servers that ask who is there; the URL's wins. Empty: anonymous
    secret password = {};
    /// Pause between two reads, up to a tenth shorter at random; 100 ms to 1 h. The server's answers are themselves up
    /// to 30 s old, so that a shorter pause gains less than it looks.
    duration poll = std::chrono::seconds(30);
    bool host_names = false;                     ///< instances are reached by hostName instead of ipAddr
    bool secure = false;                         ///< instances are reached at their secure port
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a lease's
    watch_options watch = {};                    ///< its await_timeout is made of `poll` and `timeout`
    lease_options lease = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// The servers' addresses. Throws: std::invalid_argument, with a sentence that quotes what was given, no secret.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] eureka_options checked() const;
};

// Bodies

inline detail::registry_url eureka_options::address() const
{
    return detail::registry_url::parse(url, {.scheme = "eureka",
                                             .example = "eureka://127.0.0.1:8761/eureka",
                                             .port = 8761,
                                             .parameters = {"poll", "host_names", "secure"},
                                             .user = true});
}

inline eureka_options eureka_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (!u.user.empty()) o.user = u.user, o.password = u.password;
    o.poll = u.span("poll", o.poll);
    o.host_names = u.flag("host_names", o.host_names);
    o.secure = u.flag("secure", o.secure);
    if (o.user.empty() && !o.password.empty())
        throw std::invalid_argument("weir: eureka_options.user must not be empty when there is a password");
    if (o.user.find(':') != o.user.npos)
        throw std::invalid_argument("weir: eureka_options.user must be without a colon");
    if (o.poll < std::chrono::milliseconds(100) || o.poll > std::chrono::hours(1))
        bad_option("eureka_options.poll", "in [100, 3600000] ms", o.poll);
    if (o.timeout <= duration::zero()) bad_option("eureka_options.timeout", "above 0 ms", o.timeout);
    o.watch.check();
    o.lease.check();
    o.connection.check();
    return o;
}

}  // namespace weir::registry
