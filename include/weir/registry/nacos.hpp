// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/registry/detail/nacos_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/nacos_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::registry {

/// Nacos over HTTP, v3 (servers from 3.0 on) or v1 (up to 3.1): ephemeral instances, which beat, and services, which
/// are read again and again, because over HTTP a server tells nobody of a change. Checked against the contract that its
/// source states, not against a live server. What the watcher and the keeper promise holds here: see watcher.hpp and
/// keeper.hpp.
///
///   weir::registry::nacos registry(io.get_executor(), {.url = "nacos://10.0.0.1,10.0.0.2?group=shop"});
///   weir::registry::registration const me{.service = "inventory", .address = "10.0.0.7", .port = 8080};
///   auto lease = co_await registry.async_register(me, asio::use_awaitable);
///   auto watch = registry.watch({"inventory"});
///
/// An instance is an address, a port and a cluster; registration.id is not told to Nacos, but in the metadata of `id`.
/// What is not enabled, not healthy or of weight 0 does not serve. Fractional weights make all weights of an answer
/// hundredths. A critical lease is disabled. query.datacenter is the name of a cluster. Tags are the metadata `tags`
/// (comma-separated), the times of the lease `preserved.heart.beat.interval` and what goes with it.
/// When the server has so few healthy instances that it calls all of them healthy, watch_status.remark says "degraded".
/// Errors:    errc::registry_refused, registry_unavailable, bad_document; std::errc::invalid_argument to
///            async_deregister without service, address and port; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of nacos_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.   Cancellation: all types.
/// Members:   async_register, async_deregister, async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/nacos.cpp
template <class Transport = http::plain_transport>
class basic_nacos : public detail::network_registry {
public:
    using options = nacos_options;
    static constexpr std::string_view scheme = "nacos";
    static constexpr bool tls = Transport::handshakes;

    explicit basic_nacos(executor_type executor, options const& o = {}, std::optional<Transport> transport = {})
        : basic_nacos(
              std::make_shared<detail::nacos_config>(o, detail::http_channels_over(detail::transport_for(
                                                            o.address(), std::move(transport), "nacos_options.url"))),
              std::move(executor))
    {
    }

private:
    basic_nacos(std::shared_ptr<detail::nacos_config> const& c, executor_type executor)
        : network_registry(
              std::move(executor),
              {.watch = c->options.watch, .lease = c->options.lease, .timeout = c->options.timeout},
              [c](executor_type const& strand, duration limit) { return detail::nacos_session(strand, c, limit); })
    {
    }
};

using nacos = basic_nacos<>;

}  // namespace weir::registry
