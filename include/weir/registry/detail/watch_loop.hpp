// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/random.hpp>
#include <weir/registry/detail/question.hpp>
#include <weir/registry/detail/retry_after.hpp>
#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch.hpp>
#include <weir/registry/watch_backend.hpp>
#include <weir/registry/watch_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::registry::detail {

/// The conversation with the registry, in time order. Everything but `start`, `stop` and the readers runs on the
/// strand.
class watch_loop : public std::enable_shared_from_this<watch_loop> {
public:
    watch_loop(asio::any_io_executor executor, std::unique_ptr<watch_source> source, query q, watch_options o,
               random_engine random)
        : executor_(executor),
          strand_(asio::make_strand(executor)),
          source_(std::move(source)),
          query_(std::move(q)),
          options_(std::move(o)),
          random_(random),
          pause_(strand_),
          question_(strand_)
    {
    }

    /// `seed`: what was known before the registry is asked, from a store. It is doubted to lose it, as of any set.
    void start(std::shared_ptr<snapshot const> const& seed)
    {
        if (seed) {
            auto s = *seed;
            s.version = 0;
            s.from = origin::cached;
            news_->publish(std::move(s), cause::first);
        }
        asio::co_spawn(strand_, run(shared_from_this()), [news = news_](std::exception_ptr) { news->stop(); });
    }

    void stop() { stop(shared_from_this()); }

    /// Whoever holds it last stops it so, and it goes where its conversation is held: on its strand.
    static void stop(std::shared_ptr<watch_loop> self)
    {
        auto const strand = self->strand_;
        asio::post(strand, [self = std::move(self)] {
            self->stopped_ = true;
            self->pause_.cancel();
            self->question_.cancel();
        });
    }

    [[nodiscard]] asio::any_io_executor executor() const { return executor_; }
    [[nodiscard]] std::shared_ptr<feed> const& news() const { return news_; }

private:
    using answer = detail::answer<listing>;

    static asio::awaitable<void> run(std::shared_ptr<watch_loop> self)
    {
        unsigned failures = 0;
        duration pause{};
        while (!self->stopped_) {
            auto const began = self->pause_.now();
            co_await self->converse();
            if (self->stopped_) break;
            if (between(began, self->pause_.now()) > self->options_.settled) failures = 0, pause = {};
            pause = self->options_.backoff.delay(++failures, pause, self->random_);
            auto const wish = std::min(self->source_->retry_after(), self->options_.max_retry_after);
            auto const asked_for = and_a_tenth(wish, self->random_);
            co_await self->sleep_until(later(self->pause_.now(), std::max(pause, asked_for)));
        }
    }

    // From a full read to the next failure.
    asio::awaitable<void> converse()
    {
        doubt_no_more();       // what was doubted before a failure is not confirmed by what comes after it
        std::string revision;  // empty: read everything
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
            note_server(a.reply.server);
            if (a.late && !listing_all && confirmation_due() <= pause_.now()) continue;
            if (a.ec) {
                fail(a);
                co_return;
            }
            auto const known = news_->latest().now;
            bool const resync = first ? known && known->from != origin::cached : revision.empty();
            revision = a.reply.revision;
            auto const came = pause_.now();
            accept(std::move(a.reply), resync);
            // At most half of the time goes into digesting, however fast the changes come and however many there are.
            rest_until_ = later(pause_.now(), between(came, pause_.now()));
        }
    }

    asio::awaitable<answer> ask(duration limit, bool all, std::string revision)
    {
        co_return co_await question_.ask<listing>(limit, [this, all, &revision](listing_handler done) {
            if (all)
                source_->list(query_, std::move(done));
            else
                source_->await_change(query_, revision, std::move(done));
        });
    }

    void note_server(std::string const& server)
    {
        if (server.empty()) return;
        news_->update_status([&](watch_status& s) {
            if (s.server == server) return;
            s.rotations += s.server.empty() ? 0 : 1;
            s.server = server;
        });
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
            s.remark = all.note;
            s.resyncs += resync ? 1 : 0;
        });
        if (known && doubtful(*known->instances, all.instances)) {
            if (!doubted_since_) {
                doubted_since_ = now;
                news_->update_status([](watch_status& s) { ++s.held; });
            }
            if (!large_)
                lost_since_.reset();
            else if (!lost_since_)
                lost_since_ = now;
            if (now < confirmation_due()) return distrust(cause::guarded);
        }
        doubt_no_more();
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
        if (after >= before || (empty_ && options_.on_empty == empty_answer::accept)) return false;
        // Of few, one is always a large share.
        large_ = empty_ || (before - after > 1 &&
                            static_cast<double>(before - after) > options_.max_loss * static_cast<double>(before));
        return large_ || doubted_since_;  // a registry that is filling up again is not believed halfway
    }
    void doubt_no_more() noexcept
    {
        doubted_since_.reset();
        lost_since_.reset();
    }

    // When a doubted answer is to be confirmed by asking for everything.
    [[nodiscard]] time_point confirmation_due() const
    {
        if (!doubted_since_ || (empty_ && options_.on_empty == empty_answer::never)) return never;
        return later(lost_since_.value_or(*doubted_since_), options_.hold);
    }

    // GCRA with a burst of two: `next_` is when the bucket would be full again.
    asio::awaitable<void> keep_pace()
    {
        auto const now = pause_.now();
        if (next_ < now) next_ = now;
        auto const at = std::max(next_ - options_.pace, rest_until_);
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
    std::unique_ptr<watch_source> source_;
    query query_;
    watch_options options_;
    random_engine random_;
    weir::timer pause_;
    question question_;
    std::shared_ptr<feed> news_ = std::make_shared<feed>();
    std::optional<time_point> doubted_since_;  // all answers from then on fell short of the set
    std::optional<time_point> lost_since_;     // and from then on by too much to be believed
    time_point next_{};
    time_point rest_until_{};
    bool empty_ = false, large_ = false;
    bool stopped_ = false;
};

}  // namespace weir::registry::detail
