// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace shop {

/// What the command line says. The first half is for people, the second for the processes that the shop starts itself.
struct options {
    std::uint64_t seed = 1;       ///< of arrivals and service times; the same for both arms
    bool bare = true;             ///< play the story with the bare service
    bool governed = true;         ///< play it with the governed one
    bool fast = false;            ///< a shortened story for continuous integration
    bool plain = false;           ///< one line per event even on a terminal
    std::uint16_t port = 8080;    ///< of the order service; the next free one is taken if it is in use
    std::string registry_host;    ///< empty: the registry in this process
    std::uint16_t registry_port = 0;
    std::string report = "shop-report.html";
    bool help = false;

    std::string role;             ///< "inventory" or "order"; empty: the whole shop
    std::string name;             ///< of an inventory instance: its id in the registry
    std::string service;          ///< the name that the instances carry in the registry
};

/// What is wrong with the command line, and what would be right.
struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[nodiscard]] options parse_options(int argc, char const* const* argv);
[[nodiscard]] char const* help_text() noexcept;

}  // namespace shop
