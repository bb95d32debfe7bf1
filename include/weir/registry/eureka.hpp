// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/http/transport.hpp>
#include <weir/registry/detail/eureka_session.hpp>
#include <weir/registry/detail/network_registry.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/registry/eureka_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::registry {

/// Eureka, Netflix' or Spring Cloud's: instances register with a lease and are read again and again, because a Eureka
/// server tells nobody of a change. Checked against the contract that its source states, not against a live server.
/// What the watcher and the keeper promise holds here: see watcher.hpp and keeper.hpp.
///
///   weir::registry::eureka registry(io.get_executor(), {.url = "eureka://10.0.0.1,10.0.0.2"});
///   weir::registry::registration const me{.service = "inventory", .address = "10.0.0.7", .port = 8080};
///   auto lease = co_await registry.async_register(me, asio::use_awaitable);
///   auto watch = registry.watch({"inventory"});
///
/// A service is an application, whose name Eureka writes in capitals. Only UP serves. A critical lease is
/// OUT_OF_SERVICE, and stays so through renewals; for warning there is no word but UP. Leases count in seconds. Weight
/// and tags, which Eureka does not know, are the metadata `weight` and `tags` (comma-separated). A service that is not
/// there is an empty list, doubted as any other (watch_options.on_empty). registration.deregister_after is not used:
/// the server evicts on its own terms.
///
/// A watch reads its one application whole. Eureka's deltas (apps/delta) are of all applications at once, so that who
/// applies them has to hold the whole registry; and apps__hashcode, by which a loss is to be noticed, does no more than
/// count instances by status (Applications.getReconcileHashCode): one replaced by another in a delta that was missed
/// would stay wrong for good.
/// Errors:    errc::registry_refused, registry_unavailable (a server that is starting, too: 403), bad_document;
///            std::errc::invalid_argument to async_deregister without a service; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of eureka_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.   Cancellation: all types.
/// Members:   async_register, async_deregister, async_resolve, watch: see detail/network_registry.hpp.
/// Seen in:   tests/registry/eureka.cpp
template <class Transport = http::plain_transport>
class basic_eureka : public detail::network_registry {
public:
    using options = eureka_options;
    static constexpr std::string_view scheme = "eureka";
    static constexpr bool tls = Transport::handshakes;

    explicit basic_eureka(executor_type executor, options const& o = {}, std::optional<Transport> transport = {})
        : basic_eureka(std::make_shared<detail::eureka_config const>(
                           o, detail::http_channels_over(
                                  detail::transport_for(o.address(), std::move(transport), "eureka_options.url"))),
                       std::move(executor))
    {
    }

private:
    basic_eureka(std::shared_ptr<detail::eureka_config const> const& c, executor_type executor)
        : network_registry(
              std::move(executor),
              {.watch = c->options.watch, .lease = c->options.lease, .timeout = c->options.timeout},
              [c](executor_type const& strand, duration limit) { return detail::eureka_session(strand, c, limit); })
    {
    }
};

using eureka = basic_eureka<>;

}  // namespace weir::registry
