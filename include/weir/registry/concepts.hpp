// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/lease.hpp>
#include <weir/registry/watch.hpp>

#include <boost/system/error_code.hpp>

#include <concepts>
#include <memory>
#include <string>

namespace weir::registry {

/// Where instances are found. `async_resolve` is one read; `watch` starts, or joins, a conversation that goes on until
/// the last watch of that query is gone.
template <class D>
concept discovery = requires(D& d, query q, void (*f)(boost::system::error_code, std::shared_ptr<snapshot const>)) {
    d.async_resolve(q, f);
    { d.watch(q) } -> std::same_as<watch>;
};

/// Where a service makes itself known. The lease it gives keeps the registration true until it is destroyed.
template <class R>
concept registrar = requires(R& r, registration what, std::string id, void (*f)(boost::system::error_code, lease),
                             void (*done)(boost::system::error_code)) {
    r.async_register(what, f);
    r.async_deregister(id, done);
};

/// Both: weir::registry::memory, weir::registry::consul. To add one, write a watch_backend (watch_backend.hpp) and a
/// lease_backend (lease_backend.hpp), and derive from detail/network_registry.hpp: the rules for keeping users from
/// harm are in the watcher and the keeper, not in it.
template <class T>
concept service_registry = discovery<T> && registrar<T>;

}  // namespace weir::registry
