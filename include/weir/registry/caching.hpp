// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/registry/detail/derived_watch.hpp>
#include <weir/registry/detail/snapshot_store.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::registry {

/// A registry whose last good sets are kept on disk, so that a process that starts while the registry is down has
/// somebody to call.
///
///   weir::registry::caching const registry("/var/cache/weir", weir::registry::open(io.get_executor(), url));
///
/// `watch` begins with the kept set, whose origin is `cached`, and goes on with what the registry says. Of weir's own
/// registry clients the first answer is compared with the kept set, and doubted like any other if it loses too much of
/// it: a registry that has just restarted empty empties nobody, see watcher.hpp. Sets are written when they are live
/// and not empty, whole or not at all, in the format of registry::file; a file that is not just as we write them is not
/// used. Registrations go to the registry.
/// Throws:  std::invalid_argument, for a directory that cannot be made, and naming an option that is out of range.
/// Threads: any. Reading and writing block the thread, as local files do: `watch` reads, the executor writes.
/// Seen in: tests/registry/caching.cpp
class caching {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using found = any_registry::found;
    using options = caching_options;

    caching(std::filesystem::path directory, any_registry source, options o = {})
        : source_(std::move(source)), store_(std::make_shared<detail::snapshot_store>(std::move(directory), o))
    {
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return source_.get_executor(); }
    [[nodiscard]] bool registers() const noexcept { return source_.registers(); }
    [[nodiscard]] caching_status status() const { return store_->status(); }

    template <class Token = default_token>
    auto async_register(registration r, Token&& token = Token()) const
    {
        return source_.async_register(std::move(r), std::forward<Token>(token));
    }
    template <class Token = default_token>
    auto async_deregister(registration r, Token&& token = Token()) const
    {
        return source_.async_deregister(std::move(r), std::forward<Token>(token));
    }
    template <class Token = default_token>
    auto async_deregister(std::string id, Token&& token = Token()) const
    {
        return source_.async_deregister(std::move(id), std::forward<Token>(token));
    }

    /// The registry's answer; where it has none the kept set, if there is one. Signature:
    /// void(boost::system::error_code, std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, found)>(
            [source = source_, store = store_](auto handler, query what) {
                source.async_resolve(
                    what, or_kept{store, source.get_executor(), what, {std::move(handler), source.get_executor()}});
            },
            token, std::move(q));
    }

    [[nodiscard]] registry::watch watch(query const& q) const
    {
        auto const kept = store_->read(get_executor(), q);
        auto const writer = std::make_shared<detail::snapshot_writer>(get_executor(), store_, q);
        auto const pass = [kept, writer](std::vector<found> const& all, bool) -> std::optional<snapshot> {
            auto const& now = all.front() ? all.front() : kept;
            if (!now) return std::nullopt;
            writer->offer(now);
            return *now;
        };
        return std::make_shared<detail::derived_watch>(get_executor(), std::vector{source_.watch(q, kept)}, pass,
                                                       detail::sum, duration::zero())
            ->watch();
    }

private:
    struct or_kept {
        std::shared_ptr<detail::snapshot_store> store;
        asio::any_io_executor executor;
        query q;
        weir::detail::erased_handler<found> done;

        using executor_type = asio::any_io_executor;
        using cancellation_slot_type = asio::cancellation_slot;
        [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept
        {
            return done.get_cancellation_slot();
        }
        void operator()(boost::system::error_code ec, found now)
        {
            if (ec && ec != asio::error::operation_aborted)
                if (auto kept = store->read(executor, q)) return done({}, std::move(kept));
            done(ec, std::move(now));
        }
    };

    any_registry source_;
    std::shared_ptr<detail::snapshot_store> store_;
};

}  // namespace weir::registry
