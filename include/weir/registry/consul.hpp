// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/http/transport.hpp>
#include <weir/registry/consul_options.hpp>
#include <weir/registry/detail/consul_session.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/watch.hpp>
#include <weir/registry/watcher.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry {

/// A Consul agent (HTTP API v1; checked against 1.8.7): instances register with a TTL check and are watched with
/// blocking queries. What the watcher and the keeper promise holds here: see watcher.hpp and keeper.hpp.
///
///   weir::registry::consul registry(io.get_executor(), {.url = "consul://127.0.0.1:8500"});
///   weir::registry::registration const me{.service = "inventory", .address = "10.0.0.7", .port = 8080};
///   auto lease = co_await registry.async_register(me, asio::use_awaitable);
///   auto watch = registry.watch({"inventory"});
///
/// (Named, because GCC 12 destroys a braced temporary inside a co_await expression twice.)
/// An empty answer that only means "your token may not see this" is an error, not an empty set: see watch::status().
/// Errors:    errc::registry_refused (permission, bad registration), registry_unavailable (no leader, overloaded),
///            bad_document; the transport's own pass through.
/// Throws:    std::invalid_argument, naming the field of consul_options or registration.
/// Threads:   any. Watches and leases live on when this object is gone.
/// Cancellation: all types.
/// Seen in:   tests/registry/consul.cpp, tests/registry/real/consul.cpp
template <class Transport = http::plain_transport>
class basic_consul {
    using session = detail::consul_session<Transport>;

public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using options = consul_options;

    explicit basic_consul(executor_type executor, options o = {}, Transport transport = {})
        : executor_(std::move(executor)),
          config_(std::make_shared<detail::consul_config const>(std::move(o))),
          transport_(std::move(transport))
    {
        if (config_->tls != Transport::handshakes)
            throw std::invalid_argument(config_->tls ? "weir: consul_options.url is https:// and needs a TLS transport"
                                                     : "weir: consul_options.url must be https:// for a TLS transport");
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// Registers, and keeps that true. Signature: void(boost::system::error_code, lease), as async_keep in keeper.hpp.
    template <class Token = default_token>
    auto async_register(registration r, Token&& token = Token())
    {
        asio::any_io_executor const strand = asio::make_strand(executor_);
        return async_keep(strand, session(strand, config_, duration::zero(), transport_), std::move(r),
                          config_->options.lease, std::forward<Token>(token));
    }

    /// Takes an instance out by its id. Signature: void(boost::system::error_code). No error if it was not there.
    template <class Token = default_token>
    auto async_deregister(std::string id, Token&& token = Token())
    {
        return once<>(
            [id](session& s) -> asio::awaitable<std::tuple<boost::system::error_code>> {
                auto const [ec, said] = co_await s.async_remove(id, asio::as_tuple(asio::use_awaitable));
                co_return std::tuple(ec);
            },
            std::forward<Token>(token));
    }

    /// One read. Signature: void(boost::system::error_code, std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token())
    {
        using found = std::shared_ptr<snapshot const>;
        return once<found>(
            [q, executor = executor_](session& s) -> asio::awaitable<std::tuple<boost::system::error_code, found>> {
                auto [ec, all] = co_await s.async_list(q, asio::as_tuple(asio::use_awaitable));
                if (ec) co_return std::tuple(ec, found());
                normalize(all.instances);
                co_return std::tuple(
                    ec, std::make_shared<snapshot const>(
                            snapshot{.version = 1,
                                     .revision = all.revision,
                                     .from = origin::live,
                                     .as_of = weir::now(executor),
                                     .instances = std::make_shared<snapshot::list const>(std::move(all.instances))}));
            },
            std::forward<Token>(token));
    }

    /// Follows a service. All watches of one query share one conversation, which ends with the last of them.
    [[nodiscard]] registry::watch watch(query const& q)
    {
        std::lock_guard const lock(watches_->mutex);
        std::erase_if(watches_->by_query, [](auto const& w) { return w.second.expired(); });
        auto& known = watches_->by_query[q];
        if (auto w = known.subscribe()) return std::move(*w);
        asio::any_io_executor const strand = asio::make_strand(executor_);
        watcher<session> fresh(strand, session(strand, config_, duration::zero(), transport_), q,
                               config_->options.watch);
        known = fresh.refer();
        return fresh.subscribe();
    }

private:
    // One question on a strand of its own. co_spawn brings a cancellation to the strand.
    template <class... Values, class Question, class Token>
    auto once(Question question, Token&& token)
    {
        using answer = std::tuple<boost::system::error_code, Values...>;
        return asio::async_compose<Token, void(boost::system::error_code, Values...)>(
            [config = config_, transport = transport_, executor = executor_, question, started = false](
                auto& self, std::exception_ptr e = {}, answer a = {}) mutable {
                if (!std::exchange(started, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    asio::any_io_executor const strand = asio::make_strand(executor);
                    auto work = ask(session(strand, config, config->options.timeout, transport), std::move(question));
                    return asio::co_spawn(strand, std::move(work), std::move(self));
                }
                // Cancelled before it began, or out of memory.
                if (e) std::get<0>(a) = asio::error::operation_aborted;
                std::apply([&](auto&... values) { self.complete(std::move(values)...); }, a);
            },
            token, executor_);
    }

    template <class Question>
    static auto ask(session s, Question question) -> decltype(question(s))
    {
        // Cancellation ends the question, and the answer that says so is to be delivered.
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_return co_await question(s);
    }

    struct watches {
        std::mutex mutex;
        std::map<query, typename watcher<session>::reference> by_query;
    };

    executor_type executor_;
    std::shared_ptr<detail::consul_config const> config_;
    Transport transport_;
    std::shared_ptr<watches> watches_ = std::make_shared<watches>();
};

using consul = basic_consul<>;

}  // namespace weir::registry
