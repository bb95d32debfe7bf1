// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/registry/detail/etcd_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/etcd_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::registry {

/// An etcd cluster (v3, over its JSON gateway; checked against 3.4.23). Instances are keys that live as long as a
/// lease, and are watched with one stream that stays open. What the watcher and the keeper promise holds here: see
/// watcher.hpp and keeper.hpp.
///
///   weir::registry::etcd registry(io.get_executor(), {.url = "etcd://10.0.0.1:2379,10.0.0.2:2379"});
///   weir::registry::registration const me{.service = "inventory", .address = "10.0.0.7", .port = 8080};
///   auto lease = co_await registry.async_register(me, asio::use_awaitable);
///   auto watch = registry.watch({"inventory"});
///
/// Layout:    <prefix>/<service>/<id> = {"address":"10.0.0.7","port":8080,"weight":1,"state":"passing","tags":[],
///            "meta":{}}, where service and id have no slash (%2F stands for one). Values as kratos writes them, with
///            `endpoints`, and go-zero's `host:port` are read too: give their prefix ("/microservices", or "").
/// Leases:    whole seconds, at least 1; `deregister_after` means nothing here, for a key goes with its lease. A key
///            that somebody deleted comes back with the next heartbeat. An id that two processes register belongs to
///            the one that came last.
/// Deregistering by id alone reads the names of all keys under the prefix; a lease does not.
/// Errors:    errc::registry_refused (permission, wrong password), registry_unavailable (no leader, stopping),
///            bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of etcd_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.
/// Cancellation: all types.
/// Members:   async_register, async_deregister, async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/etcd.cpp, tests/registry/real/etcd.cpp
template <class Transport = http::plain_transport>
class basic_etcd : public detail::network_registry {
public:
    using options = etcd_options;
    static constexpr std::string_view scheme = "etcd";
    static constexpr bool tls = Transport::handshakes;

    explicit basic_etcd(executor_type executor, options const& o = {}, std::optional<Transport> transport = {})
        : basic_etcd(std::make_shared<detail::etcd_config const>(
                         o, detail::http_channels_over(
                                detail::transport_for(o.address(), std::move(transport), "etcd_options.url"))),
                     std::move(executor))
    {
    }

private:
    basic_etcd(std::shared_ptr<detail::etcd_config const> const& c, executor_type executor)
        : network_registry(
              std::move(executor),
              {.watch = c->options.watch, .lease = c->options.lease, .timeout = c->options.timeout},
              [c](executor_type const& strand, duration limit) { return detail::etcd_session(strand, c, limit); })
    {
    }
};

using etcd = basic_etcd<>;

}  // namespace weir::registry
