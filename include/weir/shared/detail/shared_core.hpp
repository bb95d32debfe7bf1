// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/core/atomic.hpp>
#include <weir/core/random.hpp>
#include <weir/shared/detail/store_health.hpp>
#include <weir/shared/limit_store.hpp>
#include <weir/shared/shared_limit_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::detail {

class shared_key;

/// A store of whatever type, so that the limiter behind it is compiled once.
class store_port {
public:
    virtual ~store_port() = default;
    virtual void acquire(permit_request const& r, std::shared_ptr<shared_key> key, std::uint64_t id) = 0;
    virtual void give_back(permit_return const& r) = 0;
    /// Servers of the store, each of which may be gone for itself; and the one of a key.
    [[nodiscard]] virtual std::size_t shards() const = 0;
    [[nodiscard]] virtual std::size_t shard_of(std::string const& key) const = 0;
};

/// What the keys of a limiter have in common.
struct shared_core {
    struct figures {
        atomic<std::uint64_t> questions{0}, granted{0}, refusals{0}, errors{0}, late{0}, given_back{0}, ended{0};
        atomic<std::uint64_t> refused{0}, local{0}, keys_refused{0};
    };

    shared_core(asio::any_io_executor e, std::unique_ptr<store_port> p, shared_limit_options const& o)
        : executor(std::move(e)), queue(timer_queue::of(executor)), port(std::move(p))
    {
        auto const seed = o.seed != 0 ? o.seed : thread_random()();
        for (std::size_t i = 0; i < port->shards(); ++i)
            health.push_back(std::make_unique<store_health>(o.patience, o.probe_every, seed + i));
    }

    [[nodiscard]] time_point now() const noexcept { return queue.now(); }

    asio::any_io_executor executor;
    timer_queue& queue;
    std::unique_ptr<store_port> port;
    std::vector<std::unique_ptr<store_health>> health;
    figures count;
    atomic<bool> stopped{false};
};

}  // namespace weir::detail
