// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/http_poll.hpp>
#include <weir/config/detail/nacos_config_document.hpp>
#include <weir/config/source.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/secret.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::config {

struct nacos_options {
    using api_version = detail::nacos_api;

    /// `nacos://host[:port][,...][/base]`, with port 8848 unless given; http:// and https:// are taken too.
    std::string url = "nacos://127.0.0.1:8848";
    std::string data_id = {};
    std::string group = "DEFAULT_GROUP";
    std::string name_space = {};                 ///< its id; empty: public
    registry::secret token = {};                 ///< an access token, sent as a bearer's; empty: none
    std::optional<api_version> api = {};         ///< empty: v3, and v1 where the server does not have that
    duration poll = std::chrono::seconds(1);     ///< v3, which tells of no change: pause between two reads; from 100 ms
    duration hold = std::chrono::seconds(30);    ///< v1: how long the server holds a question; 10 s to 10 min
    duration timeout = std::chrono::seconds(5);  ///< of one read
    http::client_options connection = {};        ///< but for its timeout and idle_timeout
};

/// Nacos' configuration over HTTP: v3 (servers from 3.0 on), polled, its sum compared; or v1 (up to 3.1), whose server
/// holds the question until there is a change. The server's type "yaml" is YAML, every other is read as JSON.
/// Checked against the contract of its controllers, not against a live server.
///
/// Errors:  errc::registry_refused, registry_unavailable, bad_document; the transport's own pass through.
/// Throws:  construction, std::invalid_argument naming the field.
/// Seen in: tests/config/nacos.cpp
template <class Transport = http::plain_transport>
class basic_nacos {
public:
    explicit basic_nacos(nacos_options o, Transport transport = {});

    [[nodiscard]] detail::http_poll open(asio::any_io_executor strand) const
    {
        auto dialect = std::make_unique<detail::nacos_dialect>(key_, api_, hold_);
        return {std::move(strand), access_, std::move(dialect), poll_, timeout_, patience_};
    }

private:
    std::shared_ptr<registry::detail::http_access> access_;
    detail::nacos_key key_;
    std::optional<detail::nacos_api> api_;
    duration poll_, hold_, timeout_, patience_;
};

using nacos = basic_nacos<>;

// Bodies

template <class Transport>
basic_nacos<Transport>::basic_nacos(nacos_options o, Transport transport)
    : key_{o.data_id, o.group, o.name_space},
      api_(o.api),
      poll_(o.poll),
      hold_(o.hold),
      timeout_(o.timeout),
      patience_(std::max(o.poll + o.poll / 10, o.hold + std::chrono::seconds(5)) + o.timeout)
{
    using weir::detail::bad_option;
    auto const u = registry::detail::registry_url::parse(
        o.url, {.scheme = "nacos", .example = "nacos://127.0.0.1:8848", .port = 8848});
    registry::detail::check_transport<Transport>(u.tls, "nacos_options.url");
    for (auto const& [field, text] : {std::pair("data_id", &o.data_id), std::pair("group", &o.group)})
        if (text->empty() || text->find_first_of(std::string("\0\1\2\r\n", 5)) != std::string::npos)
            throw std::invalid_argument(std::string("weir: nacos_options.") + field +
                                        " must be a name without control characters");
    if (o.poll < std::chrono::milliseconds(100)) bad_option("nacos_options.poll", "at least 100 ms", o.poll);
    if (o.hold < std::chrono::seconds(10) || o.hold > std::chrono::minutes(10))
        bad_option("nacos_options.hold", "in [10000, 600000] ms", o.hold);
    if (o.timeout <= duration::zero()) bad_option("nacos_options.timeout", "above 0 ms", o.timeout);
    registry::detail::http_access_options a{.servers = u.servers, .base = u.path, .connection = o.connection};
    a.credentials.prefix = "Bearer ";
    a.credentials.token = std::move(o.token);
    access_ = std::make_shared<registry::detail::http_access>(
        std::move(a), registry::detail::http_channels_over(std::move(transport)));
}

}  // namespace weir::config
