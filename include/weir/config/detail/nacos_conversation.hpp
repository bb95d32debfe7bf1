// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/detail/nacos_config_document.hpp>
#include <weir/config/source.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/nacos_wire.hpp>
#include <weir/registry/detail/retry_after.hpp>
#include <weir/registry/detail/spawned.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace weir::config::detail {

/// A conversation with Nacos about one configuration, over the same wire as the registry's: what it knows of the
/// interface and of the token it shares with all conversations of its source. Between two reads it waits at a v1
/// server; with v3, which tells of no change, it waits for `poll` and up to a tenth more, so that a fleet does not ask
/// in step.
class nacos_conversation {
    using answer = registry::detail::spawned_answer<loaded>;
    using config_pointer = std::shared_ptr<registry::detail::nacos_config>;

public:
    nacos_conversation(asio::any_io_executor const& strand, config_pointer c, nacos_key key, duration hold)
        : state_(std::make_shared<state>(strand, std::move(c), std::move(key), hold)), strand_(strand)
    {
    }

    void async_load(loaded_handler done)
    {
        registry::detail::spawn_for<loaded>(strand_, load(state_), std::move(done));
    }
    void async_await_change(std::string const& version, loaded_handler done)
    {
        registry::detail::spawn_for<loaded>(strand_, await_change(state_, version), std::move(done));
    }
    /// Longer than the longest quiet await: `poll` and a tenth, or what a server holds a question, and a read.
    [[nodiscard]] duration await_timeout() const
    {
        auto const& o = state_->config->options;
        return std::max(o.poll + o.poll / 10, state_->held_limit()) + o.timeout;
    }

private:
    struct state {
        state(asio::any_io_executor const& strand, config_pointer c, nacos_key k, duration h)
            : config(std::move(c)),
              key(std::move(k)),
              hold(h),
              wire(strand, config, duration::zero()),
              held(strand, config, held_limit()),
              nap(strand)
        {
        }

        [[nodiscard]] duration held_limit() const { return hold + config->options.timeout; }

        config_pointer config;
        nacos_key key;
        duration hold;
        registry::detail::nacos_wire wire, held;
        weir::timer nap;
    };
    using state_pointer = std::shared_ptr<state>;

    static asio::awaitable<answer> load(state_pointer s)
    {
        registry::detail::nacos_question const question = [&](nacos_api api) {
            return nacos_config_question(api, s->key);
        };
        auto const said = co_await s->wire.ask(question);
        co_return tell(*s, said);
    }

    static asio::awaitable<answer> await_change(state_pointer s, std::string version)
    {
        if (s->config->api() == nacos_api::v1) {
            // Should the server have v1 no more, it is read in v3's words at once.
            registry::detail::nacos_question const question = [&](nacos_api api) {
                return api == nacos_api::v1 ? nacos_config_listening(s->key, version, s->hold)
                                            : nacos_config_question(api, s->key);
            };
            auto const said = co_await s->held.ask(question);
            if (said.ec || said.api == nacos_api::v3) co_return tell(*s, said);
            // Of a held question only the end is of interest: what it says is read, and that is the whole.
            if (said.answer.result() != http::status::ok) {
                loaded l;
                auto const ec = refused(said.answer, l);
                co_return answer(ec, std::move(l));
            }
        } else {
            auto const pause = registry::detail::and_a_tenth(s->config->options.poll, thread_random());
            constexpr auto token = asio::as_tuple(asio::use_awaitable);
            auto const [ended] = co_await s->nap.async_wait_for(pause, token);
            if (ended) co_return answer(ended, loaded());
        }
        co_return co_await load(s);
    }

    [[nodiscard]] static answer tell(state const& s, registry::detail::nacos_said const& said)
    {
        loaded l;
        l.note = said.note;
        if (said.ec) return {said.ec, std::move(l)};
        auto const ec = read_nacos_config(said.api, said.answer, s.key, l);
        if (!ec) s.config->learn(said.api);
        return {ec, std::move(l)};
    }

    state_pointer state_;
    asio::any_io_executor strand_;
};

}  // namespace weir::config::detail
