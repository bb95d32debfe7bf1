// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/json_frames.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

/// What a frame of a watch, or an answer that is no watch, means.
struct feed_word {
    enum class kind : std::uint8_t {
        nothing,       ///< go on; as an end: the server had nothing more to say, ask again from where we are
        changed,       ///< there is something else to tell; go on
        lost,          ///< what is between here and the watch cannot be known: read all again
        unauthorized,  ///< not with these credentials
        failed,        ///< `ec`, `note`
    };
    kind what = kind::nothing;
    boost::system::error_code ec = {};
    std::string note = {};
};

struct watch_feed_options {
    duration open_limit = std::chrono::seconds(5);  ///< for the head of the answer to come
    duration silence = std::chrono::seconds(55);    ///< without a byte: the end
    bool silence_is_failure = false;                ///< the server ends its watches by itself, before that
    std::size_t max_frame_bytes = 8 * 1024 * 1024;
};

class watch_feed;

/// The next word of a feed: a change, or how it ended, and then `feed` is empty. Cancellation leaves the feed as it is;
/// then it is `failed` with operation_aborted.
[[nodiscard]] asio::awaitable<feed_word> next_word(std::shared_ptr<watch_feed>& feed);

/// Listens to one watch: opens it, cuts it into frames and hands each to `frame`, all by itself, so that however many
/// events come between two questions of a watcher they cost it one answer, and a question that is given up costs no
/// event.
/// Threads: one strand.   Lifetimes: it lives until it has ended; `stop` ends it, and nothing is handed over after.
class watch_feed : public std::enable_shared_from_this<watch_feed> {
public:
    using kind = feed_word::kind;
    using options = watch_feed_options;
    using frame_reader = std::function<feed_word(json::value const&)>;
    using refusal_reader = std::function<feed_word(unsigned status, std::string_view body)>;

    watch_feed(http_session http, options o, frame_reader frame, refusal_reader refusal)
        : http_(std::move(http)),
          options_(o),
          frame_(std::move(frame)),
          refusal_(std::move(refusal)),
          bell_(http_.get_executor()),
          limit_(http_.get_executor())
    {
    }

    void start(http::request r)
    {
        asio::co_spawn(http_.get_executor(), run(shared_from_this(), std::move(r)),
                       [self = shared_from_this()](std::exception_ptr e) {
                           if (e) self->fail(errc::registry_unavailable, "out of memory");
                       });
    }

    void stop()
    {
        end({kind::failed, asio::error::operation_aborted, {}});
        stop_.emit(asio::cancellation_type::terminal);
    }

    /// Completes when there may be news. Look first.
    asio::awaitable<void> wait() { co_await bell_.async_wait_until(never, tuple); }

    /// True: there was a change. What has arrived already is one with it: the loop lets the reading go on as long as
    /// each turn of it brings more.
    asio::awaitable<bool> take_changes()
    {
        bool const any = std::exchange(changed_, false);
        for (int turn = 0; any && turn < max_turns; ++turn) {
            co_await asio::post(http_.get_executor(), asio::use_awaitable);
            if (!std::exchange(changed_, false)) break;
        }
        co_return any;
    }

    [[nodiscard]] bool has_news() const noexcept { return changed_ || end_; }

    /// How it ended.
    [[nodiscard]] std::optional<feed_word> const& ended() const noexcept { return end_; }

private:
    static constexpr int max_turns = 256;
    static constexpr auto tuple = asio::as_tuple(asio::use_awaitable);

    static asio::awaitable<void> run(std::shared_ptr<watch_feed> self, http::request r)
    {
        auto& f = *self;
        if (f.end_) co_return;  // stopped before it began
        auto token = asio::bind_cancellation_slot(f.stop_.slot(), tuple);
        auto const began = f.bell_.now();
        f.limit(f.options_.open_limit);
        auto [ec, head, body] = co_await f.http_.async_open(std::move(r), token);
        if (f.end_) co_return;
        if (f.late_) co_return f.fail(errc::registry_unavailable, "no answer to a watch");
        if (ec) co_return f.end({kind::failed, ec, {}});
        if (!body) co_return f.end(f.refusal_(head.result_int(), head.body()));

        json_frames frames({.max_bytes = f.options_.max_frame_bytes});
        for (bool spoke = false;;) {
            f.limit(f.options_.silence);
            auto [bad, piece] = co_await body->async_read(token);
            if (f.end_) co_return;
            std::string_view rest = piece;
            while (auto const frame = frames.next(rest)) {
                spoke = true;
                auto word = f.frame_(*frame);
                if (word.what == kind::changed)
                    f.changed_ = true;
                else if (word.what != kind::nothing)
                    co_return f.end(std::move(word));
            }
            if (!frames.why().empty()) co_return f.fail(errc::bad_document, frames.why());
            if (f.changed_) f.bell_.cancel();
            if (!bad) continue;

            bool const over = bad == asio::error::eof || (f.late_ && !f.options_.silence_is_failure);
            // A server that ends what it has just begun would be asked in a tight loop.
            bool const served = spoke || between(began, f.bell_.now()) >= std::chrono::seconds(1);
            if (over && !frames.within() && served) co_return f.end({});
            if (over) co_return f.fail(errc::connection_closed, "the watch broke off");
            if (f.late_) co_return f.fail(errc::registry_unavailable, "the watch fell silent");
            co_return f.end({kind::failed, bad, "the watch broke off"});
        }
    }

    // Of the next step.
    void limit(duration d)
    {
        limit_.cancel();
        limit_.async_wait_for(d, [weak = weak_from_this()](boost::system::error_code ec) {
            auto const self = weak.lock();
            if (ec || !self || self->end_) return;
            self->late_ = true;
            self->stop_.emit(asio::cancellation_type::terminal);
        });
    }

    void fail(errc why, std::string note) { end({kind::failed, make_error_code(why), std::move(note)}); }

    void end(feed_word w)
    {
        if (end_) return;
        end_ = std::move(w);
        limit_.cancel();
        bell_.cancel();
    }

    http_session http_;
    options options_;
    frame_reader frame_;
    refusal_reader refusal_;
    weir::timer bell_, limit_;
    asio::cancellation_signal stop_;
    std::optional<feed_word> end_;
    bool changed_ = false;
    bool late_ = false;
};

// Bodies

inline asio::awaitable<feed_word> next_word(std::shared_ptr<watch_feed>& feed)
{
    auto const cancellation = co_await asio::this_coro::cancellation_state;
    feed_word word;
    while (!feed->has_news()) {
        co_await feed->wait();
        if (cancellation.cancelled() == asio::cancellation_type::none) continue;
        word.what = feed_word::kind::failed;
        word.ec = asio::error::operation_aborted;
        co_return word;
    }
    bool const changed = co_await feed->take_changes();
    if (changed) {
        word.what = feed_word::kind::changed;
        co_return word;
    }
    word = *feed->ended();
    feed.reset();
    co_return word;
}

}  // namespace weir::registry::detail
