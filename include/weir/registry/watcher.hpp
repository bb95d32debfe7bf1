// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/random.hpp>
#include <weir/registry/detail/watch_loop.hpp>
#include <weir/registry/watch.hpp>
#include <weir/registry/watch_backend.hpp>
#include <weir/registry/watch_options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace weir::registry {

/// Keeps the instances of one query up to date, and never hurts who uses them:
///
///   - a failed, late or unreadable answer changes nothing: the last good set stays, marked stale;
///   - an answer that empties the set, or takes away more than `max_loss` of it, is applied only when another one says
///     so after `hold`, and all in between. A failure starts that over, and so does an answer that takes away less,
///     which is held, too: nothing short of a full recovery is believed at once, so that a registry that restarted and
///     is being filled again is waited out;
///   - after a lost connection or history everything is read again and compared; the set is never cleared first;
///   - failures are retried with decorrelated backoff, every question has a time limit, and consumers get the newest
///   set.
///
/// It runs while it, or one of its watches, is alive. Compiled once for all backends.
/// Throws:  std::invalid_argument, naming the field of watch_options.
/// Threads: `subscribe`, `status`, `stop` any. The backend is used from one strand of `executor`.
/// Cost:    one coroutine; one allocation per instance and answer.
/// Seen in: examples/10_discover.cpp
class watcher {
public:
    using options = watch_options;

    template <watch_backend Backend>
    watcher(asio::any_io_executor executor, Backend backend, query q, options o = {},
            random_engine random = random_engine{thread_random()()})
        : watcher(std::move(executor), std::make_unique<detail::watch_source_for<Backend>>(std::move(backend)),
                  std::move(q), std::move(o), random)
    {
    }

    /// For sources that are erased already. `seed`: what is known before the first answer, with origin::cached; the
    /// first answer is compared with it, and doubted if it loses too much of it.
    watcher(asio::any_io_executor executor, std::unique_ptr<detail::watch_source> source, query q, options o = {},
            random_engine random = random_engine{thread_random()()}, std::shared_ptr<snapshot const> const& seed = {})
    {
        o.check();
        auto work = std::make_shared<detail::watch_loop>(std::move(executor), std::move(source), std::move(q),
                                                         std::move(o), random);
        life_ = std::make_shared<life>(std::move(work));
        life_->work->start(seed);
    }

    [[nodiscard]] watch subscribe() const { return life_->subscribe(life_); }

    [[nodiscard]] watch_status status() const { return life_->work->news()->status(); }

    /// Ends the conversation now: watches get errc::stopped.
    void stop() { life_->work->stop(); }

    /// A way to share the conversation without keeping it alive.
    class reference;
    [[nodiscard]] reference refer() const;

private:
    struct life {
        explicit life(std::shared_ptr<detail::watch_loop> w) : work(std::move(w)) {}
        life(life const&) = delete;
        ~life() { detail::watch_loop::stop(std::move(work)); }

        [[nodiscard]] watch subscribe(std::shared_ptr<life> const& self) const
        {
            return {work->executor(), work->news(), self};
        }
        std::shared_ptr<detail::watch_loop> work;
    };
    std::shared_ptr<life> life_;
};

// Bodies

class watcher::reference {
public:
    reference() = default;
    explicit reference(std::shared_ptr<life> const& l) : life_(l) {}

    [[nodiscard]] bool expired() const noexcept { return life_.expired(); }

    /// One more watch, or nothing when all others are gone.
    [[nodiscard]] std::optional<watch> subscribe() const
    {
        auto const l = life_.lock();
        if (!l) return std::nullopt;
        return l->subscribe(l);
    }

private:
    std::weak_ptr<life> life_;
};

inline watcher::reference watcher::refer() const { return reference(life_); }

}  // namespace weir::registry
