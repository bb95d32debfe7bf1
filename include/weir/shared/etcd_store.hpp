// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer_queue.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/detail/etcd_wire.hpp>
#include <weir/registry/detail/http_channel.hpp>
#include <weir/registry/detail/transport_for.hpp>
#include <weir/shared/detail/etcd_limit_core.hpp>
#include <weir/shared/etcd_store_options.hpp>
#include <weir/shared/limit_store.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace weir {

/// The store of a shared limit in etcd, 3.4 or newer, over its JSON gateway: a word of shared_gcra in each key,
/// changed by compare and swap, which a lost race costs one more request. A member does about a thousand of them a
/// second, when its disk is quick: for limits whose permits are leased many at a time. `acquire_timeout` and `hold`
/// want to be longer than with Redis.
///
/// Time. Each key has a clock that no wall clock touches (detail/etcd_limit_core.hpp): a node's clock that is wrong, or
/// is set, changes nothing. The key's clock never gains on the fastest steady clock of a node, and may be late: permits
/// granted, less those given back, are <= burst + r * t since the key was made, and <= burst + r * (t + L) in any
/// window. L is the time by which a node read a key later than it was written: between nodes that keep asking, what a
/// pause and a request take; for one that comes to a key that lay idle, that idle time, while the key is there.
///
/// A key ends with an etcd lease, not before its debt is paid and 64 s have gone, and after twice that or four times
/// the debt at the latest. A key that is deleted, or that a lost disk forgot, has its whole burst again.
///
/// Fails:   store_errc::unavailable: no leader, stopping, the key changed by others `tries` times over.
///          store_errc::refused: rights, password, a key that holds something else; last_error has the words.
///          store_errc::bad_answer. The transport's own pass through. After a failure the next member is asked.
/// Threads: any. Lifetimes: its context outlives it; questions that are open outlive it, and end by the timeout.
/// Seen in: tests/shared/etcd_store.cpp
template <class Transport = http::plain_transport>
class basic_etcd_store {
public:
    using options = etcd_store_options;
    using executor_type = asio::any_io_executor;

    /// Throws: std::invalid_argument.
    explicit basic_etcd_store(executor_type const& executor, etcd_store_options const& o = {},
                              std::optional<Transport> transport = {});

    template <class Handler>
    void async_acquire(permit_request const& r, Handler&& handler)
    {
        core_->async_acquire(r, {std::forward<Handler>(handler), executor_});
    }

    template <class Handler>
    void async_give_back(permit_return const& r, Handler&& handler)
    {
        auto const executor = asio::get_associated_executor(handler, executor_);
        core_->async_give_back(r, {without_grant<std::decay_t<Handler>>{std::forward<Handler>(handler)}, executor});
    }

    /// What was said when a question last failed, fit for a log.
    [[nodiscard]] std::string last_error() const { return core_->last_error(); }

private:
    template <class Handler>
    struct without_grant {
        Handler handler;
        void operator()(boost::system::error_code ec, permit_grant) { std::move(handler)(ec); }
    };

    struct wire {
        registry::detail::etcd_wire to;
        timer_queue* queue;
        asio::awaitable<registry::detail::etcd_said> ask(std::string target, std::string body)
        {
            return to.ask(std::move(target), std::move(body));
        }
        [[nodiscard]] time_point now() const noexcept { return queue->now(); }
    };

    executor_type executor_;
    std::shared_ptr<detail::etcd_limit_core<wire>> core_;
};

using etcd_store = basic_etcd_store<>;

// Bodies

template <class Transport>
basic_etcd_store<Transport>::basic_etcd_store(executor_type const& executor, etcd_store_options const& o,
                                              std::optional<Transport> transport)
    : executor_(executor)
{
    namespace etcd = registry::detail;
    o.check();
    auto const cluster = o.cluster.checked();
    auto address = cluster.address();
    auto through = etcd::transport_for(address, std::move(transport), "etcd_store_options.cluster.url");
    // Connections are kept, unlike a registry's: a compare and swap that is sent again, because its connection was at
    // its end, does no harm.
    auto const make = [keep = cluster.connection.idle_timeout, over = etcd::http_channels_over(std::move(through))](
                          asio::any_io_executor strand, http::client_options c) {
        c.idle_timeout = keep;
        return over(std::move(strand), std::move(c));
    };
    auto shared = std::make_shared<etcd::etcd_cluster>(std::move(address.servers), cluster.user, cluster.password,
                                                       cluster.connection, make);
    asio::any_io_executor const strand = asio::make_strand(executor);
    wire to{etcd::etcd_wire(strand, std::move(shared), o.timeout), &timer_queue::of(executor)};
    core_ = std::make_shared<detail::etcd_limit_core<wire>>(strand, std::move(to), o);
}

}  // namespace weir
