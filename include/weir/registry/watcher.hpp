// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/bad_option.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/question.hpp>
#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch.hpp>
#include <weir/retry/backoff.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace weir::registry {

/// A complete answer of a registry.
struct listing {
    snapshot::list instances;  ///< in any order
    std::string revision;      ///< where to wait from; empty: the registry lost its history, read all again
    std::size_t skipped = 0;   ///< entries that were left out as malformed
    std::string note;          ///< with an error: what the registry said, for people
};

/// What a watcher needs of a registry. Both operations have the signature void(boost::system::error_code, listing), are
/// called one at a time, honour terminal cancellation, and give a whole answer or an error, never a part of one.
///
///   async_list(q, token)                    everything, now
///   async_await_change(q, revision, token)  everything, once it differs from `revision` or the registry's patience
///   ends
template <class B>
concept watch_backend = std::move_constructible<B> && requires(B& b, query const& q, std::string const& revision,
                                                               void (*f)(boost::system::error_code, listing)) {
    b.async_list(q, f);
    b.async_await_change(q, revision, f);
};

/// What to make of an answer without a single serving instance, after answers that had some.
enum class empty_answer : std::uint8_t {
    hold,    ///< believe it when a second answer, `hold` later, says the same
    accept,  ///< believe it at once
    never,   ///< keep the last good set for ever
};

struct watch_options {
    empty_answer on_empty = empty_answer::hold;

    /// How long a doubted answer is held back before the registry is asked again.
    duration hold = std::chrono::seconds(10);

    /// Share of the serving instances that one answer may take away without being doubted like an empty one, in [0, 1].
    /// 1: only emptiness is doubted.
    double max_loss = 0.5;

    /// Time limit of reading everything.
    duration list_timeout = std::chrono::seconds(5);

    /// Time limit of waiting for a change: longer than the registry itself waits, or every quiet wait is a failure.
    duration await_timeout = std::chrono::seconds(65);

    /// Pause before asking again after a failure.
    weir::backoff backoff =
        exponential(std::chrono::milliseconds(100), std::chrono::seconds(30)).with(jitter::decorrelated);

    /// A conversation that lasted this long starts the backoff afresh. Without it, a registry that answers once and
    /// fails is asked in a tight loop.
    duration settled = std::chrono::seconds(10);

    /// Shortest average pause between two questions, with two at once allowed: against registries that wake their
    /// watchers for nothing. 0: no limit.
    duration pace = std::chrono::seconds(1);
};

/// Keeps the instances of one query up to date, and never hurts who uses them:
///
///   - a failed, late or unreadable answer changes nothing: the last good set stays, marked stale;
///   - an answer that empties the set, or takes away more than `max_loss` of it, is applied only when a second answer
///     says so after `hold`. A failure in between starts over, and so does nothing short of a full recovery end it: a
///     registry that restarted and is being filled again is waited out;
///   - after a lost connection or history everything is read again and compared; the set is never cleared first;
///   - failures are retried with decorrelated backoff, every question has a time limit, and consumers get the newest
///   set.
///
/// It runs while it, or one of its watches, is alive.
/// Throws:  std::invalid_argument, naming the field of watch_options.
/// Threads: `subscribe`, `status`, `stop` any. The backend is used from one strand of `executor`.
/// Cost:    one coroutine; one allocation per instance and answer.
/// Seen in: examples/10_discover.cpp
template <class Backend>
class watcher {
    static_assert(watch_backend<Backend>, "a backend has async_list and async_await_change; see watcher.hpp");

public:
    using options = watch_options;

    watcher(asio::any_io_executor executor, Backend backend, query q, options o = {},
            random_engine random = random_engine{thread_random()()})
        : life_(std::make_shared<life>(
              std::make_shared<loop>(executor, std::move(backend), std::move(q), checked(std::move(o)), random)))
    {
        life_->work->start();
    }

    [[nodiscard]] watch subscribe() const { return {life_->work->executor(), life_->work->news(), life_}; }

    [[nodiscard]] watch_status status() const { return life_->work->news()->status(); }

    /// Ends the conversation now: watches get errc::stopped.
    void stop() { life_->work->stop(); }

    /// A way to share the conversation without keeping it alive.
    class reference;
    [[nodiscard]] reference refer() const;

private:
    [[nodiscard]] static options checked(options o);

    class loop;
    struct life {
        explicit life(std::shared_ptr<loop> w) : work(std::move(w)) {}
        life(life const&) = delete;
        ~life() { work->stop(); }
        std::shared_ptr<loop> work;
    };
    std::shared_ptr<life> life_;
};

// Bodies

template <class Backend>
class watcher<Backend>::reference {
public:
    reference() = default;
    explicit reference(std::shared_ptr<life> const& l) : life_(l) {}

    [[nodiscard]] bool expired() const noexcept { return life_.expired(); }

    /// One more watch, or nothing when all others are gone.
    [[nodiscard]] std::optional<watch> subscribe() const
    {
        auto const l = life_.lock();
        if (!l) return std::nullopt;
        return watch(l->work->executor(), l->work->news(), l);
    }

private:
    std::weak_ptr<life> life_;
};

template <class Backend>
auto watcher<Backend>::refer() const -> reference
{
    return reference(life_);
}

template <class Backend>
watch_options watcher<Backend>::checked(options o)
{
    using weir::detail::bad_option;
    if (o.hold < duration::zero()) bad_option("watch_options.hold", "at least 0 ms", o.hold);
    if (!(o.max_loss >= 0 && o.max_loss <= 1)) bad_option("watch_options.max_loss", "in [0, 1]", o.max_loss);
    if (o.list_timeout <= duration::zero()) bad_option("watch_options.list_timeout", "above 0 ms", o.list_timeout);
    if (o.await_timeout <= duration::zero()) bad_option("watch_options.await_timeout", "above 0 ms", o.await_timeout);
    if (o.backoff.max() <= duration::zero()) bad_option("watch_options.backoff", "above 0 ms", o.backoff.max());
    if (o.settled < duration::zero()) bad_option("watch_options.settled", "at least 0 ms", o.settled);
    if (o.pace < duration::zero()) bad_option("watch_options.pace", "at least 0 ms", o.pace);
    return o;
}

/// The conversation with the registry, in time order. Everything but `start`, `stop` and the readers runs on the
/// strand.
template <class Backend>
class watcher<Backend>::loop : public std::enable_shared_from_this<loop> {
public:
    loop(asio::any_io_executor executor, Backend backend, query q, options o, random_engine random)
        : executor_(executor),
          strand_(asio::make_strand(executor)),
          backend_(std::move(backend)),
          query_(std::move(q)),
          options_(std::move(o)),
          random_(random),
          pause_(strand_),
          question_(strand_)
    {
    }

    void start()
    {
        asio::co_spawn(strand_, run(this->shared_from_this()), [news = news_](std::exception_ptr) { news->stop(); });
    }

    void stop()
    {
        asio::post(strand_, [self = this->shared_from_this()] {
            self->stopped_ = true;
            self->pause_.cancel();
            self->question_.cancel();
        });
    }

    [[nodiscard]] asio::any_io_executor executor() const { return executor_; }
    [[nodiscard]] std::shared_ptr<detail::feed> const& news() const { return news_; }

private:
    using answer = detail::answer<listing>;

    static asio::awaitable<void> run(std::shared_ptr<loop> self)
    {
        unsigned failures = 0;
        duration pause{};
        while (!self->stopped_) {
            auto const began = self->pause_.now();
            co_await self->converse();
            if (self->stopped_) break;
            if (between(began, self->pause_.now()) > self->options_.settled) failures = 0, pause = {};
            pause = self->options_.backoff.delay(++failures, pause, self->random_);
            co_await self->sleep_until(later(self->pause_.now(), pause));
        }
    }

    // From a full read to the next failure.
    asio::awaitable<void> converse()
    {
        doubted_since_.reset();  // what was doubted before a failure is not confirmed by what comes after it
        std::string revision;    // empty: read everything
        for (bool first = true;; first = false) {
            co_await keep_pace();
            if (stopped_) co_return;

            bool const listing_all = revision.empty() || confirmation_due() <= pause_.now();
            answer a;
            if (listing_all)
                a = co_await ask(options_.list_timeout, true, revision);
            else
                a = co_await ask(std::min(options_.await_timeout, between(pause_.now(), confirmation_due())), false,
                                 revision);
            if (stopped_) co_return;
            if (a.late && !listing_all && confirmation_due() <= pause_.now()) continue;
            if (a.ec) {
                fail(a);
                co_return;
            }
            bool const resync = first ? bool(news_->latest().now) : revision.empty();
            revision = a.reply.revision;
            accept(std::move(a.reply), resync);
        }
    }

    asio::awaitable<answer> ask(duration limit, bool all, std::string revision)
    {
        auto const begin = [this, all, &revision](auto token) {
            return all ? backend_.async_list(query_, token) : backend_.async_await_change(query_, revision, token);
        };
        co_return co_await question_.template ask<listing>(limit, begin);
    }

    void fail(answer const& a)
    {
        news_->update_status([&](watch_status& s) {
            s.connected = false;
            ++s.failures;
            s.last_error = a.ec;
            s.note = a.reply.note;
        });
        distrust(cause::state);
    }

    void accept(listing all, bool resync)
    {
        auto const now = pause_.now();
        auto const known = news_->latest().now;
        normalize(all.instances);
        news_->update_status([&](watch_status& s) {
            s.connected = true;
            s.last_answer = now;
            ++s.answers;
            s.skipped = all.skipped;
            s.resyncs += resync ? 1 : 0;
        });
        if (known && doubtful(*known->instances, all.instances)) {
            if (!doubted_since_) {
                doubted_since_ = now;
                news_->update_status([](watch_status& s) { ++s.held; });
            }
            if (now < confirmation_due()) return distrust(cause::guarded);
        }
        doubted_since_.reset();
        bool const same = known && *known->instances == all.instances;
        if (same && known->from == origin::live) return news_->confirm(now, std::move(all.revision));
        snapshot s;
        s.revision = std::move(all.revision);
        s.as_of = now;
        s.instances = same ? known->instances : std::make_shared<snapshot::list const>(std::move(all.instances));
        news_->publish(std::move(s), !known   ? cause::first
                                     : same   ? cause::state
                                     : resync ? cause::resync
                                              : cause::change);
    }

    // The set stays, and says that it is not what the registry says now.
    void distrust(cause why)
    {
        auto const known = news_->latest().now;
        if (!known || known->from != origin::live) return;
        auto s = *known;
        s.version = 0;
        s.from = origin::stale;
        news_->publish(std::move(s), why);
    }

    // Is this answer a loss too large to believe at once? Remembers what kind it is.
    [[nodiscard]] bool doubtful(snapshot::list const& known, snapshot::list const& told)
    {
        auto const before = count_serving(known);
        auto const after = count_serving(told);
        empty_ = after == 0;
        if (after >= before) return false;
        if (empty_) return options_.on_empty != empty_answer::accept;
        if (doubted_since_) return true;  // a registry that is filling up again is not believed halfway
        // Of few, one is always a large share.
        return before - after > 1 &&
               static_cast<double>(before - after) > options_.max_loss * static_cast<double>(before);
    }

    // When a doubted answer is to be confirmed by asking for everything.
    [[nodiscard]] time_point confirmation_due() const
    {
        if (!doubted_since_ || (empty_ && options_.on_empty == empty_answer::never)) return never;
        return later(*doubted_since_, options_.hold);
    }

    // GCRA with a burst of two: `next_` is when the bucket would be full again.
    asio::awaitable<void> keep_pace()
    {
        auto const now = pause_.now();
        if (next_ < now) next_ = now;
        auto const at = next_ - options_.pace;
        next_ = later(next_, options_.pace);
        if (at > now) co_await sleep_until(at);
    }

    asio::awaitable<void> sleep_until(time_point t)
    {
        if (stopped_) co_return;
        co_await pause_.async_wait_until(t, asio::as_tuple(asio::use_awaitable));
    }

    asio::any_io_executor executor_;
    asio::strand<asio::any_io_executor> strand_;
    Backend backend_;
    query query_;
    options options_;
    random_engine random_;
    weir::timer pause_;
    detail::question question_;
    std::shared_ptr<detail::feed> news_ = std::make_shared<detail::feed>();
    std::optional<time_point> doubted_since_;
    time_point next_{};
    bool empty_ = false;
    bool stopped_ = false;
};

}  // namespace weir::registry
