// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/registry/consul_options.hpp>
#include <weir/registry/detail/consul_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::registry {

/// A Consul agent (HTTP API v1; checked against 1.8.7): instances register with a TTL check and are watched with
/// blocking queries. What the watcher and the keeper promise holds here: see watcher.hpp and keeper.hpp.
///
///   weir::registry::consul registry(io.get_executor(), {.url = "consul://127.0.0.1:8500"});
///   weir::registry::registration const me{.service = "inventory", .address = "10.0.0.7", .port = 8080};
///   auto lease = co_await registry.async_register(me, asio::use_awaitable);
///   auto watch = registry.watch({"inventory"});
///
/// (Named, because GCC 12 destroys a braced temporary inside a co_await expression twice.)
/// An empty answer that only means "your token may not see this" is an error, not an empty set: see watch::status().
/// Errors:    errc::registry_refused (permission, bad registration), registry_unavailable (no leader, overloaded),
///            bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of consul_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.
/// Cancellation: all types.
/// Members:   async_register, async_deregister, async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/consul.cpp, tests/registry/real/consul.cpp
template <class Transport = http::plain_transport>
class basic_consul : public detail::network_registry {
public:
    using options = consul_options;
    static constexpr std::string_view scheme = "consul";
    static constexpr bool tls = Transport::handshakes;

    explicit basic_consul(executor_type executor, options const& o = {}, std::optional<Transport> transport = {})
        : basic_consul(std::make_shared<detail::consul_config const>(
                           o, detail::http_channels_over(
                                  detail::transport_for(o.address(), std::move(transport), "consul_options.url"))),
                       std::move(executor))
    {
    }

private:
    basic_consul(std::shared_ptr<detail::consul_config const> const& c, executor_type executor)
        : network_registry(
              std::move(executor),
              {.watch = c->options.watch, .lease = c->options.lease, .timeout = c->options.timeout},
              [c](executor_type const& strand, duration limit) { return detail::consul_session(strand, c, limit); })
    {
    }
};

using consul = basic_consul<>;

}  // namespace weir::registry
