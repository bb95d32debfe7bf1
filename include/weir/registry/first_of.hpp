// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/any_registry.hpp>
#include <weir/registry/detail/derived_watch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry {

/// Several registries in order of trust: each query is answered by the first that has an instance that serves.
///
///   weir::registry::first_of const registry(consul, file);
///
/// A source that once had instances and cannot be reached now keeps its last good set, and so its place; the next one
/// is used where it never answered, or has told, as often as its watcher wants to hear it, that there are none. At the
/// start the next one is not used before the first had 2 s to answer. Where nobody has any, the set is the first known.
/// Registrations are not taken: register with the source that is meant.
/// Throws:  std::invalid_argument, without sources.   Threads: any.
/// Seen in: tests/registry/first_of.cpp
class first_of {
public:
    using executor_type = asio::any_io_executor;
    using default_token = asio::default_completion_token_t<executor_type>;
    using found = any_registry::found;

    explicit first_of(std::vector<any_registry> sources) : sources_(std::move(sources))
    {
        if (sources_.empty()) throw std::invalid_argument("weir: first_of needs a registry");
    }
    first_of(any_registry a, any_registry b) : first_of(std::vector{std::move(a), std::move(b)}) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return sources_.front().get_executor(); }

    /// Asks one after the other, until one has an instance that serves. Signature: void(boost::system::error_code,
    /// std::shared_ptr<snapshot const>). An error: that of the first, when nobody answered.
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
        return std::make_shared<detail::derived_watch>(get_executor(), std::move(all), choose, detail::sum,
                                                       std::chrono::seconds(2))
            ->watch();
    }

private:
    [[nodiscard]] static std::optional<snapshot> choose(std::vector<found> const& all, bool late)
    {
        found known;
        for (auto const& s : all) {
            if (s && count_serving(*s->instances) != 0) return *s;
            if (!s && !late) return std::nullopt;
            if (!known) known = s;
        }
        return known ? std::optional(*known) : std::nullopt;
    }

    using answer = std::tuple<boost::system::error_code, found>;
    static asio::awaitable<answer> resolving(std::vector<any_registry> sources, query q)
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        answer best;
        for (auto const& s : sources) {
            auto [ec, now] = co_await s.async_resolve(q, asio::as_tuple(asio::use_awaitable));
            if (!ec && count_serving(*now->instances) != 0) co_return answer(ec, std::move(now));
            auto const& [failed, known] = best;
            if ((!failed && !known) || (failed && !ec)) best = answer(ec, std::move(now));
            auto const cancelled = co_await asio::this_coro::cancellation_state;
            if (cancelled.cancelled() != asio::cancellation_type::none) break;
        }
        co_return best;
    }

    std::vector<any_registry> sources_;
};

}  // namespace weir::registry
