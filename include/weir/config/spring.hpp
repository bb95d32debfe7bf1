// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/http_poll.hpp>
#include <weir/config/detail/spring_document.hpp>
#include <weir/config/source.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/http/client_options.hpp>
#include <weir/http/transport.hpp>
#include <weir/http/validate.hpp>
#include <weir/registry/detail/base64.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/secret.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::config {

struct spring_options {
    /// `spring://[user:password@]host[:port][,...][/base]`, with port 8888 unless given; http:// and https:// too.
    std::string url = "spring://127.0.0.1:8888";
    std::string application = {};      ///< its name, or several with commas between them
    std::string profiles = "default";  ///< "prod", "prod,eu": the server puts the last one first
    std::string label = {};            ///< branch or tag; empty: the server's own
    registry::secret token = {};       ///< sent as X-Config-Token; empty: none
    std::string token_file = {};       ///< the token is in this file, read again each minute and when it is not taken
    duration poll = std::chrono::seconds(10);    ///< pause between two reads, and up to a tenth more; from 100 ms
    duration timeout = std::chrono::seconds(5);  ///< of one read
    http::client_options connection = {};        ///< but for its timeout and idle_timeout
};

/// Spring Cloud Config's server. Its flat keys ("limits.checkout.rate", "quotas[0].burst") are one document; of several
/// property sources the first that has a key wins, and lists are taken whole. The server tells of no change: it is
/// polled. An answer without sources, which is what a wrong name may get, counts as no document.
/// Checked against the contract of its controller, not against a live server.
///
/// Errors:  errc::registry_refused, registry_unavailable, bad_document; the transport's own pass through.
/// Throws:  construction, std::invalid_argument naming the field.
/// Seen in: tests/config/spring.cpp
template <class Transport = http::plain_transport>
class basic_spring {
public:
    explicit basic_spring(spring_options o, std::optional<Transport> transport = {});

    [[nodiscard]] detail::http_poll open(asio::any_io_executor strand) const
    {
        auto dialect = std::make_unique<detail::spring_dialect const>(target_, basic_);
        return {std::move(strand), access_, std::move(dialect), poll_, timeout_, patience_};
    }

private:
    std::shared_ptr<registry::detail::http_access> access_;
    std::string target_;
    registry::secret basic_;
    duration poll_, timeout_, patience_;
};

using spring = basic_spring<>;

// Bodies

template <class Transport>
basic_spring<Transport>::basic_spring(spring_options o, std::optional<Transport> transport)
    : poll_(o.poll), timeout_(o.timeout), patience_(o.poll + o.poll / 10 + o.timeout)
{
    using registry::detail::http_access_options;
    using weir::detail::bad_option;
    auto const u = registry::detail::registry_url::parse(
        o.url, {.scheme = "spring", .example = "spring://127.0.0.1:8888", .port = 8888, .user = true});
    auto through = registry::detail::transport_for(u, std::move(transport), "spring_options.url");
    if (o.application.empty()) throw std::invalid_argument("weir: spring_options.application must not be empty");
    if (o.profiles.empty()) throw std::invalid_argument("weir: spring_options.profiles must not be empty");
    if (!http::valid_field_value(o.token.reveal()))
        throw std::invalid_argument("weir: spring_options.token must be without control characters");
    if (o.poll < std::chrono::milliseconds(100)) bad_option("spring_options.poll", "at least 100 ms", o.poll);
    if (o.timeout <= duration::zero()) bad_option("spring_options.timeout", "above 0 ms", o.timeout);
    http_access_options a{.servers = u.servers, .base = u.path, .connection = o.connection};
    a.credentials.header = "X-Config-Token";
    a.credentials.token = std::move(o.token);
    a.credentials.file = std::move(o.token_file);
    a.credentials.forbidden_too = true;
    if (!u.user.empty())
        basic_ = registry::secret("Basic " + registry::detail::to_base64(u.user + ':' + u.password.reveal()));
    access_ = std::make_shared<registry::detail::http_access>(std::move(a),
                                                              registry::detail::http_channels_over(std::move(through)));
    target_ = '/' + detail::spring_name(o.application) + '/' + detail::spring_name(o.profiles);
    if (!o.label.empty()) target_ += '/' + detail::spring_name(o.label);
}

}  // namespace weir::config
