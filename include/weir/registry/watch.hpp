// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/bell.hpp>
#include <weir/registry/snapshot.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::registry {

/// How a watch is doing: for metrics, logs and dashboards. Counters run from the start of the watch.
struct watch_status {
    bool connected = false;        ///< the last question was answered
    time_point last_answer{};      ///< when the registry last answered well: `now - last_answer` is the age of the set
    std::uint64_t answers = 0;     ///< good answers
    std::uint64_t failures = 0;    ///< questions that failed
    std::uint64_t resyncs = 0;     ///< times everything was read again
    std::uint64_t held = 0;        ///< losses that were not believed at once
    std::uint64_t skipped = 0;     ///< entries of the last answer that were left out as malformed
    std::error_code last_error{};  ///< of the last failure
    std::string note{};            ///< what the registry said with it, for people
    std::string remark{};          ///< and with its last good answer: entries skipped, or that it is degraded
    std::string server{};          ///< which of several servers was asked last, host:port
    std::uint64_t rotations = 0;   ///< times another server was asked than before

    /// How old the set is at `now`: since the registry last answered well; `never` before the first answer.
    [[nodiscard]] duration age(time_point now) const noexcept
    {
        return answers == 0 ? never.time_since_epoch() : between(last_answer, now);
    }
};

namespace detail {

/// Where a watch's news come from: the newest snapshot, and who waits for a newer one. Publishing never waits for a
/// consumer, and a slow consumer finds the newest, not a queue. Threads: any.
class feed {
public:
    /// One consumer.
    struct reader {
        explicit reader(asio::any_io_executor executor, std::shared_ptr<feed> f)
            : source(std::move(f)), bell(std::move(executor))
        {
        }
        std::shared_ptr<feed> source;
        std::shared_ptr<snapshot const> seen;  // what was delivered last; only the consumer touches it
        detail::bell bell;
    };

    struct news {
        std::shared_ptr<snapshot const> now;
        cause why = cause::first;
        bool stopped = false;
    };

    [[nodiscard]] news latest() const
    {
        std::lock_guard const lock(mutex_);
        return news_;
    }

    void add(std::shared_ptr<reader> const& r)
    {
        std::lock_guard const lock(mutex_);
        std::erase_if(readers_, [](auto const& weak) { return weak.expired(); });
        readers_.push_back(r);
    }

    /// Makes `s` the newest. Its version is set here when it has none, and must otherwise be newer to be taken: so
    /// publishers that race cannot put the older state last.
    void publish(snapshot s, cause why)
    {
        {
            std::lock_guard const lock(mutex_);
            auto const before = news_.now ? news_.now->version : 0;
            if (s.version == 0) s.version = before + 1;
            if (s.version <= before) return;
            news_ = {std::make_shared<snapshot const>(std::move(s)), why, news_.stopped};
        }
        ring();
    }

    /// The registry confirmed what is known: only its age changes, and nobody is woken.
    void confirm(time_point as_of, std::string revision)
    {
        std::lock_guard const lock(mutex_);
        if (!news_.now) return;
        auto s = *news_.now;
        s.as_of = as_of;
        s.revision = std::move(revision);
        news_.now = std::make_shared<snapshot const>(std::move(s));
    }

    /// No more news: those who wait, and who ask later, are told errc::stopped once they have seen the last.
    void stop()
    {
        {
            std::lock_guard const lock(mutex_);
            news_.stopped = true;
        }
        ring();
    }

    [[nodiscard]] watch_status status() const
    {
        if (elsewhere_)
            if (auto s = elsewhere_()) return *s;
        std::lock_guard const lock(mutex_);
        return status_;
    }

    /// Where the status is asked, by any thread, if it is not kept here. To be called before anybody asks.
    void status_from(std::function<std::optional<watch_status>()> f) { elsewhere_ = std::move(f); }

    template <class Change>
    void update_status(Change change)
    {
        std::lock_guard const lock(mutex_);
        change(status_);
    }

private:
    void ring()
    {
        std::vector<std::shared_ptr<reader>> awake;
        {
            std::lock_guard const lock(mutex_);
            for (auto const& weak : readers_)
                if (auto r = weak.lock()) awake.push_back(std::move(r));
        }
        for (auto const& r : awake) r->bell.ring();
    }

    mutable std::mutex mutex_;
    news news_;
    watch_status status_;
    std::function<std::optional<watch_status>()> elsewhere_;
    std::vector<std::weak_ptr<reader>> readers_;
};

}  // namespace detail

/// A consumer's view of the instances of one query: the last known good set, and a stream of what becomes of it.
/// Destroying the last watch of a query ends the conversation with the registry.
///
///   auto watch = registry.watch({.service = "inventory"});
///   for (;;) {
///       auto news = co_await watch.async_next(asio::use_awaitable);
///       endpoints.update(weir::registry::to_endpoints(*news.now));
///   }
///
/// `async_next`: the first call delivers the set as soon as there is one, each later one what is different from the
/// delivery before. Whoever is slow gets the newest set, never a queue.
/// Signature:    void(boost::system::error_code, update). errc::stopped: the source ended.
/// Cancellation: all types; what was not delivered is delivered by the next call, so nothing is lost.
/// Threads:      `current` and `status` any; `async_next` one at a time.
/// Lifetimes:    destroying or moving from the watch ends its pending `async_next` with operation_aborted.
/// Seen in:      examples/10_discover.cpp
class watch {
public:
    using executor_type = asio::any_io_executor;

    /// For sources of watches: consumers get theirs from a registry. `keep` lives as long as the watch.
    watch(executor_type executor, std::shared_ptr<detail::feed> source, std::shared_ptr<void> keep)
        : keep_(std::move(keep)),
          reader_(std::make_shared<detail::feed::reader>(std::move(executor), std::move(source)))
    {
        reader_->source->add(reader_);
    }
    [[nodiscard]] executor_type get_executor() const noexcept { return reader_->bell.get_executor(); }

    /// The newest set; null before the first.
    [[nodiscard]] std::shared_ptr<snapshot const> current() const { return reader_->source->latest().now; }

    [[nodiscard]] watch_status status() const { return reader_->source->status(); }

    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_next(Token&& token = Token())
    {
        return detail::async_listen<update>(reader_, &watch::look, std::forward<Token>(token));
    }

    /// Counts the newest set as delivered: the next `async_next` waits for another one.
    void skip_current() { reader_->seen = current(); }

private:
    using reader = detail::feed::reader;

    [[nodiscard]] static std::optional<std::tuple<boost::system::error_code, update>> look(reader& r)
    {
        static snapshot::list const none;
        auto const news = r.source->latest();
        if (!news.now || (r.seen && news.now->version == r.seen->version)) {
            if (news.stopped) return std::tuple(boost::system::error_code(make_error_code(errc::stopped)), update{});
            return std::nullopt;
        }
        auto const before = std::exchange(r.seen, news.now);
        update u{news.now, difference(before ? *before->instances : none, *news.now->instances), news.why};
        if (!before)
            u.why = cause::first;
        else if (u.why == cause::state && !u.diff.empty())
            u.why = cause::change;  // an older piece of news, never delivered, is in it
        return std::tuple(boost::system::error_code(), std::move(u));
    }

    std::shared_ptr<void> keep_;  // outlives the reader
    std::shared_ptr<reader> reader_;
};

}  // namespace weir::registry
