// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace weir::registry {

/// Anything that takes a new list of endpoints: weir::endpoint_set.
template <class S>
concept endpoint_sink = requires(S& s, snapshot const& now) { s.update(to_endpoints(now)); };

/// Keeps a set of endpoints equal to what a watch says, until destroyed. What is stale still serves: the set changes
/// only when the instances do.
///
///   auto const following = weir::registry::follow(registry.watch({"inventory"}), endpoints);
///
/// Threads:   any; the set is updated on the watch's executor, and not after the destructor has returned: it waits for
///            an update that another thread is at.
/// Lifetimes: the set outlives this object. Its `update` may destroy this object.
/// Seen in:   examples/10_discover.cpp
class [[nodiscard]] following {
public:
    following(following&&) noexcept = default;
    following& operator=(following&&) = delete;
    ~following()
    {
        if (state_) state_->end();
    }

    /// The set's source, to look at its age and health.
    [[nodiscard]] watch const& source() const noexcept { return state_->source; }

private:
    struct state {
        explicit state(watch w) : source(std::move(w)) {}
        virtual ~state() = default;
        virtual void apply(snapshot const& now) = 0;

        void end()
        {
            std::lock_guard const lock(mutex);
            ended = true;
        }

        watch source;
        std::recursive_mutex mutex;  // an update may end what it is part of
        bool ended = false;
    };

    template <endpoint_sink Set>
    struct state_for final : state {
        state_for(watch w, Set& s) : state(std::move(w)), set(s) {}
        void apply(snapshot const& now) override { set.update(to_endpoints(now)); }
        Set& set;
    };

    // The pending wait holds the state weakly: with the last `following` gone the watch goes, and ends the wait.
    static void next(std::weak_ptr<state> weak, watch& source)
    {
        source.async_next([weak = std::move(weak)](boost::system::error_code ec, update const& u) {
            auto const self = weak.lock();
            if (ec || !self) return;
            {
                // Held while the set is updated, so that the destructor can promise that nothing comes after it.
                std::lock_guard const lock(self->mutex);
                if (self->ended) return;
                if (!u.diff.empty() || u.why == cause::first) self->apply(*u.now);
                if (self->ended) return;
            }
            next(self, self->source);
        });
    }

    template <endpoint_sink Set>
    friend following follow(watch w, Set& set);

    explicit following(std::shared_ptr<state> s) : state_(std::move(s)) { next(state_, state_->source); }

    std::shared_ptr<state> state_;
};

/// Starts following; the set is filled as soon as the watch has something.
template <endpoint_sink Set>
following follow(watch w, Set& set)
{
    return following(std::make_shared<following::state_for<Set>>(std::move(w), set));
}

}  // namespace weir::registry
