// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "options.hpp"
#include "score.hpp"
#include "web.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace shop {

/// How many requests went to the inventory, and for which customer of the story. People with curl are no customers: they
/// do not say that they are, and are counted in the total alone.
class ledger {
public:
    void tried(request const& asked);

    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    /// Of each customer, by number, a digit.
    [[nodiscard]] std::string const& tries() const noexcept { return tries_; }

private:
    std::uint64_t total_ = 0;
    std::string tries_;
};

/// The order service: has the goods reserved by one of the inventory's instances. There are two of it.
class order_service {
public:
    virtual ~order_service() = default;

    /// Completes when it can serve.
    virtual asio::awaitable<void> open() = 0;
    virtual asio::awaitable<response> place(request const& asked, std::size_t number) = 0;

    /// What it shows of itself.
    [[nodiscard]] virtual gauge look() = 0;
};

/// As people write it on the first day: order_bare.cpp.
[[nodiscard]] std::unique_ptr<order_service> make_bare(asio::any_io_executor, options const&, ledger&);

/// Through a weir pipeline: order_governed.cpp.
[[nodiscard]] std::unique_ptr<order_service> make_governed(asio::any_io_executor, options const&, ledger&);

}  // namespace shop
