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
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::registry {

/// Which of Nacos' HTTP interfaces: v1 is gone from server 3.2 on, v3 is there from 3.0 on.
enum class nacos_api : std::uint8_t { v1 = 1, v3 = 3 };

/// Options of registry::nacos.
struct nacos_options {
    /// The servers: `nacos://[user:password@]host[:port][,host[:port]...][/base]`, with port 8848 unless given, and the
    /// base /nacos unless given; `http://...` and `https://...` are taken too.
    /// `?namespace=&group=&cluster=&token=&token_file=&api=v1|v3&poll=&tls=true` say what the fields below say, and
    /// win.
    std::string url = "nacos://127.0.0.1:8848";
    std::string name_space = "public";  ///< its id
    std::string group = "DEFAULT_GROUP";
    std::string cluster = "DEFAULT";  ///< that instances are registered in
    std::string user = {};            ///< signs in, and again before the server's token ends; empty: does not
    secret password = {};
    secret token = {};                  ///< instead of user and password: sent as a bearer's; empty: none
    std::string token_file = {};        ///< the token is in this file, read again each minute and when it is not taken
    std::optional<nacos_api> api = {};  ///< empty: v3, and v1 where the server does not have that
    /// Pause between two reads, up to a tenth shorter at random; 100 ms to 1 h, or 0: what a v1 server asks for
    /// (cacheMillis, but 1 s to 1 min), and 10 s, its default, with v3, whose servers say nothing.
    duration poll = duration::zero();
    duration timeout = std::chrono::seconds(5);  ///< of one question that is not a lease's
    watch_options watch = {};                    ///< its await_timeout is made of `poll` and `timeout`
    lease_options lease = {};
    http::client_options connection = {};  ///< but for its timeout and idle_timeout, which are set here

    /// The servers' addresses. Throws: std::invalid_argument, with a sentence that quotes what was given, no secret.
    [[nodiscard]] detail::registry_url address() const;

    /// With what the URL says in the fields. Throws: std::invalid_argument, naming the first field out of range.
    [[nodiscard]] nacos_options checked() const;
};

// Bodies

inline detail::registry_url nacos_options::address() const
{
    return detail::registry_url::parse(
        url, {.scheme = "nacos",
              .example = "nacos://127.0.0.1:8848",
              .port = 8848,
              .parameters = {"namespace", "group", "cluster", "token", "token_file", "api", "poll"},
              .user = true});
}

inline nacos_options nacos_options::checked() const
{
    using weir::detail::bad_option;
    auto o = *this;
    auto const u = address();
    if (!u.user.empty()) o.user = u.user, o.password = u.password;
    o.name_space = u.text("namespace", o.name_space);
    o.group = u.text("group", o.group);
    o.cluster = u.text("cluster", o.cluster);
    if (u.has("token")) o.token = u.hidden("token");
    o.token_file = u.text("token_file", o.token_file);
    if (auto const which = u.text("api"); which == "v1" || which == "v3")
        o.api = which == "v1" ? nacos_api::v1 : nacos_api::v3;
    else if (u.has("api"))
        u.refuse("api must be v1 or v3");
    o.poll = u.span("poll", o.poll);
    for (auto const& [field, text] :
         {std::pair("name_space", &o.name_space), std::pair("group", &o.group), std::pair("cluster", &o.cluster)})
        if (text->empty() || text->find_first_of(",@ \t\r\n") != text->npos)
            throw std::invalid_argument(std::string("weir: nacos_options.") + field +
                                        " must be a name without spaces, commas and @");
    if (o.user.empty() && !o.password.empty())
        throw std::invalid_argument("weir: nacos_options.user must not be empty when there is a password");
    if (!o.user.empty() && !(o.token.empty() && o.token_file.empty()))
        throw std::invalid_argument("weir: nacos_options.token and token_file must be empty when there is a user");
    if (!http::valid_field_value(o.token.reveal()))
        throw std::invalid_argument("weir: nacos_options.token must be without control characters");
    bool const fits = o.poll >= std::chrono::milliseconds(100) && o.poll <= std::chrono::hours(1);
    if (!fits && o.poll != duration::zero()) bad_option("nacos_options.poll", "0 ms or in [100, 3600000] ms", o.poll);
    if (o.timeout <= duration::zero()) bad_option("nacos_options.timeout", "above 0 ms", o.timeout);
    o.watch.check();
    o.lease.check();
    o.connection.check();
    return o;
}

}  // namespace weir::registry
