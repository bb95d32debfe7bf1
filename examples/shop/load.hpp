// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "score.hpp"
#include "web.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace shop {

/// The customers. Each comes when the schedule says, waits for its answer as long as its patience lasts, and is counted
/// from the moment it came, whatever held the request back.
class customers {
public:
    using clock = std::chrono::steady_clock;

    customers(asio::any_io_executor executor, std::uint16_t port, std::vector<double> arrivals);
    customers(customers const&) = delete;
    customers& operator=(customers const&) = delete;
    ~customers();

    /// Lets them come, the first second of the story being `start`; returns when the last one has gone.
    asio::awaitable<void> come(clock::time_point start);

    /// One for each arrival, in that order; complete only when `come` has returned.
    [[nodiscard]] std::vector<order> const& orders() const noexcept { return orders_; }
    [[nodiscard]] std::vector<order>& orders() noexcept { return orders_; }

    /// How many have come so far.
    [[nodiscard]] std::size_t come_so_far() const noexcept { return come_; }

private:
    struct line;
    asio::awaitable<void> buy(std::size_t number);
    asio::awaitable<ending> ask_for(std::size_t number, std::unique_ptr<line>& l);

    asio::any_io_executor executor_;
    std::uint16_t port_;
    std::vector<order> orders_;
    std::vector<std::unique_ptr<line>> idle_;  ///< kept-alive connections, the latest used last
    clock::time_point start_;
    std::size_t come_ = 0, waiting_ = 0;
};

/// What a customer says of itself to the order service: its number, from 0.
inline constexpr char const* customer_header = "X-Customer";
inline constexpr std::size_t most_customers = 20'000;  ///< more than any story has

}  // namespace shop
