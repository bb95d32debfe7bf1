// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/tls.hpp>
#include <weir/registry/detail/kubernetes_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/registry_url.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/kubernetes_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace weir::registry {

/// The pods behind the Services of a Kubernetes cluster, from their EndpointSlices (discovery.k8s.io v1, or v1beta1 on
/// a server before 1.21; written against 1.20.2). What the watcher promises holds here: see watcher.hpp.
///
///   weir::registry::kubernetes registry(io.get_executor());       // in a pod, nothing needs to be said
///   auto watch = registry.watch({"inventory"});                   // of the pod's own namespace, with one port
///   auto other = registry.watch({"billing.shop:grpc"});           // name.namespace:port
///
/// An instance is a pod, by its name; ready pods are passing, all others critical. Its zone is the node's, its metadata
/// have `node`, and `terminating` while it is. A pod registers nothing: its readiness probe does.
/// Needs the right to list and watch endpointslices of discovery.k8s.io.
/// Errors:    errc::registry_refused (permission, a service that is none; std::errc::operation_not_supported to
///            registrations), registry_unavailable, bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of kubernetes_options.
/// Threads:   any. Watches live on when this object is gone.
/// Cancellation: all types.
/// Members:   async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/kubernetes.cpp
template <class Transport = http::tls_transport>
class basic_kubernetes : public detail::network_registry {
public:
    using options = kubernetes_options;
    static constexpr std::string_view scheme = "k8s";  // which is over TLS without saying so

    explicit basic_kubernetes(executor_type executor, options const& o = {})
        : basic_kubernetes(o.checked(), o.address(), std::move(executor))
    {
    }

private:
    basic_kubernetes(options const& checked, detail::registry_url const& given, executor_type executor)
        : basic_kubernetes(std::make_shared<detail::kubernetes_config const>(
                               checked, detail::http_channels_over(transport_for(checked, given))),
                           std::move(executor))
    {
    }

    basic_kubernetes(std::shared_ptr<detail::kubernetes_config const> const& c, executor_type executor)
        : network_registry(
              std::move(executor), {.watch = c->options.watch, .timeout = c->options.timeout},
              [c](executor_type const& strand, duration limit) { return detail::kubernetes_session(strand, c, limit); })
    {
    }

    [[nodiscard]] static Transport transport_for(options const& checked, detail::registry_url const& given)
    {
        detail::check_transport<Transport>(given.tls, "kubernetes_options.url");
        auto files = given.tls_files();
        files.ca_file = checked.ca_file;
        if constexpr (Transport::handshakes)
            return detail::transport_with<Transport>(files, given);
        else
            return Transport();
    }
};

using kubernetes = basic_kubernetes<>;

}  // namespace weir::registry
