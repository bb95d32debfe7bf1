// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/registry/detail/derived_watch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry {

/// Several registries as one: each query is answered by the instances of all, for a service that moves from one to
/// another or lives in two data centres.
///
///   weir::registry::merge const registry(old_consul, new_etcd);
///
/// Of instances with one id the one of the earlier source counts. The set is live when all its parts are; a source that
/// has not answered within 2 s of the start is left out until it does, and the set is stale until then.
/// Registrations are not taken: register with the source that is meant.
/// Throws:  std::invalid_argument, without sources.   Threads: any.
/// Seen in: tests/registry/merge.cpp
class merge {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using found = any_registry::found;

    explicit merge(std::vector<any_registry> sources) : sources_(std::move(sources))
    {
        if (sources_.empty()) throw std::invalid_argument("weir: merge needs a registry");
    }
    merge(any_registry a, any_registry b) : merge(std::vector{std::move(a), std::move(b)}) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return sources_.front().get_executor(); }

    /// Asks all; an error of one is the answer, for half of a set is none. Signature: void(boost::system::error_code,
    /// std::shared_ptr<snapshot const>).
    template <class Token = default_token>
    auto async_resolve(query q, Token&& token = Token()) const
    {
        return asio::async_initiate<Token, void(boost::system::error_code, found)>(
            [sources = sources_](auto handler, query what) {
                auto const executor = sources.front().get_executor();
                asio::co_spawn(executor, resolving(sources, std::move(what)),
                               detail::coroutine_end<found>{{std::move(handler), executor}});
            },
            token, std::move(q));
    }

    [[nodiscard]] registry::watch watch(query const& q) const
    {
        std::vector<registry::watch> all;
        for (auto const& s : sources_) all.push_back(s.watch(q));
        return std::make_shared<detail::derived_watch>(get_executor(), std::move(all), unite, detail::sum,
                                                       std::chrono::seconds(2))
            ->watch();
    }

private:
    [[nodiscard]] static std::optional<snapshot> unite(std::vector<found> const& all, bool late)
    {
        std::optional<snapshot> out;
        bool complete = true;
        snapshot::list united;
        for (auto const& s : all) {
            if (!s) {
                if (!late) return std::nullopt;
                complete = false;
                continue;
            }
            if (!out) {
                out = *s;
                united = *s->instances;
                continue;
            }
            snapshot::list both;
            both.reserve(united.size() + s->instances->size());
            // Of equals the first range's come.
            std::set_union(united.begin(), united.end(), s->instances->begin(), s->instances->end(),
                           std::back_inserter(both),
                           [](instance const& a, instance const& b) { return a.id() < b.id(); });
            united = std::move(both);
            out->revision += "|" + s->revision;
            out->as_of = std::min(out->as_of, s->as_of);
            out->from = std::max(out->from, s->from);
        }
        if (!out) return out;
        if (!complete) out->from = origin::stale;
        out->instances = std::make_shared<snapshot::list const>(std::move(united));
        return out;
    }

    using answer = std::tuple<boost::system::error_code, found>;
    static asio::awaitable<answer> resolving(std::vector<any_registry> sources, query q)
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        std::vector<found> all;
        for (auto const& s : sources) {
            auto [ec, now] = co_await s.async_resolve(q, asio::as_tuple(asio::use_awaitable));
            if (ec) co_return answer(ec, nullptr);
            all.push_back(std::move(now));
        }
        co_return answer(boost::system::error_code(), std::make_shared<snapshot const>(*unite(all, false)));
    }

    std::vector<any_registry> sources_;
};

}  // namespace weir::registry
