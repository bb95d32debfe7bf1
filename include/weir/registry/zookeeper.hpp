// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/registry/detail/check_transport.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/detail/zookeeper_session.hpp>
#include <weir/registry/detail/zookeeper_stream.hpp>
#include <weir/registry/zookeeper_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::registry {

/// An ensemble of ZooKeeper (checked against 3.8.0): an instance is an ephemeral node, which goes with the session of
/// its lease, and is watched by ZooKeeper's watches.
///
///   weir::registry::zookeeper registry(io.get_executor(), {.url = "zk://10.0.0.1,10.0.0.2,10.0.0.3"});
///   auto watch = registry.watch({"inventory"});
///
/// Over TLS, verified as everything in http/tls.hpp is; whom to trust says the URL (`&ca_file=ca.pem`), or the program:
///
///   weir::registry::basic_zookeeper<weir::http::tls_transport> registry(
///       io.get_executor(), {.url = "zk://10.0.0.1:2281?tls=true"}, weir::http::tls_transport({...}));
///
/// Layout: <root>/<service>/<instance id>, with the data of Apache Curator's service discovery, so that Curator's and
/// Spring Cloud's clients with `root` as their base path see the same instances:
///   {"name", "id", "address", "port", "payload": {"weight", "state", "tags", "metadata"}, "serviceType", ...}
/// Characters that a node's name cannot have, or that mean something in paths, are written as %XX.
///
/// Each watch, lease and single question is a session, and a connection, of its own (a server takes 60 of one address
/// unless told otherwise: maxClientCnxns). A lease's session runs out after its ttl; a lost connection is resumed
/// within that time, with any server, and loses nothing. An instance whose id is taken takes it over: the older goes.
/// Errors:    errc::registry_refused (permission, a ttl that the server does not grant), registry_unavailable,
///            bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of zookeeper_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.   Cancellation: all types.
/// Members:   async_register, async_deregister, async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/zookeeper.cpp, tests/registry/real/zookeeper.cpp
template <class Transport = http::plain_transport>
class basic_zookeeper : public detail::network_registry {
public:
    using options = zookeeper_options;
    static constexpr std::string_view scheme = "zk";
    static constexpr bool tls = Transport::handshakes;

    explicit basic_zookeeper(executor_type executor, options const& o = {}, std::optional<Transport> transport = {})
        : basic_zookeeper(std::make_shared<detail::zookeeper_config const>(
                              o, detail::zookeeper_streams_over(detail::transport_for(
                                     o.address(), std::move(transport), "zookeeper_options.url", "tls=true"))),
                          std::move(executor))
    {
    }

private:
    basic_zookeeper(std::shared_ptr<detail::zookeeper_config const> const& c, executor_type executor)
        : network_registry(std::move(executor),
                           {.watch = c->options.watch, .lease = c->options.lease, .timeout = c->options.timeout},
                           [c](asio::any_io_executor strand, duration limit) {
                               return detail::zookeeper_session(std::move(strand), c, limit);
                           })
    {
    }
};

using zookeeper = basic_zookeeper<>;

}  // namespace weir::registry
