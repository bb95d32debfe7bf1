// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "process.hpp"
#include "relay.hpp"
#include "score.hpp"

#include <map>
#include <string>
#include <vector>

namespace shop {

/// Where the registry really is; the shop's processes reach it through a relay.
struct registry_address {
    std::string host;
    std::uint16_t port = 0;
};

/// The processes of one arm, and what can be done to them. Used by one coroutine at a time.
class house {
public:
    house(asio::any_io_executor executor, arm which, std::uint64_t seed, std::uint16_t front, relay& cable,
          registry_address registry);
    house(house const&) = delete;
    house& operator=(house const&) = delete;

    /// Starts the inventory and then the order service; completes when all can serve.
    asio::awaitable<void> open();

    /// SIGKILL for one instance, and a new one in its place, at another port.
    void kill(int instance) noexcept { inventory_.at(static_cast<std::size_t>(instance)).process.kill(); }
    asio::awaitable<void> start(int instance);

    /// Makes one instance slow, or well again.
    asio::awaitable<void> slow(int instance, bool yes);

    /// What an operator does when nothing else helps: everything is killed and started anew.
    asio::awaitable<void> restart();

    /// What the order service says of itself; an empty gauge if it does not answer within `limit`.
    asio::awaitable<gauge> look(std::chrono::milliseconds limit);

    /// Tries of each order that the present order service has had, one digit for each arrival, as of the last `look`.
    [[nodiscard]] std::string const& tries() const noexcept { return tries_; }

    /// Ends all processes and takes their names out of the registry.
    asio::awaitable<void> close();

    [[nodiscard]] std::string name(int instance) const { return "inventory-" + std::to_string(instance + 1); }
    [[nodiscard]] std::string address_of(std::string const& id) const;

private:
    struct inventory {
        child process;
        std::string id;
        std::uint16_t port = 0;
    };

    asio::awaitable<inventory> make_inventory(int instance);
    asio::awaitable<void> until_registered(std::size_t count);
    asio::awaitable<void> deregister(std::vector<std::string> ids);
    [[nodiscard]] std::vector<std::string> role(std::string name, std::uint64_t seed) const;

    asio::any_io_executor executor_;
    arm which_;
    std::uint64_t seed_;
    std::uint16_t front_;
    relay& cable_;
    registry_address registry_;
    std::string service_;
    std::vector<inventory> inventory_;
    std::vector<child> order_;  ///< one, or none
    std::map<std::string, std::uint16_t> ports_;  ///< of each instance in its present life
    std::string tries_;
    int lives_ = 0;
};

}  // namespace shop
