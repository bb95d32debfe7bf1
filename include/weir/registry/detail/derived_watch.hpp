// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/timer.hpp>
#include <weir/registry/snapshot.hpp>
#include <weir/registry/watch.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// A watch made of others: what `combine` makes of their newest sets is published, whenever one of them has news. It
/// guards nothing: what it is given was guarded by the watchers of its sources.
/// Threads: everything on a strand of its own; `watch` is called once.
class derived_watch : public std::enable_shared_from_this<derived_watch> {
public:
    using set = std::shared_ptr<snapshot const>;
    /// Gets the newest set of each source, null where there is none yet, and whether patience with those is over.
    /// Nothing: there is nothing to publish yet. Called on the strand.
    using combine = std::function<std::optional<snapshot>(std::vector<set> const&, bool late)>;
    using status_of = std::function<watch_status(std::vector<watch_status> const&)>;

    derived_watch(asio::any_io_executor const& executor, std::vector<registry::watch> sources, combine c, status_of s,
                  duration patience)
        : strand_(asio::make_strand(executor)),
          sources_(std::move(sources)),
          combine_(std::move(c)),
          status_of_(std::move(s)),
          patience_(patience),
          clock_(strand_)
    {
    }

    [[nodiscard]] registry::watch watch()
    {
        news_->status_from([weak = weak_from_this()]() -> std::optional<watch_status> {
            auto const self = weak.lock();
            if (!self) return std::nullopt;
            std::vector<watch_status> all;
            for (auto const& w : self->sources_) all.push_back(w.status());
            return self->status_of_(all);
        });
        asio::post(strand_, [weak = weak_from_this()] {
            if (auto const self = weak.lock()) self->publish(cause::first);  // what is known already
        });
        for (std::size_t n = 0; n < sources_.size(); ++n) next(n);
        if (sources_.size() > 1)
            clock_.async_wait_for(patience_, asio::bind_executor(strand_, [weak = weak_from_this()](auto ec) {
                                      auto const self = weak.lock();
                                      if (ec || !self) return;
                                      self->late_ = true;
                                      self->publish(cause::change);
                                  }));
        return {strand_, news_, shared_from_this()};
    }

private:
    void next(std::size_t which)
    {
        // Held weakly: with the last watch of ours those of the sources go, and end their waits.
        sources_[which].async_next(asio::bind_executor(
            strand_, [weak = weak_from_this(), which](boost::system::error_code ec, update const& u) {
                auto const self = weak.lock();
                if (!self) return;
                if (ec) {
                    if (++self->ended_ == self->sources_.size()) self->news_->stop();
                    return;
                }
                self->publish(u.why);
                self->next(which);
            }));
    }

    void publish(cause why)
    {
        std::vector<set> all;
        for (auto const& w : sources_) all.push_back(w.current());
        auto s = combine_(all, late_);
        if (!s) return;
        auto const known = news_->latest().now;
        bool const same = known && (known->instances == s->instances || *known->instances == *s->instances);
        if (same && known->from == s->from) return news_->confirm(s->as_of, std::move(s->revision));
        if (same) s->instances = known->instances;
        s->version = 0;
        news_->publish(std::move(*s), !known                 ? cause::first
                                      : same                 ? (why == cause::guarded ? why : cause::state)
                                      : why == cause::resync ? why
                                                             : cause::change);
    }

    asio::any_io_executor strand_;
    std::vector<registry::watch> sources_;
    combine combine_;
    status_of status_of_;
    duration patience_;
    weir::timer clock_;
    std::shared_ptr<feed> news_ = std::make_shared<feed>();
    std::size_t ended_ = 0;
    bool late_ = false;
};

/// How several sources do together: connected if one is, with the counts of all and the latest error.
[[nodiscard]] inline watch_status sum(std::vector<watch_status> const& all)
{
    watch_status out;
    for (auto const& s : all) {
        out.connected = out.connected || s.connected;
        out.last_answer = std::max(out.last_answer, s.last_answer);
        out.answers += s.answers;
        out.failures += s.failures;
        out.resyncs += s.resyncs;
        out.held += s.held;
        out.skipped += s.skipped;
        out.rotations += s.rotations;
        if (s.connected && out.server.empty()) out.server = s.server;
        if (s.last_error) out.last_error = s.last_error, out.note = s.note;
    }
    return out;
}

}  // namespace weir::registry::detail
