// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/nacos_conversation.hpp>
#include <weir/config/source.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/detail/http_channel.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/nacos_options.hpp>
#include <weir/registry/secret.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::config {

struct nacos_options {
    using api_version = registry::nacos_api;

    /// The servers, as in registry::nacos_options: `nacos://[user:password@]host[:port][,...][/base]`, with port 8848
    /// and the base /nacos unless given. `?namespace=&group=&token=&token_file=&api=v1|v3&poll=&tls=true` say what the
    /// fields below say, and win.
    std::string url = "nacos://127.0.0.1:8848";
    std::string data_id = {};
    std::string group = "DEFAULT_GROUP";
    std::string name_space = {};  ///< its id; empty: public
    std::string user = {};        ///< signs in, and again before the server's token ends; empty: does not
    registry::secret password = {};
    registry::secret token = {};  ///< instead of user and password: sent as a bearer's; empty: none
    std::string token_file = {};  ///< the token is in this file, read again each minute and when it is not taken
    std::optional<api_version> api = {};       ///< empty: v3, and v1 where the server does not have that
    duration poll = std::chrono::seconds(1);   ///< v3, which tells of no change: pause between two reads; 100 ms to 1 h
    duration hold = std::chrono::seconds(30);  ///< v1: how long the server holds a question; 10 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one question
    http::client_options connection = {};        ///< but for its timeout and idle_timeout
};

/// Nacos' configuration over HTTP: v3 (servers from 3.0 on), polled, its sum compared; or v1 (up to 3.1), whose server
/// holds the question until there is a change. Which of the two is found out, and again when the server becomes
/// another. The server's type "yaml" is YAML, every other is read as JSON.
/// Checked against the contract of its controllers, not against a live server.
///
/// Errors:  errc::registry_refused, registry_unavailable, bad_document; the transport's own pass through.
/// Throws:  construction, std::invalid_argument naming the field.
/// Seen in: tests/config/nacos.cpp
template <class Transport = http::plain_transport>
class basic_nacos {
public:
    explicit basic_nacos(nacos_options o, std::optional<Transport> transport = {});

    [[nodiscard]] detail::nacos_conversation open(asio::any_io_executor const& strand) const
    {
        return {strand, server_, key_, hold_};
    }

private:
    std::shared_ptr<registry::detail::nacos_config> server_;
    detail::nacos_key key_;
    duration hold_;
};

using nacos = basic_nacos<>;

// Bodies

namespace detail {

/// What the registry's client needs to know of `o`, and what its URL says.
[[nodiscard]] inline registry::nacos_options nacos_server(nacos_options const& o)
{
    using weir::detail::bad_option;
    registry::nacos_options server{.url = o.url,
                                   .name_space = o.name_space.empty() ? "public" : o.name_space,
                                   .group = o.group,
                                   .user = o.user,
                                   .password = o.password,
                                   .token = o.token,
                                   .token_file = o.token_file,
                                   .api = o.api,
                                   .poll = o.poll,
                                   .timeout = o.timeout,
                                   .connection = o.connection};
    if (o.data_id.empty() || o.data_id.find_first_of(std::string("\0\1\2\r\n", 5)) != std::string::npos)
        throw std::invalid_argument("weir: nacos_options.data_id must be a name without control characters");
    if (auto const u = server.address(); u.has("cluster")) u.refuse("configurations are in no cluster");
    server = server.checked();
    if (server.poll == duration::zero()) bad_option("nacos_options.poll", "in [100, 3600000] ms", server.poll);
    if (o.hold < std::chrono::seconds(10) || o.hold > std::chrono::minutes(10))
        bad_option("nacos_options.hold", "in [10000, 600000] ms", o.hold);
    return server;
}

}  // namespace detail

template <class Transport>
basic_nacos<Transport>::basic_nacos(nacos_options o, std::optional<Transport> transport)
    : server_(std::make_shared<registry::detail::nacos_config>(
          detail::nacos_server(o),
          registry::detail::http_channels_over(registry::detail::transport_for(
              registry::nacos_options{.url = o.url}.address(), std::move(transport), "nacos_options.url")))),
      key_{std::move(o.data_id), server_->place.group, server_->place.name_space},
      hold_(o.hold)
{
    if (key_.tenant == "public") key_.tenant.clear();
}

}  // namespace weir::config
