// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "web.hpp"

#include <weir/http/server.hpp>
#include <weir/registry/memory.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace shop {

/// The registry that needs nothing installed: weir's registry::memory, in this process, served to the others in the
/// words of Consul's HTTP interface, the few that the shop uses. So everyone else speaks Consul and cannot tell the
/// difference.
class consul_door {
public:
    explicit consul_door(asio::any_io_executor executor);
    consul_door(consul_door const&) = delete;
    consul_door& operator=(consul_door const&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }

private:
    // Consul counts the states of a service; weir calls them by name.
    struct state {
        std::uint64_t index = 0;
        std::string revision;
    };

    asio::awaitable<response> answer(request asked);
    response enter(request const& asked);
    asio::awaitable<response> health(std::string target, std::string service);
    std::uint64_t index_of(std::string const& service, std::string const& revision);

    weir::registry::memory table_;
    std::map<std::string, state> states_;
    weir::http::server server_;
};

}  // namespace shop
