// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/registry/watcher.hpp>

#include <boost/asio/compose.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

/// A registry for tests in virtual time: what it knows, and how it misbehaves, are set from outside. Copies share it.
class fake_registry {
public:
    struct state {
        explicit state(asio::any_io_executor e) : executor(std::move(e)), bell(executor) {}

        asio::any_io_executor executor;
        weir::timer bell;  // cancelled on every change
        registry::snapshot::list truth;
        std::uint64_t index = 1;
        std::optional<boost::system::error_code> broken;  // every question fails with it
        bool silent = false;                              // questions are not answered
        bool forgets = false;                             // answers carry no revision
        duration latency = std::chrono::milliseconds(1);
        duration patience = std::chrono::seconds(55);
        std::vector<time_point> lists, awaits;
        std::vector<std::string> awaited;  // the revisions waited from
        int asking = 0, most_asking = 0, cancelled = 0;
        std::size_t skipped = 0;
        duration wish{};  // not to be asked for so long
        struct reply {
            time_point at;
            bool ok;
            std::size_t serving;
        };
        std::vector<reply> replies;
    };

    explicit fake_registry(asio::any_io_executor e) : state_(std::make_shared<state>(std::move(e))) {}

    state* operator->() const { return state_.get(); }

    /// Passing instances with these ids.
    void knows(std::vector<std::string> const& ids) const
    {
        state_->truth.clear();
        for (auto const& id : ids)
            state_->truth.push_back(
                {.address = {.id = id, .host = "10.0.0.1", .port = 80}, .service = "web", .tags = {}});
        changed();
    }

    void changed() const
    {
        ++state_->index;
        state_->bell.cancel();
    }

    /// Pending questions end with `ec`, and so do all later ones until `heal`.
    void fail(boost::system::error_code ec) const
    {
        state_->broken = ec;
        state_->bell.cancel();
    }
    void heal() const { state_->broken.reset(); }

    [[nodiscard]] duration retry_after() const { return state_->wish; }

    template <class Token>
    auto async_list(registry::query const&, Token&& token) const
    {
        state_->lists.push_back(state_->bell.now());
        return start(state_->bell.now(), {}, std::forward<Token>(token));
    }

    template <class Token>
    auto async_await_change(registry::query const&, std::string const& revision, Token&& token) const
    {
        state_->awaits.push_back(state_->bell.now());
        state_->awaited.push_back(revision);
        return start(later(state_->bell.now(), state_->patience), revision, std::forward<Token>(token));
    }

private:
    template <class Token>
    auto start(time_point patience_ends, std::string from, Token&& token) const
    {
        enum class step { begin, waiting, answering };
        return asio::async_compose<Token, void(boost::system::error_code, registry::listing)>(
            [s = state_, patience_ends, from, at = step::begin](auto& self, boost::system::error_code = {}) mutable {
                auto const cancelled = self.get_cancellation_state().cancelled() != asio::cancellation_type::none;
                auto const keep = s;
                switch (at) {
                    case step::begin:
                        self.reset_cancellation_state(asio::enable_terminal_cancellation());
                        s->most_asking = std::max(s->most_asking, ++s->asking);
                        at = step::waiting;
                        [[fallthrough]];
                    case step::waiting:
                        if (!cancelled && (s->silent || (!s->broken && from == std::to_string(s->index) &&
                                                         s->bell.now() < patience_ends)))
                            return keep->bell.async_wait_until(s->silent ? never : patience_ends, std::move(self));
                        at = step::answering;
                        return keep->bell.async_wait_for(s->latency, std::move(self));
                    case step::answering: break;
                }
                --s->asking;
                registry::listing l;
                boost::system::error_code ec;
                if (cancelled) {
                    ++s->cancelled;
                    ec = asio::error::operation_aborted;
                } else if (s->broken) {
                    ec = *s->broken;
                    l.note = "broken";
                } else {
                    l.instances = s->truth;
                    l.revision = s->forgets ? "" : std::to_string(s->index);
                    l.skipped = s->skipped;
                }
                if (!cancelled) s->replies.push_back({s->bell.now(), !ec, registry::count_serving(l.instances)});
                self.complete(ec, std::move(l));
            },
            token, state_->bell);
    }

    std::shared_ptr<state> state_;
};

}  // namespace weir::testing
