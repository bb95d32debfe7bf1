// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/async/detail/work_guard.hpp>
#include <weir/async/timer.hpp>
#include <weir/config/binding.hpp>
#include <weir/config/detail/follower.hpp>
#include <weir/config/document.hpp>
#include <weir/config/version_record.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/bell.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/error_code.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::config::detail {

/// What config::refresh does. The binding is touched on the strand alone; what others may see lies under the lock.
class refresh_core final : public follower_sink, public std::enable_shared_from_this<refresh_core> {
public:
    using listener = std::function<void(version_record const&)>;

    refresh_core(asio::any_io_executor executor, binding bound, document_options o, std::size_t keep,
                 std::vector<listener> listeners)
        : strand_(asio::make_strand(executor)),
          bound_(std::move(bound)),
          options_(std::move(o)),
          keep_(keep),
          listeners_(std::move(listeners)),
          clock_(strand_),
          news_(std::make_shared<news>(executor))
    {
    }

    [[nodiscard]] asio::strand<asio::any_io_executor> const& strand() const noexcept { return strand_; }

    void start(std::shared_ptr<follower> f)
    {
        follower_ = f;
        f->start();
    }

    void stop()
    {
        stopped_ = true;
        // What is being applied elsewhere is waited for, so that what is bound may go when this returns.
        if (!strand_.running_in_this_thread()) std::lock_guard const wait(applying_);
        if (auto const f = follower_.lock()) f->stop();
    }

    [[nodiscard]] std::vector<version_record> history() const
    {
        std::lock_guard const lock(news_->mutex);
        std::vector<version_record> all;
        for (auto const& e : news_->list) all.push_back(e.record);
        return all;
    }

    [[nodiscard]] refresh_status status() const
    {
        std::lock_guard const lock(news_->mutex);
        return news_->status;
    }

    template <class Token>
    auto async_next(Token&& token)
    {
        using found = std::optional<std::tuple<boost::system::error_code, version_record>>;
        return registry::detail::async_listen<version_record>(
            news_,
            [](news& n) -> found {
                std::lock_guard const lock(n.mutex);
                auto const newest = n.list.empty() ? 0 : n.list.back().record.number;
                if (newest != n.delivered) {
                    n.delivered = newest;
                    return std::tuple(boost::system::error_code(), n.list.back().record);
                }
                if (n.ended)
                    return std::tuple(boost::system::error_code(make_error_code(errc::stopped)), version_record{});
                return std::nullopt;
            },
            std::forward<Token>(token));
    }

    template <class Token>
    auto async_roll_back(std::uint64_t number, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, version_record)>(
            [self = shared_from_this()](auto handler, std::uint64_t n) {
                auto executor = asio::get_associated_executor(handler, self->strand_.get_inner_executor());
                asio::post(self->strand_, [self, n, handler = std::move(handler),
                                           work = weir::detail::work_guard<decltype(executor)>(executor)]() mutable {
                    auto result = self->roll_back(n);
                    asio::dispatch(work.get_executor(),
                                   [handler = std::move(handler), result = std::move(result)]() mutable {
                                       std::move(handler)(std::get<0>(result), std::move(std::get<1>(result)));
                                   });
                });
            },
            token, number);
    }

    // From the follower, on the strand.

    void take(loaded l) override
    {
        {
            std::lock_guard const lock(news_->mutex);
            auto& s = news_->status;
            s.connected = true;
            s.missing = l.missing;
            s.last_answer = clock_.now();
            s.note = l.missing ? l.note : std::string();
            ++s.answers;
        }
        if (l.missing) return;
        if (seen_ && seen_->bytes == l.document.bytes && seen_->format == l.document.format) return;
        seen_ = l.document;

        entry e;
        e.record.version = l.document.version;
        e.record.bytes = l.document.bytes.size();
        auto sections = parse(l.document, options_, e.record.why);
        if (sections && !apply(*sections, e.record.why)) return;
        e.record.verdict = e.record.why.empty() ? verdict::applied : verdict::refused;
        if (e.record.why.empty()) {
            e.record.changed = bound_.changed();
            e.sections = std::make_shared<json::object const>(*std::move(sections));
        }
        tell(std::move(e));
    }

    void fail(boost::system::error_code ec, std::string note) override
    {
        std::lock_guard const lock(news_->mutex);
        auto& s = news_->status;
        s.connected = false;
        ++s.failures;
        s.last_error = ec;
        s.note = std::move(note);
    }

    void ended() override
    {
        {
            std::lock_guard const lock(news_->mutex);
            news_->ended = true;
        }
        news_->bell.ring();
    }

private:
    struct entry {
        version_record record;
        std::shared_ptr<json::object const> sections;  // null: it was refused
    };

    /// What consumers see, and wait for.
    struct news {
        explicit news(asio::any_io_executor executor) : bell(std::move(executor)) {}
        registry::detail::bell bell;
        std::mutex mutex;
        std::deque<entry> list;
        refresh_status status;
        std::uint64_t delivered = 0;
        bool ended = false;
    };

    std::tuple<boost::system::error_code, version_record> roll_back(std::uint64_t number)
    {
        entry e;
        auto const refuse = [&](std::string why) {
            e.record.why.push_back({{}, {}, std::move(why)});
            return std::tuple(boost::system::error_code(make_error_code(errc::bad_document)), e.record);
        };
        e.record.verdict = verdict::refused;
        e.record.restored = number;
        {
            std::lock_guard const lock(news_->mutex);
            for (auto const& known : news_->list)
                if (known.record.number == number) {
                    e.record.version = known.record.version;
                    e.record.bytes = known.record.bytes;
                    e.sections = known.sections;
                    if (!e.sections) return refuse("version " + std::to_string(number) + " was itself refused");
                }
        }
        if (!e.sections) return refuse("version " + std::to_string(number) + " is not in the list");
        if (!apply(*e.sections, e.record.why)) return {make_error_code(errc::stopped), version_record{}};
        if (!e.record.why.empty()) return {make_error_code(errc::bad_document), e.record};
        e.record.verdict = verdict::rolled_back;
        e.record.changed = bound_.changed();
        return {boost::system::error_code(), tell(std::move(e))};
    }

    /// False: this was stopped. The one lock under which code of others runs, that of policies and checks; it is there
    /// for `stop` to wait for, and nobody else ever waits.
    bool apply(json::object const& sections, findings& found)
    {
        std::lock_guard const lock(applying_);
        if (stopped_) return false;
        found = bound_.apply(sections);
        return true;
    }

    /// Into the list, then to whoever listens.
    version_record tell(entry e)
    {
        version_record told;
        {
            std::lock_guard const lock(news_->mutex);
            auto& s = news_->status;
            auto& r = e.record;
            r.number = ++numbers_;
            r.when = std::chrono::system_clock::now();
            if (r.verdict == verdict::refused) ++s.refused;
            if (r.verdict == verdict::applied) ++s.applied;
            if (r.verdict == verdict::rolled_back) ++s.rolled_back;
            s.differs = r.verdict != verdict::applied;
            if (r.verdict != verdict::refused) {
                s.number = r.number;
                s.version = r.version;
                s.last_success = r.when;
            }
            told = r;
            news_->list.push_back(std::move(e));
            // What is in force is kept, however many were refused since.
            for (auto i = news_->list.begin(); news_->list.size() > keep_;)
                i = i->record.number == s.number ? i + 1 : news_->list.erase(i);
        }
        news_->bell.ring();
        for (auto const& l : listeners_) {
            try {
                l(told);
            } catch (...) {  // a listener's trouble is not the policies'
            }
        }
        return told;
    }

    asio::strand<asio::any_io_executor> strand_;
    binding bound_;
    document_options options_;
    std::size_t keep_;
    std::vector<listener> listeners_;
    weir::timer clock_;
    std::shared_ptr<news> news_;
    std::weak_ptr<follower> follower_;  // who runs keeps itself, and this
    std::optional<document> seen_;      // what the source said last, right or wrong
    std::uint64_t numbers_ = 0;
    std::mutex applying_;
    std::atomic<bool> stopped_{false};
};

}  // namespace weir::config::detail
