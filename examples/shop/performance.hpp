// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "house.hpp"
#include "load.hpp"
#include "options.hpp"
#include "screen.hpp"

#include <string>

namespace shop {

/// One arm of the story, from its first process to its last: does to the shop what the acts say, and watches.
class performance {
public:
    performance(asio::any_io_executor executor, arm which, options const& o, story const& s, std::uint16_t front,
                relay& cable, registry_address registry, screen& view);
    performance(performance const&) = delete;
    performance& operator=(performance const&) = delete;

    asio::awaitable<record> play();

private:
    asio::awaitable<void> perform(act const& a);
    asio::awaitable<void> inflict(act const& a);
    asio::awaitable<void> listen();
    asio::awaitable<void> watch();
    asio::awaitable<void> collect_tries();
    asio::awaitable<void> at(double t);
    [[nodiscard]] bool sick_since(double begin) const;
    [[nodiscard]] frame picture(gauge const& g) const;
    [[nodiscard]] double now() const;
    void event(std::string const& text);

    asio::any_io_executor executor_;
    story const& story_;
    relay& cable_;
    screen& view_;
    house house_;
    customers customers_;
    record record_;
    gauge latest_;
    customers::clock::time_point start_;
    bool all_gone_ = false, listening_ = true, watching_ = true;
};

}  // namespace shop
