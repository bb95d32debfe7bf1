// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/core/errc.hpp>
#include <weir/registry/detail/etcd_document.hpp>
#include <weir/registry/detail/etcd_table.hpp>
#include <weir/registry/detail/etcd_wire.hpp>
#include <weir/registry/detail/watch_feed.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::registry::detail {

struct etcd_watch_options {
    std::string first, last;  ///< the keys; without `last`: one
    duration open_limit = std::chrono::seconds(5);
    duration silence = std::chrono::seconds(55);
    std::size_t max_frame_bytes = 8 * 1024 * 1024;
};

/// The answer to a read, or to waiting for a change: afterwards the entries are what it says, unless there is an error.
struct etcd_watch_said {
    boost::system::error_code ec = {};
    std::string note = {};
    bool lost = false;     ///< nothing new could be heard from where we were: read all again
    bool changed = false;  ///< a change was heard
};

/// Keys of etcd that are kept up to date: reads them, and watches them from there on, with one watch that stays open
/// between the questions. For discovery and for configuration.
/// Threads: one strand. One question at a time; each may be cancelled, which leaves the watch open.
template <class Entry>
class etcd_watch {
    using table = etcd_table<Entry>;

public:
    etcd_watch(etcd_wire wire, etcd_watch_options o, typename table::reader read)
        : wire_(std::move(wire)), options_(std::move(o)), table_(std::make_shared<table>(std::move(read)))
    {
    }
    etcd_watch(etcd_watch const&) = delete;
    // The feed is stopped where it runs.
    ~etcd_watch()
    {
        if (feed_) asio::post(wire_.http().get_executor(), [f = std::move(feed_)] { f->stop(); });
    }

    [[nodiscard]] std::map<std::string, Entry> const& entries() const noexcept { return table_->entries(); }
    /// 0: nothing has been read.
    [[nodiscard]] std::uint64_t revision() const noexcept { return table_->revision(); }

    asio::awaitable<etcd_watch_said> read()
    {
        hang_up();
        auto said = co_await wire_.ask("/v3/kv/range", write_etcd_range(options_.first, options_.last));
        if (said.ec) co_return etcd_watch_said{said.ec, said.error.note};
        std::string why;
        auto all = read_etcd_range(said.body, why);
        if (all && !table_->load(*std::move(all)))
            all.reset(), why = "more than " + std::to_string(etcd_max_keys) + " keys";
        if (!all) co_return etcd_watch_said{make_error_code(errc::bad_document), why};
        co_return etcd_watch_said();
    }

    asio::awaitable<etcd_watch_said> await_change()
    {
        using kind = feed_word::kind;
        for (bool again = true;; again = false) {
            if (!feed_) {
                auto const said = co_await wire_.sign_in();
                if (said.ec) co_return etcd_watch_said{said.ec, said.error.note};
                call();
            }
            auto const word = co_await next_word(feed_);
            if (word.what == kind::lost) co_return etcd_watch_said{.note = word.note, .lost = true};
            if (word.what == kind::nothing || word.what == kind::changed)
                co_return etcd_watch_said{.changed = word.what == kind::changed};
            if (word.what == kind::failed || !again) co_return etcd_watch_said{word.ec, word.note};
            wire_.sign_out();
        }
    }

private:
    void hang_up()
    {
        if (auto const f = std::exchange(feed_, nullptr)) f->stop();
    }

    void call()
    {
        auto const frame = [t = table_](json::value const& v) {
            feed_word word;
            auto f = read_etcd_frame(v, word.note);
            if (!f) return feed_word{feed_word::kind::failed, make_error_code(errc::bad_document), word.note};
            auto const error = f->error;
            switch (t->apply(*std::move(f))) {
                case table::news::changed: word.what = feed_word::kind::changed; break;
                case table::news::lost: word = {feed_word::kind::lost, {}, error.note}; break;
                case table::news::ended: return judge(error);
                case table::news::none: break;
            }
            return word;
        };
        auto const refusal = [](unsigned status, std::string_view body) {
            return judge(read_etcd_error(status, body));
        };
        feed_ = std::make_shared<watch_feed>(wire_.http(),
                                             watch_feed_options{.open_limit = options_.open_limit,
                                                                .silence = options_.silence,
                                                                .max_frame_bytes = options_.max_frame_bytes},
                                             frame, refusal);
        feed_->start(
            etcd_wire::question("/v3/watch", write_etcd_watch(options_.first, options_.last, table_->revision() + 1)));
    }

    [[nodiscard]] static feed_word judge(etcd_error const& e)
    {
        auto const kind = e.what == etcd_trouble::unauthenticated ? feed_word::kind::unauthorized
                          : e.what == etcd_trouble::compacted     ? feed_word::kind::lost
                                                                  : feed_word::kind::failed;
        return {kind, to_error_code(e.what), e.note};
    }

    etcd_wire wire_;
    etcd_watch_options options_;
    std::shared_ptr<table> table_;
    std::shared_ptr<watch_feed> feed_;
};

}  // namespace weir::registry::detail
