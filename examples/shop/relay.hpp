// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "web.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shop {

/// The cable between the shop and its registry: passes bytes on, and can be cut. So the registry can be taken away
/// without doing anything to it; it may be somebody's Consul.
class relay {
public:
    /// To `host`:`port`, from a port that the system chooses.
    relay(asio::any_io_executor executor, std::string host, std::uint16_t port);
    relay(relay const&) = delete;
    relay& operator=(relay const&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// From now on connections are refused, and those there are end.
    void cut();
    void mend();

    struct cable {
        cable(tcp::socket n, tcp::socket f) : near(std::move(n)), far(std::move(f)) {}
        void cut();
        tcp::socket near, far;
    };

private:
    asio::awaitable<void> accept();
    asio::awaitable<void> carry(std::shared_ptr<cable> c);

    asio::any_io_executor executor_;
    std::string host_;
    std::uint16_t upstream_;
    std::optional<tcp::acceptor> acceptor_;
    std::uint16_t port_;
    std::vector<std::weak_ptr<cable>> cables_;
};

}  // namespace shop
