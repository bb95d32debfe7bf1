// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/detail/dns_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/dns_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <utility>

namespace weir::registry {

/// Services found in the DNS: SRV records, or addresses with a port of ours. Names are watched by asking again when
/// their TTL runs out. Nothing can be registered here. What the watcher promises holds: see watcher.hpp.
///
///   weir::registry::dns registry(io.get_executor(), {.url = "dns://10.0.0.53"});
///   auto watch = registry.watch({"_http._tcp.inventory.example.org"});
///
///   weir::registry::dns consul(io.get_executor(), {.url = "dns://127.0.0.1:8600?tcp=true",
///                                                  .name = "{tag}.{service}.service.{datacenter}.consul"});
///
/// An instance is an address and a port, and these are its id; `metadata` has the SRV record's target and priority.
/// Priorities: only the records of the best priority in the answer have a weight. The others are in the set with weight
/// 0, which a balancer gives no traffic, and get their weights when the better ones are withdrawn from the DNS.
/// "No such name", "no records" and the target "." are an empty set, doubted as any other (watch_options.on_empty); all
/// else that is no answer is a failure, and the last good set stays.
/// Errors:    errc::registry_unavailable (silence, SERVFAIL), registry_refused (REFUSED; a query that makes no name),
///            bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of dns_options.
/// Threads:   any. Watches live on when this object is gone.   Cancellation: all types.
/// Trust:     the DNS is not encrypted; an answer must come from the server that was asked, to a random port and id.
/// Seen in:   tests/registry/dns.cpp, tests/registry/real/dns.cpp
class dns : public detail::network_registry {
public:
    using options = dns_options;

    explicit dns(executor_type executor, options const& o = {})
        : dns(std::move(executor), std::make_shared<detail::dns_config const>(o))
    {
    }

private:
    dns(executor_type executor, std::shared_ptr<detail::dns_config const> const& c)
        : network_registry(std::move(executor), {.watch = c->options.watch, .timeout = c->options.timeout},
                           [c](asio::any_io_executor strand, duration limit) {
                               return detail::dns_session(std::move(strand), c, limit);
                           })
    {
    }
};

}  // namespace weir::registry
