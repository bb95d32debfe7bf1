// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/config/source.hpp>
#include <weir/core/random.hpp>
#include <weir/core/time.hpp>
#include <weir/registry/detail/question.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace weir::config::detail {

/// Whom a follower tells, on its strand.
class follower_sink {
public:
    virtual void take(loaded l) = 0;
    virtual void fail(boost::system::error_code ec, std::string note) = 0;
    virtual void ended() = 0;

protected:
    ~follower_sink() = default;
};

/// Follows a source, and never hurts it: one question at a time, each with a limit; after a failure a pause with
/// decorrelated jitter, and then everything is read again; a pace that holds with sources that answer at once. The same
/// rules as registry::watcher's, without those for sets of instances.
class follower final : public std::enable_shared_from_this<follower> {
public:
    /// `sink` lives until it is told that this ended.
    follower(asio::strand<asio::any_io_executor> strand, std::unique_ptr<any_conversation> c, follow_options o,
             std::shared_ptr<follower_sink> sink, random_engine random)
        : strand_(strand),
          conversation_(std::move(c)),
          options_(std::move(o)),
          random_(random),
          sink_(std::move(sink)),
          pause_(strand_),
          question_(strand_)
    {
        options_.await_timeout = conversation_->await_timeout(options_.await_timeout);
    }

    void start()
    {
        asio::co_spawn(strand_, run(shared_from_this()), [sink = sink_](std::exception_ptr) { sink->ended(); });
    }

    void stop()
    {
        asio::post(strand_, [self = shared_from_this()] {
            self->stopped_ = true;
            self->pause_.cancel();
            self->question_.cancel();
        });
    }

private:
    using answer = registry::detail::answer<loaded>;

    static asio::awaitable<void> run(std::shared_ptr<follower> self)
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

    // From a read to the next failure.
    asio::awaitable<void> converse()
    {
        std::string version;
        for (bool first = true;; first = false) {
            co_await keep_pace();
            if (stopped_) co_return;
            answer a = co_await ask(first, version);
            if (stopped_) co_return;
            if (a.ec) {
                sink_->fail(a.ec, std::move(a.reply.note));
                co_return;
            }
            version = a.reply.document.version;
            sink_->take(std::move(a.reply));
        }
    }

    asio::awaitable<answer> ask(bool load, std::string version)
    {
        auto const begin = [this, load, &version](loaded_handler done) {
            load ? conversation_->load(std::move(done)) : conversation_->await_change(version, std::move(done));
        };
        auto const limit = load ? options_.load_timeout : options_.await_timeout;
        co_return co_await question_.ask<loaded>(limit, begin);
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

    asio::strand<asio::any_io_executor> strand_;
    std::unique_ptr<any_conversation> conversation_;
    follow_options options_;
    random_engine random_;
    std::shared_ptr<follower_sink> sink_;
    weir::timer pause_;
    registry::detail::question question_;
    time_point next_{};
    bool stopped_ = false;
};

}  // namespace weir::config::detail
