// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "options.hpp"

#include <weir/registry/consul.hpp>

#include <chrono>
#include <string>

namespace shop {

/// How the shop's processes talk to the registry. Impatient, because the story is short: a registry that comes back
/// is noticed within half a second, where a service of your own would rather wait up to 30 s than press on a sick
/// registry.
[[nodiscard]] inline weir::registry::consul_options registry_options(options const& o)
{
    using namespace std::chrono_literals;
    auto const soon = weir::exponential(100ms, 500ms).with(weir::jitter::decorrelated);
    weir::registry::consul_options c;
    c.url = "consul://" + o.registry_host + ":" + std::to_string(o.registry_port);
    c.watch.backoff = soon;
    c.watch.pace = 100ms;
    c.lease.backoff = soon;
    return c;
}

}  // namespace shop
