// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/answer.hpp>
#include <weir/registry/detail/memory_table.hpp>
#include <weir/registry/keeper.hpp>
#include <weir/registry/watch.hpp>
#include <weir/registry/watcher.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/compose.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

namespace weir::registry {

struct memory_options {
    std::size_t max_instances = 100'000;  ///< a registration beyond is refused; at least 1
    lease_options lease = {};             ///< for what is registered by async_register

    /// Throws: std::invalid_argument, naming the first field that is out of range.
    void check() const
    {
        if (max_instances == 0) weir::detail::bad_option("memory_options.max_instances", "at least 1", max_instances);
        lease.check();
    }
};

/// A registry inside this process, with the manners of a real one: instances that are not heard of for their TTL turn
/// critical, and are removed later. For tests, for one-process programs, and as the table behind a registry server:
/// `add`, `beat`, `remove` and `async_await_change` are what such a server's handlers call.
///
/// What it says is the truth, so its watches believe it at once. To watch it from afar, use a watcher over a backend
/// that asks its server.
/// Throws:    std::invalid_argument, naming the field, for options out of range and a registration that is none.
/// Threads:   any.
/// Cost:      a short lock; a change costs each watch of that service a copy of its instances.
/// Lifetimes: destroying it ends its watches with errc::stopped.
/// Seen in:   examples/10_discover.cpp
class memory {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using options = memory_options;

    explicit memory(executor_type executor, options o = {})
        : table_((o.check(), std::make_shared<table>(std::move(executor), o.max_instances))), lease_(o.lease)
    {
    }
    memory(memory&&) noexcept = default;
    ~memory()
    {
        if (table_) table_->close();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return table_->executor(); }

    /// Adds or replaces an instance. Not heard of yet, it starts as passing. False: the table is full.
    bool add(registration r) const { return table_->add(std::move(r)); }

    /// The instance is alive, and in this state. False: it is not known, register it.
    bool beat(std::string_view id, health state = health::passing) const { return table_->beat(id, state); }

    /// False: it was not known.
    bool remove(std::string_view id) const { return table_->remove(id); }

    /// What is known now.
    [[nodiscard]] std::shared_ptr<snapshot const> list(query const& q) const { return table_->list(q); }

    /// A stream of changes, starting with what is known now.
    [[nodiscard]] registry::watch watch(query const& q) const
    {
        return {table_->executor(), table_->subscribe(q), nullptr};
    }

    /// Signature: void(boost::system::error_code, std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token()) const
    {
        return detail::async_answer<std::shared_ptr<snapshot const>>(
            table_->executor(), [t = table_, q] { return std::tuple(boost::system::error_code(), t->list(q)); },
            std::forward<Token>(token));
    }

    /// Registers, and keeps that true: see keeper.hpp. Signature: void(boost::system::error_code, lease).
    template <class Token = default_token>
    auto async_register(registration r, Token&& token = Token()) const
    {
        return async_keep(table_->executor(), own{table_}, std::move(r), lease_, std::forward<Token>(token));
    }

    /// Signature: void(boost::system::error_code). No error if it was not known.
    template <class Token = default_token>
    auto async_deregister(std::string id, Token&& token = Token()) const
    {
        return detail::async_answer<>(
            table_->executor(), [t = table_, id] { return t->remove(id), std::tuple(boost::system::error_code()); },
            std::forward<Token>(token));
    }

    /// Everything, now, in the words of a watch_backend. Signature: void(boost::system::error_code, listing).
    template <class Token = default_token>
    auto async_list(query const& q, Token&& token = Token()) const
    {
        return detail::async_answer<listing>(
            table_->executor(),
            [t = table_, q] { return std::tuple(boost::system::error_code(), as_listing(*t->list(q))); },
            std::forward<Token>(token));
    }

    /// Everything, once it is different from `revision`: what a blocking query answers. It waits until cancelled.
    /// Signature: void(boost::system::error_code, listing).   Cancellation: all types.
    template <class Token = default_token>
    auto async_await_change(query const& q, std::string const& revision, Token&& token = Token()) const
    {
        auto const w = std::make_shared<registry::watch>(watch(q));
        if (w->current()->revision == revision) w->skip_current();
        return asio::async_compose<Token, void(boost::system::error_code, listing)>(
            [w, started = false](auto& self, boost::system::error_code ec = {}, update const& u = {}) mutable {
                auto const keep = w;
                if (!std::exchange(started, true)) {
                    self.reset_cancellation_state(asio::enable_total_cancellation());
                    return keep->async_next(std::move(self));
                }
                self.complete(ec, u.now ? as_listing(*u.now) : listing{});
            },
            token, table_->executor());
    }

private:
    [[nodiscard]] static listing as_listing(snapshot const& s) { return {*s.instances, s.revision, 0, {}, {}}; }

    using table = detail::memory_table;

    // Keeps registrations of this process true, as for any registry.
    struct own {
        std::shared_ptr<table> t;

        template <class Find>
        void answer(Find find, reply_handler&& done)
        {
            detail::async_answer<reply>(t->executor(), std::move(find), std::move(done));
        }
        void async_put(registration const& r, reply_handler done)
        {
            answer(
                [t = t, r] {
                    auto const ec = t->add(r) ? std::error_code() : make_error_code(errc::registry_refused);
                    return std::tuple(boost::system::error_code(ec), reply{true, ec ? "the registry is full" : ""});
                },
                std::move(done));
        }
        void async_beat(registration const& r, health h, reply_handler done)
        {
            answer(
                [t = t, id = r.id, h] {
                    return std::tuple(boost::system::error_code(), reply{t->beat(id, h), {}});
                },
                std::move(done));
        }
        void async_remove(registration const& r, reply_handler done)
        {
            answer(
                [t = t, id = r.id] {
                    return std::tuple(boost::system::error_code(), reply{t->remove(id), {}});
                },
                std::move(done));
        }
    };

    std::shared_ptr<table> table_;
    lease_options lease_;
};

}  // namespace weir::registry
