// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/source.hpp>
#include <weir/registry/detail/bell.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::config {

/// A document that the program itself sets: for tests, and for an administrator's page. Copies share the document.
///
///   weir::config::memory source;
///   weir::config::refresh refresh(executor, source, std::move(bound));
///   source.set(R"({"limits": {"checkout": {"rate": "200/s"}}})");
///
/// Threads: any.
class memory {
public:
    memory() : state_(std::make_shared<state>()) {}
    explicit memory(std::string bytes, format f = format::json) : memory() { set(std::move(bytes), f); }

    void set(std::string bytes, format f = format::json)
    {
        state_->change([&](loaded& l) {
            l.document.bytes = std::move(bytes);
            l.document.format = f;
            l.missing = false;
        });
    }

    /// From now on there is none.
    void remove()
    {
        state_->change([](loaded& l) { l = {.document = {}, .missing = true, .note = "the document was removed"}; });
    }

    class conversation;
    [[nodiscard]] conversation open(asio::any_io_executor strand) const;

private:
    struct listener {
        listener(asio::any_io_executor executor, std::shared_ptr<memory const> f)
            : from(std::move(f)), bell(std::move(executor))
        {
        }
        std::shared_ptr<memory const> from;
        registry::detail::bell bell;
    };

    struct state {
        template <class Change>
        void change(Change c)
        {
            std::vector<std::shared_ptr<listener>> awake;
            {
                std::lock_guard const lock(mutex);
                c(now);
                now.document.version = std::to_string(++changes);
                std::erase_if(listeners, [](auto const& weak) { return weak.expired(); });
                for (auto const& weak : listeners)
                    if (auto l = weak.lock()) awake.push_back(std::move(l));
            }
            for (auto const& l : awake) l->bell.ring();
        }

        std::mutex mutex;
        loaded now{.document = {.bytes = {}, .version = "0"}, .missing = true, .note = "no document was set"};
        std::uint64_t changes = 0;
        std::vector<std::weak_ptr<listener>> listeners;
    };

    std::shared_ptr<state> state_;
};

class memory::conversation {
public:
    conversation(memory const& m, asio::any_io_executor strand)
        : listener_(std::make_shared<listener>(std::move(strand), std::make_shared<memory const>(m)))
    {
        std::lock_guard const lock(m.state_->mutex);
        m.state_->listeners.push_back(listener_);
    }

    template <class Token>
    auto async_load(Token&& token)
    {
        return look(std::nullopt, std::forward<Token>(token));
    }

    template <class Token>
    auto async_await_change(std::string const& version, Token&& token)
    {
        return look(version, std::forward<Token>(token));
    }

private:
    template <class Token>
    auto look(std::optional<std::string> known, Token&& token)
    {
        using found = std::optional<std::tuple<boost::system::error_code, loaded>>;
        return registry::detail::async_listen<loaded>(
            listener_,
            [known = std::move(known)](listener& l) -> found {
                auto const& s = l.from->state_;
                std::lock_guard const lock(s->mutex);
                if (known && *known == s->now.document.version) return std::nullopt;
                return std::tuple(boost::system::error_code(), s->now);
            },
            std::forward<Token>(token));
    }

    std::shared_ptr<listener> listener_;
};

inline memory::conversation memory::open(asio::any_io_executor strand) const
{
    return conversation(*this, std::move(strand));
}

}  // namespace weir::config
